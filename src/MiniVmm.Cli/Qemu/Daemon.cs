using System.ComponentModel;
using System.Diagnostics;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// QEMU's <c>-daemonize</c>: the command ends once the machine is there, and the machine runs on in a process of its own, without a
/// terminal. A runtime with threads cannot fork, so the program is started again; what it says before that is still heard.
/// </summary>
internal static class Daemon
{
    /// <summary>In the environment of the process that stays.</summary>
    private const string Mark = "MINIVMM_DAEMON";

    private const int Failure = 1;
    private static readonly byte[] Ready = [1];

    /// <summary>Whether this process is the one that stays.</summary>
    public static bool IsThis => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Starts that process, and waits until it has a machine or fails.</summary>
    /// <param name="options">QEMU's.</param>
    /// <returns>The exit status of the command: success, or that of the failure, which has been said.</returns>
    /// <exception cref="HostLimitException">It cannot be started.</exception>
    public static int Start(ReadOnlySpan<string> options)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, [QemuCommand.Word, .. options])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment[Mark] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            if (process.StandardOutput.BaseStream.ReadByte() == Ready[0])
                return 0;
            process.WaitForExit();
            return process.ExitCode != 0 ? process.ExitCode : Failure;
        }
        catch (Win32Exception e)
        {
            throw new HostLimitException($"-daemonize: this program cannot be started again: {Errno.Explain(e.NativeErrorCode)}", e);
        }
    }

    /// <summary>In the process that stays: the machine is there. Lets go of terminal, session, and who waits.</summary>
    public static unsafe void Detach()
    {
        _ = LibC.setsid();
        fixed (byte* ready = Ready)
            _ = LibC.write(1, ready, Ready.Length);
        int nothing;
        fixed (byte* path = "/dev/null\0"u8)
            nothing = LibC.open(path, LibC.O_RDWR | LibC.O_CLOEXEC);
        if (nothing < 0)
            return; // the output's reader is gone soon, which is as good
        for (int fd = 0; fd <= 2; fd++)
            _ = LibC.dup2(nothing, fd);
        _ = LibC.close(nothing);
    }
}
