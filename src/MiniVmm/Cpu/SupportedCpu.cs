namespace MiniVmm.Cpu;

/// <summary>What the host's KVM can give a guest.</summary>
/// <param name="Leaves">KVM_GET_SUPPORTED_CPUID (Documentation/virt/kvm/api.rst 4.46).</param>
internal sealed record SupportedCpu(IReadOnlyList<CpuidLeaf> Leaves)
{
    /// <summary>KVM_CAP_TSC_DEADLINE_TIMER, which the leaves do not tell.</summary>
    public bool TscDeadline { get; init; }

    /// <summary>KVM_GET_SUPPORTED_HV_CPUID, none where KVM has no Hyper-V; asked for guests that are to have it.</summary>
    public Func<IReadOnlyList<CpuidLeaf>> HyperV { get; init; } = () => [];

    /// <summary>
    /// The value of an MSR that lists features (KVM_GET_MSRS on /dev/kvm), 0 where KVM has none; asked for named models
    /// alone, and only for MSRs that one of their features lies in.
    /// </summary>
    public Func<uint, ulong> FeatureMsr { get; init; } = _ => 0;
}
