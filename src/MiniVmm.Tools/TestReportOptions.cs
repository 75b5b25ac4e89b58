using System.CommandLine;
using System.Text;
using MiniVmm.Testing;

namespace MiniVmm.Tools;

/// <summary>Where the results of tests go besides the lines for people: options that a run and a merge have.</summary>
internal sealed class TestReportOptions
{
    public Option<string?> Junit { get; } = new("--junit")
    {
        HelpName = "FILE",
        Description = "Write the results as JUnit's XML too",
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Write the results as JSON to standard output, and all else to standard error",
    };

    /// <summary>Where people read.</summary>
    public TestOutput Output(ParseResult line) => new(line.GetValue(Json) ? Tables.StandardError() : Tables.StandardOutput());

    /// <summary>Finds out before the tests run whether their results can be written; what a file holds stays.</summary>
    /// <exception cref="BadInputException">They cannot.</exception>
    public void Check(ParseResult line)
    {
        if (line.GetValue(Junit) is { } path)
            Write(path, FileMode.OpenOrCreate, _ => { });
    }

    /// <exception cref="BadInputException">A file cannot be written.</exception>
    public void Write(ParseResult line, TestReport report)
    {
        if (line.GetValue(Json))
            Answers.WriteJson(writer => ReportJson.Write(writer, report));
        if (line.GetValue(Junit) is { } path)
            Write(path, FileMode.Create, writer => JUnitWriter.Write(writer, report));
    }

    private void Write(string path, FileMode mode, Action<TextWriter> write)
    {
        try
        {
            using FileStream stream = new(path, mode, FileAccess.Write);
            using StreamWriter writer = new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            write(writer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadInputException($"{Junit.Name} {path}: cannot be written: {e.Message}", e);
        }
    }
}
