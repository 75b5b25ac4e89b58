using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// Devices of the host in a guest: what they carry, where their interrupts come, and that the host has them back whatever
/// the machine's end was.
/// </summary>
[Trait(LabKind.Trait, LabKind.Vfio)]
public sealed class PassthroughTests(PassthroughHost host) : IClassFixture<PassthroughHost>
{
    private const string SmallPages = "--mem=160M";
    private const string Name = "lab-passthrough";
    private const long MiB = 1 << 20;
    private const int Mebibytes = 4;
    private const string Direct = "2>/dev/null dd bs=4M count=1";
    private const string Read = "dd if=/dev/nvme0n1 bs=1M count=4 2>/dev/null | sha256sum";

    // The project's folder may be closed to other users.
    private const string CopyForNobody = "chmod 666 /dev/kvm && d=$(mktemp -d) && chmod 755 $d && cp $1 $7 $d && cd $d && "
        + "exec setpriv --reuid 65534 --clear-groups ./$(basename $1) $2 $3 $4 $5 $6 $(basename $7)";

    private const string Forget = "echo 3 >/proc/sys/vm/drop_caches";

    [Fact]
    public async Task A_disk_and_a_card_work_together_on_huge_pages_and_plugged_memory_and_the_guests_reboot_gives_them_back()
    {
        await PassthroughHost.MakeReadyAsync(PassthroughHost.Nvme);
        await PassthroughHost.MakeReadyAsync(PassthroughHost.Card);
        await using GuestShell guest = await GuestShell.StartAsync(
            "passthrough", PluggedMemory.Online, "--name", Name, "--smp", "2", "--mem", "192M,max=256M", "--mem-path", HugePages.MountPoint,
            "--device", $"vfio={PassthroughHost.Nvme}", "--net", $"vfio={PassthroughHost.Card}");

        // The disk: what is written is read back, by each processor with interrupts of its own.
        string written = await guest.RunAsync($"dd if=/dev/urandom of=/tmp/f bs=1M count={Mebibytes} 2>/dev/null; sha256sum </tmp/f");
        await guest.RunAsync("dd if=/tmp/f of=/dev/nvme0n1 bs=1M 2>/dev/null && sync");
        Assert.Equal(written, await guest.RunAsync($"{Forget}; taskset 1 {Read}"));
        Assert.Equal(written, await guest.RunAsync($"{Forget}; taskset 2 {Read}"));
        Assert.Equal("yes yes", await InterruptsAsync(guest, "nvme0q"));

        // The card: DHCP, full frames, HTTP.
        await guest.RunAsync("udhcpc -i eth0 -n -q -t 10 -s /lease");
        string pinged = await guest.RunAsync($"ping -c 3 -s 1472 {PassthroughHost.Address}");
        Assert.Contains("1480 bytes from", pinged, StringComparison.Ordinal);
        Assert.Equal(PassthroughHost.Page, await guest.RunAsync($"wget -q -O - http://{PassthroughHost.Address}/"));
        Assert.Contains("yes", await InterruptsAsync(guest, "virtio[0-9]-input"), StringComparison.Ordinal);
        Assert.Contains("PCI-MSI", await guest.RunAsync("grep nvme0q1 /proc/interrupts"), StringComparison.Ordinal);

        await PlugAndUnplugAsync(guest, written);

        await guest.Vmm.SendLineAsync("reboot -f");
        await guest.Vmm.AssertExitAsync(ExitStatus.Success);
        Assert.Empty(guest.Vmm.ErrorLines);
        Assert.Equal(written.Split(' ')[0], await PassthroughHost.ChecksumOnHostAsync(Mebibytes));
        await PassthroughHost.TakeBackAsync(PassthroughHost.Card);
        Assert.NotEqual("", await LabHost.ShellAsync($"ls /sys/bus/pci/devices/{PassthroughHost.Card}/virtio*/net"));
    }

    [Theory]
    [InlineData(VmmProcess.SIGTERM, ExitStatus.Interrupted, "pci=nomsi")]
    [InlineData(VmmProcess.SIGKILL, 128 + VmmProcess.SIGKILL, "")]
    public async Task A_machine_that_a_signal_ends_amid_DMA_leaves_the_disk_to_the_host(int signal, int status, string kernelLine)
    {
        string before = await PassthroughHost.ChecksumOnHostAsync(Mebibytes);
        await PassthroughHost.MakeReadyAsync(PassthroughHost.Nvme);
        await using GuestShell guest = await GuestShell.StartAsync(
            $"passthrough-signal-{signal}", kernelLine, SmallPages, "--device", $"vfio={PassthroughHost.Nvme}");
        Assert.Equal(before, (await guest.RunAsync(Read)).Split(' ')[0]);

        // Without messages the interrupt is a level on a line of the PCI bus, which the guest's end of interrupt lets fall.
        string kind = kernelLine.Length > 0 ? "IO-APIC *[0-9]*-fasteoi" : "PCI-MSI";
        await guest.RunAsync($"grep nvme0q /proc/interrupts | grep '{kind}'");
        await guest.RunAsync($"(while true; do {Forget}; {Read}; done >/dev/null 2>&1 &)");
        guest.Vmm.Signal(signal);

        await guest.Vmm.AssertExitAsync(status);
        Assert.Equal(before, await PassthroughHost.ChecksumOnHostAsync(Mebibytes));
    }

    [Fact]
    public async Task What_stands_in_the_way_is_said_in_one_line_that_ends_in_what_to_do()
    {
        _ = host;
        await PassthroughHost.TakeBackAsync(PassthroughHost.Nvme);
        await RefusedAsync(PassthroughHost.Nvme, "its driver is nvme, not vfio-pci; run as root: ");
        await RefusedAsync("0000:00:09.0", "the host has no such PCI device", status: ExitStatus.BadInput);

        await PassthroughHost.BindAloneAsync(PassthroughHost.Shared);
        await RefusedAsync(PassthroughHost.Shared, $"passed on together or not at all: {PassthroughHost.Sharing} (virtio-pci); run as root: ");
        await PassthroughHost.BindAloneAsync(PassthroughHost.Unresettable);
        await RefusedAsync(PassthroughHost.Unresettable, "it has no reset of its own, nor has its bus");

        await PassthroughHost.MakeReadyAsync(PassthroughHost.Nvme);
        await RefusedAsync(
            PassthroughHost.Nvme,
            "this process may lock 1 MiB (RLIMIT_MEMLOCK): 63 MiB too little; raise it (ulimit -l 65536, ",
            "prlimit", "--memlock=1048576", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock");
        await RefusedAsync(
            PassthroughHost.Nvme,
            "may not be opened by this user; run as root: chown ",
            "bash", "-c", CopyForNobody, "bash");
        await using VmmProcess holder = VmmProcess.Start("holder", "bash", "-c",
            $"exec 3<>/dev/vfio/{(await PassthroughHost.DescribeAsync(PassthroughHost.Nvme)).GetProperty("iommuGroup")}; echo open; read");
        await holder.WaitForAsync("open");
        await RefusedAsync(PassthroughHost.Nvme, $"another program has IOMMU group ");
        holder.CloseInput();
    }

    /// <summary>
    /// Memory comes, is read into by the disk and read from, and goes: the devices reach it for as long as it is there. What they
    /// reach is locked by VFIO, and counted; where they reach for more, the host's kernel logs a fault.
    /// </summary>
    private static async Task PlugAndUnplugAsync(GuestShell guest, string written)
    {
        string faults = await FaultsAsync();
        Assert.Equal(192 * MiB, Locked());
        await PluggedMemory.ResizeAsync(Name, "256M");
        Assert.Equal(256 * MiB, Locked());

        // The movable zone has nothing but plugged memory, and a program's pages are taken from there first. Without the
        // page cache the disk's DMA ends in them.
        long before = await TakenOfPluggedAsync(guest);
        Assert.Equal(written, await guest.RunAsync($"{Direct} if=/dev/nvme0n1 of=/tmp/g iflag=direct && sha256sum </tmp/g"));
        await guest.RunAsync($"{Direct} if=/dev/zero of=/dev/nvme0n1 oflag=direct && {Direct} if=/tmp/f of=/dev/nvme0n1 oflag=direct");
        Assert.InRange(await TakenOfPluggedAsync(guest) - before, 3 * Mebibytes * MiB, long.MaxValue);
        Assert.Equal(written, await guest.RunAsync($"{Forget}; {Read}"));

        await PluggedMemory.ResizeAsync(Name, "192M");
        Assert.Equal(192 * MiB, Locked());
        Assert.Equal(written, await guest.RunAsync($"{Direct} if=/dev/nvme0n1 of=/tmp/g iflag=direct && sha256sum </tmp/g"));
        Assert.Equal(faults, await FaultsAsync());

        long Locked() => LabHost.MemoryOf(guest.Vmm.Id, "VmLck");

        static Task<string> FaultsAsync() => LabHost.ShellAsync("dmesg | grep 'DMAR:.*[Ff]ault' || true");
    }

    /// <summary>Bytes that the guest's kernel has taken of plugged memory since its start.</summary>
    private static async Task<long> TakenOfPluggedAsync(GuestShell guest) =>
        4096 * long.Parse(
            await guest.RunAsync("sed -n 's/^pgalloc_movable //p' /proc/vmstat"), CultureInfo.InvariantCulture);

    /// <summary>For each of two processors, whether it has had interrupts whose names match: "yes no".</summary>
    private static async Task<string> InterruptsAsync(GuestShell guest, string name)
    {
        string lines = await guest.RunAsync($"grep '{name}' /proc/interrupts");
        IEnumerable<string> words = Enumerable.Range(1, 2).Select(column => lines.Split('\n')
            .Select(line => Regex.Split(line.Trim(), @"\s+"))
            .Any(counts => int.Parse(counts[column], CultureInfo.InvariantCulture) > 0) ? "yes" : "no");
        return string.Join(' ', words);
    }

    private static Task RefusedAsync(string address, string text, params string[] wrapper) =>
        RefusedAsync(address, text, ExitStatus.HostLimit, wrapper);

    private static async Task RefusedAsync(string address, string text, int status, params string[] wrapper)
    {
        string[] run = [Lab.MiniVmm, "run", "--mem", "64M", "--device", $"vfio={address}", Lab.Guest("hello.elf")];
        string[] all = [.. wrapper, .. run];
        await using VmmProcess vmm = VmmProcess.Start("passthrough-refused", all[0], all[1..]);
        vmm.CloseInput();

        await vmm.AssertExitAsync(status);

        string line = Assert.Single(vmm.ErrorLines);
        Assert.StartsWith($"minivmm: --device vfio={address}: ", line, StringComparison.Ordinal);
        Assert.Contains(text, line, StringComparison.Ordinal);
    }
}
