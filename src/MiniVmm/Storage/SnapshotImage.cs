using MiniVmm.Host;

namespace MiniVmm.Storage;

/// <summary>
/// A disk whose writes go to an overlay, and are forgotten with that: the image below stays as it is.
/// </summary>
internal sealed class SnapshotImage : IDiskImage
{
    private const int MostOnStack = 256;

    private readonly IDiskImage _below;
    private readonly SnapshotOverlay _overlay;
    private readonly bool _ownsOverlay;

    /// <summary>A disk with an overlay of its own.</summary>
    /// <param name="below">Read only; disposed with it.</param>
    /// <param name="subject">What errors start with.</param>
    /// <exception cref="HostLimitException">No temporary file can be made.</exception>
    public SnapshotImage(IDiskImage below, NamedOption subject)
        : this(below, new SnapshotOverlay(subject)) => _ownsOverlay = true;

    /// <summary>A disk with an overlay that stays when the disk goes.</summary>
    /// <param name="below">Read only; disposed with it.</param>
    /// <param name="overlay">What was written to the disk before, and what will be; of no other disk at the same time.</param>
    public SnapshotImage(IDiskImage below, SnapshotOverlay overlay)
    {
        _below = below;
        _overlay = overlay;
        overlay.Cover(below.Length);
    }

    public ulong Length => _below.Length;

    public bool IsReadOnly => false;

    public uint DiscardGranularity => 0;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        ulong sector = offset / IDiskImage.SectorSize;
        ulong total = IoVector.Total(pieces) / IDiskImage.SectorSize;
        if (_overlay.Run(sector, total, out bool written) == total)
            return Read(offset, pieces, written);

        // Here and there: run by run. A run has at most all pieces.
        Span<IoVector> part = pieces.Length <= MostOnStack ? stackalloc IoVector[MostOnStack] : new IoVector[pieces.Length];
        IoCursor cursor = new(pieces);
        for (ulong done = 0; done < total;)
        {
            ulong run = _overlay.Run(sector + done, total - done, out written);
            int count = cursor.Take(run * IDiskImage.SectorSize, part);
            if (Read((sector + done) * IDiskImage.SectorSize, part[..count], written) is not 0 and int errno)
                return errno;
            done += run;
        }

        return 0;
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces) => _overlay.Write(offset, pieces);

    /// <summary>Nothing of it is to outlive a power cut.</summary>
    public int Flush() => 0;

    /// <summary>Bytes that were discarded read as before.</summary>
    public int Discard(ulong offset, ulong length) => 0;

    public int WriteZeroes(ulong offset, ulong length, bool unmap) => _overlay.WriteZeroes(offset, length);

    public void Dispose()
    {
        _below.Dispose();
        if (_ownsOverlay)
            _overlay.Dispose();
    }

    private int Read(ulong offset, ReadOnlySpan<IoVector> pieces, bool written) =>
        written ? _overlay.Read(offset, pieces) : _below.Read(offset, pieces);
}
