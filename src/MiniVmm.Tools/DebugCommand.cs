using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using MiniVmm.Cli;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Machine;

namespace MiniVmm.Tools;

/// <summary>
/// <c>minivmm debug</c>: a machine as <c>run</c> has it that waits for gdb, and gdb on this terminal. The terminal's keys are
/// gdb's; what the guest prints is shown among its words.
/// </summary>
internal sealed class DebugCommand : DocumentedCommand
{
    private const string SocketName = "gdb";

    private readonly RunCommand _run;
    private readonly Milestones _milestones;
    private readonly Option<string> _program = new("--gdb-program")
    {
        HelpName = "PROGRAM",
        Description = "The gdb to start",
        DefaultValueFactory = _ => "gdb",
    };

    public DebugCommand(RunCommand run, Milestones milestones)
        : base("debug", "Boot a kernel under gdb, which has it before its first instruction")
    {
        _run = run;
        _milestones = milestones;
        foreach (Argument argument in run.Arguments)
            Arguments.Add(argument);
        Group("Debugger", "minivmm debug --smp 2 KERNEL", _program);
        foreach (OptionGroup group in run.Groups)
        {
            string example = group.Example.Replace("minivmm run", "minivmm debug", StringComparison.Ordinal);
            Group(group.Title, example, [.. group.Options.Except(run.DebuggerOptions)]);
        }

        SetAction(Debug);
    }

    /// <summary>What gdb is started with: the symbols, and where the machine is.</summary>
    internal static IEnumerable<string> Words(string? symbols, string socket) =>
        [.. symbols is null ? [] : (string[])[symbols], "-ex", $"target remote {socket}"];

    private int Debug(ParseResult line)
    {
        MachineOptions options = _run.ReadOptions(line);
        string? symbols = HasSymbols(options.Symbols) ? options.Symbols : HasSymbols(options.Kernel) ? options.Kernel : null;
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-gdb-"); // nobody else's: mode 0700
        try
        {
            string socket = Path.Combine(folder.FullName, SocketName);
            options = options with { Gdb = new StreamAddress(null, 0, socket), GdbWaits = true, ConsoleIsOutputOnly = true };
            return Debug(options, line.GetValue(_program)!, Words(symbols, socket), _run.ReadTrace(line));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private int Debug(MachineOptions options, string program, IEnumerable<string> arguments, TraceRequest? trace)
    {
        using StopSignals signals = new(areGdbs: true);
        using GdbProcess gdb = new(program, arguments);
        MachineRun run = new(options, _milestones) { Signals = signals, Built = gdb.Start, Trace = trace };
        StopReason reason = run.Run();
        if (!signals.HaveCome)
            gdb.WaitForEnd();
        return reason.Kind == StopKind.Interrupted && !signals.HaveCome ? ExitStatus.Success : ExitStatus.Of(reason); // gdb's user has ended it
    }

    /// <summary>Whether gdb can read symbols from a file: it is an ELF file.</summary>
    private static bool HasSymbols([NotNullWhen(true)] string? path)
    {
        if (path is null)
            return false;
        try
        {
            using FileStream file = File.OpenRead(path);
            Span<byte> start = stackalloc byte[4];
            return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual("\u007fELF"u8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false; // the machine's plan says what is wrong with it
        }
    }
}
