using System.Text.Encodings.Web;
using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>The JSON schema of every line of the protocol, made from the table of verbs: docs/control.schema.json.</summary>
internal static class ProtocolSchema
{
    // The default would escape quotation marks for HTML, which this file is not.
    private static readonly JsonWriterOptions Readable =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes it indented, with a newline at the end.</summary>
    public static void Write(Stream output, IReadOnlyList<ControlVerb> verbs)
    {
        ArgumentNullException.ThrowIfNull(output);
        using (Utf8JsonWriter writer = new(output, Readable))
            Write(writer, verbs);
        output.Write("\n"u8);
    }

    private static void Write(Utf8JsonWriter writer, IReadOnlyList<ControlVerb> verbs)
    {
        writer.WriteStartObject();
        writer.WriteString("$schema", "https://json-schema.org/draft/2020-12/schema");
        writer.WriteString("title", "MiniVmm's control socket");
        writer.WriteString(
            "description", "One line each way; see control.md. A line is one of these. Written by: minivmm schema");
        WriteAnyOf(writer, "request", "answer");
        writer.WriteStartObject("$defs");
        Define(writer, "request", () => WriteAnyOf(writer, [.. verbs.Select(verb => $"{verb.Name}Request")]));
        Define(writer, "answer", () => WriteAnyOf(writer, ["error", .. verbs.Select(verb => $"{verb.Name}Answer")]));
        foreach (ControlVerb verb in verbs)
        {
            Define(writer, $"{verb.Name}Request", () => WriteRequest(writer, verb));
            Define(writer, $"{verb.Name}Answer", () => WriteAnswer(writer, verb));
        }

        Define(writer, "error", () => WriteObject(writer, ["error"], () =>
        {
            WriteId(writer);
            writer.WriteStartObject("error");
            writer.WriteString("description", "What was wrong, for people.");
            writer.WriteString("type", "string");
            writer.WriteEndObject();
        }));
        foreach (JsonShape shape in verbs.Select(verb => verb.Answer).OfType<JsonShape>()
            .SelectMany(shape => shape.Named).DistinctBy(shape => shape.Name))
            Define(writer, shape.Name!, () => shape.WriteSchema(writer));
        WriteScalars(writer);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteRequest(Utf8JsonWriter writer, ControlVerb verb)
    {
        writer.WriteString("description", $"{verb.Help}.");
        IEnumerable<string> required = verb.Members.Where(argument => argument.IsRequired).Select(argument => argument.Name);
        WriteObject(writer, ["command", .. required], () =>
        {
            writer.WriteStartObject("command");
            writer.WriteString("const", verb.Name);
            writer.WriteEndObject();
            WriteId(writer);
            foreach (VerbArgument argument in verb.Members)
            {
                writer.WriteStartObject(argument.Name);
                writer.WriteString("description", $"{argument.Help}.");
                argument.WriteSchema(writer);
                writer.WriteEndObject();
            }
        });
    }

    private static void WriteAnswer(Utf8JsonWriter writer, ControlVerb verb)
    {
        JsonShape? shape = verb.Answer;
        WriteObject(writer, shape is null ? ["ok"] : ["ok", shape.Name!], () =>
        {
            WriteId(writer);
            writer.WriteStartObject("ok");
            writer.WriteBoolean("const", true);
            writer.WriteEndObject();
            if (shape is null)
                return;
            writer.WriteStartObject(shape.Name!);
            shape.WriteUse(writer);
            writer.WriteEndObject();
        });
    }

    private static void WriteScalars(Utf8JsonWriter writer)
    {
        Define(writer, "id", () =>
        {
            writer.WriteString(
                "description",
                "Returned in the answer: a whole number of 64 bits, or a string of up to "
                + $"{ControlProtocol.MaxId} characters.");
            WriteTypes(writer, "integer", "string");
        });
        Define(writer, "size", () =>
        {
            writer.WriteString("description", "In bytes.");
            writer.WriteString("type", "integer");
            writer.WriteNumber("minimum", 0);
        });
        Define(writer, "knownCount", () =>
        {
            writer.WriteString("description", "Null if this host does not provide it.");
            WriteTypes(writer, "integer", "null");
            writer.WriteNumber("minimum", 0);
        });
        Define(writer, "counters", () =>
        {
            writer.WriteString("type", "object");
            writer.WriteStartObject("additionalProperties");
            writer.WriteString("type", "integer");
            writer.WriteEndObject();
        });
    }

    private static void Define(Utf8JsonWriter writer, string name, Action write)
    {
        writer.WriteStartObject(name);
        write();
        writer.WriteEndObject();
    }

    private static void WriteObject(Utf8JsonWriter writer, IEnumerable<string> required, Action properties)
    {
        writer.WriteString("type", "object");
        writer.WriteStartArray("required");
        foreach (string name in required)
            writer.WriteStringValue(name);
        writer.WriteEndArray();
        writer.WriteStartObject("properties");
        properties();
        writer.WriteEndObject();
        writer.WriteBoolean("additionalProperties", false);
    }

    private static void WriteId(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("id");
        writer.WriteString("$ref", "#/$defs/id");
        writer.WriteEndObject();
    }

    private static void WriteTypes(Utf8JsonWriter writer, params ReadOnlySpan<string> types)
    {
        writer.WriteStartArray("type");
        foreach (string type in types)
            writer.WriteStringValue(type);
        writer.WriteEndArray();
    }

    private static void WriteAnyOf(Utf8JsonWriter writer, params ReadOnlySpan<string> definitions)
    {
        writer.WriteStartArray("anyOf");
        foreach (string name in definitions)
        {
            writer.WriteStartObject();
            writer.WriteString("$ref", $"#/$defs/{name}");
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
