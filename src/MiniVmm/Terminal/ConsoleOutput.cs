using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>
/// A console that is a file or a terminal: vCPU threads put bytes into a ring, and one thread of its own
/// writes them out, so that no vCPU waits for a terminal. When the reader is so slow that the ring is full, the
/// guest is held up, as a slow line would, rather than its text lost.
/// </summary>
internal sealed unsafe class ConsoleOutput : IConsoleSink, IDisposable
{
    private const int Size = 1 << 16;
    private const int Mask = Size - 1;

    /// <summary>How soon a guest that is held up looks again, in milliseconds: 64 MB/s of room for a reader.</summary>
    private const int HeldUp = 1;

    /// <summary>Bytes that are copied while other producers spin.</summary>
    private const int MostAtOnce = 1024;

    private readonly byte[] _ring = new byte[Size];
    private readonly EventFd _wake = new();
    private readonly int _fd;
    private readonly bool _ownsFd;
    private readonly Action? _giveUp;
    private readonly Lifecycle _lifecycle;
    private readonly Thread _thread;
    private readonly DeviceLock _producers = new();
    private long _written; // by the vCPUs, ever
    private long _read; // by the thread, ever
    private int _idle;
    private bool _held; // changes under both locks
    private readonly Lock _sending = new();
    private volatile bool _ending;
    private volatile bool _closed;

    /// <param name="fd">Where the text goes.</param>
    /// <param name="ownsFd">Whether to close it at the end.</param>
    /// <param name="lifecycle">Told when nobody reads any more; a guest that is stopping is not held up.</param>
    /// <param name="giveUp">Has a write fail that hangs at the end; null where nothing can.</param>
    public ConsoleOutput(int fd, bool ownsFd, Lifecycle lifecycle, Action? giveUp = null)
    {
        _fd = fd;
        _ownsFd = ownsFd;
        _giveUp = giveUp;
        _lifecycle = lifecycle;
        _thread = new Thread(Drain, maxStackSize: 128 * 1024) { IsBackground = true, Name = "console-out" };
        _thread.Start();
    }

    /// <summary>How long the end waits for a reader that takes nothing, in milliseconds.</summary>
    public int LastWait { get; init; } = 2000;

    /// <summary>Whether it can no longer be written.</summary>
    public bool IsClosed => _closed;

    /// <summary>Whether the guest has printed anything yet.</summary>
    public bool IsUsed => Written > 0;

    /// <summary>Bytes that it has printed.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>Whether the last line that it has printed has no end yet.</summary>
    public bool LeavesLineOpen
    {
        get
        {
            long written = Written;
            return written > 0 && _ring[(written - 1) & Mask] != '\n';
        }
    }

    /// <summary>The last of what was written, oldest first; up to 64 KiB. Not while anybody writes.</summary>
    public byte[] Recent()
    {
        byte[] text = new byte[Math.Min(_written, Size)];
        for (int i = 0; i < text.Length; i++)
            text[i] = _ring[(_written - text.Length + i) & Mask];
        return text;
    }

    public void Write(byte value)
    {
        while (!TryPut(value))
        {
            if (_closed || _lifecycle.IsStopping)
                return;
            _ = poll(null, 0, HeldUp); // a sleep; yielding would spin for as long as the reader pauses
        }

        Wake();
    }

    public int TryWrite(ReadOnlySpan<byte> text)
    {
        int taken = 0;
        while (taken < text.Length)
        {
            int put = TryPut(text[taken..]);
            if (put == 0)
                break;
            taken += put;
        }

        Wake();
        return _closed || _lifecycle.IsStopping ? text.Length : taken;
    }

    /// <summary>
    /// Keeps the text from now on, its last 64 KiB: somebody else has the terminal. Guests are not held up by that.
    /// </summary>
    public void Hold()
    {
        lock (_sending)
        {
            using (_producers.Hold())
                _held = true;
        }
    }

    /// <summary>Writes out what was kept, and goes on.</summary>
    public void Release()
    {
        using (_producers.Hold())
            _held = false;
        _wake.Signal();
    }

    /// <summary>Writes out what is left, and ends the thread; a second time does nothing.</summary>
    public void Dispose()
    {
        if (_ending)
            return;
        _ending = true;
        _wake.Signal();
        if (!_thread.Join(LastWait))
        {
            _giveUp?.Invoke();
            if (_giveUp is null || !_thread.Join(LastWait))
                return; // it hangs in a write, and ends with the process
        }

        _wake.Dispose();
        if (_ownsFd)
            _ = close(_fd);
    }

    private void Wake()
    {
        if (Volatile.Read(ref _idle) != 0 && Interlocked.Exchange(ref _idle, 0) != 0)
            _wake.Signal();
    }

    private bool TryPut(byte value)
    {
        using (_producers.Hold())
        {
            if (_written - Volatile.Read(ref _read) >= Size && !TryDrop())
                return false;
            _ring[_written & Mask] = value;
            Volatile.Write(ref _written, _written + 1);
            return true;
        }
    }

    /// <returns>How many bytes had room: some of the first that there are.</returns>
    private int TryPut(ReadOnlySpan<byte> text)
    {
        using (_producers.Hold())
        {
            if (_written - Volatile.Read(ref _read) >= Size)
                _ = TryDrop();
            int start = (int)(_written & Mask);
            long room = Size - (_written - Volatile.Read(ref _read));
            int count = (int)Math.Min(Math.Min(text.Length, MostAtOnce), Math.Min(room, Size - start));
            text[..count].CopyTo(_ring.AsSpan(start));
            Volatile.Write(ref _written, _written + count);
            return count;
        }
    }

    /// <summary>Makes room for text that is held: the oldest of it goes. Under the producers' lock.</summary>
    private bool TryDrop()
    {
        if (_held)
            Volatile.Write(ref _read, _read + (Size / 4));
        return _held;
    }

    /// <returns>What there is to send now; 0 while it is held.</returns>
    private long Available()
    {
        using (_producers.Hold())
            return _held ? 0 : _written - _read;
    }

    private void Drain()
    {
        while (true)
        {
            lock (_sending)
            {
                long available = Available();
                if (available > 0)
                {
                    int start = (int)(_read & Mask);
                    int sent = Send(start, (int)Math.Min(available, Size - start));
                    if (sent < 0)
                    {
                        _closed = true;
                        _lifecycle.Stop(new(StopKind.OutputClosed, (uint)-sent));
                        return;
                    }

                    Volatile.Write(ref _read, _read + sent);
                    continue;
                }
            }

            if (_ending)
                return;

            // Announce the sleep, then look once more: a byte added in between is either seen here or wakes us.
            Interlocked.Exchange(ref _idle, 1);
            if (Available() == 0 && !_ending)
            {
                pollfd woken = new() { fd = _wake.Fd, events = POLLIN };
                _ = poll(&woken, 1, -1);
                _ = _wake.Read();
            }

            Volatile.Write(ref _idle, 0);
        }
    }

    /// <returns>Bytes written, or the negative errno when no more can be.</returns>
    private int Send(int start, int count)
    {
        fixed (byte* data = &_ring[start])
        {
            while (true)
            {
                long sent = write(_fd, data, count);
                if (sent >= 0)
                    return (int)sent;
                if (errno == EAGAIN)
                {
                    // Somebody we share the terminal with made it non-blocking.
                    pollfd room = new() { fd = _fd, events = POLLOUT };
                    _ = poll(&room, 1, -1);
                }
                else if (errno != EINTR)
                {
                    return -errno;
                }
            }
        }
    }
}
