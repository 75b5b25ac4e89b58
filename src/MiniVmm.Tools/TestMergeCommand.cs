using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Testing;

namespace MiniVmm.Tools;

/// <summary><c>minivmm test merge</c>: the parts of a run as one.</summary>
internal sealed class TestMergeCommand : DocumentedCommand
{
    private readonly Argument<string[]> _files = new("FILE")
    {
        Arity = ArgumentArity.OneOrMore,
        HelpName = "FILE...",
        Description = "Results of the parts, from minivmm test --json or --junit",
    };
    private readonly TestReportOptions _reports = new();

    public TestMergeCommand()
        : base("merge", "Put the results of a run's parts together; a part that is missing is not green")
    {
        Arguments.Add(_files);
        Group("Output", "minivmm test merge --junit results.xml 1.json 2.json", _reports.Junit, _reports.Json);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        NamedReport[] parts = [.. (line.GetValue(_files) ?? []).Select(file => ReportMerge.Read(Read(file), file))];
        TestReport report = ReportMerge.Of(parts);
        _reports.Output(line).PrintAll(report);
        _reports.Write(line, report);
        return TestCommand.StatusOf(report);
    }

    private static byte[] Read(string file)
    {
        try
        {
            return File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadInputException($"{file}: cannot be read: {e.Message}", e);
        }
    }
}
