namespace MiniVmm.Cpu;

/// <summary>A processor that a guest is to see; what is null is the host's.</summary>
public sealed record CpuModel
{
    /// <summary>Everything that the host's KVM supports; needs no model file.</summary>
    public static CpuModel Host { get; } = new() { Name = "host", Description = "everything this host's KVM supports" };

    /// <summary>The same by QEMU's other name: all that the accelerator can, which here is KVM.</summary>
    public static CpuModel Max { get; } = Host with { Name = "max" };

    /// <summary>The name of the caches that a guest sees, as in <see cref="CpuCaches"/>; null for QEMU's usual ones.</summary>
    internal string? Caches { get; init; }

    public required string Name { get; init; }

    public string Description { get; init; } = "";

    /// <summary>The 12 characters of leaf 0.</summary>
    public string? Vendor { get; init; }

    /// <summary>Family with the extended one added in, 0 to 270.</summary>
    public uint? Family { get; init; }

    /// <summary>Model with the extended one, 0 to 255.</summary>
    public uint? Model { get; init; }

    /// <summary>Stepping, 0 to 15.</summary>
    public uint? Stepping { get; init; }

    /// <summary>The brand string, at most 48 characters.</summary>
    public string? ModelId { get; init; }

    /// <summary>Last basic leaf (leaf 0 EAX), raised if a feature needs more.</summary>
    public uint? Level { get; init; }

    /// <summary>Last extended leaf (0x80000000 EAX), raised if a feature needs more.</summary>
    public uint? XLevel { get; init; }

    /// <summary>The features that it has, by QEMU's names; null for all that the host's KVM has.</summary>
    public IReadOnlyList<CpuFeature>? Features { get; init; }

    /// <summary>Whether the features are the host's, not a list.</summary>
    public bool IsHost => Features is null;

    /// <summary>The model of that name that is the host's; null where the name is not one of those.</summary>
    internal static CpuModel? OfHost(string name) => name == Host.Name ? Host : name == Max.Name ? Max : null;
}
