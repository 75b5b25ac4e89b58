using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Terminal;

/// <summary>Two joined stream sockets of unix(7): the console's end, and one for whoever runs the machine.</summary>
internal sealed unsafe class StreamPair : IDisposable
{
    private int _peer;

    /// <exception cref="SystemCallException">No more files.</exception>
    public StreamPair()
    {
        int* pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
            throw new SystemCallException("socketpair", errno);
        (Fd, _peer) = (pair[0], pair[1]);
    }

    /// <summary>The console's end.</summary>
    public int Fd { get; private set; }

    /// <summary>The other end, which the caller closes; null when it was taken.</summary>
    public int? TakePeer()
    {
        int peer = Interlocked.Exchange(ref _peer, -1);
        return peer >= 0 ? peer : null;
    }

    /// <summary>Ends the console's text: a write that waits for room fails, whoever has the other end.</summary>
    public void EndText() => _ = shutdown(Fd, SHUT_WR);

    public void Dispose()
    {
        if (TakePeer() is { } peer)
            _ = close(peer);
        if (Fd >= 0)
            _ = close(Fd);
        Fd = -1;
    }
}
