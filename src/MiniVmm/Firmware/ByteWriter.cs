using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MiniVmm.Firmware;

/// <summary>Little-endian bytes, appended one field after another.</summary>
internal sealed class ByteWriter
{
    private readonly List<byte> bytes = [];

    public int Length => bytes.Count;

    public ReadOnlySpan<byte> Written => CollectionsMarshal.AsSpan(bytes);

    public byte[] ToArray() => [.. bytes];

    public void U8(byte value) => bytes.Add(value);

    public void U16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Grow(2), value);

    public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Grow(4), value);

    public void U64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Grow(8), value);

    public void Bytes(ReadOnlySpan<byte> data) => data.CopyTo(Grow(data.Length));

    public void Zeros(int count) => Grow(count).Clear();

    /// <summary>ASCII text in a field of its own length: padded with spaces by whoever calls.</summary>
    public void Ascii(string text) => Encoding.ASCII.GetBytes(text, Grow(text.Length));

    private Span<byte> Grow(int count)
    {
        int at = bytes.Count;
        CollectionsMarshal.SetCount(bytes, at + count);
        return CollectionsMarshal.AsSpan(bytes)[at..];
    }
}
