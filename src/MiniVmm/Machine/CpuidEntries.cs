using System.Runtime.Intrinsics.X86;
using MiniVmm.Cpu;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>Between the pure CPUID tables and the kernel's structure.</summary>
internal static class CpuidEntries
{
    private const uint FirstBrandLeaf = 0x8000_0002;
    private const uint LastBrandLeaf = 0x8000_0004;

    /// <summary>
    /// What KVM can give a guest, with the processor's own name in the leaves: a KVM without hardware virtualisation
    /// leaves it empty.
    /// </summary>
    public static SupportedCpu Supported(KvmSystem kvm, KvmVm vm) =>
        new([.. kvm.GetSupportedCpuid().Select(entry => Named(ToLeaf(entry)))])
        {
            TscDeadline = vm.CheckExtension(KvmCapability.KVM_CAP_TSC_DEADLINE_TIMER) != 0,
            FeatureMsr = index => kvm.GetFeatureMsr(index) ?? 0,
            HyperV = () => kvm.CheckExtension(KvmCapability.KVM_CAP_SYS_HYPERV_CPUID) != 0
                ? [.. kvm.GetSupportedHyperVCpuid().Select(ToLeaf)]
                : [],
        };

    private static CpuidLeaf Named(CpuidLeaf leaf)
    {
        if (leaf is not { Function: >= FirstBrandLeaf and <= LastBrandLeaf, Eax: 0, Ebx: 0, Ecx: 0, Edx: 0 }
            || !X86Base.IsSupported)
            return leaf;
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)leaf.Function, 0);
        return leaf with { Eax = (uint)eax, Ebx = (uint)ebx, Ecx = (uint)ecx, Edx = (uint)edx };
    }

    public static CpuidLeaf ToLeaf(kvm_cpuid_entry2 entry) =>
        new(entry.function, entry.index, entry.eax, entry.ebx, entry.ecx, entry.edx,
            (entry.flags & KvmConstants.KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0);

    /// <summary>The MSRs that list features, as KVM sets them.</summary>
    public static IEnumerable<kvm_msr_entry> FeatureMsrs(CpuidTemplate cpuid) =>
        cpuid.Msrs.Select(msr => new kvm_msr_entry { index = msr.Key, data = msr.Value });

    public static kvm_cpuid_entry2 FromLeaf(CpuidLeaf leaf) => new()
    {
        function = leaf.Function,
        index = leaf.Index,
        flags = leaf.IndexIsSignificant ? KvmConstants.KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
        eax = leaf.Eax,
        ebx = leaf.Ebx,
        ecx = leaf.Ecx,
        edx = leaf.Edx,
    };
}
