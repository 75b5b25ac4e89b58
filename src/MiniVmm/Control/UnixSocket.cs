using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>A non-blocking stream socket, unix(7). Calls return 0 or a count, or the negated errno.</summary>
/// <remarks>Not System.Net.Sockets, which would add a thread, an epoll and a fifth to the size of the binary.</remarks>
internal sealed unsafe class UnixSocket : IDisposable
{
    private UnixSocket(int fd)
    {
        Fd = fd;
    }

    public int Fd { get; private set; }

    /// <summary>The process that connected or listens, as it was then (SO_PEERCRED).</summary>
    public (int Pid, uint Uid) Peer
    {
        get
        {
            ucred peer = default;
            socklen_t length = sizeof(ucred);
            return getsockopt(Fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0
                ? ((int)peer.pid, (uint)peer.uid)
                : throw new SystemCallException("getsockopt SO_PEERCRED", errno);
        }
    }

    /// <exception cref="SystemCallException">Out of file descriptors.</exception>
    public static UnixSocket Create()
    {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return fd >= 0 ? new UnixSocket(fd) : throw new SystemCallException("socket", errno);
    }

    /// <summary>Creates the socket's file, accessible to its owner only.</summary>
    public int Bind(string path)
    {
        // Set on the socket, so the file never has another mode (unix_bind takes it from there).
        if (fchmod(Fd, 0x180 /* 0600 */) != 0)
            return -errno;
        sockaddr_un address = Address(path);
        return bind(Fd, (sockaddr*)&address, sizeof(sockaddr_un)) == 0 ? 0 : -errno;
    }

    public int Listen(int backlog) => listen(Fd, backlog) == 0 ? 0 : -errno;

    /// <returns>0; -ECONNREFUSED if nobody listens, -EAGAIN if the backlog is full.</returns>
    public int Connect(string path)
    {
        sockaddr_un address = Address(path);
        return connect(Fd, (sockaddr*)&address, sizeof(sockaddr_un)) == 0 ? 0 : -errno;
    }

    /// <summary>The one call that blocks: it waits for its turn if the backlog is full.</summary>
    /// <returns>As without <paramref name="patience"/>; -EAGAIN if that was not long enough.</returns>
    public int Connect(string path, TimeSpan patience)
    {
        long* limit = stackalloc long[] { (long)patience.TotalSeconds, patience.Milliseconds * 1000L }; // struct timeval
        int flags = fcntl(Fd, F_GETFL);
        if (setsockopt(Fd, SOL_SOCKET, SO_SNDTIMEO, limit, 2 * sizeof(long)) != 0
            || fcntl(Fd, F_SETFL, flags & ~O_NONBLOCK) != 0)
            return -errno;
        int error;
        do
            error = Connect(path);
        while (error == -EINTR);
        return fcntl(Fd, F_SETFL, flags) == 0 ? error : -errno;
    }

    /// <returns>Null if nobody is waiting any more.</returns>
    public UnixSocket? Accept()
    {
        int fd = accept4(Fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return fd >= 0 ? new UnixSocket(fd) : null;
    }

    public int Send(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* data = bytes)
        {
            while (true)
            {
                long sent = send(Fd, data, bytes.Length, MSG_NOSIGNAL);
                if (sent >= 0 || errno != EINTR)
                    return sent >= 0 ? (int)sent : -errno;
            }
        }
    }

    /// <returns>0 if the other side has closed.</returns>
    public int Receive(Span<byte> buffer)
    {
        fixed (byte* data = buffer)
        {
            while (true)
            {
                long got = recv(Fd, data, buffer.Length, 0);
                if (got >= 0 || errno != EINTR)
                    return got >= 0 ? (int)got : -errno;
            }
        }
    }

    /// <inheritdoc cref="Linux.Wait"/>
    public bool Wait(short events, TimeSpan atMost) => Linux.Wait(Fd, events, atMost);

    public void Dispose()
    {
        if (Fd >= 0)
            _ = close(Fd);
        Fd = -1;
    }

    private static sockaddr_un Address(string path)
    {
        sockaddr_un address = default;
        address.sun_family = AF_UNIX;
        // One byte is left for the terminating zero.
        Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, 107));
        return address;
    }
}
