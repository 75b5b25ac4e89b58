using MiniVmm.Host;

namespace MiniVmm.Storage;

/// <summary>
/// A disk whose file is its contents, byte by byte. A length that is not a whole number of sectors is rounded up, as
/// QEMU does: the missing part of the last sector reads as zeroes, and writing it extends the file.
/// </summary>
/// <param name="file">Disposed with it.</param>
/// <param name="probed">
/// The format was probed, not given: see <see cref="DiskOptions"/> for what the guest must not write then.
/// </param>
internal sealed unsafe class RawImage(DiskFile file, bool probed) : IDiskImage
{
    // A file that became shorter has lost data: it must not read as zeroes.
    private readonly ulong _fileLength = file.Length;

    public ulong Length => (_fileLength + IDiskImage.SectorSize - 1) / IDiskImage.SectorSize * IDiskImage.SectorSize;

    public bool IsReadOnly => file.IsReadOnly;

    public uint DiscardGranularity => file.DiscardGranularity;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces) => file.Read(offset, pieces, _fileLength);

    /// <inheritdoc/>
    /// <returns>
    /// 0, an errno; EPERM for what would make a probed disk look like another format; EIO for a file that shrank.
    /// </returns>
    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        if (IsShorter)
            return Errno.EIO;
        return offset == 0 && probed && !pieces.IsEmpty ? WriteStart(pieces) : file.Write(offset, pieces);
    }

    public int Flush() => IsShorter && !IsReadOnly ? Errno.EIO : file.Flush();

    public int Discard(ulong offset, ulong length) => IsShorter ? Errno.EIO : file.Discard(offset, length);

    public int WriteZeroes(ulong offset, ulong length, bool unmap) =>
        IsShorter ? Errno.EIO : file.WriteZeroes(offset, length, unmap);

    public void Dispose() => file.Dispose();

    private bool IsShorter => file.Length < _fileLength;

    /// <summary>
    /// Writes the first sector from a copy, which the guest cannot change after it was checked; then the rest.
    /// </summary>
    private int WriteStart(ReadOnlySpan<IoVector> pieces)
    {
        byte* sector = stackalloc byte[IDiskImage.SectorSize];
        var cursor = new IoCursor(pieces);
        cursor.CopyOut(sector, IDiskImage.SectorSize);
        if (DiskImage.LooksFormatted(new ReadOnlySpan<byte>(sector, IDiskImage.SectorSize)))
            return Errno.EPERM;
        int errno = file.Write(0, new ReadOnlySpan<byte>(sector, IDiskImage.SectorSize));
        ulong at = IDiskImage.SectorSize;
        if (errno == 0 && cursor.TryTakeRestOfPiece(out IoVector rest))
        {
            errno = file.Write(at, new ReadOnlySpan<IoVector>(in rest));
            at += rest.Length;
        }

        return errno != 0 || cursor.Rest.IsEmpty ? errno : file.Write(at, cursor.Rest);
    }
}
