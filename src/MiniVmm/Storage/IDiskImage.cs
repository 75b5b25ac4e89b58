using MiniVmm.Host;

namespace MiniVmm.Storage;

/// <summary>
/// The contents of a disk, in whatever format: blocking calls, from several threads at once. None of them throws; each
/// returns 0 or the errno of what went wrong, which the guest gets as an I/O error.
/// </summary>
/// <remarks>
/// Offsets and lengths are in bytes, multiples of <see cref="SectorSize"/>, and inside <see cref="Length"/>: callers
/// must have checked the guest's requests. Nothing is allocated per call in steady state.
/// </remarks>
internal interface IDiskImage : IDisposable
{
    /// <summary>Bytes of virtio-blk's sector, whatever the host's is.</summary>
    const int SectorSize = 512;

    /// <summary>Bytes of the disk.</summary>
    ulong Length { get; }

    /// <summary>Read-only: callers must reject guest writes themselves.</summary>
    bool IsReadOnly { get; }

    /// <summary>Smallest piece that Discard can free, in bytes; 0 if the host cannot discard at all.</summary>
    uint DiscardGranularity { get; }

    /// <summary>Fills the pieces, whose lengths add up to at most what is behind the offset.</summary>
    int Read(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Writes the pieces. Until <see cref="Flush"/>, a power cut may lose any part of it.</summary>
    int Write(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Puts on stable storage whatever was written before the call.</summary>
    int Flush();

    /// <summary>Discards the bytes: they may read as zeroes or as before.</summary>
    int Discard(ulong offset, ulong length);

    /// <summary>Zeroes the bytes.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="unmap">Whether the host may free their space.</param>
    int WriteZeroes(ulong offset, ulong length, bool unmap);
}
