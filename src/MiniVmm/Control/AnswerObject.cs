using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Control;

/// <summary>
/// An object of an answer that <see cref="JsonLine"/> has parsed, read for people. It may come from an older or newer machine,
/// or from something else altogether: what is missing, or of another type, is empty.
/// </summary>
internal readonly struct AnswerObject(JsonElement content)
{
    public string Text(string name) =>
        Has(name, JsonValueKind.String, out JsonElement value) ? value.GetString()! : "";

    public byte[]? Binary(string name) =>
        Has(name, JsonValueKind.String, out JsonElement value) && value.TryGetBytesFromBase64(out byte[]? bytes) ? bytes : null;

    public bool? Flag(string name) =>
        Has(name, JsonValueKind.True, out _) ? true : Has(name, JsonValueKind.False, out _) ? false : null;

    public long? Number(string name) =>
        Has(name, JsonValueKind.Number, out JsonElement value) && value.TryGetInt64(out long number) ? number : null;

    public ulong? Size(string name) =>
        Has(name, JsonValueKind.Number, out JsonElement value) && value.TryGetUInt64(out ulong size) ? size : null;

    public double? Fraction(string name) =>
        Has(name, JsonValueKind.Number, out JsonElement value) ? value.GetDouble() : null;

    public AnswerObject? Object(string name) =>
        Has(name, JsonValueKind.Object, out JsonElement value) ? new AnswerObject(value) : null;

    public AnswerObject[] Objects(string name) => Has(name, JsonValueKind.Array, out JsonElement list)
        ? [.. list.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Object).Select(item => new AnswerObject(item))]
        : [];

    public Dictionary<string, long> Numbers(string name)
    {
        Dictionary<string, long> numbers = [];
        if (!Has(name, JsonValueKind.Object, out JsonElement members))
            return numbers;
        foreach (JsonProperty member in members.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt64(out long value))
                numbers[member.Name] = value;
        }

        return numbers;
    }

    /// <summary>"12,345".</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"10.8 MiB".</summary>
    public static string Mebibytes(long bytes) =>
        string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:N1} MiB");

    /// <summary>As clocks show it: "0:00:12", "2d 3:04:05".</summary>
    public static string Duration(double seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 1e9));
        string days = time.Days > 0 ? $"{time.Days}d " : "";
        return string.Create(CultureInfo.InvariantCulture, $"{days}{time:h\\:mm\\:ss}");
    }

    private bool Has(string name, JsonValueKind kind, out JsonElement value)
    {
        value = default;
        return content.ValueKind == JsonValueKind.Object
            && content.TryGetProperty(name, out value)
            && value.ValueKind == kind;
    }
}
