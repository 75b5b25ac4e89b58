using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// A terminal in raw mode, so that every key goes to the guest; put back on disposal. Output processing
/// stays on: a guest's bare line feed still starts a new line at its left end.
/// </summary>
public sealed unsafe class TerminalMode : IDisposable
{
    private readonly int _fd;
    private readonly termios _before;
    private int _restored;

    private TerminalMode(int fd, termios before)
    {
        _fd = fd;
        _before = before;
        AppDomain.CurrentDomain.ProcessExit += Restore;
    }

    /// <summary>
    /// Puts the terminal behind <paramref name="fd"/> into raw mode; null where there is none, or it is not ours.
    /// </summary>
    public static TerminalMode? TryEnterRaw(int fd)
    {
        // From the background the change would stop us (SIGTTOU), and the keys are not for us anyway.
        return isatty(fd) != 0 && tcgetpgrp(fd) == getpgrp() ? EnterRaw(fd) : null;
    }

    /// <summary>The same without asking whose terminal it is.</summary>
    internal static TerminalMode? EnterRaw(int fd)
    {
        termios before;
        if (tcgetattr(fd, &before) != 0)
            return null;
        termios raw = before;
        raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        raw.c_lflag &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
        raw.c_cflag &= ~(CSIZE | PARENB);
        raw.c_cflag |= CS8;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        TerminalMode mode = new(fd, before);
        if (tcsetattr(fd, (int)TCSANOW, &raw) == 0)
            return mode;
        mode.Dispose();
        return null;
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= Restore;
        Restore(this, EventArgs.Empty);
    }

    private void Restore(object? sender, EventArgs e)
    {
        if (Interlocked.Exchange(ref _restored, 1) != 0)
            return;
        termios before = _before;
        _ = tcsetattr(_fd, (int)TCSADRAIN, &before);
    }
}
