using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>A disk that is read only, from memory.</summary>
internal sealed class ArrayDisk(byte[] contents) : IDiskImage
{
    public ulong Length => (ulong)contents.Length;

    public bool IsReadOnly => true;

    public uint DiscardGranularity => 0;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        foreach (IoVector piece in pieces)
        {
            contents.AsSpan((int)offset, (int)piece.Length).CopyTo(piece.Span);
            offset += piece.Length;
        }

        return 0;
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces) => Errno.EROFS;

    public int Flush() => 0;

    public int Discard(ulong offset, ulong length) => Errno.EROFS;

    public int WriteZeroes(ulong offset, ulong length, bool unmap) => Errno.EROFS;

    public void Dispose()
    {
        // Only memory.
    }
}
