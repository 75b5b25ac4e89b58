using System.Text.Json;

namespace MiniVmm.Tests;

/// <summary>
/// Validates JSON against a schema of the 2020-12 dialect, as far as MiniVmm's own schemas go: a keyword that is not
/// known here is an error of the schema, and never passed over.
/// </summary>
internal sealed class JsonSchema
{
    private static readonly string[] Annotations = ["$schema", "$defs", "title", "description", "format", "contentEncoding"];
    private readonly JsonElement _root;

    public JsonSchema(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        _root = document.RootElement.Clone();
    }

    /// <summary>A schema of docs/, which the project copies beside the tests.</summary>
    public static JsonSchema Load(string name) =>
        new(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, name)));

    /// <summary>What is wrong with a document: where and why; nothing if it is valid.</summary>
    public IReadOnlyList<string> Errors(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return [.. Check(_root, document.RootElement, "$")];
    }

    private IEnumerable<string> Check(JsonElement schema, JsonElement value, string path)
    {
        if (schema.ValueKind == JsonValueKind.False)
            return [$"{path}: is not allowed"];
        return schema.ValueKind == JsonValueKind.True
            ? []
            : schema.EnumerateObject().SelectMany(keyword => Check(schema, keyword, value, path));
    }

    private IEnumerable<string> Check(JsonElement schema, JsonProperty keyword, JsonElement value, string path)
    {
        JsonElement rule = keyword.Value;
        return keyword.Name switch
        {
            "$ref" => Check(Target(rule.GetString()!), value, path),
            "type" => Demand(Types(rule).Any(type => Is(value, type)), $"{path}: is not {rule}"),
            "const" => Demand(JsonElement.DeepEquals(rule, value), $"{path}: is not {rule}"),
            "enum" => Demand(
                rule.EnumerateArray().Any(choice => JsonElement.DeepEquals(choice, value)),
                $"{path}: is not of {rule}"),
            "anyOf" => AnyOf(rule, value, path),
            "minimum" => Demand(!IsNumber(value) || value.GetDouble() >= rule.GetDouble(), $"{path}: below {rule}"),
            "maximum" => Demand(!IsNumber(value) || value.GetDouble() <= rule.GetDouble(), $"{path}: above {rule}"),
            "minLength" => Demand(
                !IsString(value) || value.GetString()!.Length >= rule.GetInt32(), $"{path}: shorter than {rule}"),
            "maxLength" => Demand(
                !IsString(value) || value.GetString()!.Length <= rule.GetInt32(), $"{path}: longer than {rule}"),
            "exclusiveMinimum" => Demand(
                !IsNumber(value) || value.GetDouble() > rule.GetDouble(), $"{path}: not above {rule}"),
            "minItems" => Demand(
                !IsArray(value) || value.GetArrayLength() >= rule.GetInt32(), $"{path}: fewer than {rule}"),
            "maxItems" => Demand(
                !IsArray(value) || value.GetArrayLength() <= rule.GetInt32(), $"{path}: more than {rule}"),
            "items" => IsArray(value)
                ? value.EnumerateArray().SelectMany((item, i) => Check(rule, item, $"{path}[{i}]"))
                : [],
            "required" => IsObject(value)
                ? rule.EnumerateArray().Select(name => name.GetString()!)
                    .Where(name => !value.TryGetProperty(name, out _))
                    .Select(name => $"{path}.{name}: is missing")
                : [],
            "properties" => IsObject(value)
                ? rule.EnumerateObject().SelectMany(member => value.TryGetProperty(member.Name, out JsonElement item)
                    ? Check(member.Value, item, $"{path}.{member.Name}")
                    : [])
                : [],
            "additionalProperties" => IsObject(value)
                ? value.EnumerateObject()
                    .Where(member => !schema.TryGetProperty("properties", out JsonElement known)
                        || !known.TryGetProperty(member.Name, out _))
                    .SelectMany(member => Check(rule, member.Value, $"{path}.{member.Name}"))
                : [],
            _ when Annotations.Contains(keyword.Name) => [],
            _ => throw new NotSupportedException($"{keyword.Name}: not a keyword that is known here"),
        };
    }

    private string[] AnyOf(JsonElement choices, JsonElement value, string path)
    {
        List<string> errors = [];
        foreach (JsonElement choice in choices.EnumerateArray())
        {
            string[] found = [.. Check(choice, value, path)];
            if (found.Length == 0)
                return [];
            errors.AddRange(found);
        }

        return [.. errors];
    }

    /// <summary>What a reference within the document points at (RFC 6901, without escapes).</summary>
    private JsonElement Target(string reference)
    {
        if (!reference.StartsWith("#/", StringComparison.Ordinal))
            throw new NotSupportedException($"{reference}: not a reference within the document");
        return reference[2..].Split('/').Aggregate(_root, (element, name) => element.GetProperty(name));
    }

    private static IEnumerable<string> Demand(bool holds, string error) => holds ? [] : [error];

    private static IEnumerable<string> Types(JsonElement rule) =>
        rule.ValueKind == JsonValueKind.Array
            ? rule.EnumerateArray().Select(type => type.GetString()!)
            : [rule.GetString()!];

    private static bool Is(JsonElement value, string type) => type switch
    {
        "null" => value.ValueKind == JsonValueKind.Null,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "string" => IsString(value),
        "number" => IsNumber(value),
        "integer" => IsNumber(value) && double.IsInteger(value.GetDouble()),
        "array" => IsArray(value),
        "object" => IsObject(value),
        _ => throw new NotSupportedException($"{type}: not a type"),
    };

    private static bool IsNumber(JsonElement value) => value.ValueKind == JsonValueKind.Number;

    private static bool IsString(JsonElement value) => value.ValueKind == JsonValueKind.String;

    private static bool IsArray(JsonElement value) => value.ValueKind == JsonValueKind.Array;

    private static bool IsObject(JsonElement value) => value.ValueKind == JsonValueKind.Object;
}
