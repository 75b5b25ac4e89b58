using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Storage;

/// <summary>
/// What was written to a disk whose image stays as it is: a temporary file, and a bit for each sector that says whether its bytes are there.
/// </summary>
internal sealed class SnapshotOverlay : IDisposable
{
    private const int SectorsPerChunk = 1 << 15;

    private readonly DiskFile _file;
    private ulong[]?[] _written = []; // a bit a sector; a chunk of which nothing was written has none

    /// <param name="subject">What errors start with.</param>
    /// <exception cref="HostLimitException">No temporary file can be made.</exception>
    public SnapshotOverlay(NamedOption subject) => _file = Temporary(subject);

    /// <summary>Makes room for a disk, before anything of it is read or written.</summary>
    /// <param name="length">In bytes; another than the last time where the image has changed meanwhile.</param>
    public void Cover(ulong length)
    {
        int chunks = checked((int)(((length / IDiskImage.SectorSize) + SectorsPerChunk - 1) / SectorsPerChunk));
        if (chunks > _written.Length)
            Array.Resize(ref _written, chunks);
    }

    /// <summary>Reads what was written.</summary>
    /// <returns>An errno, or 0.</returns>
    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces) => _file.Read(offset, pieces);

    /// <inheritdoc cref="IDiskImage.Write"/>
    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        int errno = _file.Write(offset, pieces);
        if (errno == 0)
            Mark(offset, IoVector.Total(pieces));
        return errno;
    }

    /// <inheritdoc cref="IDiskImage.WriteZeroes"/>
    public int WriteZeroes(ulong offset, ulong length)
    {
        int errno = _file.WriteZeroes(offset, length, unmap: true);
        if (errno == 0)
            Mark(offset, length);
        return errno;
    }

    /// <summary>Sectors from one on that are all in the same place, at most so many.</summary>
    public ulong Run(ulong sector, ulong most, out bool written)
    {
        written = IsWritten(sector);
        ulong run = 1;
        while (run < most && IsWritten(sector + run) == written)
            run++;
        return Math.Min(run, most);
    }

    public void Dispose() => _file.Dispose();

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
