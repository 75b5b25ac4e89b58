using MiniVmm.Diagnostics;
using MiniVmm.Execution;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// MiniVmm called as QEMU: <c>minivmm qemu OPTION…</c>, or by a link of QEMU's name, so that a script that starts QEMU
/// starts MiniVmm. Messages are MiniVmm's; options, the guest's devices and the exit status are QEMU's.
/// </summary>
internal static class QemuCommand
{
    /// <summary>The word behind <c>minivmm</c>.</summary>
    public const string Word = "qemu";

    private const int Success = 0;
    private const int Failure = 1;

    /// <summary>Whether this process is to be QEMU, and the options that it has then.</summary>
    /// <param name="program">What it was called as.</param>
    /// <param name="arguments">What came behind that.</param>
    /// <param name="options">The options; empty where it is not.</param>
    public static bool IsAsked(string program, ReadOnlySpan<string> arguments, out ReadOnlySpan<string> options)
    {
        options = default;
        if (Path.GetFileName(program.AsSpan()) is "qemu-system-x86_64" or "qemu-system-i386" or "qemu-kvm")
            options = arguments;
        else if (arguments is [Word, ..])
            options = arguments[1..];
        else
            return false;
        return true;
    }

    /// <returns>The exit status, as QEMU would have it.</returns>
    public static int Run(Milestones milestones, ReadOnlySpan<string> options)
    {
        Messages.Spelling = QemuSpelling.Of;
        try
        {
            QemuMachine machine = QemuTranslation.Translate(options);
            Messages.Spelling = option => QemuSpelling.Of(option, machine.Spellings);
            if (machine.Daemonizes && !Daemon.IsThis)
                return Daemon.Start(options);
            foreach (string note in machine.Notes)
                Messages.Warning(note);
            using PidFile? pidFile = machine.PidFile is { } path ? PidFile.Write(path) : null;
            Host.Linux.IgnoreFileSizeSignal(); // disks and files of consoles report EFBIG instead
            using QemuLog? log = machine.Log is { } asked ? new QemuLog(asked) : null;
            return Run(machine, milestones, log);
        }
        catch (VmmException e)
        {
            Messages.Error(e.Text);
            return Failure;
        }
        catch (Host.SystemCallException e)
        {
            Messages.Error(e.Message);
            return Failure;
        }
    }

    /// <summary>QEMU's status for a machine's end; null where QEMU would start it again.</summary>
    internal static int? Status(StopReason reason, bool tripleFault, bool endsAtReset) => reason.Kind switch
    {
        StopKind.DebugExit => ExitStatus.FromDebugExit(reason.Value),
        StopKind.Reset => endsAtReset ? Success : null,
        StopKind.Crash when tripleFault => endsAtReset ? Success : null, // a processor that shuts down resets a PC
        StopKind.Crash => Failure, // where QEMU would stand still for ever
        _ => reason.IsHostLimit ? Failure : Success,
    };

    /// <summary>
    /// Whether QEMU's machine stands still then rather than be gone, with -no-shutdown: at a power-off, and at a reset that -no-reboot makes a
    /// shutdown (runstate.c). The debug exit ends the process all the same, as QEMU's did up to 9.0.
    /// </summary>
    internal static bool IsShutdown(StopReason reason, bool tripleFault) =>
        reason.Kind is StopKind.PowerOff or StopKind.Reset || (tripleFault && reason.Kind == StopKind.Crash);

    private static int Run(QemuMachine machine, Milestones milestones, QemuLog? log)
    {
        using StopSignals signals = new();
        using QemuStarts starts = new(machine.Options, TimeProvider.System);
        bool reported = false;
        for (bool isFirst = true; ; isFirst = false)
        {
            MachineRun run = new(isFirst ? starts.First : starts.Later(), milestones)
            {
                Signals = signals,
                StartsPaused = isFirst && machine.StartsPaused,
                IsQuiet = reported,
                Trace = log?.Trace,
                Built = isFirst && machine.Daemonizes ? _ => Daemon.Detach() : null,
            };
            StopReason reason = run.Run();
            log?.End(reason, run.WasTripleFault, run.Explanation, isSaid: !reported);
            if (Status(reason, run.WasTripleFault, machine.EndsAtReset) is { } status)
            {
                if (machine.StaysAfterShutdown && IsShutdown(reason, run.WasTripleFault))
                    signals.Wait();
                return status;
            }

            reported |= run.WasTripleFault; // a kernel that dies at each start would fill the terminal
        }
    }

    /// <summary>A file that holds the process' ID, and goes with it.</summary>
    private sealed class PidFile(string path) : IDisposable
    {
        /// <exception cref="BadInputException">It cannot be written.</exception>
        public static PidFile Write(string path)
        {
            try
            {
                File.WriteAllText(path, $"{Environment.ProcessId}\n");
                return new PidFile(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new BadInputException($"-pidfile {path}: {e.Message}", e);
            }
        }

        public void Dispose()
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Messages.Warning($"-pidfile {path}: stays: {e.Message}");
            }
        }
    }
}
