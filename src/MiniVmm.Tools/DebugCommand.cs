using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using MiniVmm.Cli;
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
    private readonly Option<string> _program = new("--gdb-program")
    {
        HelpName = "PROGRAM",
        Description = "The gdb to start",
        DefaultValueFactory = _ => "gdb",
    };

    public DebugCommand(RunCommand run)
        : base("debug", "Boot a kernel under gdb, which has it before its first instruction")
    {
        _run = run;
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
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-gdb-"); // nobody else's: mode 0700
        try
        {
            string socket = Path.Combine(folder.FullName, SocketName);
            string? symbols = null;
            return _run.Run(line, Read, run => Debug(run, line.GetValue(_program)!, Words(symbols, socket)));

            MachineOptions Read(ParseResult given)
            {
                MachineOptions options = _run.ReadOptions(given);
                symbols = HasSymbols(options.Symbols) ? options.Symbols : HasSymbols(options.Kernel) ? options.Kernel : null;
                return options with { Gdb = new StreamAddress(null, 0, socket), GdbWaits = true, ConsoleIsOutputOnly = true };
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Debug(MachineRun run, string program, IEnumerable<string> arguments)
    {
        using StopSignals signals = new(areGdbs: true);
        using GdbProcess gdb = new(program, arguments);
        (run.Signals, run.Built) = (signals, gdb.Start);
        StopReason reason = run.Run();
        gdb.WaitForEnd(() => signals.HaveCome);
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
