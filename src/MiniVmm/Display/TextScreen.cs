using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Display;

/// <summary>The hardware cursor of a text screen.</summary>
/// <param name="Row">From 0.</param>
/// <param name="Column">From 0.</param>
/// <param name="FirstLine">First scan line of the cell that it covers.</param>
/// <param name="LastLine">Last one.</param>
internal readonly record struct TextCursor(int Row, int Column, int FirstLine, int LastLine);

/// <summary>
/// A PC's text screen at a moment: cells of a letter and its colours, as they lie at 0xb8000, and the CRT controller's view of
/// them. To KVM the cells are RAM; nobody looks at them until somebody wants a screen.
/// </summary>
/// <remarks>
/// All of it may be nonsense that a guest wrote: sizes outside of what text modes have are taken as 80×25, and addresses wrap
/// within the 32 KiB that a VGA decodes here.
/// </remarks>
internal sealed class TextScreen
{
    /// <summary>Where a colour VGA has its cells (IBM VGA, miscellaneous output bit 0).</summary>
    public const ulong Address = MemoryLayout.TextScreen;

    /// <summary>Bytes of it, which repeat the cells where a start address goes beyond.</summary>
    public const int WindowSize = 0x8000;

    private const int CellMask = (WindowSize / sizeof(ushort)) - 1;
    private const int UsualColumns = 80, UsualRows = 25;
    private const int MostColumns = 132, MostRows = 60;
    private const int CellHeight = 16;

    private readonly ushort[] _cells;

    private TextScreen(int columns, int rows, ushort[] cells, TextCursor? cursor, bool blinks, int cellHeight)
    {
        Columns = columns;
        Rows = rows;
        _cells = cells;
        Cursor = cursor;
        Blinks = blinks;
        CharacterHeight = cellHeight;
    }

    public int Columns { get; }

    public int Rows { get; }

    /// <summary>All cells, row by row: the letter in the low byte, its colours in the high one.</summary>
    public ReadOnlySpan<ushort> Cells => _cells;

    /// <summary>Null where it is off or outside of the screen.</summary>
    public TextCursor? Cursor { get; }

    /// <summary>Whether bit 7 of the colours lets a letter blink; else it makes the background bright.</summary>
    public bool Blinks { get; }

    /// <summary>Scan lines of a cell.</summary>
    public int CharacterHeight { get; }

    /// <summary>Looks at the screen.</summary>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="crtc">Gives its size and cursor; null for 80×25 without a cursor.</param>
    /// <param name="blinks">Whether bit 7 of the colours lets a letter blink.</param>
    /// <returns>Null where there is no RAM.</returns>
    public static TextScreen? Read(GuestMemory memory, VgaCrtc? crtc, bool blinks = true)
    {
        ArgumentNullException.ThrowIfNull(memory);
        if (!memory.TryGetSpan(Address, WindowSize, out Span<byte> window))
            return null;
        (int columns, int rows, int height) = crtc is null ? (UsualColumns, UsualRows, CellHeight) : Size(crtc);
        int start = crtc is null ? 0 : Pair(crtc, CrtcRegister.StartHigh);
        int pitch = crtc?[CrtcRegister.Offset] * 2 is { } words && words >= columns ? words : columns;
        ushort[] cells = new ushort[columns * rows];
        ReadOnlySpan<ushort> all = MemoryMarshal.Cast<byte, ushort>(window);
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
                cells[(row * columns) + column] = all[(start + (row * pitch) + column) & CellMask];
        }

        return new(columns, rows, cells, crtc is null ? null : FindCursor(crtc, start, pitch, columns, rows, height), blinks, height);
    }

    /// <summary>Whether all cells are 0, as in a screen that nobody has written to.</summary>
    public bool IsUntouched => !Cells.ContainsAnyExcept((ushort)0);

    /// <summary>Whether a letter is on it.</summary>
    public bool HasText
    {
        get
        {
            foreach (ushort cell in Cells)
            {
                if ((byte)cell is not (0 or 0x20 or 0xff))
                    return true;
            }

            return false;
        }
    }

    /// <summary>A row as text, without the blanks behind it.</summary>
    public string Line(int row)
    {
        Span<char> line = stackalloc char[MostColumns];
        ReadOnlySpan<ushort> cells = Cells.Slice(row * Columns, Columns);
        for (int i = 0; i < cells.Length; i++)
            line[i] = CodePage437.Letter((byte)cells[i]) is var letter && letter == '\u00a0' ? ' ' : letter;
        return line[..cells.Length].TrimEnd(' ').ToString();
    }

    /// <summary>Whether another look showed the same.</summary>
    public bool ShowsTheSameAs(TextScreen other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return (Columns, Rows, Cursor, Blinks) == (other.Columns, other.Rows, other.Cursor, other.Blinks)
            && Cells.SequenceEqual(other.Cells);
    }

    private static (int Columns, int Rows, int Height) Size(VgaCrtc crtc)
    {
        int overflow = crtc[CrtcRegister.Overflow];
        int lines = crtc[CrtcRegister.VerticalDisplayEnd] + ((overflow & 0x02) << 7) + ((overflow & 0x40) << 3) + 1;
        int height = (crtc[CrtcRegister.MaximumScanLine] & 0x1f) + 1;
        int columns = crtc[CrtcRegister.HorizontalDisplayEnd] + 1;
        int rows = lines / (height * ((crtc[CrtcRegister.MaximumScanLine] & 0x80) != 0 ? 2 : 1));
        return columns is >= 40 and <= MostColumns && rows is > 0 and <= MostRows && columns * rows <= CellMask + 1
            ? (columns, rows, height)
            : (UsualColumns, UsualRows, CellHeight);
    }

    private static TextCursor? FindCursor(VgaCrtc crtc, int start, int pitch, int columns, int rows, int height)
    {
        int first = crtc[CrtcRegister.CursorStart] & 0x1f;
        int last = Math.Min(crtc[CrtcRegister.CursorEnd] & 0x1f, height - 1);
        int at = Pair(crtc, CrtcRegister.CursorHigh) - start;
        bool off = (crtc[CrtcRegister.CursorStart] & 0x20) != 0 || first > last;
        return !off && at >= 0 && at / pitch < rows && at % pitch < columns
            ? new(at / pitch, at % pitch, first, last)
            : null;
    }

    private static int Pair(VgaCrtc crtc, CrtcRegister high) => (crtc[high] << 8) | crtc[high + 1];
}
