namespace MiniVmm.Cpu;

/// <summary>The leaves while they are put together; a leaf that is not there reads as zeros.</summary>
internal sealed class CpuidTable
{
    private readonly List<CpuidLeaf> _leaves = [];
    private readonly Dictionary<uint, uint> _msrs = [];

    /// <summary>Takes the leaves over, each function and index once: the first, which KVM looks at.</summary>
    public CpuidTable(IReadOnlyList<CpuidLeaf> leaves)
    {
        foreach (CpuidLeaf leaf in leaves)
        {
            uint index = leaf.IndexIsSignificant ? leaf.Index : 0;
            if (Find(leaf.Function, index) < 0)
                _leaves.Add(leaf with { Index = index });
        }
    }

    public IReadOnlyList<CpuidLeaf> Leaves => _leaves;

    /// <summary>The low halves of the MSRs that list features, by their numbers.</summary>
    public IReadOnlyDictionary<uint, uint> Msrs => _msrs;

    public bool Contains(uint function) => _leaves.Exists(leaf => leaf.Function == function);

    public CpuidLeaf Get(uint function, uint index = 0)
    {
        int at = Find(function, index);
        return at < 0 ? new(function, index, 0, 0, 0, 0, false) : _leaves[at];
    }

    public uint Get(CpuFeatureWord word) => word.Register == CpuidRegister.Msr
        ? _msrs.GetValueOrDefault(word.Function)
        : Get(word.Function, word.Index)[word.Register];

    /// <summary>Whether CPUID reports the feature as it stands now.</summary>
    public bool Has(CpuFeature feature) => (Get(feature.Word) & feature.Mask) != 0;

    /// <summary>Replaces the leaf, or adds it.</summary>
    public void Set(CpuidLeaf leaf)
    {
        int at = Find(leaf.Function, leaf.Index);
        if (at < 0)
            _leaves.Add(leaf);
        else
            _leaves[at] = leaf;
    }

    /// <summary>Sets a word; one that is not there stays away when it would be 0.</summary>
    public void Set(CpuFeatureWord word, uint value)
    {
        if (word.Register == CpuidRegister.Msr)
        {
            _msrs[word.Function] = value;
            return;
        }

        CpuidLeaf leaf = Get(word.Function, word.Index);
        if (leaf[word.Register] == value)
            return;
        bool isSignificant = leaf.IndexIsSignificant || HasIndex(word.Function);
        Set(leaf.With(word.Register, value) with { IndexIsSignificant = isSignificant });
    }

    /// <summary>Replaces every leaf by what <paramref name="change"/> makes of it.</summary>
    public void Transform(Func<CpuidLeaf, CpuidLeaf> change)
    {
        for (int i = 0; i < _leaves.Count; i++)
            _leaves[i] = change(_leaves[i]);
    }

    public void RemoveAll(Predicate<CpuidLeaf> which) => _leaves.RemoveAll(which);

    /// <summary>Whether ECX chooses among several answers of that function (SDM vol. 2A CPUID; APM vol. 3 appendix E).</summary>
    public static bool HasIndex(uint function) =>
        function is 4 or 7 or 0xB or 0xD or 0xF or 0x10 or 0x12 or 0x14 or 0x17 or 0x18 or 0x1D or 0x1E or 0x1F or 0x24
            or 0x8000001D or 0x80000026;

    private int Find(uint function, uint index) =>
        _leaves.FindIndex(leaf => leaf.Function == function && leaf.Index == index);
}
