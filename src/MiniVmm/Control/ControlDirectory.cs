using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// The directory of one user's control sockets. It is opened and checked once; everything after that goes through the open
/// descriptor, so nobody can put another directory in its place.
/// </summary>
internal sealed unsafe class ControlDirectory : IDisposable
{
    private const string Suffix = ".sock";

    /// <summary>How long to wait for the lock, in milliseconds: others only bind or unlink while they hold it.</summary>
    private const int LongestLock = 2000;

    private readonly int _fd;

    private ControlDirectory(string path, int fd)
    {
        Path = path;
        _fd = fd;
    }

    /// <summary>
    /// <c>$XDG_RUNTIME_DIR/minivmm</c> if that is set and belongs to the user; otherwise <c>/run/minivmm</c> for root,
    /// <c>/run/user/UID/minivmm</c> if there is a <c>/run/user/UID</c>, or <c>/tmp/minivmm-UID</c>.
    /// </summary>
    public string Path { get; }

    /// <summary>The names of the sockets in it, in ordinal order, whether or not anybody listens on them.</summary>
    public IReadOnlyList<string> Names =>
    [
        .. Directory.EnumerateFileSystemEntries($"/proc/self/fd/{_fd}/", "*" + Suffix)
            .Select(entry => System.IO.Path.GetFileName(entry)[..^Suffix.Length])
            .Where(name => MachineName.IsValid(name))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Opens the user's directory; null if it does not exist yet.</summary>
    /// <exception cref="HostLimitException">It is a symbolic link, belongs to another user, or is open to others.</exception>
    public static ControlDirectory? Open() => Open(Locate());

    /// <summary>The same, but creates it with mode 0700 if it does not exist.</summary>
    /// <exception cref="HostLimitException">It cannot be created or used.</exception>
    public static ControlDirectory OpenOrCreate()
    {
        string path = Locate();
        fixed (byte* name = Bytes(path))
        {
            if (mkdir(name, 0x1c0 /* 0700 */) != 0 && errno != EEXIST)
                throw new HostLimitException($"{path}: cannot create this directory for control sockets: {Errno.Explain(errno)}");
        }

        return Open(path) ?? throw new HostLimitException($"{path}: removed while it was being created");
    }

    /// <summary>The path of a machine's socket; it fits into a socket address however long the directory's own path is.</summary>
    internal string Socket(string name) => $"/proc/self/fd/{_fd}/{name}{Suffix}";

    /// <summary>Keeps other MiniVmm processes from adding or removing sockets until it is disposed.</summary>
    /// <exception cref="HostLimitException">Another process has held it for seconds.</exception>
    internal DirectoryLock Lock()
    {
        long end = Environment.TickCount64 + LongestLock;
        while (Linux.FLock(_fd, Linux.LOCK_EX | Linux.LOCK_NB) != 0)
        {
            if (Environment.TickCount64 > end)
                throw new HostLimitException($"{Path}: locked by another process for {LongestLock / 1000} s");
            Thread.Sleep(5); // flock(2) has no timeout, and a process stopped by a signal must not block all others
        }

        return new DirectoryLock(_fd);
    }

    /// <summary>Removes a socket that nobody listens on any more. Only while holding the lock.</summary>
    internal void Remove(string name)
    {
        fixed (byte* file = Bytes(name + Suffix))
            _ = unlinkat(_fd, file, 0);
    }

    /// <summary>The inode of a machine's socket, to recognise it by; 0 if there is none.</summary>
    internal ulong Inode(string name)
    {
        stat status = default;
        fixed (byte* file = Bytes(name + Suffix))
            return fstatat(_fd, file, &status, AT_SYMLINK_NOFOLLOW) == 0 ? (ulong)status.st_ino : 0;
    }

    public void Dispose() => _ = close(_fd);

    private static ControlDirectory? Open(string path)
    {
        int fd;
        fixed (byte* name = Bytes(path))
            fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
        {
            return errno switch
            {
                Errno.ENOENT => null,
                // With O_NOFOLLOW and O_DIRECTORY a symbolic link gives ENOTDIR.
                Errno.ELOOP or Errno.ENOTDIR => throw Unusable(path, "it is a symbolic link or a file", "remove it"),
                int error => throw Unusable(path, Errno.Explain(error), "fix that"),
            };
        }

        ControlDirectory directory = new(path, fd);
        try
        {
            directory.Check();
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    private void Check()
    {
        stat status = default;
        if (fstat(_fd, &status) != 0)
            throw Unusable(Path, Errno.Explain(errno), "fix that");
        if ((uint)status.st_uid != (uint)geteuid())
        {
            throw Unusable(
                Path, $"it belongs to user {(uint)status.st_uid}", "set XDG_RUNTIME_DIR to a directory of your own");
        }

        uint mode = (uint)status.st_mode & 0x1ff;
        if ((mode & 0x3f) != 0)
            throw Unusable(Path, $"other users can access it (mode {Convert.ToString(mode, 8)})", $"chmod 700 {Path}");
    }

    private static HostLimitException Unusable(string path, string why, string remedy) =>
        new($"{path}: cannot be used for control sockets: {why}; {remedy}");

    private static string Locate()
    {
        uint uid = (uint)geteuid();
        string? runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        if (runtime is ['/', ..] && IsOwn(runtime, uid))
            return System.IO.Path.Join(runtime, "minivmm");
        if (uid == 0)
            return "/run/minivmm";
        string login = $"/run/user/{uid}";
        return IsOwn(login, uid) ? $"{login}/minivmm" : $"/tmp/minivmm-{uid}";
    }

    /// <summary>Whether it is a directory of this user's: after su, root often still has another user's variable.</summary>
    private static bool IsOwn(string path, uint uid)
    {
        stat status = default;
        fixed (byte* name = Bytes(path))
        {
            return LibC.stat(name, &status) == 0
                && ((uint)status.st_mode & (uint)S_IFMT) == (uint)S_IFDIR
                && (uint)status.st_uid == uid;
        }
    }

    private static byte[] Bytes(string path) => Encoding.UTF8.GetBytes(path + '\0');

    /// <summary>The lock on a directory, released when it is disposed, or when the process ends.</summary>
    internal readonly struct DirectoryLock(int fd) : IDisposable
    {
        public void Dispose() => _ = Linux.FLock(fd, Linux.LOCK_UN);
    }
}
