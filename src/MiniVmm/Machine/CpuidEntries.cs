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
    /// The leaves that KVM can give a guest, with the processor's own name in them: a KVM without hardware
    /// virtualisation leaves it empty.
    /// </summary>
    public static CpuidLeaf[] Supported(KvmSystem kvm) =>
        [.. kvm.GetSupportedCpuid().Select(entry => Named(ToLeaf(entry)))];

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
