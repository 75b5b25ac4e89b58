using System.Text;
using System.Text.Json;
using MiniVmm.Cpu;
using MiniVmm.Teaching.Cpuid;

namespace MiniVmm.Tests.Teaching;

/// <summary>Made-up processors, and what <c>minivmm cpuid</c> says of them.</summary>
public sealed class CpuidTests
{
    private const uint Sse2 = 1u << 26;
    private const uint HypervisorBit = 1u << 31;

    // A processor with two features, two caches, two topology levels, and the name "Some CPU".
    private static readonly CpuidLeaf[] Leaves =
    [
        new(0, 0, 0xB, 0x756E_6547, 0x6C65_746E, 0x4965_6E69, false),
        new(1, 0, 0x0006_06A6, 0x0000_0800, HypervisorBit, Sse2 | (1u << 19), false),
        new(4, 0, 0x0000_0121, 0x02C0_003F, 0x3F, 0, true),
        new(4, 1, 0x0000_4143, 0x04C0_003F, 0x3FF, 0, true),
        new(7, 0, 1, 0x20, 0, 0, true),
        new(7, 1, 0x10, 0, 0, 0, true),
        new(0xB, 0, 1, 2, 0x100, 5, true),
        new(0xB, 1, 3, 8, 0x201, 5, true),
        new(0x40000000, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d, false),
        new(0x40000001, 0, 1, 0, 0, 0, false),
        new(0x80000000, 0, 0x80000008, 0, 0, 0, false),
        new(0x80000002, 0, 0x656d6f53, 0x55504320, 0, 0, false),
        new(0x80000008, 0, 0x3930, 0, 0, 0, false),
    ];

    [Fact]
    public void All_leaves_of_a_processor_are_read_and_no_more()
    {
        int asked = 0;
        (uint, uint, uint, uint) Execute(uint function, uint index)
        {
            asked++;
            CpuidLeaf leaf = Array.Find(Leaves, l => l.Function == function && l.Index == index);
            return (leaf.Eax, leaf.Ebx, leaf.Ecx, leaf.Edx);
        }

        Assert.Equal(Leaves, ProcessorCpuid.Read(Execute));
        Assert.InRange(asked, Leaves.Length, 60);
    }

    [Fact]
    public void A_processor_that_says_anything_is_read_in_bounds()
    {
        Assert.InRange(ProcessorCpuid.Read((_, _) => (uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue)).Count, 1, 20_000);
        Assert.Empty(ProcessorCpuid.Read((_, _) => (0, 0, 0, 0)));
    }

    [Fact]
    public void Leaves_are_told_in_words()
    {
        Dictionary<string, string> facts = CpuidFacts.Of(new CpuidTable(Leaves)).ToDictionary(fact => fact.Name, fact => fact.Value);

        Assert.Equal("GenuineIntel", facts["vendor"]);
        Assert.Equal("Some CPU", facts["name"]);
        Assert.Equal("family 6, model 106, stepping 6", facts["signature"]);
        Assert.Equal("KVMKVMKVM", facts["hypervisor"]);
        Assert.Equal("physical 48, linear 57", facts["address bits"]);
        Assert.Equal("64 bytes", facts["CLFLUSH line"]);
        Assert.Equal("48 KiB, 12 ways", facts["L1 data"]);
        Assert.Equal("1280 KiB, 20 ways, for 2 APIC ids", facts["L2"]);
        Assert.Equal("2, APIC id above bit 1", facts["threads of a core"]);
        Assert.Equal("8, APIC id above bit 3", facts["threads of a socket"]);
    }

    [Fact]
    public void A_feature_is_the_guests_or_why_it_is_not()
    {
        CpuidComparison comparison = Compare(
            guest: Leaves,
            kvm: With(Leaves, new(1, 0, CpuidRegister.Edx), Sse2 | (1u << 19) | (1u << 25)),
            host: With(With(Leaves, new(1, 0, CpuidRegister.Ecx), 1u << 17), new(1, 0, CpuidRegister.Edx), Sse2 | (1u << 19) | (1u << 25)));

        string text = Text(comparison);
        Assert.Contains("  0x1 EDX\n    guest       clflush sse2\n    not given   sse\n", text, StringComparison.Ordinal);
        Assert.Contains("  0x1 ECX\n    guest       hypervisor\n    host only   pcid\n    not host    hypervisor\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_what_differs_from_the_guest_has_a_line_and_none_is_over_120_characters()
    {
        CpuidComparison comparison = Compare(Leaves, With(Leaves, new(7, 0, CpuidRegister.Ebx), 0x28), Leaves);

        string[] lines = Text(comparison).Split('\n');
        int at = Array.FindIndex(lines, line => line.StartsWith("  0x7.0         guest", StringComparison.Ordinal));

        Assert.Equal("                KVM            = 00000028        =        =", lines[at + 1]);
        Assert.StartsWith("  0x7.1 ", lines[at + 2], StringComparison.Ordinal);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void JSON_has_the_leaves_of_each_vCPU_as_numbers()
    {
        using MemoryStream output = new();
        using (Utf8JsonWriter writer = new(output))
            CpuidJson.Write(writer, Compare(Leaves, Leaves, Leaves));

        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetString(output.ToArray()));
        JsonElement root = document.RootElement;
        Assert.Equal(2, root.GetProperty("given").GetArrayLength());
        Assert.Equal(0x756E_6547u, root.GetProperty("guest")[0].GetProperty("ebx").GetUInt32());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("guest")[0].GetProperty("index").ValueKind);
        Assert.Contains(root.GetProperty("features").EnumerateArray(), feature =>
            feature.GetProperty("name").GetString() == "sse2" && feature.GetProperty("guest").GetBoolean());
    }

    private static CpuidLeaf[] With(CpuidLeaf[] leaves, CpuFeatureWord word, uint value) =>
        [.. leaves.Select(leaf => leaf.Function == word.Function && leaf.Index == word.Index ? leaf.With(word.Register, value) : leaf)];

    private static CpuidComparison Compare(CpuidLeaf[] guest, CpuidLeaf[] kvm, CpuidLeaf[] host) => new()
    {
        Cpu = "host",
        Topology = new CpuTopology(1, 2),
        Warnings = [],
        Given = [guest, guest],
        Read = guest,
        Supported = kvm,
        Host = host,
    };

    private static string Text(CpuidComparison comparison)
    {
        using StringWriter text = new() { NewLine = "\n" };
        CpuidText.Write(text, comparison);
        return text.ToString();
    }
}
