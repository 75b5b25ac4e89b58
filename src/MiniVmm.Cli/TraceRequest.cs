using MiniVmm.Cli.Output;
using MiniVmm.Machine;
using MiniVmm.Tracing;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Cli;

/// <summary><c>--trace</c> and <c>--trace-file</c>: what is traced, and where to.</summary>
internal sealed class TraceRequest
{
    private readonly TraceFilter _filter;
    private readonly string? _file;
    private readonly TextWriter? _lines;

    private TraceRequest(TraceFilter filter, string? file, TextWriter? lines = null)
    {
        _filter = filter;
        _file = file;
        _lines = lines;
    }

    /// <summary>Null where neither is given.</summary>
    /// <exception cref="BadInputException">There is no such thing to trace, or the file has no name.</exception>
    public static TraceRequest? Of(string? what, string? file) => (what, file) switch
    {
        (null, null) => null,
        (_, "") => throw new BadInputException($"{OptionName.TraceFile}: the file name is empty"),
        (null, _) => new(TraceFilter.Everything, file),
        _ => new(TraceFilter.Parse(what), file),
    };

    /// <summary>One that is written as text.</summary>
    /// <param name="what">As <c>--trace</c> has it.</param>
    /// <param name="lines">Where to; it stays open.</param>
    public static TraceRequest Of(string what, TextWriter lines) => new(TraceFilter.Parse(what), null, lines);

    /// <summary>What a trace is written to: a file, or standard error for null.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public static ITraceSink Sink(string? file) => file is null ? new TraceLines(Standard.Error) : TraceFile.Create(file);

    /// <summary>Begins, before the machine has run.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public TraceSession Start(VirtualMachine machine)
    {
        machine.StartTrace(_filter, _lines is null ? Sink(_file) : new TraceLines(_lines));
        return machine.Trace!;
    }
}
