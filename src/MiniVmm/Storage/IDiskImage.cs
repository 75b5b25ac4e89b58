using MiniVmm.Host;

namespace MiniVmm.Storage;

/// <summary>
/// The contents of a disk, in whatever format: blocking calls, from several threads at once. None of them throws; each
/// says 0 or the errno of what went wrong, which the guest gets as an I/O error.
/// </summary>
/// <remarks>
/// Offsets and lengths are in bytes, multiples of <see cref="SectorSize"/>, and inside <see cref="Length"/>: whoever takes
/// requests from a guest has checked that. Nothing is allocated per call in steady state.
/// </remarks>
public interface IDiskImage : IDisposable
{
    /// <summary>Bytes of virtio-blk's sector, whatever the host's is.</summary>
    const int SectorSize = 512;

    /// <summary>Bytes of the disk.</summary>
    ulong Length { get; }

    /// <summary>Whether it must not be written: the caller refuses a guest that, and passes nothing on.</summary>
    bool IsReadOnly { get; }

    /// <summary>Smallest piece that Discard can give back, in bytes; 0 where the host cannot do it at all.</summary>
    uint DiscardGranularity { get; }

    /// <summary>Fills the pieces, whose lengths add up to at most what is behind the offset.</summary>
    int Read(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Writes the pieces. What a power cut leaves of it is open until <see cref="Flush"/>.</summary>
    int Write(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Puts on stable storage whatever was written before the call.</summary>
    int Flush();

    /// <summary>Says that the bytes are not needed any more: they may read as zeroes or as before.</summary>
    int Discard(ulong offset, ulong length);

    /// <summary>Makes the bytes zeroes.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="unmap">Whether the host may give their room back.</param>
    int WriteZeroes(ulong offset, ulong length, bool unmap);
}
