using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// Three boots from one disk, a qcow2 image over a raw one: the first writes, and ends by powering off; the second
/// reads back, writes, and is killed; the third reads back.
/// </summary>
public sealed class DiskBoots : IAsyncLifetime
{
    /// <summary>What the guest mounts as its root.</summary>
    public string RootMount { get; private set; } = "";

    /// <summary>Checksum and name of the 64 MiB, as written and as found by the second boot.</summary>
    public string Written { get; private set; } = "";

    public string ReadBack { get; private set; } = "";

    /// <summary>Of what was flushed right before the VMM was killed, and as found by the third boot.</summary>
    public string WrittenBeforeKill { get; private set; } = "";

    public string ReadAfterKill { get; private set; } = "";

    /// <summary>qemu-img's opinion of the image after the first boot, the kill, and the last boot.</summary>
    public List<(int Status, string Output)> Checks { get; } = [];

    public (int Status, string Output) ReadOnlyWrite { get; private set; }

    public string ReadOnlyFlag { get; private set; } = "";

    public bool ReadOnlyFileIsZeroes { get; private set; }

    public string Serial { get; private set; } = "";

    /// <summary>Checksums of a file on the disk with cache=none, before and after it left the guest's cache.</summary>
    public string DirectWritten { get; private set; } = "";

    public string DirectRead { get; private set; } = "";

    /// <summary>KiB that the disk with cache=none takes on the host, before and after the guest discards it.</summary>
    public long KibibytesBeforeDiscard { get; private set; }

    public long KibibytesAfterDiscard { get; private set; }

    public int StatusOfSecondUser { get; private set; }

    public string ErrorsOfSecondUser { get; private set; } = "";

    /// <summary>What the kernel of the third boot had to say of disk and file system.</summary>
    public string LogAfterKill { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        string folder = await LabHost.MakeDiskFolderAsync(1024);
        await LabHost.ShellAsync($"cd {folder} && truncate -s 64M readonly.img direct.img && " +
            $"qemu-img create -q -f qcow2 -b {Lab.Guest("root.img")} -F raw root.qcow2");
        string[] disks =
        [
            "--smp", "2", "--mem", "512M", "--disk", $"{folder}/root.qcow2,format=qcow2",
            "--disk", $"{folder}/readonly.img,format=raw,ro",
            "--disk", $"{folder}/direct.img,format=raw,cache=none,serial=LAB-DIRECT",
        ];

        await FirstBootAsync(folder, disks);
        await CheckAsync(folder);
        await SecondBootAsync(disks);
        await CheckAsync(folder);
        await ThirdBootAsync(disks);
        await CheckAsync(folder);
        ReadOnlyFileIsZeroes =
            (await LabHost.TryShellAsync($"cmp -n 67108864 {folder}/readonly.img /dev/zero")).Status == 0;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task FirstBootAsync(string folder, string[] disks)
    {
        await using GuestShell guest = await GuestShell.StartAsync("disk-write", "root=/dev/vda", disks);
        RootMount = await guest.RunAsync("grep ' / ' /proc/mounts | tail -n 1");

        await using (VmmProcess second = VmmProcess.Run(
            "disk-in-use", "--disk", $"{folder}/root.qcow2,format=qcow2", Lab.Guest("hello.elf")))
        {
            StatusOfSecondUser = await second.WaitForExitAsync();
            ErrorsOfSecondUser = second.Errors;
        }

        await guest.RunAsync("dd if=/dev/urandom of=/root/large bs=1M count=64 conv=fsync");
        Written = await guest.RunAsync("md5sum /root/large");

        ReadOnlyFlag = await guest.RunAsync("cat /sys/block/vdb/ro");
        ReadOnlyWrite = await guest.TryAsync("dd if=/dev/urandom of=/dev/vdb bs=4096 count=1 conv=fsync");

        Serial = await guest.RunAsync("cat /sys/block/vdc/serial");
        await guest.RunAsync("mkdir /tmp/direct && mke2fs /dev/vdc && mount -t ext4 /dev/vdc /tmp/direct");
        await guest.RunAsync("dd if=/root/large of=/tmp/direct/file bs=1M count=40 conv=fsync");
        DirectWritten = await guest.RunAsync("dd if=/root/large bs=1M count=40 2>/dev/null | md5sum");
        await guest.RunAsync("umount /tmp/direct && echo 3 >/proc/sys/vm/drop_caches");
        await guest.RunAsync("mount -t ext4 /dev/vdc /tmp/direct");
        DirectRead = await guest.RunAsync("md5sum </tmp/direct/file");
        KibibytesBeforeDiscard = await KibibytesAsync();
        await guest.RunAsync("umount /tmp/direct && blkdiscard /dev/vdc && sync");
        KibibytesAfterDiscard = await KibibytesAsync();
        await guest.PowerOffAsync();

        async Task<long> KibibytesAsync() =>
            long.Parse((await LabHost.ShellAsync($"sync; du -k {folder}/direct.img")).Split('\t')[0]);
    }

    private async Task SecondBootAsync(string[] disks)
    {
        await using GuestShell guest = await GuestShell.StartAsync("disk-kill", "root=/dev/vda", disks);
        ReadBack = await guest.RunAsync("md5sum /root/large");
        await guest.RunAsync("dd if=/dev/urandom of=/tmp/source bs=1M count=16");
        WrittenBeforeKill = (await guest.RunAsync("md5sum </tmp/source")).Trim();
        await guest.RunAsync("dd if=/tmp/source of=/root/flushed bs=1M conv=fsync");
        guest.Vmm.Signal(VmmProcess.SIGKILL);
        Assert.Equal(128 + VmmProcess.SIGKILL, await guest.Vmm.WaitForExitAsync());
    }

    private async Task ThirdBootAsync(string[] disks)
    {
        await using GuestShell guest = await GuestShell.StartAsync("disk-after-kill", "root=/dev/vda", disks);
        ReadAfterKill = (await guest.RunAsync("md5sum </root/flushed")).Trim();
        LogAfterKill = await guest.RunAsync("dmesg | grep -iE 'ext4|vd[abc]' | cat");
        await guest.PowerOffAsync();
    }

    private async Task CheckAsync(string folder)
    {
        (int status, string output, string errors) = await LabHost.TryShellAsync($"qemu-img check {folder}/root.qcow2");
        Checks.Add((status, output + errors));
    }
}

[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class DiskTests(DiskBoots boots) : IClassFixture<DiskBoots>
{
    /// <summary>Leaked clusters only: space lost, no contents.</summary>
    private const int CheckFoundLeaks = 3;

    [Fact]
    public void Linux_mounts_its_root_read_write_from_a_qcow2_image_over_a_raw_one() =>
        Assert.Matches("^/dev/(root|vda) / ext4 rw", boots.RootMount);

    [Fact]
    public void What_was_written_and_flushed_is_there_after_a_restart() => Assert.Equal(boots.Written, boots.ReadBack);

    [Fact]
    public void What_was_flushed_is_there_after_the_VMM_was_killed_at_once() =>
        Assert.Equal(boots.WrittenBeforeKill, boots.ReadAfterKill);

    [Fact]
    public void The_file_system_of_the_killed_machine_is_recovered_without_an_error()
    {
        Assert.Contains("recovery complete", boots.LogAfterKill, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex("EXT4-fs error|I/O error|critical .* error"), boots.LogAfterKill);
    }

    [Fact]
    public void QemuImg_finds_the_image_clean_after_each_power_off()
    {
        Assert.True(boots.Checks[0].Status == 0, boots.Checks[0].Output);
        Assert.True(boots.Checks[2].Status is 0 or CheckFoundLeaks, boots.Checks[2].Output);
    }

    [Fact]
    public void QemuImg_finds_no_corruption_after_the_kill() =>
        Assert.True(boots.Checks[1].Status is 0 or CheckFoundLeaks, boots.Checks[1].Output);

    [Fact]
    public void A_write_to_the_read_only_disk_fails_in_the_guest_and_changes_nothing()
    {
        Assert.Equal("1", boots.ReadOnlyFlag);
        Assert.NotEqual(0, boots.ReadOnlyWrite.Status);
        Assert.Contains("Operation not permitted", boots.ReadOnlyWrite.Output, StringComparison.Ordinal);
        Assert.True(boots.ReadOnlyFileIsZeroes);
    }

    [Fact]
    public void A_disk_says_its_serial_number() => Assert.Equal("LAB-DIRECT", boots.Serial);

    [Fact]
    public void A_disk_past_the_hosts_cache_keeps_a_file_system() =>
        Assert.Equal(boots.DirectWritten, boots.DirectRead);

    [Fact]
    public void What_the_guest_discards_goes_back_to_the_host()
    {
        Assert.InRange(boots.KibibytesBeforeDiscard, 40 << 10, 80 << 10);
        Assert.InRange(boots.KibibytesAfterDiscard, 0, 1 << 10);
    }

    [Fact]
    public void A_second_machine_on_the_same_image_is_refused()
    {
        Assert.Equal(ExitStatus.BadInput, boots.StatusOfSecondUser);
        Assert.Contains("root.qcow2", boots.ErrorsOfSecondUser, StringComparison.Ordinal);
    }
}
