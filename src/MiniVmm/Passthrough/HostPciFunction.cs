namespace MiniVmm.Passthrough;

/// <summary>A PCI function of the host, as sysfs shows it.</summary>
/// <param name="Address">Where it is.</param>
/// <param name="Vendor">Vendor ID.</param>
/// <param name="Device">Device ID.</param>
/// <param name="Class">Class, subclass and programming interface, a byte each: 0x010802.</param>
/// <param name="Driver">The driver that is bound to it, or null.</param>
/// <param name="Group">Its IOMMU group, or null where no IOMMU translates for it.</param>
internal sealed record HostPciFunction(
    HostPciAddress Address, ushort Vendor, ushort Device, uint Class, string? Driver, int? Group)
{
    private const uint BridgeClass = 0x06;

    /// <summary>Drivers that leave a device to user space, or that Linux lets stay in a group that is handed out.</summary>
    private static readonly string[] Harmless = ["pci-stub", "pcieport"];

    public bool IsBridge => Class >> 16 == BridgeClass;

    /// <summary>Whether VFIO has it: vfio-pci, or a variant for one kind of card, such as mlx5_vfio_pci.</summary>
    public bool IsVfio => Driver is { } driver && driver.Contains("vfio", StringComparison.Ordinal);

    /// <summary>Whether the host itself uses it, so that nobody else can have its group.</summary>
    public bool IsInUse => Driver is { } driver && !IsVfio && !Harmless.Contains(driver);

    /// <summary>As errors name it: "0000:00:1f.2 (ahci)".</summary>
    public override string ToString() => Driver is null ? $"{Address}" : $"{Address} ({Driver})";
}
