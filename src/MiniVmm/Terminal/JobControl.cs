using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// What a shell does with a job on its terminal, until it is disposed of: stopped by SIGTSTP, the process first puts
/// the terminal back; continued, it has raw mode again as soon as it is in the foreground. SIGSTOP gives no chance to
/// put anything back, and is continued alike.
/// </summary>
internal sealed unsafe class JobControl : IDisposable
{
    private const int SIGCONT = 18, SIGTSTP = 20, SIGTTIN = 21; // signal(7); the runtime's names are not for Windows
    private readonly TerminalMode _terminal;
    private readonly Action _stopping;
    private readonly Action _continued;
    private readonly PosixSignalRegistration _stop;
    private readonly PosixSignalRegistration _continue;

    /// <param name="terminal">Where the job's keys come from.</param>
    /// <param name="stopping">Called before the process stops, from any thread.</param>
    /// <param name="continued">Called when the process goes on, from any thread.</param>
    public JobControl(TerminalMode terminal, Action stopping, Action continued)
    {
        _terminal = terminal;
        _stopping = stopping;
        _continued = continued;
        _stop = PosixSignalRegistration.Create((PosixSignal)SIGTSTP, Stop);
        _continue = PosixSignalRegistration.Create((PosixSignal)SIGCONT, context =>
        {
            context.Cancel = true; // or the runtime would put the terminal into the mode that it found
            Continue();
        });
    }

    /// <summary>Stops the job, all of its processes, as the terminal's own key for it would.</summary>
    public static void Suspend() => _ = kill(0, SIGTSTP);

    /// <summary>
    /// Makes a read from the background fail with EIO on the calling thread, where it would otherwise stop the process.
    /// </summary>
    public static void RefuseToBeStoppedByReading()
    {
        sigset_t set = default;
        *(ulong*)&set = 1UL << (SIGTTIN - 1);
        _ = pthread_sigmask(SIG_BLOCK, &set, null);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _continue.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        _stopping();
        _terminal.Restore(Stop);
        Continue();
    }

    // With the default action in place, and sent to this very thread, the signal has its effect before the call
    // returns: once the process has gone on. In a group that no shell looks after the kernel ignores it.
    private static void Stop()
    {
        sigaction standard = default;
        sigaction ours;
        if (LibC.sigaction(SIGTSTP, &standard, &ours) != 0)
            return;
        _ = Linux.TgKill(Environment.ProcessId, Linux.GetTid(), SIGTSTP);
        _ = LibC.sigaction(SIGTSTP, &ours, null);
    }

    private void Continue()
    {
        _ = _terminal.TryEnterRaw();
        _continued();
    }
}
