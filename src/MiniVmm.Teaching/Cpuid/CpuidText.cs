using System.Globalization;
using MiniVmm.Cpu;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>The comparison for people.</summary>
internal static class CpuidText
{
    private const int NameWidth = 24;
    private const int SideWidth = 32;
    private const string Same = "=";
    private const int ListAt = 12;

    public static void Write(TextWriter output, CpuidComparison comparison)
    {
        output.WriteLine($"CPUID of --cpu {comparison.Cpu} --smp {comparison.Topology}, as the first vCPU reads it.");
        output.WriteLine("\"=\": as the guest. KVM: what KVM_GET_SUPPORTED_CPUID offers. Host: this processor.");
        output.WriteLine();
        WriteFacts(output, comparison);
        output.WriteLine();
        WriteVcpus(output, comparison);
        output.WriteLine();
        WriteFeatures(output, comparison);
        WriteLeaves(output, comparison);
    }

    private static void WriteFacts(TextWriter output, CpuidComparison comparison)
    {
        IReadOnlyList<(string Name, string Value)>[] sides =
            [.. new[] { comparison.Read, comparison.Supported, comparison.Host }.Select(leaves => CpuidFacts.Of(new CpuidTable(leaves)))];
        output.WriteLine($"{"",-NameWidth}{"guest",-SideWidth}{"KVM",-SideWidth}host");
        foreach (string name in CpuidFacts.Names(sides))
        {
            string[] values = [.. sides.Select(side => side.FirstOrDefault(fact => fact.Name == name).Value ?? "-")];
            for (int i = 1; i < values.Length; i++)
            {
                if (values[i] == values[0])
                    values[i] = Same;
            }

            WriteColumns(output, name, values);
        }
    }

    /// <summary>A name and three texts, each broken between words within its column.</summary>
    private static void WriteColumns(TextWriter output, string name, string[] values)
    {
        List<string>[] columns = [.. values.Select(value => Broken(value, SideWidth - 2))];
        for (int row = 0; row < columns.Max(column => column.Count); row++)
        {
            string line = (row == 0 ? name : "").PadRight(NameWidth);
            foreach (List<string> column in columns)
                line += (row < column.Count ? column[row] : "").PadRight(SideWidth);
            output.WriteLine(line.TrimEnd());
        }
    }

    private static List<string> Broken(string text, int width)
    {
        List<string> lines = [];
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                lines.Add(line);
                line = "";
            }

            line = line.Length > 0 ? $"{line} {word}" : word;
        }

        lines.Add(line);
        return lines;
    }

    private static void WriteVcpus(TextWriter output, CpuidComparison comparison)
    {
        output.WriteLine($"{"vCPU",6}{"APIC id",9}{"socket",8}{"core",6}{"thread",8}");
        for (int i = 0; i < comparison.Topology.MaxCpus; i++)
        {
            (int socket, int core, int thread) = comparison.Topology.Position(i);
            string later = i < comparison.Topology.Count ? "" : "  comes later";
            output.WriteLine($"{i,6}{comparison.Topology.ApicId(i),9}{socket,8}{core,6}{thread,8}{later}");
        }
    }

    private static void WriteFeatures(TextWriter output, CpuidComparison comparison)
    {
        output.WriteLine("features, by register");
        foreach (IGrouping<CpuFeatureWord, FeatureComparison> word in comparison.Features().GroupBy(feature => feature.Feature.Word))
        {
            output.WriteLine($"  {LeafName(word.Key.Function, word.Key.Index, CpuidTable.HasIndex(word.Key.Function))} {Upper(word.Key.Register)}");
            WriteNames(output, "guest", word.Where(feature => feature.Guest));
            WriteNames(output, "not given", word.Where(feature => feature is { Guest: false, Kvm: true }));
            WriteNames(output, "host only", word.Where(feature => feature is { Guest: false, Kvm: false, Host: true }));
            WriteNames(output, "not host", word.Where(feature => feature is { Guest: true, Host: false }));
        }

        output.WriteLine("  not given: KVM offers it. host only: KVM does not offer it. not host: the processor does not have it.");
        output.WriteLine();
    }

    private static void WriteNames(TextWriter output, string title, IEnumerable<FeatureComparison> features)
    {
        string names = string.Join(' ', features.Select(feature => feature.Feature.Name));
        if (names.Length > 0)
            TextColumns.Wrap(output, $"    {title}", ListAt + 4, names);
    }

    private static void WriteLeaves(TextWriter output, CpuidComparison comparison)
    {
        CpuidTable read = new(comparison.Read);
        CpuidTable given = new(comparison.Given[0]);
        CpuidTable kvm = new(comparison.Supported);
        CpuidTable host = new(comparison.Host);
        bool isHyperV = CpuidFacts.Letters(read.Get(KvmSignature.First).Ebx) is { Length: > 0 } name && name != "KVMK";
        output.WriteLine($"  {"leaf",-14}{"",-8}{"EAX",8} {"EBX",8} {"ECX",8} {"EDX",8}  what it tells");
        foreach ((uint function, uint index) in Places(comparison))
        {
            bool hasIndex = CpuidTable.HasIndex(function);
            CpuidLeaf guest = read.Get(function, index);
            WriteLeaf(output, LeafName(function, index, hasIndex), "guest", guest, null, LeafTitle.Of(function, isHyperV));
            WriteLeaf(output, "", "given", given.Get(function, index), guest, "what KVM_SET_CPUID2 was given");
            WriteLeaf(output, "", "KVM", kvm.Get(function, index), guest, "");
            WriteLeaf(output, "", "host", host.Get(function, index), guest, "");
        }
    }

    /// <summary>Functions and indices that somebody answers something to.</summary>
    public static IEnumerable<(uint Function, uint Index)> Places(CpuidComparison comparison) =>
        new[] { comparison.Read, comparison.Given[0], comparison.Supported, comparison.Host }
            .SelectMany(leaves => leaves)
            .Where(leaf => (leaf.Eax | leaf.Ebx | leaf.Ecx | leaf.Edx) != 0)
            .Select(leaf => (leaf.Function, leaf.IndexIsSignificant ? leaf.Index : 0))
            .Distinct()
            .Order();

    private static void WriteLeaf(TextWriter output, string leaf, string side, CpuidLeaf answer, CpuidLeaf? guest, string title)
    {
        string[] words =
        [
            .. ((CpuidRegister[])[CpuidRegister.Eax, CpuidRegister.Ebx, CpuidRegister.Ecx, CpuidRegister.Edx])
                .Select(register => guest is { } other && other[register] == answer[register] ? Same : Hex(answer[register])),
        ];
        if (words.All(word => word == Same))
            return;
        output.WriteLine($"  {leaf,-14}{side,-8}{words[0],8} {words[1],8} {words[2],8} {words[3],8}  {title}".TrimEnd());
    }

    private static string LeafName(uint function, uint index, bool hasIndex) => hasIndex ? $"0x{function:x}.{index}" : $"0x{function:x}";

    private static string Hex(uint value) => value.ToString("x8", CultureInfo.InvariantCulture);

    private static string Upper(CpuidRegister register) => register.ToString().ToUpperInvariant();
}
