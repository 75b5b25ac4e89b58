using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm;

/// <summary>
/// The file by which others find a socket that listens (unix(7)). The kernel leaves it behind, also where the socket's process
/// was killed.
/// </summary>
internal sealed unsafe class SocketFile
{
    private const int MostPath = 107; // one byte is left for the terminating zero

    private readonly string _path;
    private readonly (ulong Device, ulong Inode)? _identity;

    private SocketFile(string path)
    {
        _path = Path.GetFullPath(path); // whatever the process' folder is at the end
        _identity = Look(path) is { IsSocket: true } own ? own.Identity : null;
    }

    /// <summary>
    /// Binds a socket to a path; the file is its owner's only. A socket to which nobody listens any more makes room for it, and
    /// nothing else does.
    /// </summary>
    /// <param name="socket">The socket's descriptor.</param>
    /// <param name="path">The file to be.</param>
    /// <param name="problem">Why it cannot be.</param>
    /// <returns>Null with a problem.</returns>
    public static SocketFile? TryBind(int socket, string path, out string? problem)
    {
        problem = null;
        if (!TryAddress(path, out sockaddr_un address))
            problem = Errno.Explain(Errno.ENAMETOOLONG);
        else if (fchmod(socket, 0x180 /* 0600: unix_bind takes it from the socket */) != 0)
            problem = Errno.Explain(errno);
        else if (bind(socket, (sockaddr*)&address, sizeof(sockaddr_un)) != 0)
            problem = errno != EADDRINUSE ? Errno.Explain(errno) : BindInPlaceOf(path, socket, address);
        return problem is null ? new SocketFile(path) : null;
    }

    /// <summary>The address of a path; false for one that is too long.</summary>
    public static bool TryAddress(string path, out sockaddr_un address)
    {
        address = default;
        address.sun_family = AF_UNIX;
        fixed (byte* name = address.sun_path)
            return Encoding.UTF8.GetByteCount(path) <= MostPath && Encoding.UTF8.GetBytes(path, new Span<byte>(name, MostPath)) > 0;
    }

    /// <summary>Takes the file away, if it is still this one. One that is gone, or cannot be taken away, is left as it is.</summary>
    public void Remove()
    {
        if (_identity is { } own && Look(_path) is { IsSocket: true } now && now.Identity == own)
            _ = Unlink(_path);
    }

    /// <returns>What is in the way; null if it is bound.</returns>
    private static string? BindInPlaceOf(string path, int socket, sockaddr_un address)
    {
        // connect(2) refuses a file of any other kind as it does a socket to which nobody listens.
        if (Look(path) is { IsSocket: false })
            return "there is a file that is no socket; remove it, or name another";
        if (!IsAbandoned(address))
            return Errno.Explain(EADDRINUSE);
        return Unlink(path) != 0 || bind(socket, (sockaddr*)&address, sizeof(sockaddr_un)) != 0 ? Errno.Explain(errno) : null;
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

    /// <summary>What is at a path, a link itself; null for nothing.</summary>
    private static (bool IsSocket, (ulong Device, ulong Inode) Identity)? Look(string path)
    {
        stat status;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return lstat(name, &status) == 0
                ? (((uint)status.st_mode & (uint)S_IFMT) == (uint)S_IFSOCK, ((ulong)status.st_dev, (ulong)status.st_ino))
                : null;
        }
    }

    private static int Unlink(string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
            return unlink(name);
    }
}
