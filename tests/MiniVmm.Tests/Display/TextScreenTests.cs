using CsCheck;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display;

public sealed class TextScreenTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly GuestMemory _memory;
    private readonly VgaCrtc _crtc = new();

    public TextScreenTests() => _memory = _backing.Slots(new GuestMemoryMap(RamSize));

    public void Dispose() => _backing.Dispose();

    [Fact]
    public void It_is_80_by_25_with_the_cursor_where_the_CRT_controller_has_it()
    {
        Put(80 + 2, 'x');
        Set(0x0e, 0);
        Set(0x0f, 81);

        TextScreen screen = Read();

        Assert.Equal((80, 25), (screen.Columns, screen.Rows));
        Assert.Equal("  x", screen.Line(1));
        Assert.Equal(new TextCursor(1, 1, 13, 14), screen.Cursor);
        Assert.Equal(0x0700 | 'x', screen.Cells[82]);
    }

    [Fact]
    public void Eight_lines_a_letter_make_50_rows()
    {
        Set(0x09, 0x47);
        Put((49 * 80) + 79, 'z');

        TextScreen screen = Read();

        Assert.Equal((80, 50), (screen.Columns, screen.Rows));
        Assert.EndsWith("z", screen.Line(49), StringComparison.Ordinal);
    }

    [Fact]
    public void The_start_address_scrolls_without_a_copy()
    {
        Put(160, 'a');
        Set(0x0c, 0);
        Set(0x0d, 160);
        Set(0x0e, 0);
        Set(0x0f, 161);

        TextScreen screen = Read();

        Assert.Equal("a", screen.Line(0));
        Assert.Equal((0, 1), (screen.Cursor!.Value.Row, screen.Cursor.Value.Column));
    }

    [Theory]
    [InlineData(0x0a, 0x2d)] // switched off
    [InlineData(0x0a, 0x0f)] // begins below its end
    [InlineData(0x0e, 0x10)] // far below the screen
    public void A_cursor_can_be_hidden(byte register, byte value)
    {
        Set(register, value);

        Assert.Null(Read().Cursor);
    }

    [Fact]
    public void Whatever_the_registers_hold_is_a_screen_within_the_window() =>
        Gen.Byte.Array[25].Sample(registers =>
        {
            for (byte register = 0; register < registers.Length; register++)
                Set(register, registers[register]);
            TextScreen screen = Read();
            Assert.InRange(screen.Columns, 40, 132);
            Assert.InRange(screen.Rows, 1, 60);
            Assert.Equal(screen.Columns * screen.Rows, screen.Cells.Length);
            for (int row = 0; row < screen.Rows; row++)
                Assert.DoesNotContain(screen.Line(row), char.IsControl);
            if (screen.Cursor is { } cursor)
            {
                Assert.InRange(cursor.Row, 0, screen.Rows - 1);
                Assert.InRange(cursor.Column, 0, screen.Columns - 1);
                Assert.InRange(cursor.LastLine, cursor.FirstLine, screen.CharacterHeight - 1);
            }
        });

    private TextScreen Read() => TextScreen.Read(_memory, _crtc)!;

    private void Put(int cell, char letter) =>
        Assert.True(_memory.TryWrite(0xb8000 + (2 * (ulong)cell), (ushort)(0x0700 | letter)));

    private void Set(byte register, byte value)
    {
        _crtc.Out(0, register);
        _crtc.Out(1, value);
    }
}
