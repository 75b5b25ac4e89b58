namespace MiniVmm.Pci;

/// <summary>What a function is, in the read-only part of its header (PCI Local Bus 3.0, 6.2.1 and 6.2.4).</summary>
/// <param name="Vendor">Vendor ID.</param>
/// <param name="Device">Device ID.</param>
/// <param name="Class">Class code, subclass and programming interface, 24 bits.</param>
internal readonly record struct PciIdentity(ushort Vendor, ushort Device, uint Class)
{
    public byte Revision { get; init; }

    public ushort SubsystemVendor { get; init; }

    public ushort Subsystem { get; init; }
}
