using MiniVmm.Display;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// The guest's screen on the user's terminal: on its alternate screen, drawn by a thread of its own while it is shown, and gone on
/// every way out, with what was on the terminal before. What the guest's consoles print meanwhile is kept, and comes after it.
/// </summary>
internal sealed unsafe class ScreenView : IDisposable
{
    /// <summary>How long until the next look after one that found something new, and the longest, in milliseconds.</summary>
    private const int Soonest = 30, Latest = 120;

    private readonly Lock _lock = new();
    private readonly GuestScreen _screen;
    private readonly ConsoleOutput? _console;
    private readonly int _fd;
    private readonly TerminalCanvas _canvas = new();
    private readonly EventFd _stop = new();
    private Thread? _thread;
    private bool _entered; // the terminal is on its alternate screen
    private volatile bool _disposed;
    private volatile bool _isShown; // and is to be

    /// <param name="screen">What to show.</param>
    /// <param name="fd">The terminal; stays open.</param>
    /// <param name="console">What prints to the same terminal; null for nothing.</param>
    public ScreenView(GuestScreen screen, int fd, ConsoleOutput? console)
    {
        _screen = screen;
        _fd = fd;
        _console = console;
        AppDomain.CurrentDomain.ProcessExit += Exit;
    }

    /// <summary>How long the end waits for a terminal that takes nothing, in milliseconds.</summary>
    public int LastWait { get; init; } = 2000;

    /// <summary>Whether the user sees the screen, rather than the console.</summary>
    public bool IsShown => _isShown;

    /// <summary>Shows the screen.</summary>
    public void Show()
    {
        lock (_lock)
        {
            if (_isShown || _disposed)
                return;
            _isShown = true;
            Enter();
            _thread ??= StartThread();
        }
    }

    /// <summary>Shows the console again.</summary>
    public void Hide()
    {
        lock (_lock)
        {
            _isShown = false;
            Leave();
        }
    }

    /// <summary>Gives the terminal to another program for a while, as a shell's.</summary>
    public void Suspend()
    {
        lock (_lock)
            Leave();
    }

    /// <summary>Has it back.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            if (_isShown && !_disposed)
                Enter();
        }
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= Exit;
        _disposed = true;
        _stop.Signal();
        if (!_lock.TryEnter(LastWait))
            return; // somebody hangs in a write, and ends with the process
        _lock.Exit();
        if (_thread is { } thread && !thread.Join(LastWait))
            return;
        _stop.Dispose();
    }

    private void Exit(object? sender, EventArgs e) => Hide();

    private void Enter()
    {
        if (_entered)
            return;
        _console?.Hold();
        _canvas.Forget();
        Write(TerminalCanvas.Enter);
        _entered = true;
    }

    private void Leave()
    {
        if (!_entered)
            return;
        Write(TerminalCanvas.Leave);
        _entered = false;
        _console?.Release();
    }

    private Thread StartThread()
    {
        Thread thread = new(Watch, maxStackSize: 256 * 1024) { IsBackground = true, Name = "display" };
        thread.Start();
        return thread;
    }

    private void Watch()
    {
        int wait = Soonest;
        pollfd stopped = new() { fd = _stop.Fd, events = POLLIN };
        while (poll(&stopped, 1, wait) <= 0)
        {
            bool drawn;
            lock (_lock)
                drawn = _entered && Draw();
            wait = drawn ? Soonest : Math.Min(wait + Soonest, Latest);
        }

        Hide(); // here, where it may hang
    }

    /// <returns>Whether something was new.</returns>
    private bool Draw()
    {
        // A terminal that does not tell its size is one of 80×25.
        (int columns, int rows) = TerminalSize.TryGet(_fd, out ushort wide, out ushort high) && wide > 0 && high > 0
            ? (wide, high)
            : (80, 25);
        ReadOnlySpan<byte> changes = _canvas.Draw(_screen.Frame(columns, rows));
        Write(changes);
        return changes.Length > 0;
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (int done = 0; done < bytes.Length;)
            {
                long sent = write(_fd, start + done, bytes.Length - done);
                if (sent > 0)
                {
                    done += (int)sent;
                }
                else if (errno == EAGAIN)
                {
                    pollfd room = new() { fd = _fd, events = POLLOUT };
                    _ = poll(&room, 1, -1);
                }
                else if (errno != EINTR)
                {
                    return; // nobody sees it any more; the console's own output, or its input, ends the machine
                }
            }
        }
    }
}
