using System.Globalization;
using System.Text;
using MiniVmm.Cpu;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>What leaves say, in words: everything but the single features.</summary>
internal static class CpuidFacts
{
    private static readonly (string Name, Func<CpuidTable, string?> Read)[] Plain =
    [
        ("vendor", table => Letters(table.Get(0).Ebx, table.Get(0).Edx, table.Get(0).Ecx)),
        ("name", Brand),
        ("signature", Signature),
        ("last leaf", table => $"0x{table.Get(0).Eax:x}, 0x{table.Get(0x80000000).Eax:x}"),
        ("hypervisor", Hypervisor),
        ("address bits", AddressBits),
        ("CLFLUSH line", table => table.Has(CpuFeatures.Find("clflush")) ? $"{(table.Get(1).Ebx >> 8 & 0xFF) * 8} bytes" : null),
        ("TSC frequency", TscFrequency),
        ("XSAVE saves", SavedState),
        ("XSAVE area", table => table.Get(0xD).Ecx is > 0 and uint size ? $"{size} bytes" : null),
        ("counters", Counters),
    ];

    // Components of XCR0 and IA32_XSS (SDM vol. 1, 13.1).
    private static readonly string[] Components =
    [
        "x87", "SSE", "AVX", "BNDREGS", "BNDCSR", "opmask", "ZMM_Hi256", "Hi16_ZMM", "PT", "PKRU", "PASID", "CET_U", "CET_S", "HDC", "UINTR",
        "LBR", "HWP", "TILECFG", "TILEDATA", "APX",
    ];

    /// <summary>Names of all facts that one of the tables has, in a fixed order.</summary>
    public static IReadOnlyList<string> Names(IEnumerable<IReadOnlyList<(string Name, string Value)>> sides)
    {
        List<string> names = [.. Plain.Select(fact => fact.Name)];
        HashSet<string> had = [];
        foreach ((string name, _) in sides.SelectMany(side => side))
        {
            if (had.Add(name) && !names.Contains(name))
                names.Add(name);
        }

        return [.. names.Where(had.Contains)];
    }

    /// <summary>The facts of one side.</summary>
    public static IReadOnlyList<(string Name, string Value)> Of(CpuidTable table)
    {
        List<(string Name, string Value)> facts = [];
        foreach ((string name, Func<CpuidTable, string?> read) in Plain)
        {
            if (read(table) is { Length: > 0 } value)
                facts.Add((name, value));
        }

        AddCaches(facts, table);
        AddTopology(facts, table);
        return facts;
    }

    /// <summary>Registers as the letters in them, without what cannot be shown.</summary>
    public static string Letters(params ReadOnlySpan<uint> registers)
    {
        StringBuilder text = new();
        foreach (uint register in registers)
        {
            for (int shift = 0; shift < 32; shift += 8)
            {
                char letter = (char)(register >> shift & 0xFF);
                if (letter != 0)
                    text.Append(char.IsBetween(letter, ' ', '~') ? letter : '?');
            }
        }

        return text.ToString().Trim();
    }

    private static string Brand(CpuidTable table)
    {
        Span<uint> registers = stackalloc uint[12];
        for (int i = 0; i < 3; i++)
        {
            CpuidLeaf leaf = table.Get(0x80000002 + (uint)i);
            registers[4 * i] = leaf.Eax;
            registers[4 * i + 1] = leaf.Ebx;
            registers[4 * i + 2] = leaf.Ecx;
            registers[4 * i + 3] = leaf.Edx;
        }

        return Letters(registers);
    }

    // SDM vol. 2A, figure 3-6.
    private static string Signature(CpuidTable table)
    {
        uint eax = table.Get(1).Eax;
        uint family = eax >> 8 & 0xF;
        uint model = (eax >> 4 & 0xF) | (family is 6 or 0xF ? eax >> 12 & 0xF0 : 0);
        return $"family {family + (family == 0xF ? eax >> 20 & 0xFF : 0)}, model {model}, stepping {eax & 0xF}";
    }

    private static string? Hypervisor(CpuidTable table)
    {
        if (!table.Has(CpuFeatures.Find("hypervisor")))
            return "none (leaf 1 ECX bit 31)";
        CpuidLeaf leaf = table.Get(KvmSignature.First);
        string name = Letters(leaf.Ebx, leaf.Ecx, leaf.Edx);
        if (name.Length == 0)
            return "one without a name";
        CpuidLeaf second = table.Get(KvmSignature.First + 0x100);
        string other = Letters(second.Ebx, second.Ecx, second.Edx);
        return other.Length > 0 ? $"{name}, and {other}" : name;
    }

    private static string? AddressBits(CpuidTable table)
    {
        uint eax = table.Get(0x80000008).Eax;
        if (eax == 0)
            return null;
        string guests = (eax >> 16 & 0xFF) is > 0 and uint own ? $", guests' {own}" : "";
        return $"physical {eax & 0xFF}, linear {eax >> 8 & 0xFF}{guests}";
    }

    private static string? TscFrequency(CpuidTable table)
    {
        CpuidLeaf leaf = table.Get(0x15);
        return leaf is { Eax: > 0, Ebx: > 0, Ecx: > 0 }
            ? string.Create(CultureInfo.InvariantCulture, $"{(double)leaf.Ecx * leaf.Ebx / leaf.Eax / 1e6:0.###} MHz")
            : null;
    }

    private static string? SavedState(CpuidTable table)
    {
        ulong mask = table.Get(0xD).Eax | (ulong)table.Get(0xD).Edx << 32 | table.Get(0xD, 1).Ecx;
        List<string> names = [];
        for (int bit = 0; bit < 64; bit++)
        {
            if ((mask >> bit & 1) != 0)
                names.Add(bit < Components.Length ? Components[bit] : $"bit {bit}");
        }

        return string.Join(' ', names);
    }

    private static string? Counters(CpuidTable table)
    {
        CpuidLeaf intel = table.Get(0xA);
        if ((intel.Eax & 0xFF) != 0)
            return $"version {intel.Eax & 0xFF}: {intel.Eax >> 8 & 0xFF} of {intel.Eax >> 16 & 0xFF} bits, {intel.Edx & 0x1F} fixed";
        return table.Get(0x80000022).Ebx is > 0 and uint amd ? $"{amd & 0xF} of AMD's" : null;
    }

    private static void AddCaches(List<(string Name, string Value)> facts, CpuidTable table)
    {
        foreach (uint function in (uint[])[4, 0x8000001D])
        {
            for (uint index = 0; (table.Get(function, index).Eax & 0x1F) is > 0 and uint type; index++)
            {
                CpuidLeaf leaf = table.Get(function, index);
                uint ways = (leaf.Ebx >> 22) + 1;
                uint partitions = (leaf.Ebx >> 12 & 0x3FF) + 1;
                uint line = (leaf.Ebx & 0xFFF) + 1;
                ulong bytes = (ulong)ways * partitions * line * (leaf.Ecx + 1ul);
                string kind = type switch { 1 => " data", 2 => " code", _ => "" };
                uint sharers = (leaf.Eax >> 14 & 0xFFF) + 1;
                string shared = sharers > 1 ? $", for {sharers} APIC ids" : "";
                facts.Add(($"L{leaf.Eax >> 5 & 7}{kind}", $"{ByteSize.Format(bytes)}, {ways} ways{shared}"));
            }

            if ((table.Get(function).Eax & 0x1F) != 0)
                return;
        }
    }

    // SDM vol. 3A 10.9: each level's APIC ids share what lies above the shift.
    private static void AddTopology(List<(string Name, string Value)> facts, CpuidTable table)
    {
        uint function = table.Get(0x1F).Ebx != 0 ? 0x1Fu : 0xBu;
        for (uint index = 0; (table.Get(function, index).Ecx >> 8 & 0xFF) is > 0 and uint type; index++)
        {
            CpuidLeaf leaf = table.Get(function, index);
            string above = type switch { 1 => "threads of a core", 2 => "threads above cores", 3 => "threads of a module", 4 => "threads of a tile", 5 => "threads of a die", _ => $"level {type}" };
            if (type == 2 && (table.Get(function, index + 1).Ecx >> 8 & 0xFF) == 0)
                above = "threads of a socket";
            facts.Add((above, $"{leaf.Ebx & 0xFFFF}, APIC id above bit {leaf.Eax & 0x1F}"));
        }

        if (CpuidTopology.HasExtensions(table.Leaves))
        {
            CpuidLeaf amd = table.Get(0x8000001E);
            facts.Add(("AMD's threads a core", $"{(amd.Ebx >> 8 & 0xFF) + 1}"));
        }

        if (table.Get(0x80000008).Ecx is > 0 and uint sizes)
            facts.Add(("AMD's threads a socket", $"{(sizes & 0xFF) + 1}, APIC ids of {sizes >> 12 & 0xF} bits"));
    }
}
