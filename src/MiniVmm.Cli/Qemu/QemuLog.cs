using MiniVmm.Cli.Output;
using MiniVmm.Execution;

namespace MiniVmm.Cli.Qemu;

/// <summary>QEMU's log, of one machine after another: <c>-d</c> on standard error, or in the file of <c>-D</c>.</summary>
internal sealed class QemuLog : IDisposable
{
    private readonly QemuLogRequest _request;
    private readonly StreamWriter? _file;

    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public QemuLog(QemuLogRequest request)
    {
        _request = request;
        if (request.File is { } path)
            _file = new StreamWriter(OutputFile.Create(path, OptionName.TraceFile));
        if (request.Trace is { } what)
            Trace = TraceRequest.Of(what, _file ?? Standard.Error);
    }

    /// <summary>What is traced of each machine; null for nothing.</summary>
    public TraceRequest? Trace { get; }

    /// <summary>A machine has ended; a reset, or what a PC takes for one, is written down as QEMU does.</summary>
    /// <param name="reason">How it ended.</param>
    /// <param name="tripleFault">Whether that was a triple fault.</param>
    /// <param name="explanation">What there is to say of the end; null for nothing.</param>
    /// <param name="isSaid">Whether that is on standard error already.</param>
    public void End(StopReason reason, bool tripleFault, OptionMessage? explanation, bool isSaid)
    {
        if (!_request.Resets || (!tripleFault && reason.Kind != StopKind.Reset))
            return;
        TextWriter output = _file ?? Standard.Error;
        try
        {
            output.WriteLine(tripleFault ? $"CPU Reset (CPU {reason.Value}): triple fault" : "CPU Reset (all CPUs): the guest asked for it");
            if (tripleFault && explanation is not null && (_file is not null || !isSaid))
            {
                foreach (string line in explanation.Spelled(Messages.Spelling).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                    output.WriteLine(Messages.Printable(line));
            }

            output.Flush();
        }
        catch (IOException e) when (_file is not null)
        {
            Messages.Warning($"-D {_request.File}: the log ends early: {e.Message}");
        }
        catch (IOException)
        {
            // Nowhere is left to say it.
        }
    }

    public void Dispose() => _file?.Dispose();
}
