namespace MiniVmm.Cpu;

/// <summary>
/// The caches of a named model, the same on every host: QEMU's figures, in Intel's leaves 2 and 4 and in AMD's 0x80000005,
/// 0x80000006 and 0x8000001D. Who shares them is the topology's.
/// </summary>
internal sealed class CpuCaches
{
    private const uint LineSize = 64;

    // Leaf 4 EDX.
    private const uint KeepsSharers = 1; // WBINVD leaves the caches of others alone
    private const uint Inclusive = 2;
    private const uint Hashed = 4;

    // The TLBs of AMD's leaves, as QEMU has them for every model.
    private const uint FirstLevelTlb = 0x01FF_01FF;
    private const uint SecondLevelTlb = 0x4200_4200;

    // Those of a model that names none. Intel's leaves and AMD's tell of different ones.
    private static readonly CpuCaches Usual = new(
        [
            new(Type.Data, 1, 32, 8, KeepsSharers),
            new(Type.Instructions, 1, 32, 8, KeepsSharers),
            new(Type.Unified, 2, 4096, 16, KeepsSharers),
            new(Type.Unified, 3, 16384, 16, Inclusive | Hashed),
        ],
        [
            new(Type.Data, 1, 64, 2, KeepsSharers),
            new(Type.Instructions, 1, 64, 2, KeepsSharers),
            new(Type.Unified, 2, 512, 16, 0),
            new(Type.Unified, 3, 16384, 16, Inclusive | Hashed),
        ],
        (0x4D, 0x002C_307D));

    // By the model that had them first.
    private static readonly (string Name, CpuCaches Caches)[] ByName =
    [
        ("EPYC", Zen(64, 4, 512, 8192, Inclusive | Hashed, (0x4B, 0x002C_FF80))),
        ("EPYC-v4", Zen(64, 4, 512, 8192, Inclusive, (0x4B, 0x002C_FF80))),
        ("EPYC-Rome", Zen(32, 8, 512, 16384, Inclusive | Hashed, (0x4D, 0x002C_3080))),
        ("EPYC-Rome-v3", Zen(32, 8, 512, 16384, Inclusive, (0x4D, 0x002C_3080))),
        ("EPYC-Milan", Zen(32, 8, 512, 32768, Inclusive | Hashed, (0xFF, 0x002C_3080))),
        ("EPYC-Milan-v2", Zen(32, 8, 512, 32768, Inclusive, (0xFF, 0x002C_3080))),
        ("EPYC-Genoa", Zen(32, 8, 1024, 32768, Inclusive, (0xFF, 0x002C_3087))),
    ];

    // Leaf 2, ECX and EDX: a byte for each cache, 0xFF for "see leaf 4" (SDM vol. 2A, table 3-12).
    private readonly (uint Ecx, uint Edx) _descriptors;
    private readonly Cache[] _intel;
    private readonly Cache[] _amd;

    private CpuCaches(Cache[] intel, Cache[] amd, (uint Ecx, uint Edx) descriptors)
    {
        _intel = intel;
        _amd = amd;
        _descriptors = descriptors;
    }

    private enum Type
    {
        Data = 1,
        Instructions,
        Unified,
    }

    /// <summary>What a model file may name.</summary>
    public static IEnumerable<string> Names => ByName.Select(named => named.Name);

    private static CpuCaches Zen(
        uint instructions, uint instructionWays, uint second, uint third, uint thirdFlags, (uint Ecx, uint Edx) descriptors)
    {
        Cache[] caches =
        [
            new(Type.Data, 1, 32, 8, KeepsSharers),
            new(Type.Instructions, 1, instructions, instructionWays, KeepsSharers),
            new(Type.Unified, 2, second, 8, 0),
            new(Type.Unified, 3, third, 16, thirdFlags),
        ];
        return new(caches, caches, descriptors);
    }

    /// <summary>The model's.</summary>
    public static CpuCaches Of(CpuModel model) =>
        model.Caches is { } name ? Array.Find(ByName, named => named.Name == name).Caches : Usual;

    /// <summary>Writes them, shared by nobody yet.</summary>
    /// <param name="table">The guest's leaves, its vendor known.</param>
    /// <param name="isAmd">Whether it reads AMD's leaves; Intel's are then empty.</param>
    public void Write(CpuidTable table, bool isAmd)
    {
        if (isAmd)
        {
            for (uint i = 0; i < _amd.Length; i++)
                table.Set(_amd[i].Leaf(0x8000001D, i, flags: KeepsSharers | Inclusive));
            table.Set(new(0x8000001D, (uint)_amd.Length, 0, 0, 0, 0, true));
        }
        else
        {
            table.Set(new(2, 0, 1, 0, _descriptors.Ecx, _descriptors.Edx, false));
            for (uint i = 0; i < _intel.Length; i++)
                table.Set(_intel[i].Leaf(4, i, flags: uint.MaxValue));
            table.Set(new(4, (uint)_intel.Length, 0, 0, 0, 0, true));
        }

        table.Set(new(0x80000005, 0, FirstLevelTlb, FirstLevelTlb, _amd[0].FirstLevel, _amd[1].FirstLevel, false));
        table.Set(new(0x80000006, 0, 0, SecondLevelTlb, _amd[2].SecondLevel, _amd[3].ThirdLevel, false));
    }

    private readonly record struct Cache(Type Type, uint Level, uint Kibibytes, uint Ways, uint Flags)
    {
        private const uint SelfInitializing = 1 << 8;
        private const uint LinesPerTag = 1 << 8;

        /// <summary>APM vol. 3 E.4.5: size, ways, lines a tag, bytes a line.</summary>
        public uint FirstLevel => (Kibibytes << 24) | (Ways << 16) | LinesPerTag | LineSize;

        /// <summary>E.4.6: the size in KiB.</summary>
        public uint SecondLevel => (Kibibytes << 16) | (Associativity << 12) | LinesPerTag | LineSize;

        /// <summary>E.4.6: the size in units of 512 KiB.</summary>
        public uint ThirdLevel => (Kibibytes / 512 << 18) | (Associativity << 12) | LinesPerTag | LineSize;

        private uint Associativity => Ways switch { 8 => 6, 16 => 8, 32 => 10, _ => Ways };

        /// <param name="function">4 or 0x8000001D.</param>
        /// <param name="index">Which of the caches.</param>
        /// <param name="flags">Those that the leaf can tell of.</param>
        public CpuidLeaf Leaf(uint function, uint index, uint flags) => new(
            function,
            index,
            (uint)Type | (Level << 5) | (Level == 2 && Flags == 0 ? 0 : SelfInitializing),
            (LineSize - 1) | ((Ways - 1) << 22),
            (Kibibytes * 1024 / LineSize / Ways) - 1,
            Flags & flags,
            true);
    }
}
