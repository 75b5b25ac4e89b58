using MiniVmm.Boot;
using MiniVmm.Control;
using MiniVmm.Cpu;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Network;
using MiniVmm.Passthrough;
using MiniVmm.Pci;
using MiniVmm.Sharing;
using MiniVmm.Storage;
using MiniVmm.Terminal;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Machine;

/// <summary>What a machine is to be: read, but not yet looked up.</summary>
public sealed record MachineOptions
{
    /// <summary>Path of the kernel; empty for a machine that its <see cref="Firmware"/> starts alone.</summary>
    public string Kernel { get; init; } = "";

    /// <summary>
    /// Path of firmware for QEMU's "pc" machine, such as SeaBIOS; null for a kernel that MiniVmm enters itself. The machine
    /// has the chipset that such firmware looks for, and its virtio devices are on the PCI bus.
    /// </summary>
    public string? Firmware { get; init; }

    /// <summary>Path of the variables of UEFI firmware, which the machine writes; null for firmware without such a file.</summary>
    public string? FirmwareVariables { get; init; }

    /// <summary>Files of the initial RAM disk, or the first modules of a multiboot kernel.</summary>
    public IReadOnlyList<BootFile> Initrds { get; init; } = [];

    /// <summary>Modules of a multiboot or PVH kernel.</summary>
    public IReadOnlyList<BootFile> Modules { get; init; } = [];

    /// <summary>The kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    public Decompression Decompression { get; init; }

    /// <summary>What the kernel file is, where it does not say so itself.</summary>
    public BinaryFormat Format { get; init; }

    /// <summary>Guest-physical address of a flat binary; null for 0x7c00 in real mode, 1 MiB in others.</summary>
    public ulong? LoadAddress { get; init; }

    /// <summary>Where a flat binary is entered, or which entry of an image's boot menu starts; null for the usual one.</summary>
    public EntryChoice? Entry { get; init; }

    public CpuTopology Topology { get; init; } = CpuTopology.Single;

    /// <summary>The CPU model and its changes.</summary>
    public CpuSelection Cpu { get; init; } = CpuSelection.Host;

    public MemoryOptions Memory { get; init; } = new(128 * MemoryLayout.MiB);

    /// <summary>Host CPU of each vCPU; empty for the scheduler's choice.</summary>
    public IReadOnlyList<int> Pin { get; init; } = [];

    public ConsoleKind Console { get; init; }

    /// <summary>The file of <see cref="ConsoleKind.File"/>.</summary>
    public string? ConsolePath { get; init; }

    /// <summary>Whether the console's text goes behind what is in the file, rather than in its place.</summary>
    public bool ConsoleAppends { get; init; }

    /// <summary>The socket of <see cref="ConsoleKind.Socket"/>.</summary>
    public ConsoleSocket? ConsoleSocket { get; init; }

    /// <summary>Where a second serial port, COM2, goes; null for a machine without one.</summary>
    public SerialTarget? Com2 { get; init; }

    /// <summary>Where the text of port 0xe9 goes.</summary>
    public DebugConsoleKind DebugConsole { get; init; }

    /// <summary>The file of <see cref="DebugConsoleKind.File"/>.</summary>
    public string? DebugConsolePath { get; init; }

    /// <summary>Whether that text goes behind what is in the file, rather than in its place.</summary>
    public bool DebugConsoleAppends { get; init; }

    /// <summary>
    /// Whether a terminal's keys keep their meaning, so that Ctrl-C ends the process, and Ctrl-A is a key like others; else
    /// all go to the guest, but for commands behind Ctrl-A.
    /// </summary>
    public bool ConsoleKeepsSignals { get; init; }

    /// <summary>Whether a terminal's keys are somebody else's, and the guest gets none.</summary>
    internal bool ConsoleIsOutputOnly { get; init; }

    internal ConsoleOptions Consoles => new(Console, ConsolePath, DebugConsole, DebugConsolePath, Display)
    {
        Appends = ConsoleAppends,
        DebugAppends = DebugConsoleAppends,
        KeepsSignals = ConsoleKeepsSignals,
        IsOutputOnly = ConsoleIsOutputOnly,
        Socket = ConsoleSocket,
    };

    internal ConsoleOptions? SecondConsole => Com2 is not { } com2
        ? null
        : new(com2.Kind, com2.Path, DebugConsoleKind.None, null)
        {
            Appends = com2.Appends,
            KeepsSignals = ConsoleKeepsSignals,
            IsOutputOnly = ConsoleIsOutputOnly,
            Socket = com2.Socket,
            Option = OptionName.Com2,
        };

    /// <summary>Where the guest's screen is shown.</summary>
    public DisplayKind Display { get; init; }

    /// <summary>Whether the user has asked to see the screen: the guest is told of it, and of the keyboard.</summary>
    internal bool HasDisplay => Display is DisplayKind.Tty or DisplayKind.Vnc;

    /// <summary>Where VNC clients connect; of <see cref="DisplayKind.Vnc"/>.</summary>
    public StreamAddress? Vnc { get; init; }

    /// <summary>The PNG file that shows the screen at the machine's end; null for none.</summary>
    public string? ScreenshotAtEnd { get; init; }

    /// <summary>Whether instructions that KVM cannot emulate are completed, where that is exact.</summary>
    public bool Assists { get; init; } = true;

    /// <summary>
    /// How long the guest may print nothing, on consoles or the screen, before a report on its vCPUs is due
    /// (<see cref="VirtualMachine.HangReport"/>); null for ever.
    /// </summary>
    public TimeSpan? HangAfter { get; init; }

    /// <summary>The ELF core that is written if the guest crashes or its time runs out; null for none.</summary>
    public string? CoreFile { get; init; }

    /// <summary>
    /// The ELF file or System.map that names functions in traces and reports, where the kernel's own file does not; null for none.
    /// </summary>
    public string? Symbols { get; init; }

    /// <summary>Measure the time in and outside of the guest.</summary>
    public bool Timed { get; init; }

    /// <summary>Where gdb connects to debug the guest; null for a machine without that.</summary>
    public StreamAddress? Gdb { get; init; }

    /// <summary>Whether the guest waits before its first instruction until gdb lets it go on.</summary>
    public bool GdbWaits { get; init; }

    /// <summary>What <c>minivmm ps</c> and <c>ctl</c> call it; null for a machine that nobody can ask.</summary>
    public string? Name { get; init; }

    /// <summary>Whether a host of the machine has the control socket of its name, rather than the machine itself.</summary>
    internal bool HostListens { get; init; }

    /// <summary>The name where it is the same at each start: what is made of it then is, too.</summary>
    public string? LastingName => Name == MachineName.Default ? null : Name;

    /// <summary>What firmware is to boot from.</summary>
    public BootOrder BootOrder { get; init; } = new("cad");

    /// <summary>The disks, in the order that the guest numbers those of a kind.</summary>
    public IReadOnlyList<DiskOptions> Disks { get; init; } = [];

    /// <summary>The networks, in the order of the guest's cards.</summary>
    public IReadOnlyList<NetOptions> Nets { get; init; } = [];

    /// <summary>The balloon, if there is one.</summary>
    public BalloonOptions? Balloon { get; init; }

    /// <summary>Whether the guest gets random numbers from the host.</summary>
    public bool Rng { get; init; }

    /// <summary>Folders of the host's that the guest can mount, by 9P.</summary>
    public IReadOnlyList<ShareOptions> Shares { get; init; } = [];

    /// <summary>PCI functions of the host that are handed to the guest, in the order in which it finds them.</summary>
    public IReadOnlyList<PassthroughOptions> Passthrough { get; init; } = [];

    /// <summary>The PC's devices that the machine has.</summary>
    public PcDevices PcDevices { get; init; } = PcDevices.All;

    /// <summary>Ports of the debug exit.</summary>
    public DeviceWindow DebugExitPorts { get; init; } = DeviceWindow.Ports(IoPorts.DebugExit, DebugExit.Length);

    /// <summary>Port of the debug console.</summary>
    public ushort DebugConsolePort { get; init; } = IoPorts.DebugConsole;

    /// <summary>Have QEMU's pc-testdev, for kernel tests.</summary>
    public bool TestDevices { get; init; }

    /// <summary>Have QEMU's pci-testdev.</summary>
    public bool PciTestDevice { get; init; }

    /// <summary>Have Bochs' graphics adapter on the PCI bus.</summary>
    public bool BochsDisplay { get; init; }

    /// <summary>Have QEMU's ramfb: a framebuffer in RAM, whose address the guest writes to fw_cfg.</summary>
    public bool Ramfb { get; init; }

    /// <summary>Devices of one's own.</summary>
    public IReadOnlyList<DeviceDescription> Devices { get; init; } = [];

    /// <summary>Tell of virtio devices on the kernel's command line, too; Linux without ACPI is told anyway.</summary>
    public bool VirtioOnCommandLine { get; init; }

    /// <summary>Where the guest finds its virtio devices.</summary>
    public VirtioBus Virtio { get; init; }

    /// <summary>Have a PCI bus even if nothing is on it.</summary>
    public bool Pci { get; init; }

    /// <summary>Files in QEMU's firmware configuration device (fw_cfg), which a machine with such a file has.</summary>
    public IReadOnlyList<FwCfgFile> FwCfg { get; init; } = [];

    /// <summary>Who the machine says that it is, by firmware; null for what it says anyway.</summary>
    public SmbiosIdentity? Smbios { get; init; }

    /// <summary>What the real-time clock shows at the start.</summary>
    public RtcBase Rtc { get; init; } = RtcBase.Utc;

    /// <summary>Have the firmware configuration device even without files of one's own.</summary>
    public bool FwCfgDevice { get; init; }

    internal IEnumerable<DiskOptions> VirtioDisks => Disks.Where(disk => disk.Interface == DiskInterface.Virtio);

    /// <summary>Whether the machine has IDE channels: where firmware looks for them, and where there is a drive.</summary>
    internal bool HasIde => Firmware is not null || Disks.Any(disk => disk.Interface is DiskInterface.Ide or DiskInterface.Cdrom);

    /// <summary>The floppy disks: the first is in drive A.</summary>
    internal IEnumerable<DiskOptions> Floppies => Disks.Where(disk => disk.Interface == DiskInterface.Floppy);

    /// <summary>Whether the machine has QEMU's firmware configuration device.</summary>
    internal bool HasFwCfg => FwCfgDevice || FwCfg.Count > 0 || Ramfb || Firmware is not null;

    /// <summary>Where the guest finds its virtio devices: firmware knows no other place than the PCI bus.</summary>
    internal VirtioBus VirtioPlace => Firmware is null ? Virtio : VirtioBus.Pci;

    /// <summary>Whether the guest is shown a PCI bus.</summary>
    internal bool HasPci => Pci || PciTestDevice || BochsDisplay || Firmware is not null || Passthrough.Count > 0 || (Virtio == VirtioBus.Pci && VirtioDevices.Any());

    /// <summary>The first device of the PCI bus that is not the chipset's.</summary>
    internal int FirstPciDevice => Firmware is null ? 1 : I440Fx.FirstFreeDevice;

    /// <summary>Names of the virtio devices, in the order of their slots.</summary>
    public IEnumerable<string> VirtioDevices =>
    [
        .. VirtioDisks.Select((_, i) => $"disk{i}"),
        .. Nets.Select((_, i) => $"net{i}"),
        .. Console == ConsoleKind.Virtio ? ["console"] : Array.Empty<string>(),
        .. Balloon is not null ? ["balloon"] : Array.Empty<string>(),
        .. Rng ? ["rng"] : Array.Empty<string>(),
        .. Shares.Select((_, i) => $"share{i}"),
        .. Memory.IsPluggable ? ["mem"] : Array.Empty<string>(),
    ];
}
