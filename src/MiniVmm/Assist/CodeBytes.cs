using Iced.Intel;

namespace MiniVmm.Assist;

/// <summary>The code at RIP for the decoder, which reads a page only once an instruction reaches it.</summary>
internal sealed class CodeBytes(GuestOperands operands) : CodeReader
{
    /// <summary>Longest instruction in bytes (SDM vol. 2, 2.3.11).</summary>
    private const int MostBytes = 15;

    private readonly byte[] _bytes = new byte[MostBytes];
    private int _count;
    private int _next;

    /// <summary>Starts anew at RIP.</summary>
    public void Restart()
    {
        _count = 0;
        _next = 0;
    }

    /// <summary>The first bytes at RIP, which have been read.</summary>
    public ReadOnlySpan<byte> Read(int count) => _bytes.AsSpan(0, count);

    public override int ReadByte()
    {
        if (_next == _count && _count < MostBytes)
            _count += operands.Fetch(_count, _bytes.AsSpan(_count));
        return _next < _count ? _bytes[_next++] : -1;
    }
}
