using System.Text.Json;
using MiniVmm.Cpu;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>The comparison for programs; docs/cpuid.md lists its members.</summary>
internal static class CpuidJson
{
    public static void Write(Utf8JsonWriter writer, CpuidComparison comparison)
    {
        writer.WriteStartObject();
        writer.WriteString("cpu", comparison.Cpu);
        writer.WriteStartObject("topology");
        writer.WriteNumber("vcpus", comparison.Topology.Count);
        writer.WriteNumber("maxVcpus", comparison.Topology.MaxCpus);
        writer.WriteNumber("sockets", comparison.Topology.Sockets);
        writer.WriteNumber("cores", comparison.Topology.Cores);
        writer.WriteNumber("threads", comparison.Topology.Threads);
        writer.WriteEndObject();
        writer.WriteStartObject("facts");
        WriteFacts(writer, "guest", comparison.Read);
        WriteFacts(writer, "kvm", comparison.Supported);
        WriteFacts(writer, "host", comparison.Host);
        writer.WriteEndObject();
        writer.WriteStartArray("features");
        foreach (FeatureComparison feature in comparison.Features())
            WriteFeature(writer, feature);
        writer.WriteEndArray();
        WriteLeaves(writer, "guest", comparison.Read);
        writer.WriteStartArray("given");
        for (int i = 0; i < comparison.Given.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteNumber("vcpu", i);
            writer.WriteNumber("apicId", comparison.Topology.ApicId(i));
            WriteLeaves(writer, "leaves", comparison.Given[i]);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        WriteLeaves(writer, "kvm", comparison.Supported);
        WriteLeaves(writer, "host", comparison.Host);
        writer.WriteEndObject();
    }

    private static void WriteFacts(Utf8JsonWriter writer, string side, IReadOnlyList<CpuidLeaf> leaves)
    {
        writer.WriteStartArray(side);
        foreach ((string name, string value) in CpuidFacts.Of(new CpuidTable(leaves)))
        {
            writer.WriteStartObject();
            writer.WriteString("name", name);
            writer.WriteString("value", value);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteFeature(Utf8JsonWriter writer, FeatureComparison comparison)
    {
        writer.WriteStartObject();
        writer.WriteString("name", comparison.Feature.Name);
        writer.WriteNumber("function", comparison.Feature.Word.Function);
        writer.WriteNumber("index", comparison.Feature.Word.Index);
        writer.WriteString("register", Register(comparison.Feature.Word.Register));
        writer.WriteNumber("mask", comparison.Feature.Mask);
        writer.WriteBoolean("guest", comparison.Guest);
        writer.WriteBoolean("kvm", comparison.Kvm);
        writer.WriteBoolean("host", comparison.Host);
        writer.WriteEndObject();
    }

    private static void WriteLeaves(Utf8JsonWriter writer, string name, IReadOnlyList<CpuidLeaf> leaves)
    {
        writer.WriteStartArray(name);
        foreach (CpuidLeaf leaf in leaves)
        {
            writer.WriteStartObject();
            writer.WriteNumber("function", leaf.Function);
            if (leaf.IndexIsSignificant)
                writer.WriteNumber("index", leaf.Index);
            else
                writer.WriteNull("index");
            writer.WriteNumber("eax", leaf.Eax);
            writer.WriteNumber("ebx", leaf.Ebx);
            writer.WriteNumber("ecx", leaf.Ecx);
            writer.WriteNumber("edx", leaf.Edx);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static string Register(CpuidRegister register) => register switch
    {
        CpuidRegister.Eax => "eax",
        CpuidRegister.Ebx => "ebx",
        CpuidRegister.Ecx => "ecx",
        _ => "edx",
    };
}
