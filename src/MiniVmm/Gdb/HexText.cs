namespace MiniVmm.Gdb;

/// <summary>Hexadecimal digits as bytes, as gdb's packets have them.</summary>
internal static class HexText
{
    /// <summary>The first two digits.</summary>
    /// <returns>False where they are none, or missing.</returns>
    public static bool TryParseByte(ReadOnlySpan<byte> text, out byte value)
    {
        value = 0;
        if (text.Length < 2 || Digit(text[0]) is not (>= 0 and int high) || Digit(text[1]) is not (>= 0 and int low))
            return false;
        value = (byte)((high << 4) | low);
        return true;
    }

    /// <summary>Bytes of two digits each, to the end.</summary>
    /// <returns>False where a digit is none or missing, or the bytes do not fit.</returns>
    public static bool TryParse(ReadOnlySpan<byte> text, Span<byte> bytes, out int count)
    {
        count = 0;
        if (text.Length % 2 != 0 || text.Length / 2 > bytes.Length)
            return false;
        for (; !text.IsEmpty; text = text[2..])
        {
            if (!TryParseByte(text, out bytes[count]))
                return false;
            count++;
        }

        return true;
    }

    /// <summary>Two digits.</summary>
    public static void WriteByte(byte value, Span<byte> text)
    {
        text[0] = (byte)"0123456789abcdef"[value >> 4];
        text[1] = (byte)"0123456789abcdef"[value & 0xf];
    }

    /// <returns>-1 where it is no digit.</returns>
    public static int Digit(byte letter) => letter switch
    {
        >= (byte)'0' and <= (byte)'9' => letter - '0',
        >= (byte)'a' and <= (byte)'f' => letter - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => letter - 'A' + 10,
        _ => -1,
    };
}
