using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Control;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tools;

/// <summary><c>minivmm trace</c>: what is in files of <c>run --trace-file</c>.</summary>
internal sealed class TraceCommand : Command
{
    public TraceCommand()
        : base("trace", "Read traces that 'minivmm run --trace-file' wrote")
    {
        Add(new Summary());
        Add(new Diff());
        Add(new Html());
    }

    private static TraceContents Read(string file)
    {
        TraceContents trace = TraceFile.Read(file);
        foreach (string remark in TraceSummary.Remarks(trace))
            Messages.Note(remark);
        return trace;
    }

    private sealed class Diff : DocumentedCommand
    {
        private readonly Argument<string> _before = new("BEFORE") { Description = "A trace" };
        private readonly Argument<string> _after = new("AFTER") { Description = "One to hold against it" };

        public Diff()
            : base("diff", "Say what happens more, or less often in one trace than in another, and what that takes")
        {
            Arguments.Add(_before);
            Arguments.Add(_after);
            SetAction(line =>
            {
                IReadOnlyList<AnswerTable> tables = TraceDiff.Of(Read(line.GetValue(_before)!), Read(line.GetValue(_after)!));
                if (tables.Count == 0)
                    Standard.Output.WriteLine("the same happens as often in both");
                Answers.Print(tables);
                return ExitStatus.Success;
            });
        }
    }

    private sealed class Html : DocumentedCommand
    {
        private readonly Argument<string> _file = new("FILE") { Description = "A trace" };
        private readonly Option<string?> _output = new("--output", "-o")
        {
            HelpName = "FILE",
            Description = "Where to; the trace's name with .html if left out",
        };

        public Html()
            : base("html", "Write a trace as one page with a timeline and tables, which needs no network")
        {
            Arguments.Add(_file);
            Group("Output", "minivmm trace html --output page.html trace.json", _output);
            SetAction(line =>
            {
                string file = line.GetValue(_file)!;
                string output = line.GetValue(_output) ?? Path.ChangeExtension(file, ".html");
                string page = TraceHtml.Of(Read(file));
                try
                {
                    File.WriteAllText(output, page);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
                {
                    throw new BadInputException($"{output}: cannot be written: {e.Message}", e);
                }

                Standard.Output.WriteLine($"written: {output}");
                return ExitStatus.Success;
            });
        }
    }

    private sealed class Summary : DocumentedCommand
    {
        private readonly Argument<string> _file = new("FILE") { Description = "A trace" };

        public Summary()
            : base("summary", "Count a trace's events, with their times, by reason, port, device, instruction and function")
        {
            Arguments.Add(_file);
            SetAction(line =>
            {
                TraceContents trace = Read(line.GetValue(_file)!);
                Answers.Print(TraceSummary.Of(trace));
                return ExitStatus.Success;
            });
        }
    }
}
