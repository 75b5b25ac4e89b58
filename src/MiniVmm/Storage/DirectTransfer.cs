using System.Runtime.InteropServices;
using MiniVmm.Host;
using static MiniVmm.Host.FileCalls;

namespace MiniVmm.Storage;

/// <summary>
/// What O_DIRECT requires of a transfer, and the detour for transfers that do not meet it: through aligned buffers, and
/// with a read of the blocks that are only partly written. From any thread; allocates nothing once there are as many
/// buffers as threads.
/// </summary>
internal sealed unsafe class DirectTransfer(int fd, uint memoryAlignment, uint blockSize) : IDisposable
{
    private const int BufferSize = 256 << 10;
    private const int PageSize = 4096;

    // Read-modify-write of a block must exclude all other writes: another part of it may be written meanwhile.
    private readonly ReaderWriterLockSlim _blocks = new();
    private readonly Stack<nint> _buffers = new();

    /// <summary>Offsets and lengths on the device are multiples of this.</summary>
    public uint BlockSize => blockSize;

    /// <summary>
    /// The alignments of an open file: from statx(2) where it reports them (Linux 6.1), else what suits every disk.
    /// </summary>
    public static DirectTransfer? Of(int fd, in statx_buffer status)
    {
        if ((status.stx_mask & STATX_DIOALIGN) == 0)
            return new DirectTransfer(fd, PageSize, PageSize);
        return status.stx_dio_offset_align is 0 or > PageSize || status.stx_dio_mem_align is 0 or > PageSize
            ? null
            : new DirectTransfer(fd, status.stx_dio_mem_align, status.stx_dio_offset_align);
    }

    /// <summary>Whether the device takes the pieces as they are.</summary>
    public bool Fits(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        if (offset % blockSize != 0)
            return false;
        foreach (ref readonly IoVector piece in pieces)
        {
            if (piece.Length % blockSize != 0 || (ulong)piece.Base % memoryAlignment != 0)
                return false;
        }

        return true;
    }

    /// <summary>Writes aligned pieces; excluded while a block is being read, modified and written.</summary>
    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        _blocks.EnterReadLock();
        try
        {
            return FileTransfer.Move(fd, offset, pieces, writes: true, blockSize, out _);
        }
        finally
        {
            _blocks.ExitReadLock();
        }
    }

    /// <summary>fallocate(2); excluded while a block is being read, modified and written.</summary>
    public int Allocate(int mode, ulong offset, ulong length)
    {
        _blocks.EnterReadLock();
        try
        {
            return FileTransfer.Allocate(fd, mode, offset, length);
        }
        finally
        {
            _blocks.ExitReadLock();
        }
    }

    /// <summary>Moves pieces that are not aligned.</summary>
    public int Bounce(ulong offset, ReadOnlySpan<IoVector> pieces, bool writes, out ulong done)
    {
        ulong end = offset + IoVector.Total(pieces);
        bool alone = writes && (offset % blockSize != 0 || end % blockSize != 0);
        byte* buffer = Rent();
        if (alone)
            _blocks.EnterWriteLock();
        else if (writes)
            _blocks.EnterReadLock();
        try
        {
            var cursor = new IoCursor(pieces);
            return writes
                ? Write(offset, end, ref cursor, buffer, out done)
                : Read(offset, end, ref cursor, buffer, out done);
        }
        finally
        {
            if (alone)
                _blocks.ExitWriteLock();
            else if (writes)
                _blocks.ExitReadLock();
            Return(buffer);
        }
    }

    /// <summary>Changes the length while no block is being read, modified and written.</summary>
    public int SetLength(ulong length)
    {
        _blocks.EnterWriteLock();
        try
        {
            return FTruncate(fd, (long)length) == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
        finally
        {
            _blocks.ExitWriteLock();
        }
    }

    public void Dispose()
    {
        while (_buffers.TryPop(out nint buffer))
            NativeMemory.AlignedFree((void*)buffer);
        _blocks.Dispose();
    }

    private int Read(ulong offset, ulong end, ref IoCursor cursor, byte* buffer, out ulong done)
    {
        done = 0;
        for (ulong at = offset; at < end;)
        {
            ulong first = at - (at % blockSize);
            ulong last = Math.Min(RoundUp(end), first + BufferSize);
            int errno = Fill(buffer, first, last - first, out ulong got);
            if (errno != 0)
                return errno;
            ulong skip = at - first;
            ulong bytes = Math.Min(last, end) - at;
            ulong there = Math.Min(bytes, got - Math.Min(skip, got));
            cursor.CopyIn(buffer + skip, there);
            done += there;
            if (there < bytes)
                break; // the end of the file
            at += bytes;
        }

        return 0;
    }

    private int Write(ulong offset, ulong end, ref IoCursor cursor, byte* buffer, out ulong done)
    {
        done = 0;
        for (ulong at = offset; at < end;)
        {
            ulong first = at - (at % blockSize);
            ulong last = Math.Min(RoundUp(end), first + BufferSize);
            ulong bytes = Math.Min(last, end) - at;
            ulong lengthBefore = ulong.MaxValue;
            if (at != first || at + bytes != last)
            {
                lengthBefore = (ulong)Math.Max(LSeek(fd, 0, SEEK_END), 0);
                int failed = Complete(buffer, first, last);
                if (failed != 0)
                    return failed;
            }

            cursor.CopyOut(buffer + (at - first), bytes);
            int errno = Put(buffer, first, last - first);
            if (errno != 0)
                return errno;

            // Whole blocks may have made the file longer than it should be.
            ulong length = Math.Max(lengthBefore, at + bytes);
            if (lengthBefore < last && length < last && FTruncate(fd, (long)length) != 0)
                return Marshal.GetLastPInvokeError();
            done += bytes;
            at += bytes;
        }

        return 0;
    }

    /// <summary>Reads the first and the last block of a range, of which a write covers only a part.</summary>
    private int Complete(byte* buffer, ulong first, ulong last)
    {
        ulong tail = last - first - blockSize;
        int errno = FillBlock(buffer, first);
        return errno != 0 || tail == 0 ? errno : FillBlock(buffer + tail, first + tail);
    }

    private int FillBlock(byte* buffer, ulong offset)
    {
        int errno = Fill(buffer, offset, blockSize, out ulong got);
        NativeMemory.Clear(buffer + got, (nuint)(blockSize - got));
        return errno;
    }

    private int Fill(byte* buffer, ulong offset, ulong length, out ulong got)
    {
        var piece = new IoVector(buffer, length);
        return FileTransfer.Move(fd, offset, new(in piece), writes: false, blockSize, out got);
    }

    private int Put(byte* buffer, ulong offset, ulong length)
    {
        var piece = new IoVector(buffer, length);
        return FileTransfer.Move(fd, offset, new(in piece), writes: true, blockSize, out _);
    }

    private ulong RoundUp(ulong offset) => (offset + blockSize - 1) / blockSize * blockSize;

    private byte* Rent()
    {
        lock (_buffers)
        {
            if (_buffers.TryPop(out nint buffer))
                return (byte*)buffer;
        }

        return (byte*)NativeMemory.AlignedAlloc(BufferSize, PageSize);
    }

    private void Return(byte* buffer)
    {
        lock (_buffers)
            _buffers.Push((nint)buffer);
    }
}
