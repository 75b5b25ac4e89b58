using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class VgaCrtcTests
{
    private const ulong Index = 0;
    private const ulong Data = 1;
    private const ulong Status = 6;
    private const byte CursorHigh = 0x0e;
    private const byte CursorLow = 0x0f;
    private readonly VgaCrtc _crtc = new();

    [Theory]
    [InlineData(0x01, 79)] // columns, less one
    [InlineData(0x09, 0x4f)] // scan lines of a character, less one, in the low five bits: 16
    [InlineData(0x0a, 13)] // cursor's first scan line
    [InlineData(0x0b, 14)] // and its last
    [InlineData(0x0c, 0)] // start address
    [InlineData(0x0d, 0)]
    [InlineData(CursorHigh, 0)]
    [InlineData(CursorLow, 0)]
    [InlineData(0x13, 40)] // words of a row
    [InlineData(0x18, 0xff)]
    [InlineData(0x19, 0xff)] // there is none
    [InlineData(0xff, 0xff)]
    public void At_first_it_is_in_text_mode_3_with_the_cursor_at_the_top_left(byte register, byte value) =>
        Assert.Equal(value, Read(register));

    [Fact]
    public void Every_register_and_the_index_read_as_written()
    {
        for (byte register = 0; register <= 0x18; register++)
            _crtc.Out(Index, (ulong)(register | ((0xa0 ^ register) << 8)), width: 2);

        for (byte register = 0; register <= 0x18; register++)
        {
            Assert.Equal(0xa0 ^ register, Read(register));
            Assert.Equal(register, _crtc.In(Index));
        }
    }

    [Fact]
    public void A_console_finds_the_cursor_where_it_put_it()
    {
        const int position = 80 * 24 + 79;
        Write(CursorHigh, position >> 8);
        Write(CursorLow, position & 0xff);

        Assert.Equal(position, (Read(CursorHigh) << 8) | Read(CursorLow));
    }

    [Fact]
    public void A_register_that_is_not_there_keeps_nothing()
    {
        Write(0x19, 0x12);

        Assert.Equal(0xff, Read(0x19));
        Assert.Equal(0x9c, Read(0x10)); // nor is it another's
    }

    [Theory]
    [InlineData(0x01, 0x01)] // in retrace
    [InlineData(0x01, 0x00)] // displaying
    [InlineData(0x08, 0x08)] // in vertical retrace
    [InlineData(0x08, 0x00)] // out of it
    [InlineData(0x09, 0x01)] // at a line's end, but not the last one's
    public void Whoever_waits_for_a_retrace_or_its_end_goes_on(byte mask, byte wanted)
    {
        for (int round = 0; round < 5; round++)
            Assert.Contains(wanted, Enumerable.Range(0, 4).Select(_ => (byte)(_crtc.In(Status) & mask)));
    }

    [Fact]
    public void The_ports_between_are_nobodys()
    {
        for (ulong offset = 2; offset < Status; offset++)
        {
            _crtc.Out(offset, 0);
            Assert.Equal(0xff, _crtc.In(offset));
        }
    }

    private byte Read(byte register)
    {
        _crtc.Out(Index, register);
        return _crtc.In(Data);
    }

    private void Write(byte register, int value)
    {
        _crtc.Out(Index, register);
        _crtc.Out(Data, (ulong)value);
    }
}
