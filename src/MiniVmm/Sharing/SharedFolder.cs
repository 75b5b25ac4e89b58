using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Stat = MiniVmm.Host.FileCalls.statx_buffer;

namespace MiniVmm.Sharing;

/// <summary>
/// A folder of the host's as a guest may see and change it, and nothing outside: every path is resolved by the kernel below the folder and
/// through no symbolic link (openat2(2)), names are single ones, and only regular files and folders are ever opened, since opening a
/// device or a FIFO has effects of its own. Methods return an errno, 0 for none.
/// </summary>
internal sealed unsafe class SharedFolder : IDisposable
{
    /// <summary>Bytes of a path below the folder, and of a link's target, at most: PATH_MAX with its zero.</summary>
    public const int LongestPath = 4096;

    /// <summary>Bytes of a name, at most.</summary>
    public const int LongestName = 255;

    // No set-user-ID and set-group-ID: the file would have them on the host, and its owner is this process' user. A folder
    // may have the latter, by which what is made in it gets its group.
    private const uint Permissions = 0x1ff | 0x200;
    private const uint FolderPermissions = Permissions | 0x400;

    private readonly int _folder;
    private readonly FileHandle _handle;

    private SharedFolder(int folder, bool isReadOnly)
    {
        (_folder, IsReadOnly) = (folder, isReadOnly);
        _handle = FileHandle.Hold(folder);
    }

    public SharedNode Root { get; } = new();

    public bool IsReadOnly { get; }

    /// <summary>The folder's own descriptor.</summary>
    public int Descriptor => _folder;

    /// <exception cref="BadInputException">It is no folder.</exception>
    /// <exception cref="HostLimitException">It cannot be used.</exception>
    public static SharedFolder Open(ShareOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        int folder = FileCalls.Open(options.Folder, FolderCalls.O_PATH | FolderCalls.O_DIRECTORY | FileCalls.O_CLOEXEC, 0);
        int error = Marshal.GetLastPInvokeError();
        if (folder < 0)
        {
            throw error switch
            {
                Errno.ENOENT => new BadInputException($"{OptionName.Share.With(options.Folder)}: no such folder"),
                Errno.ENOTDIR => new BadInputException($"{OptionName.Share.With(options.Folder)}: not a folder"),
                _ => new HostLimitException($"{OptionName.Share.With(options.Folder)}: cannot be opened: {Errno.Explain(error)}"),
            };
        }

        SharedFolder shared = new(folder, options.ReadOnly);
        int problem = shared.Look(shared.Root, out _);
        if (problem == 0)
            return shared;
        shared.Dispose();
        string why = problem == Errno.ENOSYS ? "a shared folder needs Linux 5.6 or later (openat2)" : $"cannot be read: {Errno.Explain(problem)}";
        throw new HostLimitException($"{OptionName.Share.With(options.Folder)}: {why}");
    }

    /// <summary>Whether a guest may give a file that name.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= LongestName && name is not ("." or "..") && !name.AsSpan().ContainsAny('/', '\0');

    /// <summary>What is there: a link itself, not what it leads to.</summary>
    public int Look(SharedNode node, out Stat status)
    {
        status = default;
        int error = OpenPath(node, out int fd);
        if (error != 0)
            return error;
        error = Status(fd, out status);
        _ = FileCalls.Close(fd);
        return error;
    }

    /// <summary>Opens a regular file or a folder.</summary>
    /// <param name="node">Which.</param>
    /// <param name="flags">Of open(2); those beyond reading, writing, appending, truncation and synchronous writing are left out.</param>
    /// <param name="fd">The caller's, to close.</param>
    /// <param name="status">What it is.</param>
    public int OpenFile(SharedNode node, uint flags, out int fd, out Stat status)
    {
        (fd, status) = (-1, default);
        if (IsReadOnly && Changes(flags))
            return Errno.EROFS;
        int error = OpenPath(node, out int path);
        if (error != 0)
            return error;
        error = Reopen(path, flags, out fd, out status);
        _ = FileCalls.Close(path);
        return error;
    }

    /// <summary>Makes a regular file, or opens the one that is there unless <c>O_EXCL</c> is among the flags.</summary>
    public int CreateFile(SharedNode folder, string name, uint flags, uint mode, out int fd, out Stat status)
    {
        (fd, status) = (-1, default);
        int error = OpenFolder(folder, name, out int parent);
        if (error != 0)
            return error;
        byte* text = stackalloc byte[LongestName + 1];
        Put(name, text);
        const ulong Resolve = FolderCalls.RESOLVE_BENEATH | FolderCalls.RESOLVE_NO_SYMLINKS;
        int made = FolderCalls.OpenAt2(
            parent, text, Kept(flags) | FolderCalls.O_CREAT | FolderCalls.O_EXCL | FileCalls.O_CLOEXEC, (int)(mode & Permissions), Resolve);
        error = made < 0 ? Marshal.GetLastPInvokeError() : 0;
        if (made >= 0)
        {
            _ = FolderCalls.FChMod(made, mode & Permissions); // whatever this process' umask is
            error = Status(made, out status);
            fd = made;
        }
        else if (error == Errno.EEXIST && (flags & FolderCalls.O_EXCL) == 0)
        {
            int path = FolderCalls.OpenAt2(parent, text, FolderCalls.O_PATH | FolderCalls.O_NOFOLLOW | FileCalls.O_CLOEXEC, 0, Resolve);
            error = path < 0 ? Marshal.GetLastPInvokeError() : Reopen(path, flags, out fd, out status);
            if (path >= 0)
                _ = FileCalls.Close(path);
        }

        _ = FileCalls.Close(parent);
        return error;
    }

    public int MakeFolder(SharedNode folder, string name, uint mode) => In(folder, name, (parent, text) =>
    {
        int result = FolderCalls.MkDirAt(parent, text, mode & Permissions);
        if (result == 0)
            ChangeMode(parent, text, FileCalls.S_IFDIR, mode & FolderPermissions);
        return result;
    });

    /// <summary>Makes a FIFO, a socket's name or an empty file; devices are the host's.</summary>
    public int MakeNode(SharedNode folder, string name, uint mode)
    {
        int kind = (int)(mode & FileCalls.S_IFMT);
        if (kind is not (FolderCalls.S_IFIFO or FolderCalls.S_IFSOCK or FileCalls.S_IFREG))
            return Errno.EPERM;
        return In(folder, name, (parent, text) =>
        {
            int result = FolderCalls.MkNodAt(parent, text, mode & (Permissions | FileCalls.S_IFMT), 0);
            if (result == 0)
                ChangeMode(parent, text, kind, mode & Permissions);
            return result;
        });
    }

    /// <param name="folder">Where.</param>
    /// <param name="name">The link's name.</param>
    /// <param name="target">What it says; the guest follows it, the host never does.</param>
    public int MakeLink(SharedNode folder, string name, string target)
    {
        if (target.Length is 0 or >= LongestPath || target.Contains('\0', StringComparison.Ordinal))
            return Errno.EINVAL;
        byte[] bytes = [.. Encoding.Latin1.GetBytes(target), 0];
        return In(folder, name, (parent, text) =>
        {
            fixed (byte* said = bytes)
                return FolderCalls.SymLinkAt(said, parent, text);
        });
    }

    /// <summary>Gives a file a second name.</summary>
    public int AddName(SharedNode node, SharedNode folder, string name)
    {
        if (node.Parent is not { } above)
            return Errno.EPERM;
        return In(above, node.Name, (from, old) =>
        {
            int error = In(folder, name, (to, text) => FolderCalls.LinkAt(from, old, to, text, 0));
            Marshal.SetLastPInvokeError(error);
            return error == 0 ? 0 : -1;
        });
    }

    /// <summary>Gives what has one name another, in the same folder or in another; what had that name is gone.</summary>
    public int Rename(SharedNode folder, string name, SharedNode newFolder, string newName)
    {
        int error = In(folder, name, (from, old) =>
        {
            int inner = In(newFolder, newName, (to, text) => FolderCalls.RenameAt(from, old, to, text));
            Marshal.SetLastPInvokeError(inner);
            return inner == 0 ? 0 : -1;
        });
        if (error == 0)
            folder.Move(name, newFolder, newName);
        return error;
    }

    /// <param name="folder">Where.</param>
    /// <param name="name">What.</param>
    /// <param name="isFolder">Whether an empty folder is to go, or anything else.</param>
    public int Remove(SharedNode folder, string name, bool isFolder)
    {
        int error = In(folder, name, (parent, text) => FolderCalls.UnlinkAt(parent, text, isFolder ? FolderCalls.AT_REMOVEDIR : 0));
        if (error == 0)
            folder.Lose(name);
        return error;
    }

    /// <summary>Where a symbolic link leads.</summary>
    public int ReadLink(SharedNode node, out string target)
    {
        target = "";
        int error = OpenPath(node, out int fd);
        if (error != 0)
            return error;
        byte nothing = 0;
        byte* text = stackalloc byte[LongestPath];
        nint length = FolderCalls.ReadLinkAt(fd, &nothing, text, LongestPath);
        error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = FileCalls.Close(fd);
        if (error == 0)
            target = Encoding.Latin1.GetString(text, (int)length);
        return error == Errno.ENOENT ? Errno.EINVAL : error; // what an empty name gives for what is no link
    }

    /// <summary>Changes what the guest names of a file; what this process may not (an owner), stays without an error.</summary>
    public int Change(SharedNode node, in FileChange change)
    {
        int error = OpenPath(node, out int fd);
        if (error != 0)
            return error;
        error = Change(fd, change);
        _ = FileCalls.Close(fd);
        return error;
    }

    /// <summary>The same by a descriptor: of just that file, whatever has its name by now.</summary>
    public int Change(int fd, in FileChange change) => IsReadOnly ? Errno.EROFS : ChangeFile(fd, change);

    public int FileSystem(SharedNode node, out FolderCalls.statfs_x86_64 status)
    {
        status = default;
        int error = OpenPath(node, out int fd);
        if (error != 0)
            return error;
        error = FileSystem(fd, out status);
        _ = FileCalls.Close(fd);
        return error;
    }

    public static int FileSystem(int fd, out FolderCalls.statfs_x86_64 status)
    {
        fixed (FolderCalls.statfs_x86_64* result = &status)
            return FolderCalls.FStatFs(fd, result) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    public static int Status(int fd, out Stat status)
    {
        Stat result;
        bool isThere = FileCalls.StatX(fd, "", FileCalls.AT_EMPTY_PATH, FileCalls.STATX_BASIC_STATS, &result) == 0;
        status = isThere ? result : default;
        return isThere ? 0 : Marshal.GetLastPInvokeError();
    }

    public void Dispose() => _handle.Drop();

    private static bool Changes(uint flags) => (flags & (FolderCalls.O_ACCMODE | FolderCalls.O_TRUNC)) != 0;

    /// <summary>The flags that mean the same to the guest and here; opening never waits.</summary>
    private static int Kept(uint flags) =>
        (int)(flags & (FolderCalls.O_ACCMODE | FolderCalls.O_TRUNC | FolderCalls.O_APPEND | FolderCalls.O_SYNC)) | FileCalls.O_NONBLOCK;

    private static void Put(string name, byte* text)
    {
        int length = Encoding.Latin1.GetBytes(name, new Span<byte>(text, LongestName));
        text[length] = 0;
    }

    /// <summary>Opens what a path leads to, once it is known to be a file or a folder: just that, wherever its name leads by now.</summary>
    private static int Reopen(int path, uint flags, out int fd, out Stat status)
    {
        fd = -1;
        int error = Status(path, out status);
        if (error != 0)
            return error;
        int kind = status.stx_mode & FileCalls.S_IFMT;
        if (kind == FolderCalls.S_IFLNK)
            return Errno.ELOOP;
        if (kind is not (FileCalls.S_IFREG or FileCalls.S_IFDIR))
            return Errno.ENXIO;
        byte* itself = stackalloc byte[32];
        Itself(path, itself);
        fd = FolderCalls.Open(itself, Kept(flags) | FileCalls.O_CLOEXEC, 0);
        return fd >= 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>The name by which calls that take no descriptor of <c>O_PATH</c> find what it stands for.</summary>
    private static void Itself(int fd, byte* text)
    {
        Span<byte> name = new(text, 32);
        "/proc/self/fd/"u8.CopyTo(name);
        bool fits = fd.TryFormat(name[14..31], out int digits);
        System.Diagnostics.Debug.Assert(fits);
        text[14 + digits] = 0;
    }

    /// <summary>Gives what was just made its mode, whatever this process' umask has left of it.</summary>
    private static void ChangeMode(int parent, byte* name, int kind, uint mode)
    {
        int fd = FolderCalls.OpenAt2(
            parent, name, FolderCalls.O_PATH | FolderCalls.O_NOFOLLOW | FileCalls.O_CLOEXEC, 0, FolderCalls.RESOLVE_BENEATH | FolderCalls.RESOLVE_NO_SYMLINKS);
        if (fd < 0)
            return;
        if (Status(fd, out Stat status) == 0 && (status.stx_mode & FileCalls.S_IFMT) == kind)
        {
            byte* itself = stackalloc byte[32];
            Itself(fd, itself);
            _ = FolderCalls.ChMod(itself, mode);
        }

        _ = FileCalls.Close(fd);
    }

    private static int ChangeFile(int fd, in FileChange change)
    {
        int error = Status(fd, out Stat status);
        if (error != 0)
            return error;
        int kind = status.stx_mode & FileCalls.S_IFMT;
        byte* itself = stackalloc byte[32];
        Itself(fd, itself);
        byte nothing = 0;
        if (change.Mode is { } mode)
        {
            if (kind == FolderCalls.S_IFLNK)
                return Errno.EOPNOTSUPP;
            if (FolderCalls.ChMod(itself, mode & (kind == FileCalls.S_IFDIR ? FolderPermissions : Permissions)) != 0)
                return Marshal.GetLastPInvokeError();
        }

        if ((change.User & change.Group) != uint.MaxValue
            && FolderCalls.FChOwnAt(fd, &nothing, change.User, change.Group, FileCalls.AT_EMPTY_PATH) != 0
            && Marshal.GetLastPInvokeError() is var refused && refused != Errno.EPERM)
            return refused;

        if (change.Size is { } size)
        {
            if (kind != FileCalls.S_IFREG)
                return kind == FileCalls.S_IFDIR ? Errno.EISDIR : Errno.EINVAL;
            if (size > long.MaxValue)
                return Errno.EFBIG;
            error = Cut(fd, itself, (long)size);
            if (error != 0)
                return error;
        }

        if (change.Accessed.tv_nsec == FolderCalls.UTIME_OMIT && change.Modified.tv_nsec == FolderCalls.UTIME_OMIT)
            return 0;
        FolderCalls.timespec_x86_64* times = stackalloc FolderCalls.timespec_x86_64[2];
        (times[0], times[1]) = (change.Accessed, change.Modified);
        int set = kind == FolderCalls.S_IFLNK
            ? FolderCalls.UTimeNsAt(fd, &nothing, times, FileCalls.AT_EMPTY_PATH)
            : FolderCalls.UTimeNsAt(FolderCalls.AT_FDCWD, itself, times, 0);
        return set == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Gives a file another length: by its descriptor, which may be all that lets one write, or else by one that writes.</summary>
    private static int Cut(int fd, byte* itself, long size)
    {
        if (FileCalls.FTruncate(fd, size) == 0)
            return 0;
        int error = Marshal.GetLastPInvokeError();
        if (error is not (Errno.EBADF or Errno.EINVAL))
            return error; // it is open for writing, and cannot be so long
        int file = FolderCalls.Open(itself, FolderCalls.O_WRONLY | FileCalls.O_NONBLOCK | FileCalls.O_CLOEXEC, 0);
        if (file < 0)
            return Marshal.GetLastPInvokeError();
        error = FileCalls.FTruncate(file, size) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = FileCalls.Close(file);
        return error;
    }

    /// <summary>A descriptor for what a path leads to, of <c>O_PATH</c>: it neither reads nor writes.</summary>
    private int OpenPath(SharedNode node, out int fd)
    {
        fd = -1;
        Span<byte> path = stackalloc byte[LongestPath];
        if (!TryPath(node, path, out int error))
            return error;
        fixed (byte* text = path)
        {
            fd = FolderCalls.OpenAt2(
                _folder, text, FolderCalls.O_PATH | FolderCalls.O_NOFOLLOW | FileCalls.O_CLOEXEC, 0, FolderCalls.RESOLVE_BENEATH | FolderCalls.RESOLVE_NO_SYMLINKS);
            return fd >= 0 ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>A descriptor for a folder in which a name is to change.</summary>
    private int OpenFolder(SharedNode folder, string name, out int fd)
    {
        fd = -1;
        if (IsReadOnly)
            return Errno.EROFS;
        if (!IsName(name))
            return Errno.EINVAL;
        return OpenPath(folder, out fd);
    }

    private int In(SharedNode folder, string name, FolderCall call)
    {
        int error = OpenFolder(folder, name, out int parent);
        if (error != 0)
            return error;
        byte* text = stackalloc byte[LongestName + 1];
        Put(name, text);
        error = call(parent, text) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = FileCalls.Close(parent);
        return error;
    }

    /// <summary>The path below the folder, with a zero behind it.</summary>
    private bool TryPath(SharedNode node, Span<byte> path, out int error)
    {
        int at = path.Length - 1;
        path[at] = 0;
        SharedNode above = node;
        for (; above.Parent is { } parent; above = parent)
        {
            if (at < above.Name.Length + 1)
            {
                error = Errno.ENAMETOOLONG;
                return false;
            }

            if (at < path.Length - 1)
                path[--at] = (byte)'/';
            at -= above.Name.Length;
            _ = Encoding.Latin1.GetBytes(above.Name, path[at..]);
        }

        error = ReferenceEquals(above, Root) ? 0 : Errno.ENOENT;
        if (at == path.Length - 1)
            path[--at] = (byte)'.';
        path[at..].CopyTo(path);
        return error == 0;
    }

    private delegate int FolderCall(int folder, byte* name);
}
