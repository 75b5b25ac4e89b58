using System.Buffers.Binary;

namespace MiniVmm.Symbols;

/// <summary>
/// Reads DWARF's numbers from a section, whatever it holds: past its end everything is 0, and <see cref="IsAtEnd"/>.
/// </summary>
/// <param name="data">The section, or a part of it.</param>
internal ref struct DwarfReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;
    private readonly int _length = data.Length;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>Bytes read so far.</summary>
    public readonly int Position => _length - _rest.Length;

    public byte Byte() => Take(1) is [byte value, ..] ? value : (byte)0;

    public ushort UInt16() => Take(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    public uint UInt32() => Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    public ulong UInt64() => Take(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    /// <summary>A number of 1, 2, 4 or 8 bytes.</summary>
    public ulong Number(int size) => size switch
    {
        1 => Byte(),
        2 => UInt16(),
        4 => UInt32(),
        _ => UInt64(),
    };

    /// <summary>An unsigned LEB128 (DWARF 5, 7.6); bits past the 64th are dropped.</summary>
    public ulong Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; !IsAtEnd; shift += 7)
        {
            byte next = Byte();
            if (shift < 64)
                value |= (ulong)(next & 0x7f) << shift;
            if ((next & 0x80) == 0)
                break;
        }

        return value;
    }

    /// <summary>A signed LEB128.</summary>
    public long Signed()
    {
        long value = 0;
        int shift = 0;
        while (!IsAtEnd)
        {
            byte next = Byte();
            if (shift < 64)
                value |= (long)(next & 0x7f) << shift;
            shift += 7;
            if ((next & 0x80) != 0)
                continue;
            if (shift < 64 && (next & 0x40) != 0)
                value |= -1L << shift;
            break;
        }

        return value;
    }

    /// <summary>A length, and whether offsets have eight bytes (DWARF 5, 7.4).</summary>
    public ulong Length(out bool isWide)
    {
        uint length = UInt32();
        isWide = length == uint.MaxValue;
        return isWide ? UInt64() : length;
    }

    /// <summary>Bytes up to a zero, which is skipped.</summary>
    public ReadOnlySpan<byte> Text()
    {
        int length = _rest.IndexOf((byte)0);
        if (length < 0)
            return Take((ulong)_rest.Length);
        ReadOnlySpan<byte> text = _rest[..length];
        _rest = _rest[(length + 1)..];
        return text;
    }

    /// <summary>So many bytes; fewer at the end.</summary>
    public ReadOnlySpan<byte> Take(ulong count)
    {
        int taken = (int)Math.Min(count, (ulong)_rest.Length);
        ReadOnlySpan<byte> bytes = _rest[..taken];
        _rest = _rest[taken..];
        return bytes;
    }
}
