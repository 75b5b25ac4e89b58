using System.Text;
using CsCheck;
using MiniVmm.Display;

namespace MiniVmm.Tests.Display;

/// <summary>What is drawn on a terminal, looked at by a terminal.</summary>
public sealed class TerminalCanvasTests
{
    private static readonly Gen<TerminalCell> Cells = Gen.Select(
        Gen.Int[0, 5].Select(i => " ab╬▀é"[i]), Gen.Int[0, 16], Gen.Int[0, 16], Gen.Bool,
        (letter, foreground, background, blinks) => new TerminalCell(letter, Colour(foreground), Colour(background), blinks));

    private static readonly Gen<TerminalFrame> Frames = Gen.Select(
        Cells.Array[12], Gen.Int[0, 12], (cells, cursor) => new TerminalFrame(4, 3, cells, cursor < 12 ? (cursor / 4, cursor % 4) : null));

    [Fact]
    public void A_terminal_shows_each_frame_whatever_it_showed_before() => Frames.Array[1, 6].Sample(frames =>
    {
        TerminalCanvas canvas = new();
        ModelTerminal terminal = new(4, 3);
        foreach (TerminalFrame frame in frames)
        {
            terminal.Take(canvas.Draw(frame));

            Assert.Equal(frame.Cells, terminal.Cells);
            Assert.Equal(frame.Cursor, terminal.Cursor);
        }
    });

    [Fact]
    public void What_has_not_changed_costs_nothing_and_one_letter_a_few_bytes()
    {
        TerminalCanvas canvas = new();
        TerminalFrame frame = new(80, 25, [.. Enumerable.Repeat(TerminalCell.Blank, 2000)], (0, 0));
        canvas.Draw(frame);

        Assert.Equal(0, canvas.Draw(frame with { Cells = [.. frame.Cells] }).Length);
        TerminalCell[] changed = [.. frame.Cells];
        changed[100] = changed[100] with { Letter = 'x' };
        Assert.InRange(canvas.Draw(frame with { Cells = changed }).Length, 1, 40);
    }

    [Fact]
    public void A_terminal_of_another_size_is_drawn_anew()
    {
        TerminalCanvas canvas = new();
        canvas.Draw(new(4, 3, [.. Enumerable.Repeat(TerminalCell.Blank, 12)], null));
        TerminalFrame wide = new(6, 2, [.. Enumerable.Repeat(TerminalCell.Blank with { Letter = 'w' }, 12)], null);
        ModelTerminal terminal = new(6, 2);

        terminal.Take(canvas.Draw(wide));

        Assert.Equal(wide.Cells, terminal.Cells);
    }

    [Fact]
    public void A_picture_is_two_dots_a_cell_and_made_smaller_until_it_fits()
    {
        uint[] dots = new uint[8 * 4];
        Array.Fill(dots, 0xff0000u, 0, 16); // the upper half red, the lower blue
        Array.Fill(dots, 0x0000ffu, 16, 16);
        ScreenImage image = new(8, 4, dots);

        TerminalFrame whole = TerminalFrame.Of(image, 80, 25);
        TerminalFrame small = TerminalFrame.Of(image, 4, 1);

        Assert.Equal((0x1ff0000u, 0x1ff0000u), (whole.Cells[0].Foreground.Value, whole.Cells[0].Background.Value));
        Assert.Equal((0x10000ffu, 0x10000ffu), (whole.Cells[80].Foreground.Value, whole.Cells[80].Background.Value));
        Assert.Equal(TerminalCell.Blank, whole.Cells[8]);
        Assert.Equal(('▀', 0x1ff0000u, 0x10000ffu), (small.Cells[3].Letter, small.Cells[3].Foreground.Value, small.Cells[3].Background.Value));
    }

    [Fact]
    public void Whatever_the_sizes_a_picture_is_drawn() =>
        Gen.Select(Gen.Int[1, 90], Gen.Int[1, 90], Gen.Int[-1, 70], Gen.Int[-1, 70]).Sample((width, height, columns, rows) =>
        {
            TerminalFrame frame = TerminalFrame.Of(new ScreenImage(width, height, new uint[width * height]), columns, rows);
            Assert.Equal(frame.Columns * frame.Rows, frame.Cells.Length);
        });

    private static TerminalColour Colour(int number) =>
        number < 16 ? TerminalColour.Of(number) : TerminalColour.OfRgb(0x123456);

    /// <summary>As much of a terminal as the canvas uses; anything else is an error.</summary>
    private sealed class ModelTerminal(int columns, int rows)
    {
        private static readonly TerminalCell Reset = TerminalCell.Blank;
        private TerminalCell _pen = Reset;
        private int _row;
        private int _column;
        private bool _cursorShown = true;

        public TerminalCell[] Cells { get; } = [.. Enumerable.Repeat(Reset, columns * rows)];

        public (int Row, int Column)? Cursor => _cursorShown ? (_row, _column) : null;

        public void Take(ReadOnlySpan<byte> bytes)
        {
            string text = Encoding.UTF8.GetString(bytes);
            for (int i = 0; i < text.Length; i++)
            {
                if (text[i] != '\u001b')
                {
                    Assert.InRange(_column, 0, columns - 1); // no terminal agrees with another on what is behind a row's end
                    Cells[(_row * columns) + _column++] = _pen with { Letter = text[i] };
                    continue;
                }

                int end = i + 2;
                while (!char.IsAsciiLetter(text[end]))
                    end++;
                Run(text[(i + 2)..end], text[end]);
                i = end;
            }
        }

        private void Run(string parameters, char command)
        {
            switch (command, parameters)
            {
                case ('h', "?25"):
                    _cursorShown = true;
                    break;
                case ('l', "?25"):
                    _cursorShown = false;
                    break;
                case ('J', "2"):
                    Array.Fill(Cells, Reset);
                    break;
                case ('H', _):
                    int[] place = [.. parameters.Split(';').Select(int.Parse)];
                    (_row, _column) = (place[0] - 1, place[1] - 1);
                    break;
                case ('m', _):
                    Select(new Queue<int>(parameters.Split(';').Select(int.Parse)));
                    break;
                default:
                    Assert.Fail($"ESC [ {parameters} {command}");
                    break;
            }
        }

        private void Select(Queue<int> numbers)
        {
            while (numbers.TryDequeue(out int number))
            {
                _pen = number switch
                {
                    0 => Reset,
                    5 => _pen with { Blinks = true },
                    38 => _pen with { Foreground = Rgb(numbers) },
                    48 => _pen with { Background = Rgb(numbers) },
                    >= 30 and <= 37 => _pen with { Foreground = Vga(number - 30) },
                    >= 90 and <= 97 => _pen with { Foreground = Vga(number - 90 + 8) },
                    >= 40 and <= 47 => _pen with { Background = Vga(number - 40) },
                    >= 100 and <= 107 => _pen with { Background = Vga(number - 100 + 8) },
                    _ => throw new InvalidOperationException($"ESC [ {number} m"),
                };
            }
        }

        private static TerminalColour Rgb(Queue<int> numbers)
        {
            Assert.Equal(2, numbers.Dequeue());
            return TerminalColour.OfRgb((uint)((numbers.Dequeue() << 16) | (numbers.Dequeue() << 8) | numbers.Dequeue()));
        }

        // Black, red, green, yellow, blue, magenta, cyan, white (ECMA-48, 8.3.117).
        private static TerminalColour Vga(int number) =>
            TerminalColour.Of(((int[])[0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15])[number]);
    }
}
