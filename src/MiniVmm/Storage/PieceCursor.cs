using MiniVmm.Virtio;

namespace MiniVmm.Storage;

/// <summary>Goes through the bytes of several pieces in order.</summary>
internal unsafe ref struct PieceCursor(ReadOnlySpan<IoVector> pieces)
{
    private readonly ReadOnlySpan<IoVector> _pieces = pieces;
    private int _piece;
    private ulong _into;

    /// <summary>Fills the pieces' next bytes.</summary>
    public void CopyIn(byte* source, ulong bytes) => Copy(source, bytes, intoPieces: true);

    /// <summary>Takes the pieces' next bytes.</summary>
    public void CopyOut(byte* target, ulong bytes) => Copy(target, bytes, intoPieces: false);

    /// <summary>The whole pieces that are left, once a begun one was taken.</summary>
    public readonly ReadOnlySpan<IoVector> Rest => _pieces[_piece..];

    /// <summary>Takes what is left of a piece that was begun; false where none was.</summary>
    public bool TryTakeRestOfPiece(out IoVector rest)
    {
        rest = default;
        if (_into == 0)
            return false;
        rest = new IoVector(_pieces[_piece].Base + _into, _pieces[_piece].Length - _into);
        _piece++;
        _into = 0;
        return true;
    }

    private void Copy(byte* buffer, ulong bytes, bool intoPieces)
    {
        while (bytes != 0)
        {
            ref readonly IoVector piece = ref _pieces[_piece];
            ulong count = Math.Min(piece.Length - _into, bytes);
            byte* at = piece.Base + _into;
            Buffer.MemoryCopy(intoPieces ? buffer : at, intoPieces ? at : buffer, count, count);
            buffer += count;
            bytes -= count;
            _into += count;
            if (_into == piece.Length)
            {
                _piece++;
                _into = 0;
            }
        }
    }
}
