using MiniVmm.Cpu;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>Between the pure CPUID tables and the kernel's structure.</summary>
internal static class CpuidEntries
{
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
