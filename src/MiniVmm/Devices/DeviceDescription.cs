using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>Where a device's registers are: I/O ports, or guest-physical addresses.</summary>
/// <param name="IsPort">Ports rather than memory.</param>
/// <param name="Start">First port or address.</param>
/// <param name="Length">Ports or bytes, at least 1.</param>
public readonly record struct DeviceWindow(bool IsPort, ulong Start, ulong Length)
{
    /// <summary>The addresses, for comparison with others of the same kind.</summary>
    public GuestRange Range => new(Start, Length);

    public static DeviceWindow Ports(ushort first, int count) => new(true, first, (ulong)count);

    public static DeviceWindow Memory(ulong address, ulong length) => new(false, address, length);

    public override string ToString() =>
        $"{(IsPort ? "ports" : "memory")} 0x{Start:x}-0x{Start + (Length - 1):x}";
}

/// <summary>What ACPI calls a device, so that a guest's driver finds it.</summary>
/// <param name="Name">Up to four capitals, digits and underscores; one of its kind in \_SB.</param>
/// <param name="HardwareId">What drivers look for, _HID: "PNP0501".</param>
/// <param name="UniqueId">Tells devices of one hardware ID apart, _UID.</param>
public sealed record AcpiIdentity(string Name, string HardwareId, uint UniqueId)
{
    /// <summary>Whether the device's interrupt line is told here; that of ACPI itself is in the FADT.</summary>
    public bool ListsInterrupt { get; init; } = true;

    /// <summary>What the guest is told of the device's own window, where parts of that are another's; null for all of it.</summary>
    public IReadOnlyList<DeviceWindow>? Windows { get; init; }

    /// <summary>What the guest is told to keep clear of besides the device's own window.</summary>
    public IReadOnlyList<DeviceWindow> Reserved { get; init; } = [];
}

/// <summary>
/// A device on a bus, said once: where its registers are, its interrupt line, what ACPI tells the guest of it, and how it
/// is made. The buses, KVM's routes and the DSDT are derived from it.
/// </summary>
/// <param name="Name">For people: "serial port COM1".</param>
/// <param name="Window">Its registers.</param>
/// <param name="Create">Makes it, once per machine.</param>
public sealed record DeviceDescription(string Name, DeviceWindow Window, Func<DeviceSetup, IBusDevice> Create)
{
    /// <summary>Its interrupt line, 0 to 23, or null; edge-triggered unless <see cref="IsLevelTriggered"/>.</summary>
    public byte? Interrupt { get; init; }

    /// <summary>Whether the line is level-triggered, active high.</summary>
    public bool IsLevelTriggered { get; init; }

    /// <summary>
    /// Whether the line rises in few machines: it then has no file of its own, which each start would make, but costs two calls
    /// of KVM's whenever it does rise.
    /// </summary>
    public bool IsSeldom { get; init; }

    /// <summary>What ACPI tells of it; null for a device that the guest knows of otherwise.</summary>
    public AcpiIdentity? Acpi { get; init; }
}

/// <summary>What a device is given when it is made.</summary>
public sealed record DeviceSetup
{
    /// <summary>Guest RAM, for devices that read or write it themselves.</summary>
    public required GuestMemory Memory { get; init; }

    /// <summary>The memory map as the guest is told it.</summary>
    public required GuestMemoryMap Map { get; init; }

    /// <summary>Its line; without effect where it has none, or a level-triggered one.</summary>
    public IInterruptTrigger Edge { get; init; } = NoInterrupt.Instance;

    /// <summary>Its line; without effect where it has none, or an edge-triggered one.</summary>
    public ILevelInterrupt Level { get; init; } = NoInterrupt.Instance;

    /// <summary>Any line of the interrupt controllers, 0 to 23, for a device that plays with all of them.</summary>
    internal Func<byte, ILevelInterrupt> Line { get; init; } = _ => NoInterrupt.Instance;

    /// <summary>Configuration space of the PCI bus.</summary>
    internal IPciConfiguration Pci { get; init; } = NoFunctions.Instance;

    /// <summary>Ends the machine.</summary>
    public required IPowerControl Power { get; init; }

    /// <summary>The host's time.</summary>
    public required TimeProvider Clock { get; init; }

    /// <summary>What the real-time clock shows at the start.</summary>
    public RtcBase Rtc { get; init; } = RtcBase.Utc;

    /// <summary>Takes what the guest prints on its serial port.</summary>
    public required IConsoleSink Console { get; init; }

    /// <summary>Takes what it prints on its second serial port.</summary>
    public IConsoleSink SecondConsole { get; init; } = NullSink.Instance;

    /// <summary>Takes what it prints on its debug console.</summary>
    public required IConsoleSink DebugConsole { get; init; }

    /// <summary>Where processors come and go; without effect in a machine where none do.</summary>
    internal IProcessorBay Processors { get; init; } = NoProcessors.Instance;

    private sealed class NoProcessors : IProcessorBay
    {
        public static readonly NoProcessors Instance = new();

        public bool IsPresent(int index) => true;

        public void TakeOut(int index)
        {
        }
    }

    private sealed class NoInterrupt : IInterruptTrigger, ILevelInterrupt
    {
        public static readonly NoInterrupt Instance = new();

        public void Set(bool asserted)
        {
        }

        public void Trigger()
        {
        }
    }

    private sealed class NoFunctions : IPciConfiguration
    {
        public static readonly NoFunctions Instance = new();

        public void Read(uint function, int register, Span<byte> data) => data.Fill(0xff);

        public void Write(uint function, int register, ReadOnlySpan<byte> data)
        {
        }
    }
}
