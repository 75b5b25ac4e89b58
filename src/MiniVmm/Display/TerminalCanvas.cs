using System.Buffers;
using System.Globalization;
using System.Text;

namespace MiniVmm.Display;

/// <summary>
/// Draws on a terminal as ECMA-48 and xterm have it: only the cells that are others than before, each with as few control sequences
/// as it takes. Pure: frames in, bytes out.
/// </summary>
internal sealed class TerminalCanvas
{
    private readonly ArrayBufferWriter<byte> _output = new();
    private TerminalFrame? _shown;
    private TerminalCell _pen;
    private int _at; // where the terminal writes next, as an index of a cell; -1 for unknown

    /// <summary>Goes to the alternate screen, empty and without a cursor.</summary>
    public static ReadOnlySpan<byte> Enter => "\u001b[?1049h\u001b[0m\u001b[2J\u001b[?25l"u8;

    /// <summary>Goes back to the screen that was there before.</summary>
    public static ReadOnlySpan<byte> Leave => "\u001b[0m\u001b[?25h\u001b[?1049l"u8;

    /// <summary>Forgets what the terminal shows: all of it is drawn anew.</summary>
    public void Forget() => _shown = null;

    /// <summary>What to write so that the terminal shows the frame; good until the next call.</summary>
    public ReadOnlySpan<byte> Draw(TerminalFrame frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        _output.ResetWrittenCount();
        bool fresh = _shown is null || (_shown.Columns, _shown.Rows) != (frame.Columns, frame.Rows);
        bool hidden = false;
        if (fresh)
        {
            Write("\u001b[?25l\u001b[0m\u001b[2J"u8);
            (_pen, _at, hidden) = (default, -1, true);
        }

        for (int i = 0; i < frame.Cells.Length; i++)
        {
            TerminalCell cell = frame.Cells[i];
            if (fresh ? cell == TerminalCell.Blank : cell == _shown!.Cells[i])
                continue;
            if (!hidden && _shown!.Cursor is not null)
                Write("\u001b[?25l"u8); // it would be seen on its way
            hidden = true;
            Put(i, cell, frame.Columns);
        }

        if (hidden || frame.Cursor != _shown!.Cursor)
            MoveCursor(frame.Cursor);
        _shown = frame;
        return _output.WrittenSpan;
    }

    private void Put(int index, TerminalCell cell, int columns)
    {
        if (_at != index)
            Goto(index / columns, index % columns);
        if (!SamePen(cell))
            Select(cell);
        Span<byte> letter = _output.GetSpan(4);
        _output.Advance(new Rune(cell.Letter).EncodeToUtf8(letter));
        // At the end of a row terminals differ in where they go on.
        _at = (index + 1) % columns == 0 ? -1 : index + 1;
    }

    private void MoveCursor((int Row, int Column)? cursor)
    {
        if (cursor is { } place)
        {
            Goto(place.Row, place.Column);
            Write("\u001b[?25h"u8);
        }
        else
        {
            Write("\u001b[?25l"u8);
        }

        _at = -1;
    }

    private bool SamePen(TerminalCell cell) =>
        _pen.Letter != '\0' && cell.Background == _pen.Background && cell.Blinks == _pen.Blinks && cell.Foreground == _pen.Foreground;

    private void Select(TerminalCell cell)
    {
        Write("\u001b[0"u8);
        if (cell.Blinks)
            Write(";5"u8);
        Colour(cell.Foreground, 30, 90);
        Colour(cell.Background, 40, 100);
        Write("m"u8);
        _pen = cell;
    }

    private void Colour(TerminalColour colour, int dark, int bright)
    {
        if (colour.Value >= TerminalColour.TrueColour)
        {
            uint rgb = colour.Value;
            Print($";{dark + 8};2;{(rgb >> 16) & 0xff};{(rgb >> 8) & 0xff};{rgb & 0xff}");
            return;
        }

        // A VGA has blue in bit 0 and red in bit 2, a terminal the other way round.
        int vga = (int)colour.Value;
        int ansi = ((vga & 1) << 2) | (vga & 2) | ((vga & 4) >> 2);
        Print($";{(vga < 8 ? dark : bright) + ansi}");
    }

    private void Goto(int row, int column) => Print($"\u001b[{row + 1};{column + 1}H");

    private void Print(FormattableString text) => Write(Encoding.ASCII.GetBytes(text.ToString(CultureInfo.InvariantCulture)));

    private void Write(ReadOnlySpan<byte> bytes) => _output.Write(bytes);
}
