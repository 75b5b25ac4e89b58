using System.Net;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm;

/// <summary>A non-blocking stream socket, of TCP or unix(7). Calls return 0 or a count, or the negated errno.</summary>
/// <remarks>Not System.Net.Sockets, which would add a thread, an epoll and a fifth to the size of the binary.</remarks>
internal sealed unsafe class StreamSocket : IDisposable
{
    private const int Backlog = 4;
    private const int MostPath = 107; // one byte is left for the terminating zero

    private string? _path;

    private StreamSocket(int fd)
    {
        Fd = fd;
    }

    public int Fd { get; private set; }

    /// <summary>Listens.</summary>
    /// <param name="address">Where.</param>
    /// <param name="error">0, or the errno: it cannot be listened there.</param>
    /// <returns>Null with an error.</returns>
    /// <exception cref="SystemCallException">No more files.</exception>
    public static StreamSocket? TryListen(StreamAddress address, out int error)
    {
        ArgumentNullException.ThrowIfNull(address);
        int family = address.Address is not { } host ? AF_UNIX : host.GetAddressBytes().Length == 4 ? AF_INET : AF_INET6;
        int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            throw new SystemCallException("socket", errno);
        StreamSocket made = new(fd);
        error = address.Path is { } path ? made.BindUnix(path) : made.BindTcp(address.Address!, address.Port, family);
        if (error == 0 && listen(fd, Backlog) != 0)
            error = errno;
        if (error == 0)
            return made;
        made.Dispose();
        return null;
    }

    /// <returns>Null if nobody is waiting any more.</returns>
    public StreamSocket? Accept()
    {
        int fd = accept4(Fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return fd >= 0 ? new StreamSocket(fd) : null;
    }

    /// <summary>Sends small pieces at once, where that can be chosen: over TCP.</summary>
    public void SendAtOnce()
    {
        int on = 1;
        _ = setsockopt(Fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));
    }

    /// <summary>Says that nothing more will be sent.</summary>
    public void EndSending() => _ = shutdown(Fd, SHUT_WR);

    public int Send(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* data = bytes)
        {
            long sent = send(Fd, data, bytes.Length, MSG_NOSIGNAL);
            return sent >= 0 ? (int)sent : -errno;
        }
    }

    /// <returns>0 if the other side has closed.</returns>
    public int Receive(Span<byte> buffer)
    {
        fixed (byte* data = buffer)
        {
            long got = recv(Fd, data, buffer.Length, 0);
            return got >= 0 ? (int)got : -errno;
        }
    }

    public void Dispose()
    {
        if (Fd >= 0)
            _ = close(Fd);
        Fd = -1;
        if (_path is not null)
            File.Delete(_path);
        _path = null;
    }

    /// <summary>The file is its owner's only; one that a machine left behind, to which nobody listens, goes.</summary>
    private int BindUnix(string path)
    {
        sockaddr_un address = default;
        address.sun_family = AF_UNIX;
        if (Encoding.UTF8.GetByteCount(path) > MostPath)
            return ENAMETOOLONG;
        Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, MostPath));
        if (fchmod(Fd, 0x180 /* 0600: unix_bind takes it from the socket */) != 0)
            return errno;
        if (bind(Fd, (sockaddr*)&address, sizeof(sockaddr_un)) != 0)
        {
            if (errno != EADDRINUSE || !IsAbandoned(address))
                return errno == 0 ? EADDRINUSE : errno;
            File.Delete(path);
            if (bind(Fd, (sockaddr*)&address, sizeof(sockaddr_un)) != 0)
                return errno;
        }

        _path = path;
        return 0;
    }

    private static bool IsAbandoned(sockaddr_un address)
    {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return false;
        bool refused = connect(fd, (sockaddr*)&address, sizeof(sockaddr_un)) != 0 && errno == ECONNREFUSED;
        _ = close(fd);
        return refused;
    }

    private int BindTcp(IPAddress host, int port, int family)
    {
        int on = 1;
        _ = setsockopt(Fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int));

        // struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address, scope.
        byte* address = stackalloc byte[28];
        new Span<byte>(address, 28).Clear();
        *(ushort*)address = (ushort)family;
        address[2] = (byte)(port >> 8);
        address[3] = (byte)port;
        host.GetAddressBytes().CopyTo(new Span<byte>(address + (family == AF_INET ? 4 : 8), 16));
        return bind(Fd, (sockaddr*)address, family == AF_INET ? 16 : 28) == 0 ? 0 : errno;
    }
}
