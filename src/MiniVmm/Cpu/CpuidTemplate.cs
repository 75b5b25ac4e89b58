namespace MiniVmm.Cpu;

/// <summary>What CPUID answers on a guest's vCPUs: one set of leaves, with the few fields that differ.</summary>
internal sealed class CpuidTemplate
{
    private readonly CpuidLeaf[] _leaves;

    internal CpuidTemplate(CpuidLeaf[] leaves, CpuTopology topology, IReadOnlyList<OptionMessage> warnings)
    {
        _leaves = leaves;
        Topology = topology;
        Warnings = warnings;
    }

    public CpuTopology Topology { get; }

    /// <summary>What the guest does not get although it was asked for; a line each.</summary>
    public IReadOnlyList<OptionMessage> Warnings { get; }

    /// <summary>MSRs that list features, with the low halves of their values; the high ones are 0.</summary>
    public IReadOnlyDictionary<uint, uint> Msrs { get; init; } = new Dictionary<uint, uint>();

    /// <summary>The leaves for KVM_SET_CPUID2 on one vCPU.</summary>
    /// <param name="index">vCPU number, 0 to <c>MaxCpus - 1</c>.</param>
    public CpuidLeaf[] ForVcpu(int index)
    {
        uint apicId = Topology.ApicId(index);
        (int socket, int core, _) = Topology.Position(index);
        CpuidLeaf[] leaves = [.. _leaves];
        for (int i = 0; i < leaves.Length; i++)
        {
            leaves[i] = leaves[i] switch
            {
                // Initial APIC id, of which the legacy leaf has room for eight bits.
                { Function: 1 } leaf => leaf with { Ebx = (leaf.Ebx & 0x00FF_FFFF) | (apicId << 24) },
                // SDM: EDX is the x2APIC id whatever ECX asked for.
                { Function: 0xB or 0x1F } leaf => leaf with { Edx = apicId },
                // All-zero where the guest has no TopologyExtensions.
                { Function: 0x8000001E } leaf when CpuidTopology.HasExtensions(_leaves) => leaf with
                {
                    Eax = apicId,
                    Ebx = (leaf.Ebx & ~0xFFu) | ((uint)core & 0xFF),
                    Ecx = (leaf.Ecx & ~0xFFu) | ((uint)socket & 0xFF),
                },
                CpuidLeaf leaf => leaf,
            };
        }

        return leaves;
    }
}
