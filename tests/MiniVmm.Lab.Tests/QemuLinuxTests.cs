namespace MiniVmm.Lab.Tests;

/// <summary>Linux started by a command line that was written for QEMU.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class QemuLinuxTests
{
    [Fact]
    public async Task It_finds_on_the_PCI_bus_what_was_asked_for_and_a_reboot_ends_it()
    {
        const string disk = "/tmp/qemu-linux.img";
        await LabHost.ShellAsync($"dd if=/dev/urandom of={disk} bs=64k count=2 2>&1");
        string before = await LabHost.ShellAsync($"md5sum <{disk}");
        await using GuestShell guest = await GuestShell.StartAsQemuAsync(
            "qemu-linux", "",
            "-M", "q35,accel=kvm", "-enable-kvm", "-cpu", "host", "-smp", "2", "-m", "256M", "-nographic", "-no-reboot", "-vga", "none",
            "-drive", $"file={disk},if=none,id=d,format=raw,cache=unsafe,aio=threads", "-device", "virtio-blk-pci,drive=d,serial=S1",
            "-snapshot", "-netdev", "user,id=n,hostname=kernel", "-device", "virtio-net-pci,netdev=n,mac=52:54:00:ab:cd:ef",
            "-object", "rng-random,filename=/dev/urandom,id=r", "-device", "virtio-rng-pci,rng=r");
        Assert.Equal("", guest.Vmm.Errors);

        Assert.Equal("2", await guest.RunAsync("nproc"));
        Assert.Equal("256", await guest.RunAsync("cat /sys/block/vda/size"));
        Assert.Equal("S1", await guest.RunAsync("cat /sys/block/vda/serial"));
        Assert.Equal("52:54:00:ab:cd:ef", await guest.RunAsync("cat /sys/class/net/eth0/address"));
        Assert.StartsWith("virtio_rng", await guest.RunAsync("cat /sys/class/misc/hw_random/rng_current"), StringComparison.Ordinal);
        Assert.Equal("3", await guest.RunAsync("grep -l 0x1af4 /sys/bus/pci/devices/*/vendor | wc -l"));
        await guest.RunAsync("dd if=/dev/zero of=/dev/vda bs=64k count=1 conv=fsync");

        await guest.Vmm.SendLineAsync("reboot -f");
        await guest.Vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Equal(before, await LabHost.ShellAsync($"md5sum <{disk}"));
    }

    /// <summary>The lab's root is one: an overlay on memory.</summary>
    [Fact]
    public async Task A_file_system_that_only_says_that_it_has_direct_IO_is_found_out()
    {
        await LabHost.ShellAsync("truncate -s 64K /tmp/direct.img");

        (int status, _, string errors) = await LabHost.TryShellAsync(
            $"'{Lab.MiniVmm}' run --disk /tmp/direct.img,cache=none '{Lab.Guest("hello.elf")}' </dev/null");

        Assert.Equal(ExitStatus.BadInput, status);
        Assert.Contains("--disk /tmp/direct.img: its file system lacks direct I/O", errors, StringComparison.Ordinal);
    }
}
