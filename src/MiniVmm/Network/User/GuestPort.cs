using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Network.User;

/// <summary>
/// Frames to and from a guest's network card: a pair of SOCK_SEQPACKET sockets, the card at one end, a network in user
/// mode at the other. A frame to a card that falls behind waits for it, so that TCP senders wait and nothing is lost;
/// but not for ever.
/// </summary>
internal sealed unsafe class GuestPort : IDisposable
{
    /// <summary>Longest frame taken: an IPv4 packet of 64 KiB, its Ethernet header and a tag.</summary>
    public const int LargestFrame = 65535 + 18;

    /// <summary>An Ethernet header: nothing shorter is a frame.</summary>
    public const int SmallestFrame = 14;

    // Asked for; the kernel gives at most net.core.wmem_max.
    private const int SocketBuffer = 1 << 20;

    private readonly EventFd _stop = new();
    private readonly int _patience;
    private byte* _frame;
    private readonly int _card;
    private readonly int _network;

    /// <param name="patience">
    /// Milliseconds after which a card that has taken nothing counts as off, or its guest as stopped: frames are then
    /// dropped, as on a cable.
    /// </param>
    /// <exception cref="SystemCallException">No more files.</exception>
    public GuestPort(int patience = 200)
    {
        _patience = patience;
        int* pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            _stop.Dispose();
            throw new SystemCallException("socketpair", error);
        }

        (_card, _network) = (pair[0], pair[1]);
        int size = SocketBuffer;
        _ = setsockopt(_card, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));
        _ = setsockopt(_network, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));
        _frame = (byte*)NativeMemory.Alloc(LargestFrame);
    }

    /// <summary>The card's end, non-blocking.</summary>
    public int Card => _card;

    /// <summary>The network's end, non-blocking.</summary>
    public int Network => _network;

    /// <summary>Readable once the port is to stop.</summary>
    public int StopFd => _stop.Fd;

    /// <summary>Whether the card takes nothing: frames to it are dropped, without waiting.</summary>
    public bool Stalled { get; private set; }

    /// <summary>Whether <see cref="Stop"/> was seen.</summary>
    public bool Stopped { get; private set; }

    /// <summary>From any thread: ends every wait.</summary>
    public void Stop() => _stop.Signal();

    public void SeeRoom() => Stalled = false;

    /// <summary>Takes a frame from the card, without waiting.</summary>
    /// <param name="length">Of the frame; 0 for one that is too short or too long to be one.</param>
    /// <returns>The frame, until the next call; null if there is none.</returns>
    public byte* Receive(out int length)
    {
        long received = (long)recv(_network, _frame, LargestFrame, MSG_DONTWAIT | MSG_TRUNC);
        length = received is >= SmallestFrame and <= LargestFrame ? (int)received : 0;
        return received < 0 ? null : _frame;
    }

    /// <summary>Hands a frame to the card, without waiting. One that the card can never take counts as done.</summary>
    /// <returns>False if there is no room.</returns>
    public bool TrySend(byte* frame, int length)
    {
        while ((long)send(_network, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != Errno.EINTR)
                return error != Errno.EAGAIN;
        }

        return true;
    }

    /// <summary>Waits until the card takes frames; false if they are to be dropped.</summary>
    public bool WaitForRoom()
    {
        if (Stalled || Stopped)
            return false;
        pollfd* wanted = stackalloc pollfd[2];
        wanted[0] = new pollfd { fd = _network, events = POLLOUT };
        wanted[1] = new pollfd { fd = _stop.Fd, events = POLLIN };
        long began = Environment.TickCount64;
        int ready;
        do
        {
            long left = _patience - (Environment.TickCount64 - began);
            ready = poll(wanted, 2, (int)Math.Max(0, left));
        }
        while (ready < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        Stopped |= wanted[1].revents != 0;
        Stalled = ready == 0;
        return ready > 0 && !Stopped;
    }

    public void Dispose()
    {
        if (_frame == null)
            return;
        _ = close(_card);
        _ = close(_network);
        _stop.Dispose();
        NativeMemory.Free(_frame);
        _frame = null;
    }
}
