using System.Text.Json;

namespace MiniVmm.Lab.Tests;

/// <summary>Memory that comes and goes while Linux runs: its virtio_mem driver, KVM's slots, and what the host has of it.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class PluggedMemoryTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public async Task Memory_comes_and_goes_while_the_guest_works_and_the_process_follows()
    {
        string disk = Path.GetTempFileName();
        await LabHost.ShellAsync($"head -c 16M /dev/urandom >{disk}");
        string sum = (await LabHost.ShellAsync($"md5sum <{disk}")).Split(' ')[0];
        await using GuestShell guest = await GuestShell.StartAsync("plugged", PluggedMemory.Online,
            "--mem", "256M,max=2G", "--smp", "2", "--name", "lab-plugged", "--balloon", "0,reporting=off",
            "--disk", $"{disk},ro,format=raw");
        long small = await guest.MemoryAsync("MemTotal");
        Assert.InRange(Resident(), 0, 256 * MiB);

        // The SRAT: before anything has come the kernel knows up to where it may.
        Assert.Matches(
            @"SRAT: Node 0 PXM 0 \[mem 0x100000000-0x16fffffff\] hotplug",
            await guest.RunAsync("dmesg | grep 'SRAT: Node' || dmesg | grep -i -e SRAT -e NUMA"));
        await guest.RunAsync("(while usleep 20000; do seq 2000 | sha256sum || echo failed; done) >/tmp/load 2>&1 &");

        Assert.Equal("memory: 1 GiB (from 256 MiB to 2 GiB)\n", await PluggedMemory.ResizeAsync("lab-plugged", "1G"));

        await ExpectTotalAsync(small + (760 << 10), small + (768 << 10));
        Assert.Contains("1 GiB", await LabHost.MiniVmmAsync("ps"), StringComparison.Ordinal);
        Assert.InRange(Resident(), 0, 400 * MiB); // it is there, and nobody has used it yet

        // Caches are movable: a disk's contents come into plugged memory by a device, a file's by a vCPU.
        Assert.StartsWith(sum, await guest.RunAsync("md5sum </dev/vda"), StringComparison.Ordinal);
        await guest.RunAsync("mkdir /full && mount -t tmpfs -o size=800m tmpfs /full && " +
            "dd if=/dev/zero of=/full/file bs=1M count=480 2>/dev/null");
        long full = Resident();
        Assert.InRange(full, 560 * MiB, 1064 * MiB);
        await guest.RunAsync("rm /full/file");

        Assert.Equal("memory: 512 MiB (from 256 MiB to 2 GiB)\n", await PluggedMemory.ResizeAsync("lab-plugged", "512M"));

        await ExpectTotalAsync(small + (248 << 10), small + (256 << 10));
        Assert.InRange(Resident(), 0, full - (200 * MiB));
        JsonElement plug = (await LabHost.StatisticsAsync("lab-plugged")).GetProperty("memory").GetProperty("hotplug");
        Assert.Equal(
            (512 * MiB, 512 * MiB), (plug.GetProperty("actualBytes").GetInt64(), plug.GetProperty("targetBytes").GetInt64()));
        Assert.StartsWith(sum, await guest.RunAsync("echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda"), StringComparison.Ordinal);
        Assert.Equal("0", await guest.RunAsync("grep -c failed /tmp/load || true"));

        (int status, _, string errors) = await LabHost.TryShellAsync($"'{Lab.MiniVmm}' ctl lab-plugged memory 3G");
        Assert.Equal(ExitStatus.BadInput, status);
        Assert.Contains("3 GiB is more than the guest can get, 2 GiB", errors, StringComparison.Ordinal);
        await guest.PowerOffAsync();

        long Resident() => LabHost.ResidentBytes(guest.Vmm.Id);

        // The driver has its blocks before the kernel counts them.
        async Task ExpectTotalAsync(long least, long most)
        {
            long total = await guest.MemoryAsync("MemTotal");
            for (int tries = 0; tries < 60 && (total < least || total > most); tries++)
            {
                await Task.Delay(1000);
                total = await guest.MemoryAsync("MemTotal");
            }

            Assert.InRange(total, least, most);
        }
    }

    [Fact]
    public async Task Huge_pages_are_taken_from_the_pool_when_they_are_plugged_and_not_before()
    {
        int free = HugePages.Free;
        await using GuestShell guest = await GuestShell.StartAsync("plugged-huge", PluggedMemory.Online,
            "--mem", "192M,max=448M", "--mem-path", HugePages.MountPoint, "--name", "lab-huge");
        Assert.Equal(free - 96, HugePages.Free);

        await PluggedMemory.ResizeAsync("lab-huge", "256M");
        Assert.Equal(free - 128, HugePages.Free);

        // More than the pool has: the guest gets what there is, and the machine lives.
        (int status, string output, _) = await LabHost.TryShellAsync($"'{Lab.MiniVmm}' ctl lab-huge memory 448M");
        Assert.Equal(ExitStatus.HostLimit, status);
        Assert.Contains(" of 448 MiB", output, StringComparison.Ordinal);
        Assert.InRange(HugePages.Free, 0, 32);

        await PluggedMemory.ResizeAsync("lab-huge", "192M");
        Assert.Equal(free - 96, HugePages.Free);
        await guest.PowerOffAsync();
        await HugePages.AssertFreeSoonAsync(free);
    }
}
