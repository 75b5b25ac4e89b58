using System.Text;
using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// Carries what is typed to the guest's console. On a terminal Ctrl-A starts a command, as in QEMU; a pipe or a
/// file is carried as it is.
/// </summary>
public sealed unsafe class ConsoleInput : IDisposable
{
    /// <summary>How soon to look again when the guest's queue is full, in milliseconds.</summary>
    private const int RetryDelay = 10;

    private readonly int _fd;
    private readonly IConsoleKeys _console;
    private readonly EscapeKeys? _keys;
    private readonly EventFd _stop = new();
    private readonly Thread _thread;

    /// <param name="fd">Where it is typed; stays open.</param>
    /// <param name="console">The device it goes to.</param>
    /// <param name="lifecycle">Told of Ctrl-A x.</param>
    /// <param name="terminal">Whether escape keys are looked for.</param>
    public ConsoleInput(int fd, IConsoleKeys console, Lifecycle lifecycle, bool terminal)
    {
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

    public void Dispose()
    {
        _stop.Signal();
        _thread.Join();
        _stop.Dispose();
    }

    private void Carry(Lifecycle lifecycle)
    {
        byte* buffer = stackalloc byte[256];
        pollfd* fds = stackalloc pollfd[2];
        while (true)
        {
            fds[0] = new pollfd { fd = _fd, events = POLLIN };
            fds[1] = new pollfd { fd = _stop.Fd, events = POLLIN };
            if (poll(fds, 2, -1) < 0)
                continue;
            if (fds[1].revents != 0)
                return;
            long got = read(_fd, buffer, 256);
            if (got < 0 && (errno == EINTR || errno == EAGAIN))
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
                return Send(key);
            case EscapeAction.Break:
                _console.SendBreak();
                return true;
            case EscapeAction.Help:
                byte[] help = Encoding.UTF8.GetBytes(EscapeKeys.Help);
                fixed (byte* text = help)
                    _ = write(2, text, help.Length);
                return true;
            case EscapeAction.End:
                lifecycle.Stop(new(StopKind.Interrupted));
                return false;
            default:
                return true;
        }
    }

    private bool Send(byte key)
    {
        while (_console.Receive(new ReadOnlySpan<byte>(ref key)) == 0)
        {
            pollfd stop = new() { fd = _stop.Fd, events = POLLIN };
            if (poll(&stop, 1, RetryDelay) > 0)
                return false;
        }

        return true;
    }
}
