namespace MiniVmm.Firmware;

/// <summary>Who a machine says that it is, in the SMBIOS tables that firmware hands to its guest.</summary>
public sealed record SmbiosIdentity
{
    public string Manufacturer { get; init; } = "MiniVmm";

    public string Product { get; init; } = "PC";

    /// <summary>Of the product; empty for none, as the texts below.</summary>
    public string Version { get; init; } = "";

    public string Serial { get; init; } = "";

    public string Sku { get; init; } = "";

    public string Family { get; init; } = "";

    /// <summary>The machine's UUID, which fw_cfg tells as well; all zeroes for none.</summary>
    public Guid Uuid { get; init; }

    /// <summary>Texts for whoever reads them in the guest (type 11), such as credentials of systemd's.</summary>
    public IReadOnlyList<string> OemStrings { get; init; } = [];
}
