using System.Globalization;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>One boot of Linux with everything on the PCI bus: root on qcow2, a tap, console, entropy, balloon.</summary>
public sealed class PciBoot : IAsyncLifetime
{
    private const string Tap = "tap-pci";

    /// <summary>Of the device that is moved and bound again, a source of entropy, in the order of MachineOptions.VirtioDevices.</summary>
    private const string Rng = "0000:00:05.0";

    /// <summary>What lspci -vv says of each function, by its place.</summary>
    public IReadOnlyDictionary<string, string> Functions { get; private set; } = new Dictionary<string, string>();

    public string RootMount { get; private set; } = "";

    /// <summary>Interrupts of the disk's queues so far, as queue and count on each CPU.</summary>
    public List<Dictionary<string, long[]>> DiskInterrupts { get; } = [];

    public string Ping { get; private set; } = "";

    public string Terminal { get; private set; } = "";

    /// <summary>KiB that the guest had before and after the balloon grew by 64 MiB.</summary>
    public long[] Available { get; private set; } = [];

    /// <summary>Entropy by base64 after the driver was bound a hundred times, and after the BAR was moved.</summary>
    public List<string> Entropy { get; } = [];

    public string MovedBar { get; private set; } = "";

    public string Log { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        await LabHost.ShellAsync($"""
            ip tuntap add dev {Tap} mode tap && ip address add 10.78.0.1/24 dev {Tap} && ip link set {Tap} up
            qemu-img create -q -f qcow2 -b {Lab.Guest("root.img")} -F raw /tmp/pci.qcow2
            """);
        await using GuestShell guest = await GuestShell.StartAsync("pci", "root=/dev/vda lab.tty=hvc0",
            "--smp", "2", "--mem", "256M", "--virtio", "pci", "--disk", "/tmp/pci.qcow2", "--net", $"tap={Tap}",
            "--console", "virtio", "--balloon", "--name", "lab-pci", "--rng");
        Terminal = await guest.RunAsync("tty");
        RootMount = await guest.RunAsync("grep ' / ' /proc/mounts | tail -n 1");
        string text = await guest.RunAsync("lspci -vv -n");
        Functions = Regex.Split(text.ReplaceLineEndings("\n"), "\n\n").Select(each => each.Trim())
            .Where(each => each.Length > 0).ToDictionary(each => each[..7]);

        await ReadDiskInterruptsAsync(guest);
        for (int cpu = 0; cpu < 2; cpu++)
        {
            await guest.RunAsync($"taskset -c {cpu} dd if=/dev/vda of=/dev/null bs=64k count=100 iflag=direct 2>&1");
            await ReadDiskInterruptsAsync(guest);
        }

        await guest.RunAsync("ip address add 10.78.0.2/24 dev eth0 && ip link set eth0 up");
        Ping = await guest.RunAsync("ping -c 3 -W 10 -s 1472 10.78.0.1");

        long before = await guest.MemoryAsync("MemAvailable");
        await LabHost.ShellAsync($"{Lab.MiniVmm} ctl lab-pci balloon 64M");
        Available = [before, await guest.MemoryAsync("MemAvailable")];

        await guest.RunAsync(
            $"cd /sys/bus/pci/drivers/virtio-pci; for i in $(seq 100); do echo {Rng} >unbind && echo {Rng} >bind || exit; done");
        await ReadEntropyAsync(guest);

        // Linux keeps what it found: it has to find the function anew, and may have another place for it by then.
        await guest.RunAsync(
            $"echo {Rng} >/sys/bus/pci/drivers/virtio-pci/unbind; setpci -s {Rng} COMMAND=0 BASE_ADDRESS_4=c8000000 BASE_ADDRESS_5=0");
        await guest.RunAsync($"echo 1 >/sys/bus/pci/devices/{Rng}/remove; echo 1 >/sys/bus/pci/rescan");
        MovedBar = await guest.RunAsync($"lspci -vv -n -s {Rng} | grep 'Region 4'");
        await ReadEntropyAsync(guest);
        Log = await guest.RunAsync("dmesg -r | grep -E '^<[0-4]>' | grep -iE 'pci|virtio' | cat");
        await guest.PowerOffAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task ReadDiskInterruptsAsync(GuestShell guest)
    {
        string text = await guest.RunAsync("grep virtio0-req /proc/interrupts");
        DiskInterrupts.Add(text.ReplaceLineEndings("\n").Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(
                words => words[^1],
                words => words[1..3].Select(count => long.Parse(count, CultureInfo.InvariantCulture)).ToArray()));
    }

    private async Task ReadEntropyAsync(GuestShell guest) => Entropy.Add(
        await guest.RunAsync("dd if=/dev/hwrng bs=64 count=1 iflag=fullblock 2>/dev/null | base64 -w 0"));
}

/// <summary>What Linux makes of the PCI bus.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class LinuxPciTests(PciBoot boot) : IClassFixture<PciBoot>
{
    [Fact]
    public void The_root_is_on_the_qcow2_disk_and_a_shell_on_the_virtio_console()
    {
        Assert.StartsWith("/dev/vda / ext4", boot.RootMount, StringComparison.Ordinal);
        Assert.Equal("/dev/hvc0", boot.Terminal);
    }

    [Theory]
    [InlineData("00:01.0", "0100: 1af4:1042", 3)]
    [InlineData("00:02.0", "0200: 1af4:1041", 4)]
    [InlineData("00:03.0", "0780: 1af4:1043", 3)]
    [InlineData("00:04.0", "00ff: 1af4:1045", 6)]
    [InlineData("00:05.0", "00ff: 1af4:1044", 2)]
    public void lspci_shows_what_was_asked_for(string place, string identity, int vectors)
    {
        string text = boot.Functions[place];

        Assert.StartsWith($"{place} {identity} (rev 01)", text, StringComparison.Ordinal);
        Assert.Contains("Control: I/O- Mem+ BusMaster+", text, StringComparison.Ordinal);
        Assert.Contains("DisINTx+", text, StringComparison.Ordinal);
        Assert.Matches("Region 1: Memory at c[0-9a-f]{7} \\(32-bit, non-prefetchable\\) \\[size=4K\\]", text);
        Assert.Matches("Region 4: Memory at c[0-9a-f]{7} \\(64-bit, prefetchable\\) \\[size=16K\\]", text);
        Assert.Contains($"MSI-X: Enable+ Count={vectors} Masked-", text, StringComparison.Ordinal);
        foreach (string region in (string[])["CommonCfg", "ISR", "DeviceCfg", "Notify"])
            Assert.Contains($"VirtIO: {region}", text, StringComparison.Ordinal);
        Assert.Contains("Kernel driver in use: virtio-pci", text, StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_nothing_else_on_the_bus() =>
        Assert.Equal(["00:00.0", "00:01.0", "00:02.0", "00:03.0", "00:04.0", "00:05.0"], boot.Functions.Keys.Order());

    [Fact]
    public void Each_queue_interrupts_the_CPU_that_uses_it()
    {
        for (int cpu = 0; cpu < 2; cpu++)
        {
            Dictionary<string, long[]> before = boot.DiskInterrupts[cpu];
            Dictionary<string, long[]> after = boot.DiskInterrupts[cpu + 1];
            Assert.Equal(2, after.Count);
            long[] own = [.. after[$"virtio0-req.{cpu}"].Zip(before[$"virtio0-req.{cpu}"], (now, then) => now - then)];
            Assert.True(own[cpu] >= 50, $"CPU {cpu} took {own[cpu]} interrupts of its queue");
            Assert.Equal(0, own[1 - cpu]);
        }
    }

    [Fact]
    public void Packets_of_full_size_go_through_the_card() =>
        Assert.Contains("3 packets received, 0% packet loss", boot.Ping, StringComparison.Ordinal);

    [Fact]
    public void The_balloon_takes_its_memory() =>
        Assert.InRange(boot.Available[0] - boot.Available[1], 48 << 10, 80 << 10);

    [Fact]
    public void A_driver_is_bound_a_hundred_times_and_a_BAR_moved_and_the_device_works()
    {
        Assert.Equal(2, boot.Entropy.Distinct().Count());
        Assert.All(boot.Entropy, text => Assert.Equal(64, Convert.FromBase64String(text).Length));
        Assert.Matches("Memory at (8[0-9a-f]{8}|c[1-9a-f][0-9a-f]{6}) \\(64-bit", boot.MovedBar);
    }

    [Fact]
    public void The_kernel_complains_of_nothing() => Assert.Equal("", boot.Log);
}
