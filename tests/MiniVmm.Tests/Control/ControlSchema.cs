using System.Text;
using System.Text.Json.Nodes;
using MiniVmm.Control;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Control;

/// <summary>docs/control.schema.json, by the kinds of line that it describes.</summary>
internal static class ControlSchema
{
    public static string File { get; } = Path.Combine(Repository.Root, "docs", "control.schema.json");

    /// <summary>The schema that a table of verbs gives.</summary>
    public static string Text(IReadOnlyList<ControlVerb> verbs)
    {
        using MemoryStream text = new();
        ProtocolSchema.Write(text, verbs);
        return Encoding.UTF8.GetString(text.ToArray());
    }

    /// <summary>What is wrong with a line of the kind <c>request</c>, <c>error</c>, <c>infoAnswer</c>, …</summary>
    public static IReadOnlyList<string> Errors(string kind, string line) =>
        Errors(System.IO.File.ReadAllText(File), kind, line);

    /// <inheritdoc cref="Errors(string, string)"/>
    public static IReadOnlyList<string> Errors(string text, string kind, string line)
    {
        JsonObject schema = JsonNode.Parse(text)!.AsObject();
        schema.Remove("anyOf");
        schema["$ref"] = $"#/$defs/{kind}";
        return new JsonSchema(schema.ToJsonString()).Errors(line);
    }
}
