using System.Runtime.InteropServices;

namespace MiniVmm.Host;

/// <summary>
/// System calls on files and other descriptors, as they are: -1 on an error, which is in <see cref="Marshal.GetLastPInvokeError"/>.
/// </summary>
public static unsafe partial class FileCalls
{
    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_NONBLOCK = 0x800;
    public const int O_DIRECT = 0x4000;
    public const int O_CLOEXEC = 0x80000;
    public const int F_SETFL = 4;
    public const int F_OFD_GETLK = 36;
    public const int F_OFD_SETLK = 37;
    public const short F_RDLCK = 0;
    public const short F_WRLCK = 1;
    public const short F_UNLCK = 2;
    public const int SEEK_END = 2;
    public const int FALLOC_FL_KEEP_SIZE = 1;
    public const int FALLOC_FL_PUNCH_HOLE = 2;
    public const int FALLOC_FL_ZERO_RANGE = 16;
    public const nuint BLKDISCARD = 0x1277;
    public const int AT_EMPTY_PATH = 0x1000;
    public const uint STATX_BASIC_STATS = 0x7ff;
    public const uint STATX_DIOALIGN = 0x2000;
    public const int S_IFMT = 0xf000;
    public const int S_IFREG = 0x8000;
    public const int S_IFBLK = 0x6000;
    public const int S_IFDIR = 0x4000;

    /// <summary>Pieces that readv(2) and its like take at most (UIO_MAXIOV in linux/uio.h).</summary>
    public const int IOV_MAX = 1024;

    private const int R_OK = 4;
    private const int W_OK = 2;

    /// <summary>Whether this user may read and write a file (access(2)); not where it is not there.</summary>
    public static bool MayReadAndWrite(string path) => Access(path, R_OK | W_OK) == 0;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "readv", SetLastError = true)]
    public static partial nint ReadV(int fd, IoVector* pieces, int count);

    [LibraryImport("libc", EntryPoint = "writev", SetLastError = true)]
    public static partial nint WriteV(int fd, IoVector* pieces, int count);

    [LibraryImport("libc", EntryPoint = "preadv", SetLastError = true)]
    public static partial nint PReadV(int fd, IoVector* pieces, int count, long offset);

    [LibraryImport("libc", EntryPoint = "pwritev", SetLastError = true)]
    public static partial nint PWriteV(int fd, IoVector* pieces, int count, long offset);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    public static partial int FDataSync(int fd);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    public static partial int FAllocate(int fd, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int FTruncate(int fd, long length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long LSeek(int fd, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int FCntl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int FCntl(int fd, int command, flock_x86_64* argument);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int StatX(int directory, string path, int flags, uint mask, statx_buffer* result);

    /// <summary>fcntl(2).</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct flock_x86_64
    {
        public short l_type;
        public short l_whence;
        public long l_start;
        public long l_len;
        public int l_pid;
    }

    /// <summary>statx(2).</summary>
    [StructLayout(LayoutKind.Sequential, Size = 16)]
    public struct statx_timestamp
    {
        public long tv_sec;
        public uint tv_nsec;
    }

    /// <summary>statx(2): what is read of struct statx.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct statx_buffer
    {
        [FieldOffset(0)]
        public uint stx_mask;
        [FieldOffset(4)]
        public uint stx_blksize;
        [FieldOffset(16)]
        public uint stx_nlink;
        [FieldOffset(20)]
        public uint stx_uid;
        [FieldOffset(24)]
        public uint stx_gid;
        [FieldOffset(28)]
        public ushort stx_mode;
        [FieldOffset(32)]
        public ulong stx_ino;
        [FieldOffset(40)]
        public ulong stx_size;
        [FieldOffset(48)]
        public ulong stx_blocks;
        [FieldOffset(64)]
        public statx_timestamp stx_atime;
        [FieldOffset(96)]
        public statx_timestamp stx_ctime;
        [FieldOffset(112)]
        public statx_timestamp stx_mtime;
        [FieldOffset(128)]
        public uint stx_rdev_major;
        [FieldOffset(132)]
        public uint stx_rdev_minor;
        [FieldOffset(136)]
        public uint stx_dev_major;
        [FieldOffset(140)]
        public uint stx_dev_minor;
        [FieldOffset(152)]
        public uint stx_dio_mem_align;
        [FieldOffset(156)]
        public uint stx_dio_offset_align;
    }
}
