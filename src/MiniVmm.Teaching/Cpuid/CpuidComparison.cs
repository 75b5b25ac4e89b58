using MiniVmm.Cpu;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>One feature, and who has it.</summary>
/// <param name="Feature">Its name and bit.</param>
/// <param name="Guest">Whether a guest sees it.</param>
/// <param name="Kvm">Whether KVM_GET_SUPPORTED_CPUID lists it.</param>
/// <param name="Host">Whether this host's processor has it.</param>
internal readonly record struct FeatureComparison(CpuFeature Feature, bool Guest, bool Kvm, bool Host);

/// <summary>The CPUID of a guest, beside what KVM supports and what this host's processor answers.</summary>
internal sealed record CpuidComparison
{
    /// <summary>The text of <c>--cpu</c>.</summary>
    public required string Cpu { get; init; }

    public required CpuTopology Topology { get; init; }

    /// <summary>What the guest does not get although it was asked for.</summary>
    public required IReadOnlyList<OptionMessage> Warnings { get; init; }

    /// <summary>What MiniVmm gives KVM for each vCPU (KVM_SET_CPUID2).</summary>
    public required IReadOnlyList<IReadOnlyList<CpuidLeaf>> Given { get; init; }

    /// <summary>What the first vCPU reads when it executes CPUID, before its kernel changes CR4 and XCR0.</summary>
    public required IReadOnlyList<CpuidLeaf> Read { get; init; }

    /// <summary>KVM_GET_SUPPORTED_CPUID.</summary>
    public required IReadOnlyList<CpuidLeaf> Supported { get; init; }

    /// <summary>This host's processor: of its APIC id's, one of them.</summary>
    public required IReadOnlyList<CpuidLeaf> Host { get; init; }

    /// <summary>Works out a guest's CPUID, and lets a guest read it.</summary>
    /// <exception cref="VmmException">The host lacks something that the guest must have.</exception>
    /// <exception cref="KvmException">There is no KVM, or it refused something.</exception>
    public static CpuidComparison Make(CpuSelection selection, CpuTopology topology)
    {
        using KvmSystem kvm = KvmSystem.Open();
        SupportedCpu supported;
        using (KvmVm vm = kvm.CreateVm())
            supported = CpuidEntries.Supported(kvm, vm);
        CpuidTemplate template = CpuidBuilder.Build(supported, selection, topology);
        CpuidLeaf[][] given = [.. Enumerable.Range(0, topology.MaxCpus).Select(template.ForVcpu)];
        using CpuidReader reader = new(kvm, given[0], topology.ApicId(0));
        return new()
        {
            Cpu = selection.Text,
            Topology = topology,
            Warnings = template.Warnings,
            Given = given,
            Read = ProcessorCpuid.Read(reader.Read),
            Supported = supported.Leaves,
            Host = ProcessorCpuid.OfHost(),
        };
    }

    /// <summary>All features that somebody has, by leaf and bit; those of MSRs are not CPUID's.</summary>
    public IReadOnlyList<FeatureComparison> Features()
    {
        CpuidTable guest = new(Read);
        CpuidTable kvm = new(Supported);
        CpuidTable host = new(Host);
        List<FeatureComparison> features = [];
        foreach (CpuFeature feature in CpuFeatures.All)
        {
            if (feature.Word.Register == CpuidRegister.Msr)
                continue;
            FeatureComparison comparison = new(feature, guest.Has(feature), kvm.Has(feature), host.Has(feature));
            if (comparison is not { Guest: false, Kvm: false, Host: false })
                features.Add(comparison);
        }

        return features;
    }
}
