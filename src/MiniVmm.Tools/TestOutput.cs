using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Testing;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary>
/// A run of tests for people: a line for each that is done, on a terminal what runs now below them, and in the end the output
/// of those that did not pass.
/// </summary>
/// <param name="console">Where it is shown.</param>
internal sealed class TestOutput(IAnsiConsole console)
{
    /// <summary>Lines of a guest's output that are shown; reports have more.</summary>
    private const int LastLines = 30;

    private int _nameWidth;

    /// <summary>Shows a run while it goes on.</summary>
    /// <param name="count">How many tests there are.</param>
    /// <param name="run">Runs them; told what to call for each that begins and that is done.</param>
    public T Follow<T>(int count, Func<Action<TestCase>, Action<TestResult>, T> run)
    {
        if (!console.Profile.Out.IsTerminal)
            return run(_ => { }, Print);
        SortedSet<string> running = new(StringComparer.Ordinal);
        int done = 0;
        return console.Progress().AutoClear(true).Columns(new ProgressBarColumn(), new TaskDescriptionColumn()).Start(context =>
        {
            ProgressTask task = context.AddTask("starting", maxValue: Math.Max(count, 1));
            return run(Begin, Finish);

            void Begin(TestCase test)
            {
                running.Add(test.Name);
                Refresh();
            }

            void Finish(TestResult result)
            {
                running.Remove(result.Name);
                done++;
                task.Increment(1);
                Refresh();
                Print(result);
            }

            void Refresh() => task.Description(
                Markup.Escape($"{done}/{count} {Shortened(string.Join(", ", running.Select(Messages.Printable)))}"));
        });
    }

    /// <summary>The same of results that came of other runs: each has its line, too.</summary>
    public void PrintAll(TestReport report)
    {
        foreach (TestResult result in report.Results)
            Print(result);
        Print(report);
    }

    /// <summary>What did not pass, with its output and report, and the sum.</summary>
    public void Print(TestReport report)
    {
        foreach (TestResult result in report.Results.Where(result => !result.Verdict.IsGood()))
            PrintDetails(result);
        string seconds = report.Duration.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        Line();
        Line($"{report.Summary()}, in {seconds} s");
        foreach (string reason in report.Reasons)
            Styled("not green: ", "red", Messages.Printable(reason));
    }

    private void Print(TestResult result)
    {
        string seconds = result.Duration.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);
        string name = Messages.Printable(result.Name);
        _nameWidth = Math.Max(_nameWidth, Math.Min(name.Length, 48));
        string reason = result.Verdict == Verdict.Pass ? "" : $"  {Messages.Printable(result.Reason)}";
        string color = result.Verdict switch
        {
            Verdict.Pass => "green",
            Verdict.Skip or Verdict.ExpectedFailure => "yellow",
            _ => "red",
        };
        Styled(result.Verdict.Word().PadRight(15), color, $"{seconds,6} s  {(reason.Length == 0 ? name : name.PadRight(_nameWidth))}{reason}");
    }

    private void PrintDetails(TestResult result)
    {
        string[] output = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] report = result.Report.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (output.Length == 0 && report.Length == 0)
            return;
        Line();
        Styled(result.Verdict.Word(), "red", $" {Messages.Printable(result.Name)}: {Messages.Printable(result.Reason)}");
        if (output.Length > LastLines)
            Line($"  | [the last {LastLines} of {output.Length.ToString("N0", CultureInfo.InvariantCulture)} lines]");
        foreach (string line in output.TakeLast(LastLines))
            Line($"  | {Messages.Printable(line)}");
        foreach (string line in report)
            Line($"  {Messages.Printable(line)}");
    }

    /// <summary>A line about the run.</summary>
    public void Note(string text) => Line(Messages.Printable(text));

    private void Line(string text = "") => Styled("", "default", text);

    /// <summary>A line that begins in colour. Above what runs on a terminal; elsewhere in one piece, however long.</summary>
    private void Styled(string word, string color, string rest)
    {
        if (console.Profile.Out.IsTerminal)
            console.Write(new Paragraph(word, Style.Parse(color)).Append(rest + '\n'));
        else
            console.Profile.Out.Writer.WriteLine(word + rest);
    }

    private static string Shortened(string text) => text.Length <= 100 ? text : $"{text[..100]}…";
}
