namespace MiniVmm.Cpu;

/// <summary>Leaf 0x80000008 EAX: how many bits physical and linear addresses have (SDM vol. 3A 4.1.4).</summary>
internal static class CpuidAddresses
{
    private const uint Function = 0x80000008;
    private const uint WithoutLeaf = 36; // SDM: what a processor with PAE has where it does not say

    // QEMU's: the least that 64-bit processors had.
    private const uint Usual = 40;

    /// <summary>Physical address bits that the leaves tell of.</summary>
    public static int Physical(IEnumerable<CpuidLeaf> leaves)
    {
        uint bits = leaves.FirstOrDefault(leaf => leaf.Function == Function).Eax & 0xFF;
        return (int)(bits is > 0 and < 64 ? bits : WithoutLeaf);
    }

    /// <summary>Writes them; the host's stay in its own model unless something else is asked for.</summary>
    /// <param name="table">The guest's leaves, features already settled.</param>
    /// <param name="host">What the host's KVM supports.</param>
    /// <param name="selection">The model and what is asked for.</param>
    /// <returns>The physical bits that the guest was to have where the host has fewer, else null.</returns>
    public static int? Write(CpuidTable table, CpuidTable host, CpuSelection selection)
    {
        CpuProperties asked = selection.Properties;
        if (selection.Model.IsHost && asked is { PhysicalBits: null, HostPhysicalBitsLimit: null })
            return null;
        uint most = (uint)Physical(host.Leaves);
        bool isLong = table.Has(CpuFeatures.Find("lm"));
        uint wanted = Wanted(table, selection, isLong, most);
        uint bits = Math.Min(wanted, most);
        uint linear = selection.Model.IsHost ? (table.Get(Function).Eax >> 8) & 0xFF
            : !isLong ? 0u
            : table.Has(CpuFeatures.Find("la57")) ? 57u : 48u;
        table.Set(new CpuFeatureWord(Function, 0, CpuidRegister.Eax), bits | (linear << 8));
        return bits < wanted ? (int)wanted : null;
    }

    private static uint Wanted(CpuidTable table, CpuSelection selection, bool isLong, uint most)
    {
        CpuProperties asked = selection.Properties;
        if (!isLong)
            return table.Has(CpuFeatures.Find("pse36")) ? 36u : 32u;
        if (asked.HostPhysicalBits || asked.PhysicalBits is null && selection.Model.IsHost)
            return Math.Min(most, (uint)(asked.HostPhysicalBitsLimit ?? (int)most));
        return (uint)(asked.PhysicalBits ?? (int)Usual);
    }
}
