using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Testing;

/// <summary>A run's results in JSON: docs/ci.md has the form.</summary>
internal static class ReportJson
{
    /// <summary>The form's number, which changes when readers must know.</summary>
    public const int Version = 1;

    /// <summary>What a file of this form has under "format".</summary>
    public const string Format = "minivmm-test";

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    public static void Write(Utf8JsonWriter writer, TestReport report)
    {
        writer.WriteStartObject();
        writer.WriteString("format", Format);
        writer.WriteNumber("version", Version);
        WriteShard(writer, report.Shard);
        writer.WriteStartObject("suite");
        writer.WriteNumber("tests", report.Suite.Count);
        writer.WriteString("fingerprint", report.Suite.Fingerprint);
        writer.WriteEndObject();
        writer.WriteString("started", report.Started.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        writer.WriteNumber("seconds", Seconds(report.Duration));
        writer.WriteBoolean("green", report.IsGreen);
        WriteTexts(writer, "reasons", report.Reasons);
        WriteTexts(writer, "problems", report.Problems);
        writer.WriteStartArray("tests");
        foreach (TestResult result in report.Results)
        {
            writer.WriteStartObject();
            writer.WriteString("name", result.Name);
            writer.WriteString("verdict", result.Verdict.Word());
            writer.WriteString("reason", result.Reason);
            writer.WriteNumber("seconds", Seconds(result.Duration));
            writer.WriteString("output", result.Output);
            writer.WriteString("report", result.Report);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>Reads what <see cref="Write"/> writes.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="BadInputException">It is not of that form.</exception>
    public static TestReport Read(ReadOnlyMemory<byte> json, string name)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, Strict);
            return Read(document.RootElement, name);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new BadInputException($"{name}: not results of minivmm test: {e.Message}", e);
        }
    }

    private static TestReport Read(JsonElement root, string name)
    {
        if (root.GetProperty("format").GetString() != Format || root.GetProperty("version").GetInt32() != Version)
            throw new BadInputException($"{name}: not results of minivmm test, or of another version of it");
        JsonElement suite = root.GetProperty("suite");
        int count = suite.GetProperty("tests").GetInt32();
        if (count < 0)
            throw new BadInputException($"{name}: a suite of {count} tests");
        List<TestResult> results = [];
        foreach (JsonElement test in root.GetProperty("tests").EnumerateArray())
            results.Add(ReadResult(test, name));
        return new(new(count, Text(suite, "fingerprint")), results)
        {
            Shard = ReadShard(root.GetProperty("shard"), name),
            Started = root.GetProperty("started").GetDateTimeOffset(),
            Duration = ReadSeconds(root, name),
            Problems = [.. root.GetProperty("problems").EnumerateArray().Select(problem => problem.GetString() ?? "")],
        };
    }

    private static TestResult ReadResult(JsonElement test, string name)
    {
        string word = Text(test, "verdict");
        return Verdicts.TryParse(word, out Verdict verdict)
            ? new(Text(test, "name"), verdict, Text(test, "reason"))
            {
                Duration = ReadSeconds(test, name),
                Output = Text(test, "output"),
                Report = Text(test, "report"),
            }
            : throw new BadInputException($"{name}: no verdict is called '{word}'");
    }

    private static Shard? ReadShard(JsonElement shard, string name)
    {
        if (shard.ValueKind == JsonValueKind.Null)
            return null;
        (int index, int count) = (shard.GetProperty("index").GetInt32(), shard.GetProperty("count").GetInt32());
        return Shard.TryParse($"{index}/{count}", out Shard read)
            ? read
            : throw new BadInputException($"{name}: shard {index} of {count} does not make sense");
    }

    private static TimeSpan ReadSeconds(JsonElement element, string name) =>
        element.GetProperty("seconds").GetDouble() is >= 0 and < 1e9 and double seconds
            ? TimeSpan.FromMilliseconds((long)Math.Round(seconds * 1000))
            : throw new BadInputException($"{name}: a time that is none");

    private static string Text(JsonElement element, string property) => element.GetProperty(property).GetString() ?? "";

    private static void WriteShard(Utf8JsonWriter writer, Shard? shard)
    {
        if (shard is not { } part)
        {
            writer.WriteNull("shard");
            return;
        }

        writer.WriteStartObject("shard");
        writer.WriteNumber("index", part.Index);
        writer.WriteNumber("count", part.Count);
        writer.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (string text in texts)
            writer.WriteStringValue(text);
        writer.WriteEndArray();
    }

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);
}
