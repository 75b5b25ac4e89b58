using System.Globalization;

namespace MiniVmm.Testing;

/// <summary>
/// Reads what <see cref="JUnitWriter"/> writes, for merging where a CI system keeps only that: names, verdicts, times, and of
/// failures their text. Files of other programs do not say which part of which suite they are, and are refused.
/// </summary>
internal static class JUnitReader
{
    /// <summary>Whether a file looks like XML rather than JSON.</summary>
    public static bool Recognises(ReadOnlySpan<byte> file) => file.TrimStart(" \t\r\n"u8).StartsWith("<"u8);

    /// <summary>Reads a file's text.</summary>
    /// <param name="xml">The text.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="BadInputException">It is not of that form.</exception>
    public static TestReport Read(string xml, string name)
    {
        try
        {
            return Read(new XmlCursor(xml), name);
        }
        catch (FormatException e)
        {
            throw new BadInputException($"{name}: not results of minivmm test: {e.Message}", e);
        }
    }

    private static TestReport Read(XmlCursor cursor, string name)
    {
        Dictionary<string, string> properties = new(StringComparer.Ordinal);
        List<TestResult> results = [];
        List<string> problems = [];
        string[] verdicts = [];
        XmlTag? suite = null;
        while (cursor.ReadTag() is { } tag)
        {
            switch (tag.Name)
            {
                case "testsuite" when tag.IsStart:
                    suite = suite is null ? tag : throw new FormatException("more than one testsuite");
                    break;
                case "property" when tag.IsStart:
                    properties[tag["name"]] = tag["value"];
                    break;
                case "testcase" when tag is { IsStart: true } && tag["name"] == JUnitWriter.RunName:
                    problems.AddRange(ReadProblems(cursor, tag));
                    break;
                case "testcase" when tag.IsStart:
                    verdicts = verdicts.Length > 0 ? verdicts : Property(properties, JUnitWriter.VerdictsProperty).Split(' ');
                    if (results.Count == verdicts.Length)
                        throw new FormatException("more tests than verdicts");
                    results.Add(ReadResult(cursor, tag, verdicts[results.Count]));
                    break;
            }
        }

        if (suite is null)
            throw new FormatException("no testsuite");
        if (Property(properties, JUnitWriter.VerdictsProperty).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length != results.Count)
            throw new FormatException("fewer tests than verdicts");
        return new(ReadSuite(Property(properties, JUnitWriter.SuiteProperty)), results)
        {
            Shard = properties.TryGetValue(JUnitWriter.ShardProperty, out string? text) ? ReadShard(text) : null,
            Started = DateTimeOffset.TryParseExact(
                suite["timestamp"], "yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset started)
                ? started
                : throw new FormatException("a timestamp that is none"),
            Duration = ReadSeconds(suite["time"]),
            Problems = problems,
        };
    }

    private static TestResult ReadResult(XmlCursor cursor, XmlTag tag, string word)
    {
        if (!Verdicts.TryParse(word, out Verdict verdict))
            throw new FormatException($"no verdict is called '{word}'");
        string path = tag["classname"] is "." ? tag["name"] : $"{tag["classname"]}/{tag["name"]}";
        (string reason, string text) = ("", "");
        if (!tag.IsEnd)
        {
            XmlTag inner = cursor.ReadTag() ?? throw new FormatException("a testcase that does not end");
            if (inner is { IsStart: true, Name: "failure" or "error" or "skipped" })
                (reason, text) = (inner["message"], inner.IsEnd ? "" : cursor.ReadText());
        }

        return new(path, verdict, reason) { Duration = ReadSeconds(tag["time"]), Output = WithoutReason(text, reason) };
    }

    /// <summary>A failure's text begins with the reason; output and report behind it are one there.</summary>
    private static string WithoutReason(string text, string reason) =>
        text.StartsWith(reason, StringComparison.Ordinal) ? text[reason.Length..].TrimStart('\n') : text;

    private static string[] ReadProblems(XmlCursor cursor, XmlTag tag)
    {
        if (tag.IsEnd || cursor.ReadTag() is not { IsStart: true, Name: "error" } error)
            throw new FormatException("a run without its error");
        return error["type"] == JUnitWriter.ProblemType ? error["message"].Split(JUnitWriter.BetweenProblems) : [];
    }

    private static Suite ReadSuite(string text) =>
        text.Split(' ') is [string count, { Length: > 0 } fingerprint] && Shard.TryNumber(count, out int tests)
            ? new(tests, fingerprint)
            : throw new FormatException("a suite that is none");

    private static Shard ReadShard(string text) =>
        Shard.TryParse(text, out Shard shard) ? shard : throw new FormatException($"shard {text} does not make sense");

    private static string Property(Dictionary<string, string> properties, string name) =>
        properties.TryGetValue(name, out string? value) ? value : throw new FormatException($"no property {name}");

    private static TimeSpan ReadSeconds(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds < 1e9
            ? TimeSpan.FromMilliseconds((long)Math.Round(seconds * 1000))
            : throw new FormatException("a time that is none");
}
