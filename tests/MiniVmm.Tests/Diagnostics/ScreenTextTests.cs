using MiniVmm.Diagnostics;
using MiniVmm.Display;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Diagnostics;

public sealed class ScreenTextTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly GuestMemory _memory;

    public ScreenTextTests() => _memory = _backing.Slots(new GuestMemoryMap(RamSize));

    private GuestScreen Screen => new(_memory, crtc: null);

    public void Dispose() => _backing.Dispose();

    [Fact]
    public void A_screen_that_nobody_wrote_says_nothing()
    {
        Assert.Empty(ScreenText.Unseen(Screen.Text, ""u8));
        Assert.Equal("", EndReport.OfScreen(Screen, ""u8));
    }

    [Fact]
    public void Blanks_in_colour_are_no_text()
    {
        for (int row = 0; row < 25; row++)
            Put(row, 0, [.. Enumerable.Repeat((byte)' ', 80)]);

        Assert.Empty(ScreenText.Unseen(Screen.Text, ""u8));
    }

    [Fact]
    public void Text_comes_from_its_first_line_to_its_last_without_blanks_behind_it()
    {
        Put(2, 0, "panic:"u8);
        Put(4, 3, "no init   "u8);

        Assert.Equal(["panic:", "", "   no init"], ScreenText.Unseen(Screen.Text, ""u8));
        Assert.Equal(
            "text screen at 0xb8000, at the end:\n  | panic:\n  | \n  |    no init\n",
            EndReport.OfScreen(Screen, ""u8));
    }

    [Fact]
    public void Letters_are_code_page_437_with_its_pictures_for_control_characters()
    {
        Put(0, 0, [0xc9, 0xcd, 0xbb, 0x1b, 0x07, 0x7f, 0x80, 0xe1, 0xfe]);

        Assert.Equal(["╔═╗←•⌂Çß■"], ScreenText.Unseen(Screen.Text, ""u8));
    }

    [Theory]
    [InlineData("booting\r\npanic: at the disco\r\n", false)]
    [InlineData("booting\r\n", true)]
    public void What_was_printed_as_well_is_not_told_again(string printed, bool told)
    {
        Put(0, 0, "booting"u8);
        Put(1, 0, "panic: at the disco"u8);

        Assert.Equal(told, ScreenText.Unseen(Screen.Text, System.Text.Encoding.UTF8.GetBytes(printed)).Count > 0);
    }

    [Fact]
    public void Every_byte_on_the_whole_screen_is_one_letter_and_none_moves_the_cursor()
    {
        for (int row = 0; row < 25; row++)
            Put(row, 0, [.. Enumerable.Range(row * 80, 80).Select(value => (byte)value)]);

        Assert.All(
            ScreenText.Unseen(Screen.Text, ""u8), line => Assert.True(line.Length <= 80 && !line.Any(char.IsControl)));
    }

    private void Put(int row, int column, ReadOnlySpan<byte> letters)
    {
        foreach (byte letter in letters)
            Assert.True(_memory.TryWrite<ushort>(0xb8000 + (ulong)(2 * (row * 80 + column++)), (ushort)(0x0700 | letter)));
    }
}
