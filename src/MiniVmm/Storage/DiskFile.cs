using System.Runtime.InteropServices;
using MiniVmm.Host;
using static MiniVmm.Host.FileCalls;

namespace MiniVmm.Storage;

/// <summary>
/// A file or block device that holds a disk image, locked against other processes for as long as it is open. Positioned
/// reads and writes from any thread; none of them throws or allocates, and each returns 0 or the errno.
/// </summary>
internal sealed unsafe class DiskFile : IDisposable
{
    private const ulong ZeroBlock = 64 << 10;

    private readonly int _fd;
    private readonly DirectTransfer? _direct;
    private readonly FlushGroup _flushes;
    private bool _closed;

    private DiskFile(int fd, string path, NamedOption subject, bool readOnly, DirectTransfer? direct, in statx_buffer status)
    {
        _fd = fd;
        _direct = direct;
        _flushes = new FlushGroup(Synchronize);
        Path = path;
        Subject = subject;
        IsReadOnly = readOnly;
        IsBlockDevice = (status.stx_mode & S_IFMT) == S_IFBLK;
    }

    /// <summary>As it was given.</summary>
    public string Path { get; }

    /// <summary>What errors about it start with: the disk, by its file.</summary>
    public NamedOption Subject { get; }

    public bool IsReadOnly { get; }

    public DiskCache Cache { get; private init; }

    public bool IsBlockDevice { get; }

    /// <summary>Smallest piece that <see cref="PunchHole"/> frees, in bytes; 0 if the host cannot.</summary>
    public uint DiscardGranularity { get; private init; }

    /// <summary>Bytes in it now: another process, or an administrator, may have changed that. 0 on an error.</summary>
    public ulong Length => (ulong)Math.Max(LSeek(_fd, 0, SEEK_END), 0);

    /// <summary>Opens and locks it.</summary>
    /// <param name="path">A regular file or a block device.</param>
    /// <param name="readOnly">Opened only for reading, and locked so that others may read it too.</param>
    /// <param name="cache">Ignored flushes and the page cache.</param>
    /// <param name="subject">What errors start with; "--disk PATH" where nothing is given.</param>
    /// <param name="missing">What to do where there is no such file.</param>
    /// <exception cref="BadInputException">It cannot be used; the message says why, and who has it locked.</exception>
    public static DiskFile Open(
        string path,
        bool readOnly,
        DiskCache cache,
        NamedOption? subject = null,
        string missing = "`qemu-img create` or `truncate -s 1G FILE` makes one")
    {
        ArgumentNullException.ThrowIfNull(path);
        NamedOption disk = subject ?? OptionName.Disk.With(path);

        // Non-blocking only for the open: a pipe of that name would wait for its other end.
        int flags = (readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
        int fd = FileCalls.Open(path, flags, 0);
        if (fd < 0)
            throw Refused(disk, Marshal.GetLastPInvokeError(), readOnly, missing);
        try
        {
            statx_buffer status = default;
            if (StatX(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &status) != 0)
                throw new BadInputException($"{disk}: {Errno.Explain(Marshal.GetLastPInvokeError())}");
            int kind = status.stx_mode & S_IFMT;
            if (kind == S_IFDIR)
                throw new BadInputException($"{disk}: is a directory; give a disk image or a block device");
            if (kind is not (S_IFREG or S_IFBLK))
                throw new BadInputException($"{disk}: is neither a file nor a block device");
            DirectTransfer? direct = cache == DiskCache.None ? DirectTransfer.Of(fd, status) : null;

            // An overlay takes the flag, and fails whatever is done next where the file system below lacks it.
            if (FCntl(fd, F_SETFL, cache == DiskCache.None ? O_DIRECT : 0) != 0
                || (cache == DiskCache.None && (direct == null || LSeek(fd, 0, SEEK_END) < 0)))
            {
                throw new BadInputException($"{disk}: its file system lacks direct I/O; leave out cache=none "
                    + $"or put the image elsewhere");
            }

            ImageLock.Take(fd, disk, readOnly);
            return new DiskFile(fd, path, disk, readOnly, direct, status)
            {
                Cache = cache,
                DiscardGranularity = readOnly ? 0 : Granularity(fd, kind, status),
            };
        }
        catch
        {
            _ = Close(fd);
            throw;
        }
    }

    /// <summary>Reads.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="pieces">Where to.</param>
    /// <param name="expected">
    /// Bytes that the file must have: missing bytes before that are EIO, missing bytes after it read as zeroes.
    /// </param>
    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected = 0)
    {
        ulong wanted = IoVector.Total(pieces);
        if (!IsAddressable(offset, wanted))
            return Errno.EFBIG;
        int errno = _direct == null || _direct.Fits(offset, pieces)
            ? FileTransfer.Move(_fd, offset, pieces, writes: false, _direct?.BlockSize ?? 1, out ulong done)
            : _direct.Bounce(offset, pieces, writes: false, out done);
        if (errno != 0 || done == wanted)
            return errno;
        if (offset + done < expected)
            return Errno.EIO;
        FileTransfer.Clear(pieces, done);
        return 0;
    }

    /// <inheritdoc cref="Read(ulong, ReadOnlySpan{IoVector}, ulong)"/>
    public int Read(ulong offset, Span<byte> bytes, ulong expected = 0)
    {
        fixed (byte* start = bytes)
        {
            var piece = new IoVector(start, (ulong)bytes.Length);
            return Read(offset, new ReadOnlySpan<IoVector>(in piece), expected);
        }
    }

    /// <summary>Writes; past the end, the file grows.</summary>
    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        if (!IsAddressable(offset, IoVector.Total(pieces)))
            return Errno.EFBIG;
        if (_direct == null)
            return FileTransfer.Move(_fd, offset, pieces, writes: true, 1, out _);
        return _direct.Fits(offset, pieces)
            ? _direct.Write(offset, pieces)
            : _direct.Bounce(offset, pieces, writes: true, out _);
    }

    /// <inheritdoc cref="Write(ulong, ReadOnlySpan{IoVector})"/>
    public int Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            var piece = new IoVector(start, (ulong)bytes.Length);
            return Write(offset, new ReadOnlySpan<IoVector>(in piece));
        }
    }

    /// <summary>
    /// Waits until what was written, and the file's length, are on stable storage; does nothing with cache=unsafe.
    /// </summary>
    /// <remarks>
    /// After one failure every later flush fails too, unless the page cache is bypassed: see <see cref="FlushGroup"/>.
    /// </remarks>
    public int Flush()
    {
        if (Cache == DiskCache.Unsafe || IsReadOnly)
            return 0;
        return _direct != null ? Synchronize() : _flushes.Flush();
    }

    /// <summary>Truncates it, or extends it with zeroes. Files only.</summary>
    public int SetLength(ulong length) =>
        !IsAddressable(length, 0) ? Errno.EFBIG
        : _direct != null ? _direct.SetLength(length)
        : FTruncate(_fd, (long)length) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Zeroes bytes, in whatever way the host can.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="unmap">Whether their space may be freed.</param>
    public int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        int errno = unmap ? PunchHole(offset, length) : Errno.EOPNOTSUPP;
        if (IsMissing(errno))
            errno = ZeroRange(offset, length);
        if (!IsMissing(errno))
            return errno;
        nint made = (nint)NativeMemory.AllocZeroed((nuint)ZeroBlock);
        try
        {
            errno = 0;
            for (ulong done = 0; done < length && errno == 0; done += ZeroBlock)
            {
                int count = (int)Math.Min(ZeroBlock, length - done);
                errno = Write(offset + done, new ReadOnlySpan<byte>((void*)made, count));
            }

            return errno;
        }
        finally
        {
            NativeMemory.Free((void*)made);
        }
    }

    /// <summary>
    /// Discards bytes: they read as zeroes or as before. Also returns 0 if the host cannot discard.
    /// </summary>
    public int Discard(ulong offset, ulong length)
    {
        if (DiscardGranularity == 0 || !IsAddressable(offset, length))
            return 0;
        if (!IsBlockDevice)
            return PunchHole(offset, length) is var errno && IsMissing(errno) ? 0 : errno;
        ulong first = (offset + DiscardGranularity - 1) / DiscardGranularity * DiscardGranularity;
        ulong last = (offset + length) / DiscardGranularity * DiscardGranularity;
        if (first >= last)
            return 0;
        ulong* range = stackalloc ulong[] { first, last - first };
        int failed = Linux.Ioctl(_fd, BLKDISCARD, (nuint)range) == 0 ? 0 : Marshal.GetLastPInvokeError();
        return IsMissing(failed) ? 0 : failed;
    }

    /// <summary>Frees space, which then reads as zeroes. EOPNOTSUPP if the host cannot.</summary>
    public int PunchHole(ulong offset, ulong length) =>
        Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);

    /// <summary>Zeroes bytes and keeps their space. EOPNOTSUPP if the host cannot do that by itself.</summary>
    public int ZeroRange(ulong offset, ulong length) =>
        Allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, length);

    /// <summary>Closes it and gives up the lock, without a flush. Not while anything is in flight.</summary>
    public void Dispose()
    {
        if (_closed)
            return;
        _closed = true;
        ImageLock.Drop(_fd);
        _ = Close(_fd);
        _direct?.Dispose();
    }

    private static bool IsMissing(int errno) =>
        errno is Errno.EOPNOTSUPP or Errno.ENOSYS or Errno.ENOTTY or Errno.EINVAL;

    private static bool IsAddressable(ulong offset, ulong length) =>
        offset <= long.MaxValue && length <= long.MaxValue - offset;

    private static uint Granularity(int fd, int kind, in statx_buffer status)
    {
        if (kind == S_IFBLK)
            return BlockQueue.DiscardGranularity(status.stx_rdev_major, status.stx_rdev_minor);

        // Past the end there is nothing to lose: this only shows whether the file system can.
        long end = Math.Max(LSeek(fd, 0, SEEK_END), 0);
        const int Mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        return FAllocate(fd, Mode, end, status.stx_blksize) == 0 ? status.stx_blksize : 0;
    }

    private static BadInputException Refused(NamedOption subject, int errno, bool readOnly, string missing)
    {
        string why = (errno, readOnly) switch
        {
            (Errno.ENOENT or Errno.ENOTDIR, _) => $"no such file; {missing}",
            (Errno.EISDIR, _) => "is a directory; give a disk image or a block device",
            (Errno.EACCES or Errno.EROFS or Errno.EPERM, false) =>
                $"cannot be written: {Errno.Explain(errno)}; add ,ro to open it read-only",
            _ => $"cannot be opened: {Errno.Explain(errno)}",
        };
        return new BadInputException($"{subject}: {why}");
    }

    private int Synchronize()
    {
        while (FDataSync(_fd) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Errno.EINTR)
                return errno;
        }

        return 0;
    }

    private int Allocate(int mode, ulong offset, ulong length)
    {
        if (!IsAddressable(offset, length))
            return Errno.EFBIG;
        return length == 0 ? 0
            : _direct != null ? _direct.Allocate(mode, offset, length)
            : FileTransfer.Allocate(_fd, mode, offset, length);
    }
}
