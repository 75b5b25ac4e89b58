using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Gdb;

/// <summary>A payload that is being written. What does not fit any more is left out: no reply is longer than a packet may be.</summary>
internal sealed class PacketBuilder
{
    private readonly byte[] _bytes = new byte[GdbFraming.MostPayload];
    private int _length;

    public ReadOnlySpan<byte> Payload => _bytes.AsSpan(0, _length);

    /// <summary>Bytes that still fit.</summary>
    public int Room => _bytes.Length - _length;

    public void Clear() => _length = 0;

    public PacketBuilder Add(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..Math.Min(bytes.Length, Room)];
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
        return this;
    }

    public PacketBuilder Add(string text) => Add(Encoding.ASCII.GetBytes(text));

    /// <summary>Two digits a byte.</summary>
    public PacketBuilder AddHex(ReadOnlySpan<byte> bytes)
    {
        foreach (byte each in bytes[..Math.Min(bytes.Length, Room / 2)])
        {
            HexText.WriteByte(each, _bytes.AsSpan(_length));
            _length += 2;
        }

        return this;
    }

    /// <summary>A number, the highest digit first, without leading zeroes.</summary>
    public PacketBuilder AddNumber(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        Span<byte> digits = stackalloc byte[16];
        for (int i = 0; i < bytes.Length; i++)
            HexText.WriteByte(bytes[i], digits[(2 * i)..]);
        return Add(digits.TrimStart((byte)'0') is { Length: > 0 } number ? number : "0"u8);
    }
}
