using System.Text;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// Forwards what is typed to the guest's console. On a terminal Ctrl-A starts a command, as in QEMU; a pipe or a file
/// is forwarded unchanged.
/// </summary>
internal sealed unsafe class ConsoleInput : IDisposable
{
    /// <summary>How soon to look again when the guest's queue is full, in milliseconds.</summary>
    private const int RetryDelay = 10;

    /// <summary>How long a guest takes nothing before it is thought to hang, in milliseconds.</summary>
    private const int Patience = 500;

    /// <summary>
    /// How often to check whether the terminal is ours, in milliseconds: a shell does not notify a running job that it
    /// brings to the foreground.
    /// </summary>
    private const int ForegroundDelay = 250;

    /// <summary>Bytes of one read, and of those that wait for the guest.</summary>
    private const int MostAtOnce = 256;

    private readonly int _fd;
    private readonly IConsoleKeys _console;
    private readonly EscapeKeys? _keys;
    private readonly TerminalMode? _mode;
    private readonly ScreenView? _view;
    private readonly EventFd _wake = new();
    private readonly Thread _thread;
    private readonly byte[] _waiting = new byte[MostAtOnce];
    private int _count;
    private long _lastTaken;
    private volatile bool _stopping;

    /// <param name="fd">Where it is typed; stays open.</param>
    /// <param name="console">The device it goes to.</param>
    /// <param name="lifecycle">Told of Ctrl-A x.</param>
    /// <param name="terminal">Whether escape keys are looked for.</param>
    /// <param name="mode">The terminal's, if it is one: nothing is read while it is not ours.</param>
    /// <param name="view">The guest's screen, if the terminal can show it.</param>
    public ConsoleInput(
        int fd, IConsoleKeys console, Lifecycle lifecycle, bool terminal, TerminalMode? mode = null, ScreenView? view = null)
    {
        _view = view;
        _mode = mode;
        _fd = fd;
        _console = console;
        _keys = terminal ? new EscapeKeys() : null;
        _thread = new Thread(() => Carry(lifecycle), maxStackSize: 128 * 1024)
        {
            IsBackground = true,
            Name = "console-in",
        };
        _thread.Start();
    }

    /// <summary>Looks again whose the terminal is: the process has been stopped, and goes on in the foreground or not.</summary>
    public void Recheck()
    {
        lock (_waiting)
        {
            if (!_stopping)
                _wake.Signal();
        }
    }

    public void Dispose()
    {
        lock (_waiting)
            _stopping = true;
        _wake.Signal();
        _thread.Join();
        _wake.Dispose();
    }

    private void Carry(Lifecycle lifecycle)
    {
        JobControl.RefuseToBeStoppedByReading();
        byte* buffer = stackalloc byte[MostAtOnce];
        pollfd* fds = stackalloc pollfd[2];
        bool away = false;
        while (true)
        {
            // What the guest has no room for waits here, and so does the writer. But a terminal is read again
            // once the guest seems to hang: one of the keys may be meant to end it.
            bool full = !Flush();
            bool waits = full && (_keys is null || Environment.TickCount64 - _lastTaken < Patience);
            bool wasAway = away;
            away = _mode is not null && !_mode.TryStayRaw();
            if (wasAway && !away)
                _view?.Resume();
            fds[0] = new pollfd { fd = waits || away ? -1 : _fd, events = POLLIN };
            fds[1] = new pollfd { fd = _wake.Fd, events = POLLIN };
            int ready = poll(fds, 2, full ? RetryDelay : away ? ForegroundDelay : -1);
            if (ready <= 0)
                continue;
            if (_stopping)
                return;
            if (fds[1].revents != 0)
                _ = _wake.Read();
            if (fds[0].revents == 0)
                continue;
            long got = read(_fd, buffer, MostAtOnce);
            if (got < 0 && (errno == EINTR || errno == EAGAIN || (errno == EIO && _mode is { IsForeground: false })))
                continue;
            if (got <= 0)
                return; // end of input: the guest runs on without
            for (int i = 0; i < got; i++)
            {
                if (!Take(buffer[i], lifecycle))
                    return;
            }
        }
    }

    /// <returns>Whether to go on.</returns>
    private bool Take(byte key, Lifecycle lifecycle)
    {
        switch (_keys?.Press(key) ?? EscapeAction.Send)
        {
            case EscapeAction.Send:
                if (_count < MostAtOnce) // else lost: the guest hangs
                    _waiting[_count++] = key;
                return true;
            case EscapeAction.Break:
                _ = Flush();
                _console.SendBreak();
                return true;
            case EscapeAction.Switch:
                _ = Flush();
                if (_view is { IsShown: true })
                    _view.Hide();
                else
                    _view?.Show();
                return true;
            case EscapeAction.Help:
                _view?.Hide();
                byte[] help = Encoding.UTF8.GetBytes(EscapeKeys.Help);
                fixed (byte* text = help)
                    _ = write(2, text, help.Length);
                return true;
            case EscapeAction.Suspend:
                _ = Flush();
                if (_mode is not null)
                    JobControl.Suspend();
                return true;
            case EscapeAction.End:
                _ = Flush();
                lifecycle.Stop(new(StopKind.Interrupted));
                return false;
            default:
                return true;
        }
    }

    /// <returns>Whether the guest has taken all that there was.</returns>
    private bool Flush()
    {
        int taken = _count == 0 ? 0 : _console.Receive(_waiting.AsSpan(0, _count));
        if (taken > 0 || _count == 0)
            _lastTaken = Environment.TickCount64;
        _count -= taken;
        _waiting.AsSpan(taken, _count).CopyTo(_waiting);
        return _count == 0;
    }
}
