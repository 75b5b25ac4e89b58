using System.Globalization;
using System.Text;

namespace MiniVmm.Testing;

/// <summary>
/// A run's results as JUnit's XML, in the form that both of its usual schemas allow (Apache Ant's of Windy Road, and Jenkins'):
/// CI systems read it. A folder's tests are a class. What is wrong with the run as such is a test of its own, as a reader looks
/// at tests alone.
/// </summary>
internal static class JUnitWriter
{
    /// <summary>Name of the test that stands for the run.</summary>
    public const string RunName = "(run)";

    /// <summary>Properties that a merge reads.</summary>
    public const string ShardProperty = "minivmm.shard";
    public const string SuiteProperty = "minivmm.suite";
    public const string VerdictsProperty = "minivmm.verdicts";

    /// <summary>The type of the run's error where it says what is wrong with the run, rather than what follows from the tests.</summary>
    public const string ProblemType = "run";

    /// <summary>What stands between problems in that error's message.</summary>
    public const string BetweenProblems = "; ";

    private const string SuiteName = "minivmm test";

    public static void Write(TextWriter writer, TestReport report)
    {
        bool hasProblem = report.Problems.Count > 0 || report.Results.Count == 0 || NothingPassed(report);
        int tests = report.Results.Count + (hasProblem ? 1 : 0);
        int failures = report.Results.Count(result => ElementOf(result.Verdict) == "failure");
        int errors = report.Results.Count(result => ElementOf(result.Verdict) == "error") + (hasProblem ? 1 : 0);
        int skipped = report.Results.Count(result => ElementOf(result.Verdict) == "skipped");
        string counts = string.Create(CultureInfo.InvariantCulture, $"tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
        writer.Write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        writer.Write(
            $"  <testsuite package=\"\" id=\"0\" name=\"{SuiteName}\" {counts} skipped=\"{skipped}\" time=\"{Seconds(report.Duration)}\""
            + $" timestamp=\"{report.Started.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture)}\""
            + $" hostname=\"{XmlText.Attribute(HostName())}\">\n");
        writer.Write("    <properties>\n");
        Property(writer, SuiteProperty, string.Create(CultureInfo.InvariantCulture, $"{report.Suite.Count} {report.Suite.Fingerprint}"));
        if (report.Shard is { } shard)
            Property(writer, ShardProperty, shard.ToString());
        Property(writer, VerdictsProperty, string.Join(' ', report.Results.Select(result => result.Verdict.Word())));
        writer.Write("    </properties>\n");
        foreach (TestResult result in report.Results)
            Write(writer, result);
        if (hasProblem)
        {
            (string type, IReadOnlyList<string> lines) = report.Problems.Count > 0 ? (ProblemType, report.Problems) : ("nothing-passed", report.Reasons);
            writer.Write($"    <testcase classname=\"{SuiteName}\" name=\"{RunName}\" time=\"0\">\n");
            writer.Write($"      <error type=\"{type}\" message=\"{XmlText.Attribute(string.Join(BetweenProblems, lines))}\"/>\n    </testcase>\n");
        }

        writer.Write("    <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n");
    }

    private static bool NothingPassed(TestReport report) =>
        report.Results.All(result => result.Verdict.IsGood() && result.Verdict != Verdict.Pass);

    private static void Write(TextWriter writer, TestResult result)
    {
        string folder = NameOr(Path.GetDirectoryName(result.Name), ".");
        string name = NameOr(Path.GetFileName(result.Name), "(no name)");
        writer.Write(
            $"    <testcase classname=\"{XmlText.Attribute(folder)}\" name=\"{XmlText.Attribute(name)}\""
            + $" time=\"{Seconds(result.Duration)}\"");
        if (ElementOf(result.Verdict) is not { } element)
        {
            writer.Write("/>\n");
            return;
        }

        string message = XmlText.Attribute(result.Reason);
        if (element == "skipped")
            writer.Write($">\n      <skipped message=\"{message}\"/>\n    </testcase>\n");
        else
            writer.Write($">\n      <{element} type=\"{result.Verdict.Word()}\" message=\"{message}\">{XmlText.Escape(Text(result))}</{element}>\n    </testcase>\n");
    }

    /// <summary>Null for what passed.</summary>
    private static string? ElementOf(Verdict verdict) => verdict switch
    {
        Verdict.Pass => null,
        Verdict.Skip or Verdict.ExpectedFailure => "skipped",
        Verdict.Error or Verdict.HostError or Verdict.NotRun => "error",
        _ => "failure", // a test that skipped itself, too: it was to run
    };

    private static string Text(TestResult result)
    {
        StringBuilder text = new(result.Reason);
        if (result.Output.Length > 0)
            text.Append("\n\n").Append(result.Output);
        if (result.Report.Length > 0)
            text.Append("\n\n").Append(result.Report);
        return text.ToString();
    }

    private static void Property(TextWriter writer, string name, string value) =>
        writer.Write($"      <property name=\"{name}\" value=\"{XmlText.Attribute(value)}\"/>\n");

    /// <summary>A schema's name is more than blanks.</summary>
    private static string NameOr(string? name, string other) => string.IsNullOrWhiteSpace(name) ? other : name;

    private static string HostName() => Environment.MachineName is { Length: > 0 } name ? name : "localhost";

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
}
