using System.Text;
using MiniVmm.Tracing;

namespace MiniVmm.Hosting;

/// <summary>Writes traces to files; a host without one has none.</summary>
internal interface ITraceFiles
{
    /// <summary>Begins a file; its name's ending says of which format.</summary>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    ITraceSink Create(string path);
}

/// <summary>Where traces of a hosted machine go that <c>minivmm ctl NAME trace</c> asks for.</summary>
/// <param name="log">The machine's, for a trace without a file.</param>
/// <param name="files">For one with; null where the host writes none.</param>
internal sealed class HostedTraces(MachineLog log, ITraceFiles? files)
{
    /// <param name="file">Null for the log.</param>
    /// <exception cref="BadInputException">The file cannot be written, or none can.</exception>
    public ITraceSink Sink(string? file)
    {
        if (file is null)
            return new TraceLines(new LogLines(log.TraceLine));
        return files?.Create(file)
            ?? throw new BadInputException($"{file}: the machine's program writes no trace files; without one the trace goes to its log");
    }

    /// <summary>A writer whose lines are a log's.</summary>
    private sealed class LogLines(Action<string> take) : TextWriter
    {
        private readonly StringBuilder _line = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            if (value != '\n')
            {
                _line.Append(value);
                return;
            }

            take(PlainText.Of(_line.ToString()));
            _line.Clear();
        }
    }
}
