using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Tracing.Files;

/// <summary>
/// A protocol-buffers message as it is being written (protobuf.dev, "Encoding"): tags, varints, and what has a length in front.
/// </summary>
internal sealed class ProtoBuffer
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int Delimited = 2;

    private byte[] _bytes = new byte[256];

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public int Length { get; private set; }

    public void Clear() => Length = 0;

    /// <summary>An integer or an enumeration.</summary>
    public void Number(int field, ulong value)
    {
        Put((ulong)field << 3 | Varint);
        Put(value);
    }

    /// <summary>A fixed64.</summary>
    public void Fixed(int field, ulong value)
    {
        Put((ulong)field << 3 | Fixed64);
        Room(8);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(Length), value);
        Length += 8;
    }

    public void Double(int field, double value) => Fixed(field, BitConverter.DoubleToUInt64Bits(value));

    public void Text(int field, string value)
    {
        Put((ulong)field << 3 | Delimited);
        int bytes = Encoding.UTF8.GetByteCount(value);
        Put((ulong)bytes);
        Room(bytes);
        Length += Encoding.UTF8.GetBytes(value, _bytes.AsSpan(Length));
    }

    /// <summary>A message inside this one.</summary>
    public void Message(int field, ProtoBuffer inner)
    {
        Put((ulong)field << 3 | Delimited);
        Put((ulong)inner.Length);
        Room(inner.Length);
        inner.Written.CopyTo(_bytes.AsSpan(Length));
        Length += inner.Length;
    }

    private void Put(ulong value)
    {
        Room(10);
        while (value >= 0x80)
        {
            _bytes[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _bytes[Length++] = (byte)value;
    }

    private void Room(int bytes)
    {
        if (_bytes.Length - Length < bytes)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + bytes));
    }
}
