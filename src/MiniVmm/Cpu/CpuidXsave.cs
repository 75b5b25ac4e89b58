namespace MiniVmm.Cpu;

/// <summary>Leaf 0xD, cut to the register sets of the features that a guest has (SDM vol. 1, 13.2).</summary>
internal static class CpuidXsave
{
    // Legacy x87 and SSE areas with the XSAVE header behind them.
    private const uint MinimumSize = 512 + 64;

    // ECX of a component: it begins at a multiple of 64 in the compacted format.
    private const uint Aligned = 2;

    // Which feature a state component belongs to; one with several needs any of them.
    private static readonly (int Component, string[] Features)[] Owners =
    [
        (2, ["avx"]),
        (3, ["mpx"]),
        (4, ["mpx"]),
        (5, ["avx512f", "avx10"]),
        (6, ["avx512f", "avx10"]),
        (7, ["avx512f", "avx10"]),
        (8, ["intel-pt"]),
        (9, ["pku"]),
        (11, ["shstk", "ibt"]),
        (12, ["shstk", "ibt"]),
        (15, ["arch-lbr"]),
        (17, ["amx-tile"]),
        (18, ["amx-tile"]),
    ];

    /// <summary>Cuts it down.</summary>
    /// <param name="table">The guest's leaves, features already settled.</param>
    /// <param name="owned">Whether only components of a known feature may stay, as in a named model.</param>
    /// <param name="removed">The features that were switched off by name; for the host's model only these go.</param>
    public static void Trim(CpuidTable table, bool owned, IReadOnlySet<CpuFeature> removed)
    {
        if (!table.Has(CpuFeatures.Find("xsave")))
        {
            table.Transform(leaf => leaf.Function == 0xD ? Clear(leaf) : leaf);
            return;
        }

        ulong allowed = owned ? 3 : ulong.MaxValue;
        foreach ((int component, string[] names) in Owners)
        {
            CpuFeature[] features = [.. names.Select(CpuFeatures.Find)];
            if (owned && features.Any(table.Has))
                allowed |= 1ul << component;
            if (!owned && features.Any(removed.Contains) && !features.Any(table.Has))
                allowed &= ~(1ul << component);
        }

        CpuidLeaf main = table.Get(0xD, 0);
        CpuidLeaf extended = table.Get(0xD, 1);
        ulong xcr0 = Join(main.Edx, main.Eax) & allowed;
        bool hasXsaves = table.Has(CpuFeatures.Find("xsaves"));
        ulong xss = hasXsaves ? Join(extended.Edx, extended.Ecx) & allowed : 0;

        uint size = MinimumSize;
        uint compact = MinimumSize;
        table.Transform(leaf =>
        {
            if (leaf.Function != 0xD || leaf.Index is < 2 or > 63)
                return leaf;
            if (((xcr0 | xss) >> (int)leaf.Index & 1) == 0)
                return Clear(leaf);
            if ((xcr0 >> (int)leaf.Index & 1) != 0)
                size = Math.Max(size, unchecked(leaf.Eax + leaf.Ebx));
            compact = unchecked(((leaf.Ecx & Aligned) != 0 ? (compact + 63) & ~63u : compact) + leaf.Eax);
            return leaf;
        });
        if (!table.Contains(0xD))
            return;
        // EBX follows XCR0 as the guest sets it; KVM keeps it, here and in index 1.
        table.Set(main with { Eax = (uint)xcr0, Edx = (uint)(xcr0 >> 32), Ebx = size, Ecx = size });
        table.Set(new(0xD, 1, CpuidRegister.Ecx), (uint)xss);
        table.Set(new(0xD, 1, CpuidRegister.Edx), (uint)(xss >> 32));
        if (owned)
            table.Set(new(0xD, 1, CpuidRegister.Ebx), hasXsaves || table.Has(CpuFeatures.Find("xsavec")) ? compact : 0);
    }

    private static CpuidLeaf Clear(CpuidLeaf leaf) => leaf with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 };

    private static ulong Join(uint high, uint low) => ((ulong)high << 32) | low;
}
