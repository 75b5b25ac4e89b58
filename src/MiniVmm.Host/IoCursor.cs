namespace MiniVmm.Host;

/// <summary>Goes through the bytes of several pieces in order, wherever one of them ends. Allocates nothing.</summary>
/// <param name="pieces">They stay where they are for as long as the cursor lives.</param>
public unsafe ref struct IoCursor(ReadOnlySpan<IoVector> pieces)
{
    private readonly ReadOnlySpan<IoVector> _pieces = pieces;
    private int _piece;
    private ulong _into;

    /// <summary>The whole pieces that are left, once a begun one was taken.</summary>
    public readonly ReadOnlySpan<IoVector> Rest => _pieces[_piece..];

    /// <summary>Fills the pieces' next bytes; there must be as many.</summary>
    /// <exception cref="IndexOutOfRangeException">There are fewer; those there are have been copied.</exception>
    public void CopyIn(byte* source, ulong bytes)
    {
        while (bytes != 0)
        {
            IoVector part = Next(bytes);
            Buffer.MemoryCopy(source, part.Base, part.Length, part.Length);
            source += part.Length;
            bytes -= part.Length;
        }
    }

    /// <summary>Takes the pieces' next bytes; there must be as many.</summary>
    /// <exception cref="IndexOutOfRangeException">There are fewer; those there are have been copied.</exception>
    public void CopyOut(byte* target, ulong bytes)
    {
        while (bytes != 0)
        {
            IoVector part = Next(bytes);
            Buffer.MemoryCopy(part.Base, target, bytes, part.Length);
            target += part.Length;
            bytes -= part.Length;
        }
    }

    /// <summary>Takes as many bytes as <paramref name="target"/> holds; false, with some of them taken, where fewer are left.</summary>
    public bool TryCopyOut(scoped Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            if (_piece == _pieces.Length)
                return false;
            IoVector part = Next((ulong)target.Length);
            part.Span.CopyTo(target);
            target = target[(int)part.Length..];
        }

        return true;
    }

    /// <summary>Takes the next bytes as pieces; there must be as many.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="into">Where the pieces go: as long as there are pieces.</param>
    /// <returns>How many of it are filled.</returns>
    /// <exception cref="IndexOutOfRangeException">There are fewer bytes, or <paramref name="into"/> is too short.</exception>
    public int Take(ulong bytes, scoped Span<IoVector> into)
    {
        int count = 0;
        while (bytes != 0)
        {
            IoVector part = Next(bytes);
            bytes -= part.Length;
            if (part.Length != 0)
                into[count++] = part;
        }

        return count;
    }

    /// <summary>Takes what is left of a piece that was begun; false where none was.</summary>
    public bool TryTakeRestOfPiece(out IoVector rest)
    {
        rest = default;
        if (_into == 0)
            return false;
        rest = Next(ulong.MaxValue);
        return true;
    }

    /// <summary>At most so many bytes, up to the end of a piece.</summary>
    private IoVector Next(ulong most)
    {
        ref readonly IoVector piece = ref _pieces[_piece];
        IoVector part = new(piece.Base + _into, Math.Min(piece.Length - _into, most));
        _into += part.Length;
        if (_into == piece.Length)
        {
            _piece++;
            _into = 0;
        }

        return part;
    }
}
