namespace MiniVmm.Cpu;

/// <summary>What is done about features that a guest is to have and the host's KVM lacks; it runs without them.</summary>
public enum MissingFeatures
{
    /// <summary>They are named in a warning.</summary>
    Warn,

    /// <summary>Nothing is said.</summary>
    Ignore,

    /// <summary>The machine does not start.</summary>
    Refuse,
}

/// <summary>What a selection says of the processor beside its features; the defaults are QEMU's under KVM.</summary>
public sealed record CpuProperties
{
    /// <summary>Nothing but the model.</summary>
    public static CpuProperties Default { get; } = new();

    public MissingFeatures Missing { get; init; }

    /// <summary>Last basic leaf, exactly, whatever features need; null for the model's.</summary>
    public uint? Level { get; init; }

    /// <summary>Last extended leaf, exactly; null for the model's.</summary>
    public uint? XLevel { get; init; }

    /// <summary>Physical address bits, 32 to 52; null for the model's.</summary>
    public int? PhysicalBits { get; init; }

    /// <summary>Whether a named model has the host's physical address bits.</summary>
    public bool HostPhysicalBits { get; init; }

    /// <summary>Most bits that <see cref="HostPhysicalBits"/> gives; null for no limit.</summary>
    public int? HostPhysicalBitsLimit { get; init; }

    /// <summary>Whether the guest sees the host's caches; those of the model <c>host</c> always are.</summary>
    public bool HostCaches { get; init; }

    /// <summary>Whether the guest may know that it runs under KVM, and use what KVM offers to guests that do.</summary>
    public bool ShowsKvm { get; init; } = true;

    /// <summary>Hyper-V's interface, before KVM's own; null for none.</summary>
    public HyperVOptions? HyperV { get; init; }

    /// <summary>Whether features that no other host can take over are left out of the model <c>host</c>: invtsc.</summary>
    public bool Migratable { get; init; }

    /// <summary>Whether the guest has performance counters; null for the model's own: host has them, others have not.</summary>
    public bool? Pmu { get; init; }

    /// <summary>Hz of the guest's time-stamp counter; null for the host's.</summary>
    public ulong? TscFrequency { get; init; }
}
