using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// Carries a console's bytes to whoever is at its other end, and his to the guest. While nobody is there the guest's text is
/// dropped, as on a line without a terminal; a slow reader holds the guest up. A thread of its own does it.
/// </summary>
internal sealed unsafe class ConsoleRelay : IDisposable
{
    private const int MostAtOnce = 4096;

    /// <summary>How soon to look again for somebody who does not make himself known, in milliseconds.</summary>
    private const int LookAgain = 100;

    /// <summary>How long the end waits for a reader that takes nothing, in milliseconds.</summary>
    private const int LastWait = 2000;

    private readonly int _console;
    private readonly IConsolePeer _peer;
    private readonly ManualResetEventSlim _connected = new();
    private readonly Thread _thread;
    private readonly byte[] _text = new byte[MostAtOnce];
    private readonly byte[] _keys = new byte[MostAtOnce];
    private int _textCount;
    private int _keyCount;

    /// <param name="console">A stream socket with the console behind it; closed by the relay.</param>
    /// <param name="peer">Who is at the other end; disposed of with the relay.</param>
    public ConsoleRelay(int console, IConsolePeer peer)
    {
        _console = console;
        _peer = peer;
        _ = fcntl(console, F_SETFL, FileCalls.O_NONBLOCK);
        _thread = new Thread(Carry, maxStackSize: 128 * 1024) { IsBackground = true, Name = "console-relay" };
        _thread.Start();
    }

    /// <summary>Waits until somebody has been there.</summary>
    /// <param name="time">No longer than that.</param>
    public bool WaitForSomebody(TimeSpan time) => _connected.Wait(time);

    /// <summary>Waits until the text is out, once the console's own end is closed.</summary>
    public void Dispose()
    {
        _thread.Join();
        _connected.Dispose();
    }

    private void Carry()
    {
        long deadline = long.MaxValue;
        pollfd* files = stackalloc pollfd[2];
        while (true)
        {
            if (_peer.Fd < 0)
                _peer.TryConnect();
            bool connected = _peer.Fd >= 0;
            if (connected)
                _connected.Set();
            else
                _textCount = 0;
            bool ending = deadline != long.MaxValue;
            if (ending && (_textCount == 0 || Environment.TickCount64 > deadline))
                break;
            files[0] = new pollfd
            {
                fd = ending ? -1 : _console,
                events = (short)((_textCount == 0 ? POLLIN : 0) | (_keyCount > 0 ? POLLOUT : 0)),
            };
            files[1] = connected
                ? new pollfd { fd = _peer.Fd, events = (short)((_keyCount == 0 ? POLLIN : 0) | (_textCount > 0 ? POLLOUT : 0)) }
                : new pollfd { fd = _peer.Arrivals, events = POLLIN };
            _ = poll(files, 2, ending || (!connected && _peer.Arrivals < 0) ? LookAgain : -1);
            if (connected && files[1].revents != 0 && !Exchange(files[1].revents))
                _peer.Disconnect();
            if (files[0].revents != 0 && !ExchangeWithConsole(files[0].revents))
                deadline = Environment.TickCount64 + LastWait;
        }

        _peer.Dispose();
        _ = close(_console);
    }

    /// <returns>Whether the peer is still there.</returns>
    private bool Exchange(short events)
    {
        if ((events & POLLOUT) != 0 && !Write(_peer.Fd, _text, ref _textCount))
            return false;
        if ((events & POLLIN) != 0)
            return Read(_peer.Fd, _keys, ref _keyCount);
        return (events & (POLLHUP | POLLERR)) == 0;
    }

    /// <returns>Whether the console is still there.</returns>
    private bool ExchangeWithConsole(short events)
    {
        if ((events & POLLOUT) != 0 && !Write(_console, _keys, ref _keyCount))
            return false;
        return (events & (POLLIN | POLLHUP)) == 0 || _textCount > 0 || Read(_console, _text, ref _textCount);
    }

    /// <returns>False at the end of the file, and where it cannot be read any more.</returns>
    private static bool Read(int fd, byte[] into, ref int count)
    {
        if (count > 0)
            return true;
        fixed (byte* bytes = into)
        {
            long got = read(fd, bytes, into.Length);
            if (got < 0)
                return errno == EAGAIN || errno == EINTR;
            count = (int)got;
            return got > 0;
        }
    }

    /// <returns>False where it cannot be written any more.</returns>
    private static bool Write(int fd, byte[] from, ref int count)
    {
        fixed (byte* bytes = from)
        {
            long put = write(fd, bytes, count);
            if (put < 0)
                return errno == EAGAIN || errno == EINTR;
            count -= (int)put;
            from.AsSpan((int)put, count).CopyTo(from);
            return true;
        }
    }
}
