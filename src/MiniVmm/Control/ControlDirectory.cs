using System.Text;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// Where the machines of one user have their sockets. The directory is opened once and checked then: everything later
/// goes by the open directory, so that nobody can put another in its place.
/// </summary>
public sealed unsafe class ControlDirectory : IDisposable
{
    private const string Suffix = ".sock";

    /// <summary>How long others may hold the lock, in milliseconds: they only bind or unlink under it.</summary>
    private const int LongestLock = 2000;

    private readonly int _fd;

    private ControlDirectory(string path, int fd)
    {
        Path = path;
        _fd = fd;
    }

    /// <summary>
    /// <c>$XDG_RUNTIME_DIR/minivmm</c> where that is set and the user's own; else <c>/run/minivmm</c> for root,
    /// <c>/run/user/UID/minivmm</c> where there is such a directory, or <c>/tmp/minivmm-UID</c>.
    /// </summary>
    public string Path { get; }

    /// <summary>Names of the sockets there, in ordinal order, whether or not anybody listens.</summary>
    public IReadOnlyList<string> Names =>
    [
        .. Directory.EnumerateFileSystemEntries($"/proc/self/fd/{_fd}/", "*" + Suffix)
            .Select(entry => System.IO.Path.GetFileName(entry)[..^Suffix.Length])
            .Where(name => MachineName.IsValid(name))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Opens the user's directory; null if there is none yet.</summary>
    /// <exception cref="HostLimitException">It is a link, another user's, or open to others.</exception>
    public static ControlDirectory? Open() => Open(Locate());

    /// <summary>The same, and makes it if there is none, with mode 0700.</summary>
    public static ControlDirectory OpenOrCreate()
    {
        string path = Locate();
        fixed (byte* name = Bytes(path))
        {
            if (mkdir(name, 0x1c0 /* 0700 */) != 0 && errno != EEXIST)
                throw new HostLimitException($"{path}: cannot be made for control sockets: {Errno.Explain(errno)}");
        }

        return Open(path) ?? throw new HostLimitException($"{path}: removed while it was being made");
    }

    /// <summary>A machine's socket; fits into an address however long the directory's own path is.</summary>
    internal string Socket(string name) => $"/proc/self/fd/{_fd}/{name}{Suffix}";

    /// <summary>Keeps other MiniVmms from adding and removing sockets until it is disposed of.</summary>
    /// <exception cref="HostLimitException">Somebody else has had it for seconds.</exception>
    internal DirectoryLock Lock()
    {
        long end = Environment.TickCount64 + LongestLock;
        while (Linux.FLock(_fd, Linux.LOCK_EX | Linux.LOCK_NB) != 0)
        {
            if (Environment.TickCount64 > end)
                throw new HostLimitException($"{Path}: locked by another process for {LongestLock / 1000} s");
            Thread.Sleep(5); // flock(2) knows no limit, and a holder that was stopped by a signal may not hold up all others
        }

        return new DirectoryLock(_fd);
    }

    /// <summary>Removes a socket that nobody listens on any more; only under the lock.</summary>
    internal void Remove(string name)
    {
        fixed (byte* file = Bytes(name + Suffix))
            _ = unlinkat(_fd, file, 0);
    }

    /// <summary>Which file a machine's socket is, to recognise it by; 0 if there is none.</summary>
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
                // O_NOFOLLOW with O_DIRECTORY: a link is not a directory.
                Errno.ELOOP or Errno.ENOTDIR => throw Unusable(path, "it is a symbolic link or a file", "remove it"),
                int error => throw Unusable(path, Errno.Explain(error), "see to that"),
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
            throw Unusable(Path, Errno.Explain(errno), "see to that");
        if ((uint)status.st_uid != (uint)geteuid())
        {
            throw Unusable(
                Path, $"it belongs to user {(uint)status.st_uid}", "set XDG_RUNTIME_DIR to a directory of yours");
        }

        uint mode = (uint)status.st_mode & 0x1ff;
        if ((mode & 0x3f) != 0)
            throw Unusable(Path, $"others can get at it (mode {Convert.ToString(mode, 8)})", $"chmod 700 {Path}");
    }

    private static HostLimitException Unusable(string path, string why, string remedy) =>
        new($"{path}: no place for control sockets: {why}; {remedy}");

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

    /// <summary>Whether it is a directory of this user's: root often has the variable of whom it was before.</summary>
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

    /// <summary>The lock on a directory, given back when it is disposed of, or with the process.</summary>
    internal readonly struct DirectoryLock(int fd) : IDisposable
    {
        public void Dispose() => _ = Linux.FLock(fd, Linux.LOCK_UN);
    }
}
