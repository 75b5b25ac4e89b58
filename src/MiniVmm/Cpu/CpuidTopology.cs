namespace MiniVmm.Cpu;

/// <summary>
/// The leaves that tell a guest how its processors are arranged, in all dialects: the initial APIC id with leaf 4,
/// the extended topology leaves, and AMD's. SDM vol. 3A 10.9 and vol. 2A CPUID; AMD APM vol. 3 appendix E.
/// </summary>
internal static class CpuidTopology
{
    private const uint CmpLegacy = 1u << 1;
    private const uint TopologyExtensions = 1u << 22;
    private const uint Htt = 1u << 28;

    /// <summary>
    /// Counts TOPOEXT as supported: it is nothing but the leaves written here, no processor need have it, and
    /// without it an AMD guest takes threads for cores. QEMU does the same.
    /// </summary>
    public static void OfferExtensions(CpuidTable table)
    {
        CpuFeatureWord word = new(0x80000001, 0, CpuidRegister.Ecx);
        table.Set(word, table.Get(word) | TopologyExtensions);
    }

    public static bool HasExtensions(IReadOnlyList<CpuidLeaf> leaves)
    {
        foreach (CpuidLeaf leaf in leaves)
        {
            if (leaf.Function == 0x80000001)
                return (leaf.Ecx & TopologyExtensions) != 0;
        }

        return false;
    }

    /// <summary>Writes the topology over what KVM says of the host's.</summary>
    /// <param name="table">The guest's leaves, levels already in leaf 0 and 0x80000000.</param>
    /// <param name="topology">What the guest is to see.</param>
    /// <param name="isAmd">Whether the guest reads AMD's (and Hygon's) leaves.</param>
    public static void Write(CpuidTable table, CpuTopology topology, bool isAmd)
    {
        uint level = table.Get(0).Eax;
        WriteLegacy(table, topology, isAmd);
        WriteCaches(table, topology, function: 4);
        WriteExtended(table, topology, 0xB, present: level >= 0xB);
        WriteExtended(table, topology, 0x1F, present: level >= 0x1F && table.Contains(0x1F));
        WriteAmd(table, topology, isAmd);
    }

    private static void WriteLegacy(CpuidTable table, CpuTopology topology, bool isAmd)
    {
        // Intel: ids reserved for a package, which a guest rounds up to a power of two. AMD: processors in it.
        // 255 is all that fits, and rounds to 256.
        uint count = Math.Min(isAmd ? (uint)topology.ThreadsPerSocket : 1u << topology.PackageShift, 255);
        CpuidLeaf features = table.Get(1);
        table.Set(features with
        {
            Ebx = (features.Ebx & 0x0000_FFFF) | (count << 16),
            Edx = topology.ThreadsPerSocket > 1 ? features.Edx | Htt : features.Edx & ~Htt,
        });
    }

    /// <summary>Leaf 4 and AMD's 0x8000001D, alike in EAX: who shares a cache, in APIC ids less one.</summary>
    private static void WriteCaches(CpuidTable table, CpuTopology topology, uint function) =>
        table.Transform(leaf =>
        {
            uint type = leaf.Eax & 0x1F;
            if (leaf.Function != function || type == 0)
                return leaf;
            // A core has its own first and second level; the package shares the rest.
            uint cacheLevel = (leaf.Eax >> 5) & 7;
            uint sharing = Math.Min((1u << (cacheLevel < 3 ? topology.ThreadBits : topology.PackageShift)) - 1, 0xFFF);
            uint cores = function == 4 ? Math.Min((1u << topology.CoreBits) - 1, 0x3F) : 0;
            return leaf with { Eax = (leaf.Eax & 0x3FFF) | (sharing << 14) | (cores << 26) };
        });

    private static void WriteExtended(CpuidTable table, CpuTopology topology, uint function, bool present)
    {
        table.RemoveAll(leaf => leaf.Function == function);
        if (!present)
            return;
        const uint Smt = 1 << 8;
        const uint Core = 2 << 8;
        table.Set(new(function, 0, (uint)topology.ThreadBits, (uint)topology.Threads, Smt | 0, 0, true));
        table.Set(new(function, 1, (uint)topology.PackageShift, (uint)topology.ThreadsPerSocket, Core | 1, 0, true));
        table.Set(new(function, 2, 0, 0, 2, 0, true));
    }

    private static void WriteAmd(CpuidTable table, CpuTopology topology, bool isAmd)
    {
        CpuidLeaf features = table.Get(0x80000001);
        uint ecx = features.Ecx & ~CmpLegacy;
        if (isAmd && topology.ThreadsPerSocket > 1)
            ecx |= CmpLegacy;
        if (!isAmd)
            ecx &= ~TopologyExtensions;
        table.Set(new(0x80000001, 0, CpuidRegister.Ecx), ecx);

        // The host's, in finer levels than the guest has; a guest that finds zeros goes on to leaf 0xB.
        table.Transform(leaf => leaf.Function == 0x80000026 ? leaf with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 } : leaf);

        if (table.Get(0x80000000).Eax >= 0x80000008)
        {
            // NC and ApicIdSize; PerfTscSize next to them is the host's. Reserved, so 0, on Intel.
            uint sizes = Math.Min((uint)topology.ThreadsPerSocket - 1, 255) | ((uint)topology.PackageShift << 12);
            uint perfTscSize = table.Get(0x80000008).Ecx & 0x0003_0000;
            table.Set(new(0x80000008, 0, CpuidRegister.Ecx), isAmd ? perfTscSize | sizes : 0);
        }

        if (HasExtensions(table.Leaves))
        {
            WriteCaches(table, topology, function: 0x8000001D);
            // One node a processor; the ids in it are each vCPU's own.
            table.Set(new(0x8000001E, 0, 0, ((uint)topology.Threads - 1) << 8, 0, 0, false));
        }
        else
        {
            table.Transform(leaf => leaf.Function is 0x8000001D or 0x8000001E
                ? leaf with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 }
                : leaf);
        }
    }
}
