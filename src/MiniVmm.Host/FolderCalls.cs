using System.Runtime.InteropServices;

namespace MiniVmm.Host;

/// <summary>
/// System calls on what is in a folder (openat(2) and its like), as they are: -1 on an error, which is in
/// <see cref="Marshal.GetLastPInvokeError"/>. Names are bytes, of no encoding, and end with a zero.
/// </summary>
public static unsafe partial class FolderCalls
{
    public const int O_WRONLY = 1;
    public const int O_ACCMODE = 3;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_TRUNC = 0x200;
    public const int O_APPEND = 0x400;
    public const int O_SYNC = 0x101000; // with O_DSYNC in it
    public const int O_DIRECTORY = 0x10000;
    public const int O_NOFOLLOW = 0x20000;
    public const int O_PATH = 0x200000;
    public const ulong RESOLVE_NO_SYMLINKS = 4;
    public const ulong RESOLVE_BENEATH = 8;
    public const int AT_FDCWD = -100;
    public const int AT_REMOVEDIR = 0x200;
    public const int S_IFLNK = 0xa000;
    public const int S_IFSOCK = 0xc000;
    public const int S_IFIFO = 0x1000;

    /// <summary>Of a time that stays as it is, and of the present (utimensat(2)).</summary>
    public const long UTIME_NOW = 0x3fffffff;
    public const long UTIME_OMIT = 0x3ffffffe;

    private const nint OpenAt2Number = 437;

    /// <summary>openat2(2): Linux 5.6.</summary>
    public static int OpenAt2(int folder, byte* name, int flags, int mode, ulong resolve)
    {
        open_how how = new() { flags = (uint)flags, mode = (uint)mode, resolve = resolve };
        return (int)OpenAt2(OpenAt2Number, folder, name, &how, sizeof(open_how));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    public static partial int Open(byte* path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MkDirAt(int folder, byte* name, uint mode);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    public static partial int MkNodAt(int folder, byte* name, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int SymLinkAt(byte* target, int folder, byte* name);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLinkAt(int folder, byte* name, byte* target, nuint size);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    public static partial int LinkAt(int folder, byte* name, int newFolder, byte* newName, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    public static partial int RenameAt(int folder, byte* name, int newFolder, byte* newName);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int UnlinkAt(int folder, byte* name, int flags);

    [LibraryImport("libc", EntryPoint = "chmod", SetLastError = true)]
    public static partial int ChMod(byte* path, uint mode);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int FChMod(int fd, uint mode);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int FChOwnAt(int folder, byte* name, uint user, uint group, int flags);

    /// <summary>Access, then modification.</summary>
    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    public static partial int UTimeNsAt(int folder, byte* name, timespec_x86_64* times, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int FSync(int fd);

    [LibraryImport("libc", EntryPoint = "fstatfs", SetLastError = true)]
    public static partial int FStatFs(int fd, statfs_x86_64* result);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    public static partial nint GetDents64(int fd, byte* entries, nuint size);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint OpenAt2(nint number, nint folder, byte* name, open_how* how, nint size);

    [StructLayout(LayoutKind.Sequential)]
    public struct timespec_x86_64
    {
        public long tv_sec;
        public long tv_nsec;
    }

    /// <summary>statfs(2).</summary>
    [StructLayout(LayoutKind.Sequential, Size = 120)]
    public struct statfs_x86_64
    {
        public long f_type;
        public long f_bsize;
        public ulong f_blocks;
        public ulong f_bfree;
        public ulong f_bavail;
        public ulong f_files;
        public ulong f_ffree;
        public ulong f_fsid;
        public long f_namelen;
        public long f_frsize;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct open_how
    {
        public ulong flags;
        public ulong mode;
        public ulong resolve;
    }
}
