namespace MiniVmm.Display;

/// <summary>What a screen shows, dot by dot.</summary>
/// <param name="width">Dots of a line.</param>
/// <param name="height">Lines.</param>
/// <param name="pixels">0x00RRGGBB each, line by line from the top; at least as many as there are dots.</param>
internal sealed class ScreenImage(int width, int height, uint[] pixels)
{
    public int Width => width;

    public int Height => height;

    public ReadOnlySpan<uint> Pixels => pixels.AsSpan(0, width * height);

    public ReadOnlySpan<uint> Line(int y) => pixels.AsSpan(y * width, width);

    /// <summary>A text screen with its cursor, as steady as paper: what blinks is shown.</summary>
    public static ScreenImage Of(TextScreen screen)
    {
        ArgumentNullException.ThrowIfNull(screen);
        int width = screen.Columns * ConsoleFont.Width;
        uint[] pixels = new uint[width * screen.Rows * ConsoleFont.Height];
        for (int i = 0; i < screen.Cells.Length; i++)
        {
            int at = (i / screen.Columns * ConsoleFont.Height * width) + (i % screen.Columns * ConsoleFont.Width);
            Draw(screen.Cells[i], screen.Blinks, pixels.AsSpan(at), width);
        }

        if (screen.Cursor is { } cursor)
            DrawCursor(screen, cursor, pixels, width);
        return new(width, screen.Rows * ConsoleFont.Height, pixels);
    }

    private static void Draw(ushort cell, bool blinks, Span<uint> at, int pitch)
    {
        CellColours colours = CellColours.Of(cell, blinks);
        uint letter = VgaPalette.Rgb(colours.Foreground), ground = VgaPalette.Rgb(colours.Background);
        ReadOnlySpan<byte> glyph = ConsoleFont.Glyph((byte)cell);
        for (int line = 0; line < ConsoleFont.Height; line++)
        {
            for (int dot = 0; dot < ConsoleFont.Width; dot++)
                at[(line * pitch) + dot] = (glyph[line] & (0x80 >> dot)) != 0 ? letter : ground;
        }
    }

    /// <summary>In the colour of the letter that it stands under; its lines are those of a cell as high as the guest's.</summary>
    private static void DrawCursor(TextScreen screen, TextCursor cursor, uint[] pixels, int width)
    {
        ushort cell = screen.Cells[(cursor.Row * screen.Columns) + cursor.Column];
        uint colour = VgaPalette.Rgb(CellColours.Of(cell, screen.Blinks).Foreground);
        int first = cursor.FirstLine * ConsoleFont.Height / screen.CharacterHeight;
        int end = Math.Max(first + 1, (cursor.LastLine + 1) * ConsoleFont.Height / screen.CharacterHeight);
        for (int line = first; line < end; line++)
        {
            int at = (((cursor.Row * ConsoleFont.Height) + line) * width) + (cursor.Column * ConsoleFont.Width);
            pixels.AsSpan(at, ConsoleFont.Width).Fill(colour);
        }
    }
}
