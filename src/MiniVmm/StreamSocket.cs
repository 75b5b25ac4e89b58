using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm;

/// <summary>A non-blocking stream socket, of TCP or unix(7). Calls return 0 or a count, or the negated errno.</summary>
/// <remarks>Not System.Net.Sockets, which would add a thread, an epoll and a fifth to the size of the binary.</remarks>
internal sealed unsafe class StreamSocket : IDisposable
{
    private const int Backlog = 4;

    /// <summary>How long a connection may take to be made, in seconds.</summary>
    private const int LongestConnect = 20;

    private const int MostAddress = 28; // struct sockaddr_in6

    private SocketFile? _file;

    private StreamSocket(int fd)
    {
        Fd = fd;
    }

    public int Fd { get; private set; }

    /// <summary>Listens.</summary>
    /// <param name="address">Where.</param>
    /// <param name="problem">Why it cannot be listened there.</param>
    /// <returns>Null with a problem.</returns>
    /// <exception cref="SystemCallException">No more files.</exception>
    public static StreamSocket? TryListen(StreamAddress address, out string? problem)
    {
        StreamSocket made = Create(address, SOCK_NONBLOCK);
        problem = null;
        if (address.Path is { } path)
            made._file = SocketFile.TryBind(made.Fd, path, out problem);
        else if (made.BindTcp(address) != 0)
            problem = Errno.Explain(errno);
        if (problem is null && listen(made.Fd, Backlog) != 0)
            problem = Errno.Explain(errno);
        if (problem is null)
            return made;
        made.Dispose();
        return null;
    }

    /// <summary>Connects, and waits until that is done.</summary>
    /// <param name="address">Who listens.</param>
    /// <param name="problem">Why it cannot be connected.</param>
    /// <returns>Null with a problem.</returns>
    /// <exception cref="SystemCallException">No more files.</exception>
    public static StreamSocket? TryConnect(StreamAddress address, out string? problem)
    {
        StreamSocket made = Create(address, 0);
        int error = made.Connect(address);
        problem = null;
        if (error == 0)
            return made;
        problem = error == EAGAIN || error == EINPROGRESS ? $"nobody takes the connection in {LongestConnect} s" : Errno.Explain(error);
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
        _file?.Remove(); // first: of a closed socket another machine may take it
        _file = null;
        if (Fd >= 0)
            _ = close(Fd);
        Fd = -1;
    }

    private static StreamSocket Create(StreamAddress address, int flags)
    {
        ArgumentNullException.ThrowIfNull(address);
        int family = address.Address is not { } host ? AF_UNIX : host.GetAddressBytes().Length == 4 ? AF_INET : AF_INET6;
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
        return fd >= 0 ? new StreamSocket(fd) : throw new SystemCallException("socket", errno);
    }

    /// <returns>0 or the errno; EAGAIN of unix(7) and EINPROGRESS of TCP after the longest time.</returns>
    private int Connect(StreamAddress address)
    {
        long* limit = stackalloc long[] { LongestConnect, 0 }; // struct timeval
        if (setsockopt(Fd, SOL_SOCKET, SO_SNDTIMEO, limit, 2 * sizeof(long)) != 0)
            return errno;
        int error;
        do
            error = address.Path is { } path ? ConnectUnix(path) : ConnectTcp(address);
        while (error == EINTR);
        if (error != 0 && error != EISCONN) // by a call that was interrupted
            return error;
        return fcntl(Fd, F_SETFL, FileCalls.O_NONBLOCK) == 0 ? 0 : errno;
    }

    private int ConnectUnix(string path)
    {
        if (!SocketFile.TryAddress(path, out sockaddr_un address))
            return ENAMETOOLONG;
        return connect(Fd, (sockaddr*)&address, sizeof(sockaddr_un)) == 0 ? 0 : errno;
    }

    private int ConnectTcp(StreamAddress to)
    {
        byte* address = stackalloc byte[MostAddress];
        return connect(Fd, (sockaddr*)address, Write(to, address)) == 0 ? 0 : errno;
    }

    private int BindTcp(StreamAddress at)
    {
        int on = 1;
        _ = setsockopt(Fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int));
        byte* address = stackalloc byte[MostAddress];
        return bind(Fd, (sockaddr*)address, Write(at, address));
    }

    /// <summary>
    /// Writes struct sockaddr_in: family, port, address; or struct sockaddr_in6: family, port, flow, address, scope.
    /// </summary>
    /// <returns>Its length in bytes.</returns>
    private static int Write(StreamAddress from, byte* address)
    {
        new Span<byte>(address, MostAddress).Clear();
        byte[] host = from.Address!.GetAddressBytes();
        bool isFour = host.Length == 4;
        *(ushort*)address = (ushort)(isFour ? AF_INET : AF_INET6);
        address[2] = (byte)(from.Port >> 8);
        address[3] = (byte)from.Port;
        host.CopyTo(new Span<byte>(address + (isFour ? 4 : 8), 16));
        return isFour ? 16 : MostAddress;
    }
}
