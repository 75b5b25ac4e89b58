using System.Text.Json.Nodes;

namespace MiniVmm.Tests.Control;

/// <summary>docs/control.schema.json, by the kinds of line that it describes.</summary>
internal static class ControlSchema
{
    /// <summary>What is wrong with a line of the kind <c>request</c>, <c>error</c>, <c>infoAnswer</c>, …</summary>
    public static IReadOnlyList<string> Errors(string kind, string line)
    {
        JsonObject schema =
            JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "control.schema.json")))!.AsObject();
        schema.Remove("anyOf");
        schema["$ref"] = $"#/$defs/{kind}";
        return new JsonSchema(schema.ToJsonString()).Errors(line);
    }
}
