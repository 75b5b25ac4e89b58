using static Tmds.Linux.LibC;

namespace MiniVmm.Host;

/// <summary>
/// A process, whatever becomes of its number: later that may be another's (pidfd_open(2), Linux 5.3).
/// </summary>
public sealed unsafe class ProcessHandle : IDisposable
{
    // x86-64.
    private const int SYS_pidfd_send_signal = 424;
    private const int SYS_pidfd_open = 434;

    private int _fd;

    private ProcessHandle(int fd) => _fd = fd;

    /// <summary>Null where there is no such process, or the kernel is older.</summary>
    /// <param name="pid">Its number now; the caller checks afterwards that it is still the one it meant.</param>
    public static ProcessHandle? TryOpen(int pid)
    {
        int fd = (int)(long)syscall(SYS_pidfd_open, pid, 0);
        return fd >= 0 ? new ProcessHandle(fd) : null;
    }

    /// <summary>Sends it a signal; false where it has gone, or is somebody else's.</summary>
    /// <param name="signal">SIGTERM, SIGKILL, …</param>
    public bool TrySignal(int signal) => (long)syscall(SYS_pidfd_send_signal, _fd, signal, 0, 0) == 0;

    /// <summary>Waits until it has ended; false after so long.</summary>
    /// <param name="atMost">Up to 24 days; 0 looks only.</param>
    public bool WaitForEnd(TimeSpan atMost) => Linux.Wait(_fd, POLLIN, atMost);

    public void Dispose()
    {
        if (_fd >= 0)
            _ = close(_fd);
        _fd = -1;
    }
}
