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

    /// <summary>How many times that the end waits for a reader that takes little at a time.</summary>
    private const int MostWaits = 5;

    private readonly int _console;
    private readonly IConsolePeer _peer;
    private readonly ManualResetEventSlim _connected = new();
    private readonly EventFd _end = new();
    private readonly Thread _thread;
    private readonly byte[] _text = new byte[MostAtOnce];
    private readonly byte[] _keys = new byte[MostAtOnce];
    private int _textCount;
    private int _keyCount;
    private bool _isClosed; // the console's own end, and all that was there is read
    private long _lastTaken; // when the reader last took all that there was, or some of it
    private long _deadline = long.MaxValue;

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

    /// <summary>How long the end waits for a reader that takes nothing, in milliseconds.</summary>
    public int LastWait { get; init; } = 2000;

    /// <summary>Waits until somebody has been there.</summary>
    /// <param name="time">No longer than that.</param>
    public bool WaitForSomebody(TimeSpan time) => _connected.Wait(time);

    /// <summary>The text is soon at its end: from now on a reader has a limited time for it.</summary>
    public void End() => _end.Signal();

    /// <summary>
    /// Waits until the text is out, once the console's own end is closed; not for a reader that does not read. What he has
    /// not taken is lost.
    /// </summary>
    public void Dispose()
    {
        End();
        if (!_thread.Join((MostWaits + 1) * LastWait))
            return; // it ends with the process
        _connected.Dispose();
        _end.Dispose();
    }

    private void Carry()
    {
        pollfd* files = stackalloc pollfd[3];
        while (true)
        {
            if (_peer.Fd < 0)
                _peer.TryConnect();
            bool connected = _peer.Fd >= 0;
            if (connected)
                _connected.Set();
            else
                _textCount = 0;
            if (IsOver(Environment.TickCount64))
                break;
            bool ending = _deadline != long.MaxValue;

            // Only for what is to be done now: a closed socket makes itself known without being asked, again and again.
            short wanted = (short)((_textCount == 0 ? POLLIN : 0) | (_keyCount > 0 ? POLLOUT : 0));
            files[0] = new pollfd { fd = _isClosed || wanted == 0 ? -1 : _console, events = wanted };
            files[1] = connected
                ? new pollfd { fd = _peer.Fd, events = (short)((_keyCount == 0 && !ending ? POLLIN : 0) | (_textCount > 0 ? POLLOUT : 0)) }
                : new pollfd { fd = _peer.Arrivals, events = POLLIN };
            files[2] = new pollfd { fd = ending ? -1 : _end.Fd, events = POLLIN };
            _ = poll(files, 3, ending ? Math.Min(LookAgain, LastWait) : !connected && _peer.Arrivals < 0 ? LookAgain : -1);
            if (files[2].revents != 0)
                BeginEnd();
            if (connected && files[1].revents != 0 && !Exchange(files[1].revents))
                _peer.Disconnect();
            if (files[0].revents != 0 && !ExchangeWithConsole(files[0].revents))
            {
                _isClosed = true;
                BeginEnd();
            }
        }

        _peer.Dispose();
        _ = close(_console);
    }

    private void BeginEnd()
    {
        if (_deadline != long.MaxValue)
            return;
        _lastTaken = Environment.TickCount64;
        _deadline = _lastTaken + (MostWaits * LastWait);
        _keyCount = 0; // the guest reads no more
    }

    private bool IsOver(long now)
    {
        if (_textCount == 0)
            _lastTaken = now;
        return _deadline != long.MaxValue
            && ((_isClosed && _textCount == 0) || now > _deadline || now - _lastTaken > LastWait);
    }

    /// <returns>Whether the peer is still there.</returns>
    private bool Exchange(short events)
    {
        int before = _textCount;
        if ((events & POLLOUT) != 0 && !Write(_peer.Fd, _text, ref _textCount))
            return false;
        if (_textCount < before)
            _lastTaken = Environment.TickCount64;
        if ((events & POLLIN) != 0)
            return Read(_peer.Fd, _keys, ref _keyCount);
        return (events & (POLLHUP | POLLERR)) == 0;
    }

    /// <returns>Whether there may be more of the console's text.</returns>
    private bool ExchangeWithConsole(short events)
    {
        if ((events & POLLOUT) != 0 && !Write(_console, _keys, ref _keyCount))
            _keyCount = 0; // nobody takes them any more, but there can be text that was printed before
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
