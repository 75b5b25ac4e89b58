namespace MiniVmm.Virtio.Balloon;

/// <summary>Copies what a driver wrote out of a chain's pieces, in order, wherever one of them ends.</summary>
/// <param name="pieces">From <see cref="DescriptorChain.Readable"/>.</param>
internal ref struct PieceReader(ReadOnlySpan<IoVector> pieces)
{
    private ReadOnlySpan<IoVector> _pieces = pieces;
    private ulong _at;

    /// <summary>Fills all of <paramref name="target"/>; false where fewer bytes than that are left.</summary>
    public unsafe bool TryRead(scoped Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            if (_pieces.IsEmpty)
                return false;
            ulong left = _pieces[0].Length - _at;
            int count = (int)Math.Min(left, (ulong)target.Length);
            new ReadOnlySpan<byte>(_pieces[0].Base + _at, count).CopyTo(target);
            target = target[count..];
            _at += (ulong)count;
            if (_at == _pieces[0].Length)
            {
                _pieces = _pieces[1..];
                _at = 0;
            }
        }

        return true;
    }
}
