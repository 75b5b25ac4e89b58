using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Tracing.Files;

/// <summary>Reads the fields of a protocol-buffers message; each length is checked against what is there.</summary>
/// <param name="message">The message's bytes.</param>
internal ref struct ProtoCursor(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Number of the field that <see cref="Next"/> came to.</summary>
    public int Field { get; private set; }

    /// <summary>Its value, of a varint or a fixed one.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its bytes, where it has a length.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The bytes as UTF-8.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="FormatException">The message is broken.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
            return false;
        ulong tag = Varint();
        Field = tag >> 3 > int.MaxValue ? 0 : (int)(tag >> 3);
        Number = 0;
        Bytes = default;
        switch (tag & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                ulong length = Varint();
                Bytes = Take(length > int.MaxValue ? int.MaxValue : (int)length);
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException($"a field of the wire type {tag & 7}");
        }

        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }

        throw new FormatException("a number of more than 64 bits");
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
            throw new FormatException("a field that is longer than its message");
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
