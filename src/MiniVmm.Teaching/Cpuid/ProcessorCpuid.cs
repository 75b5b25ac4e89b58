using System.Runtime.Intrinsics.X86;
using MiniVmm.Cpu;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>Executes CPUID.</summary>
/// <param name="function">EAX in.</param>
/// <param name="index">ECX in.</param>
internal delegate (uint Eax, uint Ebx, uint Ecx, uint Edx) CpuidInstruction(uint function, uint index);

/// <summary>All that a processor answers to CPUID (SDM vol. 2A, CPUID; APM vol. 3, appendix E).</summary>
internal static class ProcessorCpuid
{
    private const uint MostFunctions = 0x100; // of a range: no processor has so many
    private const uint MostIndices = 64;
    private const uint Hypervisor = 0x40000000;
    private const uint HypervisorBit = 1u << 31;

    // The ranges of leaves that only some processors have begin with their last leaf.
    private static readonly uint[] Ranges = [0, Hypervisor, 0x80000000];

    /// <summary>This host's processor: the one that runs the calling thread at the moment.</summary>
    public static IReadOnlyList<CpuidLeaf> OfHost() => Read((function, index) =>
    {
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)function, (int)index);
        return ((uint)eax, (uint)ebx, (uint)ecx, (uint)edx);
    });

    /// <summary>All leaves, without those that are all zero.</summary>
    public static IReadOnlyList<CpuidLeaf> Read(CpuidInstruction cpuid)
    {
        List<CpuidLeaf> leaves = [];
        bool hasHypervisor = (cpuid(1, 0).Ecx & HypervisorBit) != 0;
        foreach (uint first in Ranges)
        {
            if (first == Hypervisor && !hasHypervisor)
                continue;
            uint last = cpuid(first, 0).Eax;
            if (last < first)
                continue;
            for (uint function = first; function <= last && function - first < MostFunctions; function++)
                Add(leaves, cpuid, function);
        }

        return leaves;
    }

    private static void Add(List<CpuidLeaf> leaves, CpuidInstruction cpuid, uint function)
    {
        bool hasIndex = CpuidTable.HasIndex(function);
        uint last = hasIndex ? MostIndices - 1 : 0;
        for (uint index = 0; index <= last; index++)
        {
            (uint eax, uint ebx, uint ecx, uint edx) = cpuid(function, index);
            if ((eax | ebx | ecx | edx) != 0)
                leaves.Add(new(function, index, eax, ebx, ecx, edx, hasIndex));
            if (index == 0 && SaysItsLastIndex(function))
                last = Math.Min(last, eax);
            if (EndsAt(function, index, eax, ecx))
                return;
        }
    }

    /// <summary>Whether EAX of index 0 is the last index.</summary>
    private static bool SaysItsLastIndex(uint function) => function is 7 or 0x14 or 0x17 or 0x18 or 0x1D or 0x1E or 0x24;

    /// <summary>Whether a list of caches, levels or sections ends at this index.</summary>
    private static bool EndsAt(uint function, uint index, uint eax, uint ecx) => function switch
    {
        4 or 0x8000001D => (eax & 0x1F) == 0,
        0xB or 0x1F or 0x80000026 => (ecx >> 8 & 0xFF) == 0,
        0x12 => index >= 2 && (eax & 0xF) == 0,
        _ => false,
    };
}
