namespace MiniVmm.Devices;

/// <summary>
/// A key of a PC keyboard, as the code of scan code set 1 that it sends when pressed; the keys that the AT keyboard was given
/// later have 0xe0 in front of it.
/// </summary>
/// <param name="code">0x01 to 0x7f, or 0xe001 to 0xe07f; <see cref="Pause"/>.</param>
internal readonly record struct ScanCode(ushort code)
{
    /// <summary>Sends a sequence when pressed, and nothing when released.</summary>
    public static readonly ScanCode Pause = new(0xe11d);

    /// <summary>Sends what Shift and the keypad's star would.</summary>
    public static readonly ScanCode PrintScreen = new(0xe037);

    /// <summary>Most bytes that a key sends at a time.</summary>
    public const int MostBytes = 8;

    private const byte Extended = 0xe0;
    private const byte Break = 0x80; // in set 1
    private const byte BreakPrefix = 0xf0; // in set 2

    /// <summary>
    /// What an 8042 makes of each byte of set 2 below 0x80 (IBM PS/2 Hardware Interface Technical Reference, keyboard controller:
    /// scan code translation).
    /// </summary>
    private static ReadOnlySpan<byte> Translation =>
    [
        0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
        0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
        0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
        0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
        0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
        0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
        0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
        0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
    ];

    /// <summary>What an 8042 that translates makes of a byte from the keyboard; what is above set 2 passes.</summary>
    public static byte Translate(byte value) => value switch
    {
        < 0x80 => Translation[value],
        0x83 => 0x41, // F7
        0x84 => 0x54, // SysRq
        _ => value,
    };

    /// <summary>Writes what the key sends.</summary>
    /// <param name="set">1 or 2.</param>
    /// <param name="down">Pressed, or released.</param>
    /// <param name="into">At least <see cref="MostBytes"/>.</param>
    /// <returns>How many bytes.</returns>
    public int Write(byte set, bool down, Span<byte> into)
    {
        if (this == Pause)
            return down ? PauseSequence(set, into) : 0;
        if (this != PrintScreen)
            return WriteOne(set, down, into);
        ScanCode shift = new(0xe02a);
        int first = down ? shift.WriteOne(set, true, into) : WriteOne(set, false, into);
        return first + (down ? WriteOne(set, true, into[first..]) : shift.WriteOne(set, false, into[first..]));
    }

    private static int PauseSequence(byte set, Span<byte> into)
    {
        ReadOnlySpan<byte> sequence = set == 1
            ? [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]
            : [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
        sequence.CopyTo(into);
        return sequence.Length;
    }

    private int WriteOne(byte set, bool down, Span<byte> into)
    {
        int count = 0;
        byte low = (byte)(code & 0x7f);
        if (code > 0xff)
            into[count++] = Extended;
        if (set == 1)
        {
            into[count++] = down ? low : (byte)(low | Break);
            return count;
        }

        if (!down)
            into[count++] = BreakPrefix;
        into[count++] = InSet2(low);
        return count;
    }

    private static byte InSet2(byte low) => low switch
    {
        0x41 => 0x83,
        0x54 => 0x84,
        _ => (byte)Math.Max(0, Translation.IndexOf(low)),
    };
}
