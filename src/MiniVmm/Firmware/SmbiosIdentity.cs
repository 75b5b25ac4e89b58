namespace MiniVmm.Firmware;

/// <summary>
/// Who a machine says that it is, in the SMBIOS tables that firmware hands to its guest (DSP0134, 7.2 and 7.12). A text has no
/// zero in it; all texts together have less than 64 KiB, or the machine cannot be made.
/// </summary>
public sealed record SmbiosIdentity
{
    /// <summary>Who made it.</summary>
    public string Manufacturer { get; init; } = "MiniVmm";

    /// <summary>Its kind.</summary>
    public string Product { get; init; } = "PC";

    /// <summary>Of the product; empty for none, as the texts below.</summary>
    public string Version { get; init; } = "";

    /// <summary>Its own number.</summary>
    public string Serial { get; init; } = "";

    /// <summary>The number by which its kind is ordered.</summary>
    public string Sku { get; init; } = "";

    /// <summary>Kinds that it belongs to.</summary>
    public string Family { get; init; } = "";

    /// <summary>The machine's UUID, which fw_cfg tells as well; all zeroes for none.</summary>
    public Guid Uuid { get; init; }

    /// <summary>Texts for whoever reads them in the guest (type 11), such as credentials of systemd's; 255 at most.</summary>
    public IReadOnlyList<string> OemStrings { get; init; } = [];
}
