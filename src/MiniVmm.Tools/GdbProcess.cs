using System.ComponentModel;
using System.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Machine;
using Tmds.Linux;

namespace MiniVmm.Tools;

/// <summary>A gdb on this terminal; with its end the machine's comes, and disposal ends it.</summary>
/// <param name="program">Its name or path.</param>
/// <param name="arguments">What it is started with.</param>
internal sealed class GdbProcess(string program, IEnumerable<string> arguments) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private Process? _process;

    /// <summary>Starts it.</summary>
    /// <param name="machine">The machine that it is for.</param>
    /// <exception cref="BadInputException">It has no name.</exception>
    /// <exception cref="HostLimitException">It is not installed, or cannot be run.</exception>
    public void Start(VirtualMachine machine)
    {
        if (program.Length == 0)
            throw new BadInputException($"--gdb-program: the program's name is empty");
        try
        {
            _process = Process.Start(new ProcessStartInfo(program, arguments))!;
        }
        catch (Win32Exception e)
        {
            throw new HostLimitException(
                $"--gdb-program {program}: cannot be started: {Errno.Explain(e.NativeErrorCode)}; install gdb (package gdb), or name another", e);
        }

        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => machine.Stop(new(StopKind.Interrupted));
    }

    /// <summary>Waits until its user leaves it.</summary>
    /// <param name="isOver">Or until that holds.</param>
    public void WaitForEnd(Func<bool> isOver)
    {
        while (!isOver() && _process is { } process && !process.WaitForExit(LookAgain))
        {
        }
    }

    public void Dispose()
    {
        // It puts the terminal back then.
        if (_process is { HasExited: false } && (LibC.kill(_process.Id, LibC.SIGTERM) != 0 || !_process.WaitForExit(Patience)))
            _process.Kill();
        _process?.Dispose();
    }
}
