namespace MiniVmm.Pci;

/// <summary>Offsets in the header of type 0 (PCI Local Bus 3.0, figure 6-1).</summary>
internal static class PciRegister
{
    public const int Vendor = 0x00;
    public const int Device = 0x02;
    public const int Command = 0x04;
    public const int Status = 0x06;
    public const int Revision = 0x08;
    public const int Class = 0x09;
    public const int CacheLineSize = 0x0c;
    public const int LatencyTimer = 0x0d;
    public const int HeaderType = 0x0e;
    public const int Bars = 0x10;
    public const int SubsystemVendor = 0x2c;
    public const int Subsystem = 0x2e;
    public const int Capabilities = 0x34;
    public const int InterruptLine = 0x3c;
    public const int InterruptPin = 0x3d;

    /// <summary>First byte behind the header.</summary>
    public const int HeaderEnd = 0x40;

    /// <summary>Bytes of the configuration space of a function without PCI Express.</summary>
    public const int End = 0x100;

    /// <summary>How many base address registers there are.</summary>
    public const int BarCount = 6;
}

/// <summary>The command register (6.2.2), as far as functions here have its bits.</summary>
[Flags]
internal enum PciCommand : ushort
{
    None = 0,

    /// <summary>It decodes its I/O BARs.</summary>
    Ports = 1 << 0,

    /// <summary>It decodes its memory BARs.</summary>
    Memory = 1 << 1,

    /// <summary>It may read and write memory, and send messages.</summary>
    BusMaster = 1 << 2,

    /// <summary>It does not raise INTx.</summary>
    InterruptDisable = 1 << 10,
}

/// <summary>Bits of the status register (6.2.3).</summary>
[Flags]
internal enum PciStatus : ushort
{
    None = 0,

    /// <summary>It wants an INTx interrupt.</summary>
    Interrupt = 1 << 3,

    /// <summary>It has a list of capabilities.</summary>
    Capabilities = 1 << 4,
}
