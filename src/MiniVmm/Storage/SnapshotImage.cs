using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Storage;

/// <summary>
/// A disk whose writes go to a temporary file, and are forgotten with it: the image below stays as it is. A bit for each
/// sector says where its bytes are.
/// </summary>
internal sealed class SnapshotImage : IDiskImage
{
    private const int SectorsPerChunk = 1 << 15;
    private const int MostOnStack = 256;

    private readonly IDiskImage _below;
    private readonly ulong[]?[] _written; // a bit a sector; a chunk of which nothing was written has none
    private readonly DiskFile _file;

    /// <param name="below">Read only; disposed with it.</param>
    /// <param name="subject">What errors start with.</param>
    /// <exception cref="HostLimitException">No temporary file can be made.</exception>
    public SnapshotImage(IDiskImage below, NamedOption subject)
    {
        _below = below;
        _written = new ulong[]?[Chunks(below.Length)];
        _file = Temporary(subject);
    }

    public ulong Length => _below.Length;

    public bool IsReadOnly => false;

    public uint DiscardGranularity => 0;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        ulong sector = offset / IDiskImage.SectorSize;
        ulong total = IoVector.Total(pieces) / IDiskImage.SectorSize;
        if (Run(sector, total, out bool written) == total)
            return Read(offset, pieces, written);

        // Here and there: run by run. A run has at most all pieces.
        Span<IoVector> part = pieces.Length <= MostOnStack ? stackalloc IoVector[MostOnStack] : new IoVector[pieces.Length];
        IoCursor cursor = new(pieces);
        for (ulong done = 0; done < total;)
        {
            ulong run = Run(sector + done, total - done, out written);
            int count = cursor.Take(run * IDiskImage.SectorSize, part);
            if (Read((sector + done) * IDiskImage.SectorSize, part[..count], written) is not 0 and int errno)
                return errno;
            done += run;
        }

        return 0;
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        int errno = _file.Write(offset, pieces);
        if (errno == 0)
            Mark(offset, IoVector.Total(pieces));
        return errno;
    }

    /// <summary>Nothing of it is to outlive a power cut.</summary>
    public int Flush() => 0;

    /// <summary>Bytes that were discarded read as before.</summary>
    public int Discard(ulong offset, ulong length) => 0;

    public int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        int errno = _file.WriteZeroes(offset, length, unmap: true);
        if (errno == 0)
            Mark(offset, length);
        return errno;
    }

    public void Dispose()
    {
        _below.Dispose();
        _file.Dispose();
    }

    private static int Chunks(ulong length) =>
        checked((int)(((length / IDiskImage.SectorSize) + SectorsPerChunk - 1) / SectorsPerChunk));

    private int Read(ulong offset, ReadOnlySpan<IoVector> pieces, bool written) =>
        written ? _file.Read(offset, pieces) : _below.Read(offset, pieces);

    /// <summary>A file that has no name any more: it lives as long as it is open, however the process ends.</summary>
    private static DiskFile Temporary(NamedOption subject)
    {
        string folder = Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } set ? set : "/var/tmp";
        string path = Path.Combine(folder, $"minivmm-snapshot-{Guid.NewGuid():n}");
        int made = FileCalls.Open(path, FileCalls.O_RDWR | LibC.O_CREAT | LibC.O_EXCL | FileCalls.O_CLOEXEC, 0x180 /* 0600 */);
        if (made < 0)
        {
            throw new HostLimitException(
                $"{subject}: no temporary file for snapshot in {folder}: {Errno.Explain(Marshal.GetLastPInvokeError())}; "
                + $"set TMPDIR to a folder with room");
        }

        try
        {
            return DiskFile.Open(path, readOnly: false, DiskCache.Unsafe, subject);
        }
        finally
        {
            _ = FileCalls.Close(made);
            File.Delete(path);
        }
    }

    /// <summary>Sectors from one on that are all in the same place, at most so many.</summary>
    private ulong Run(ulong sector, ulong most, out bool written)
    {
        written = IsWritten(sector);
        ulong run = 1;
        while (run < most && IsWritten(sector + run) == written)
            run++;
        return Math.Min(run, most);
    }

    private bool IsWritten(ulong sector) =>
        Volatile.Read(ref _written[sector / SectorsPerChunk]) is { } chunk
        && (Volatile.Read(ref chunk[sector % SectorsPerChunk / 64]) >> (int)(sector % 64) & 1) != 0;

    private void Mark(ulong offset, ulong length)
    {
        ulong end = (offset + length) / IDiskImage.SectorSize;
        for (ulong sector = offset / IDiskImage.SectorSize; sector < end; sector++)
        {
            ref ulong[]? chunk = ref _written[sector / SectorsPerChunk];
            ulong[] bits = Volatile.Read(ref chunk)
                ?? Interlocked.CompareExchange(ref chunk, new ulong[SectorsPerChunk / 64], null)
                ?? chunk!;
            Interlocked.Or(ref bits[sector % SectorsPerChunk / 64], 1UL << (int)(sector % 64));
        }
    }
}
