namespace MiniVmm.Display;

/// <summary>A colour of a terminal: one of its 16, in a VGA's order, or any.</summary>
/// <param name="Value">0 to 15, or <see cref="TrueColour"/> and 0xRRGGBB.</param>
internal readonly record struct TerminalColour(uint Value)
{
    public const uint TrueColour = 0x0100_0000;

    public static TerminalColour Of(int vga) => new((uint)vga);

    public static TerminalColour OfRgb(uint rgb) => new(TrueColour | rgb);
}

/// <summary>What a terminal shows in one place.</summary>
internal readonly record struct TerminalCell(char Letter, TerminalColour Foreground, TerminalColour Background, bool Blinks)
{
    public static TerminalCell Blank => new(' ', TerminalColour.Of(7), TerminalColour.Of(0), Blinks: false);
}

/// <summary>What a terminal is to show.</summary>
/// <param name="Columns">Of the terminal.</param>
/// <param name="Rows">Of the terminal.</param>
/// <param name="Cells">All of them, row by row.</param>
/// <param name="Cursor">Where the cursor is, by row and column from 0; null for none.</param>
internal sealed record TerminalFrame(int Columns, int Rows, TerminalCell[] Cells, (int Row, int Column)? Cursor)
{
    /// <summary>Most columns and rows that are drawn of a terminal, whatever it says of itself.</summary>
    public const int MostColumns = 500, MostRows = 200;

    /// <summary>The upper half of a cell in one colour, the lower in another: two dots.</summary>
    private const char UpperHalf = '▀';

    /// <summary>A text screen: the part of it that fits, the row of the cursor included.</summary>
    public static TerminalFrame Of(TextScreen screen, int columns, int rows)
    {
        ArgumentNullException.ThrowIfNull(screen);
        TerminalFrame frame = Empty(columns, rows);
        int first = Math.Clamp((screen.Cursor?.Row ?? 0) - frame.Rows + 1, 0, Math.Max(0, screen.Rows - frame.Rows));
        for (int row = 0; row < Math.Min(frame.Rows, screen.Rows - first); row++)
        {
            for (int column = 0; column < Math.Min(frame.Columns, screen.Columns); column++)
            {
                ushort cell = screen.Cells[((first + row) * screen.Columns) + column];
                CellColours colours = CellColours.Of(cell, screen.Blinks);
                char letter = CodePage437.Letter((byte)cell);
                frame.Cells[(row * frame.Columns) + column] = new(
                    letter == '\u00a0' ? ' ' : letter,
                    TerminalColour.Of(colours.Foreground),
                    TerminalColour.Of(colours.Background),
                    colours.Blinks);
            }
        }

        return screen.Cursor is { } cursor && cursor.Column < frame.Columns && cursor.Row - first < frame.Rows
            ? frame with { Cursor = (cursor.Row - first, cursor.Column) }
            : frame;
    }

    /// <summary>A picture, made smaller until it fits: each cell shows two dots, one above the other.</summary>
    public static TerminalFrame Of(ScreenImage image, int columns, int rows)
    {
        ArgumentNullException.ThrowIfNull(image);
        TerminalFrame frame = Empty(columns, rows);
        double scale = Math.Max(1, Math.Max((double)image.Width / frame.Columns, (double)image.Height / (2 * frame.Rows)));
        int width = Math.Clamp((int)(image.Width / scale), 1, frame.Columns);
        int height = Math.Clamp((int)(image.Height / scale), 1, 2 * frame.Rows);
        for (int y = 0; y < height; y += 2)
        {
            for (int x = 0; x < width; x++)
            {
                frame.Cells[(y / 2 * frame.Columns) + x] = new(
                    UpperHalf,
                    TerminalColour.OfRgb(Average(image, x, y, scale)),
                    y + 1 < height ? TerminalColour.OfRgb(Average(image, x, y + 1, scale)) : TerminalColour.Of(0),
                    Blinks: false);
            }
        }

        return frame;
    }

    private static TerminalFrame Empty(int columns, int rows)
    {
        columns = Math.Clamp(columns, 1, MostColumns);
        rows = Math.Clamp(rows, 1, MostRows);
        TerminalCell[] cells = new TerminalCell[columns * rows];
        Array.Fill(cells, TerminalCell.Blank);
        return new(columns, rows, cells, null);
    }

    /// <summary>The colour of a square of dots: all of them count the same.</summary>
    private static uint Average(ScreenImage image, int x, int y, double scale)
    {
        int left = (int)(x * scale), top = (int)(y * scale);
        int right = Math.Clamp((int)((x + 1) * scale), left + 1, Math.Max(image.Width, left + 1));
        int bottom = Math.Clamp((int)((y + 1) * scale), top + 1, Math.Max(image.Height, top + 1));
        uint red = 0, green = 0, blue = 0, count = 0;
        for (int line = top; line < Math.Min(bottom, image.Height); line++)
        {
            foreach (uint dot in image.Line(line)[Math.Min(left, image.Width)..Math.Min(right, image.Width)])
            {
                red += (dot >> 16) & 0xff;
                green += (dot >> 8) & 0xff;
                blue += dot & 0xff;
                count++;
            }
        }

        return count == 0 ? 0 : ((red / count) << 16) | ((green / count) << 8) | (blue / count);
    }
}
