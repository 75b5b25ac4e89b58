using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// A terminal in raw mode, so that every key goes to the guest; put back on disposal. Output processing
/// stays on: a guest's bare line feed still starts a new line at its left end.
/// </summary>
internal sealed unsafe class TerminalMode : IDisposable
{
    private readonly Lock _lock = new();
    private readonly int _fd;
    private termios _before;
    private bool _known; // what was before
    private bool _raw;
    private bool _disposed;

    private readonly bool _keepsSignals;

    private TerminalMode(int fd, bool keepsSignals)
    {
        _fd = fd;
        _keepsSignals = keepsSignals;
        AppDomain.CurrentDomain.ProcessExit += Leave;
    }

    /// <summary>
    /// Whether keys typed there are for this process: in the background they are for another, reading them would stop
    /// us (SIGTTIN), and so would changing the mode (SIGTTOU).
    /// </summary>
    public bool IsForeground => tcgetpgrp(_fd) == getpgrp();

    /// <summary>The terminal behind <paramref name="fd"/>, its mode as it is; null where there is none.</summary>
    /// <param name="fd">A file.</param>
    /// <param name="keepsSignals">Whether in raw mode, too, Ctrl-C and its like send signals.</param>
    public static TerminalMode? Of(int fd, bool keepsSignals = false) =>
        isatty(fd) != 0 ? new TerminalMode(fd, keepsSignals) : null;

    /// <summary>
    /// Puts the terminal into raw mode, also where whoever had it in between has changed the mode.
    /// </summary>
    /// <returns>False where it is not ours at the moment.</returns>
    public bool TryEnterRaw() => IsForeground && EnterRaw();

    /// <summary>Enters raw mode if it was left, or never entered; cheap where it was not.</summary>
    /// <inheritdoc cref="TryEnterRaw" path="/returns"/>
    public bool TryStayRaw()
    {
        if (IsForeground)
            return Volatile.Read(ref _raw) || EnterRaw();

        // Its current owner may change the mode: raw mode must be entered again.
        Volatile.Write(ref _raw, false);
        return false;
    }

    /// <summary>The same without asking whose terminal it is.</summary>
    internal bool EnterRaw()
    {
        lock (_lock)
        {
            termios now;
            if (_disposed || tcgetattr(_fd, &now) != 0)
                return false;

            // A shell restores the raw mode of a job that it continues: that is not the original mode.
            if (!_known)
                (_before, _known) = (now, true);
            termios raw = _before;
            raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
            raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (_keepsSignals ? 0 : ISIG));
            raw.c_cflag &= ~(CSIZE | PARENB);
            raw.c_cflag |= CS8;
            raw.c_cc[VMIN] = 1;
            raw.c_cc[VTIME] = 0;
            return _raw = Set(TCSANOW, raw);
        }
    }

    /// <summary>Puts back what was before raw mode; what a shell has set in between stays as it is.</summary>
    public void Restore() => Restore(null);

    /// <summary>The same, and keeps everybody from raw mode until <paramref name="stopped"/> has returned.</summary>
    public void Restore(Action? stopped)
    {
        lock (_lock)
        {
            if (_raw && (IsForeground || !HasForeground))
                _ = Set(TakesText ? TCSADRAIN : TCSANOW, _before);
            _raw = false;
            stopped?.Invoke();
        }
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= Leave;
        Restore();
        lock (_lock)
            _disposed = true;
    }

    // A terminal of no session, as a program's descriptor may be, has no foreground to ask for.
    private bool HasForeground => tcgetpgrp(_fd) > 0;

    // To wait for text that is on its way (TCSADRAIN) is to wait for the terminal's reader, as a connection that hangs.
    private bool TakesText
    {
        get
        {
            pollfd room = new() { fd = _fd, events = POLLOUT };
            return poll(&room, 1, 0) > 0 && (room.revents & POLLOUT) != 0;
        }
    }

    // From the background SIGTTOU would stop us, and between a look and a change the terminal can be given away.
    private bool Set(uint when, termios mode)
    {
        const int SIGTTOU = 22; // signal(7)
        sigset_t blocked = default;
        sigset_t before;
        *(ulong*)&blocked = 1UL << (SIGTTOU - 1);
        _ = pthread_sigmask(SIG_BLOCK, &blocked, &before);
        bool set = tcsetattr(_fd, (int)when, &mode) == 0;
        _ = pthread_sigmask(SIG_SETMASK, &before, null);
        return set;
    }

    private void Leave(object? sender, EventArgs e) => Restore();
}
