using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Tests.Devices;

namespace MiniVmm.Tests.Display;

public sealed class ScreenImageTests : IDisposable
{
    private const ulong RamSize = 2 * MemoryLayout.MiB;
    private readonly RamBacking _backing = RamBacking.Allocate(new(RamSize), RamSize);
    private readonly GuestMemory _memory;
    private readonly VgaCrtc _crtc = new();

    public ScreenImageTests() => _memory = _backing.Slots(new GuestMemoryMap(RamSize));

    public void Dispose() => _backing.Dispose();

    [Fact]
    public void A_letter_has_its_shape_and_colours()
    {
        Put(81, 0x4e, 'T'); // yellow on red
        uint[] cell = Cell(Capture(), 1, 1);

        Assert.Equal((uint[])[0xaa0000, 0xffff55], cell.Distinct().Order());
        // As drawn by hand: a bar over a stem.
        Assert.Contains(
            "███████ \n   █    \n   █    ", Drawn(cell, 0xffff55), StringComparison.Ordinal);
    }

    [Fact]
    public void The_cursor_is_two_lines_under_the_letter()
    {
        Put(0, 0x07, ' ');
        uint[] cell = Cell(Capture(), 0, 0);

        Assert.All(cell[(13 * 8)..(15 * 8)], dot => Assert.Equal(0xaaaaaau, dot));
        Assert.All(cell[..(13 * 8)], dot => Assert.Equal(0u, dot));
    }

    [Fact]
    public void Every_letter_but_blanks_shows_something_and_none_looks_like_another()
    {
        HashSet<string> shapes = [];
        for (int letter = 1; letter < 0xff; letter++)
        {
            if (letter == ' ')
                continue;
            Assert.True(shapes.Add(Convert.ToHexString(ConsoleFont.Glyph((byte)letter))), $"0x{letter:x2} looks like another");
        }

        foreach (byte blank in (byte[])[0, 0x20, 0xff])
            Assert.DoesNotContain(ConsoleFont.Glyph(blank).ToArray(), line => line != 0);
    }

    [Fact]
    public void Fifty_rows_make_a_higher_picture()
    {
        Assert.Equal((640, 400), Size(Capture()));
        _crtc.Out(0, 0x09);
        _crtc.Out(1, 0x47);

        Assert.Equal((640, 800), Size(Capture()));
    }

    private ScreenImage Capture() => new GuestScreen(_memory, _crtc).Capture();

    private static (int Width, int Height) Size(ScreenImage image) => (image.Width, image.Height);

    private static uint[] Cell(ScreenImage image, int row, int column) =>
        [.. Enumerable.Range(row * 16, 16).SelectMany(y => image.Line(y).Slice(column * 8, 8).ToArray())];

    private static string Drawn(uint[] cell, uint colour) =>
        string.Join('\n', cell.Chunk(8).Select(line => string.Concat(line.Select(dot => dot == colour ? '█' : ' '))));

    private void Put(int cell, byte colours, char letter) =>
        Assert.True(_memory.TryWrite(0xb8000 + (2 * (ulong)cell), (ushort)((colours << 8) | letter)));
}
