using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tools;

/// <summary><c>minivmm trace</c>: what is in files of <c>run --trace-file</c>.</summary>
internal sealed class TraceCommand : Command
{
    public TraceCommand()
        : base("trace", "Read traces that 'minivmm run --trace-file' wrote")
    {
        Add(new Summary());
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
                TraceContents trace = TraceFile.Read(line.GetValue(_file)!);
                foreach (string remark in TraceSummary.Remarks(trace))
                    Messages.Note(remark);
                Answers.Print(TraceSummary.Of(trace));
                return ExitStatus.Success;
            });
        }
    }
}
