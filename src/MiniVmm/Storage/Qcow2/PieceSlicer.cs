using System.Runtime.InteropServices;
using MiniVmm.Virtio;

namespace MiniVmm.Storage.Qcow2;

/// <summary>Cuts a request's pieces up, from front to back, where clusters end.</summary>
internal unsafe ref struct PieceSlicer(ReadOnlySpan<IoVector> pieces)
{
    private readonly ReadOnlySpan<IoVector> _pieces = pieces;
    private int _piece;
    private ulong _used;

    /// <summary>Bytes of all pieces.</summary>
    public static ulong Total(ReadOnlySpan<IoVector> pieces)
    {
        ulong total = 0;
        foreach (ref readonly IoVector piece in pieces)
            total += piece.Length;
        return total;
    }

    /// <summary>Takes the next bytes; there must be as many.</summary>
    /// <param name="length">How many.</param>
    /// <param name="into">As long as there are pieces.</param>
    /// <returns>How many of it are filled.</returns>
    public int Take(ulong length, scoped Span<IoVector> into)
    {
        int count = 0;
        while (length > 0)
        {
            ref readonly IoVector piece = ref _pieces[_piece];
            ulong part = Math.Min(length, piece.Length - _used);
            if (part > 0)
                into[count++] = new IoVector(piece.Base + _used, part);
            length -= part;
            _used += part;
            if (_used == piece.Length)
            {
                _piece++;
                _used = 0;
            }
        }

        return count;
    }

    /// <summary>Makes pieces zeroes.</summary>
    public static void Clear(ReadOnlySpan<IoVector> pieces)
    {
        foreach (ref readonly IoVector piece in pieces)
            NativeMemory.Clear(piece.Base, (nuint)piece.Length);
    }

    /// <summary>Fills pieces from a buffer that holds as much.</summary>
    public static void Fill(ReadOnlySpan<IoVector> pieces, byte* from)
    {
        foreach (ref readonly IoVector piece in pieces)
        {
            NativeMemory.Copy(from, piece.Base, (nuint)piece.Length);
            from += piece.Length;
        }
    }
}
