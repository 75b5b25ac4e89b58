namespace MiniVmm.Devices;

/// <summary>Those registers of the CRT controller that say what a text screen looks like (IBM VGA, CRT controller).</summary>
internal enum CrtcRegister
{
    HorizontalDisplayEnd = 0x01,
    Overflow = 0x07,
    MaximumScanLine = 0x09,
    CursorStart = 0x0a,
    CursorEnd = 0x0b,
    StartHigh = 0x0c,
    StartLow = 0x0d,
    CursorHigh = 0x0e,
    CursorLow = 0x0f,
    VerticalDisplayEnd = 0x12,
    Offset = 0x13,
}

/// <summary>
/// As much of a VGA as text consoles use beside the screen's memory: the CRT controller's registers, which hold the cursor
/// and read as written, and the retrace bits, so that whoever waits for them goes on. Who shows the screen reads it here.
/// </summary>
/// <remarks>At power-on as a BIOS leaves mode 3, 80×25 in colour, with the cursor at the top left.</remarks>
public sealed class VgaCrtc : ByteDevice, ISuspendable
{
    /// <summary>Ports 0x3d4 (index), 0x3d5 (data) and 0x3da (input status 1); those between are nobody's.</summary>
    public const int Length = 7;

    private const uint Index = 0;
    private const uint Data = 1;
    private const uint InputStatus = 6;
    private const byte DisplayDisabled = 0x01; // horizontal or vertical retrace
    private const byte VerticalRetrace = 0x08;

    // Timing, 80 columns; cursor start and end at scan lines 13 and 14, start address and cursor 0; more timing.
    private readonly byte[] _registers =
    [
        0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
        0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
    ];

    private byte _index;
    private byte _looks;

    /// <summary>A register as it is now; from any thread.</summary>
    internal byte this[CrtcRegister register] => Volatile.Read(ref _registers[(int)register]);

    public string StateName => "vga-crtc";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteByte(_index);
        writer.WriteByte(_looks);
        writer.WriteBytes(_registers);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _index = reader.ReadByte();
        _looks = reader.ReadByte();
        ReadOnlySpan<byte> registers = reader.ReadBytes(_registers.Length);
        reader.Check(registers.Length == _registers.Length, $"{registers.Length} registers");
        registers.CopyTo(_registers);
    }

    protected override byte ReadByte(uint offset) => offset switch
    {
        Index => _index,
        Data => _index < _registers.Length ? _registers[_index] : (byte)0xff,
        InputStatus => NextStatus(),
        _ => 0xff,
    };

    protected override void WriteByte(uint offset, byte value)
    {
        if (offset == Index)
            _index = value;
        else if (offset == Data && _index < _registers.Length)
            _registers[_index] = value;
    }

    /// <summary>Each look finds the beam further on: at a line's start, at its end, at a line's start, at the last one's end.</summary>
    private byte NextStatus() => (_looks++ & 3) switch
    {
        1 => DisplayDisabled,
        3 => DisplayDisabled | VerticalRetrace,
        _ => 0,
    };
}
