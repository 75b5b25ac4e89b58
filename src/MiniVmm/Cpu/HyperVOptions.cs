namespace MiniVmm.Cpu;

/// <summary>A Hyper-V that the guest is to find.</summary>
/// <param name="Features">What it offers.</param>
public sealed record HyperVOptions(HyperVFeatures Features)
{
    /// <summary>How often a spin lock is tried before the hypervisor is told; 0xFFFFFFFF for never.</summary>
    public uint SpinlockRetries { get; init; } = uint.MaxValue;

    /// <summary>The hypervisor's name: at most 12 ASCII characters; some drivers look for another than Microsoft's.</summary>
    public string VendorId { get; init; } = "Microsoft Hv";
}
