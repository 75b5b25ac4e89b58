using System.Globalization;
using System.Text;

namespace MiniVmm.Tracing;

/// <summary>A trace as text, a line an event, of at most 160 columns.</summary>
/// <param name="output">Takes the lines, some at a time; stays open.</param>
internal sealed class TraceLines(TextWriter output) : ITraceSink
{
    private const int Columns = 160;
    private const int PlaceColumn = 24;
    private const int InstructionColumn = PlaceColumn + 30;
    private const int TextColumn = InstructionColumn + 20;
    private const int MostHeld = 1 << 14;
    private const ulong TopTwoGiB = 0xffff_ffff_8000_0000;

    private readonly StringBuilder _lines = new();
    private readonly StringBuilder _line = new(Columns + 1);

    public void Begin(TraceHeader header) =>
        _lines.Append("     time s      us cpu  instruction                                       exit\n");

    public void Write(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        AppendLine(record);
        if (_lines.Length > MostHeld)
            Flush();
    }

    public void Flush()
    {
        output.Write(_lines.ToString());
        output.Flush();
        _lines.Clear();
    }

    public void End(TraceTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        if (totals.Lost > 0)
            _lines.Append(CultureInfo.InvariantCulture, $"{totals.Lost} events lost: they came faster than their lines could be written\n");
        Flush();
    }

    public void Dispose() => _lines.Clear();

    /// <summary>The line of an event, without its end.</summary>
    internal string Format(TraceRecord record)
    {
        AppendLine(record);
        string line = _lines.ToString().TrimEnd('\n');
        _lines.Clear();
        return line;
    }

    private void AppendLine(TraceRecord record)
    {
        _line.Clear();
        double took = record.Event.Kind == TraceEventKind.Request
            ? record.Served - record.Entered : record.Served - record.Exited;
        _line.Append(record.Exited.ToString("F6", CultureInfo.InvariantCulture).PadLeft(11))
            .Append(took <= 0 ? "       " : Microseconds(took).PadLeft(7))
            .Append(record.Vcpu is { } vcpu ? vcpu.ToString(CultureInfo.InvariantCulture).PadLeft(4) : "   -")
            .Append("  ");
        if (record.Rip is { } rip)
        {
            // Of a 64-bit kernel's addresses the upper half says nothing, and takes the room of the name.
            if (record.Symbol is not null && rip >= TopTwoGiB)
                _line.Append('…').Append(((uint)rip).ToString("x8", CultureInfo.InvariantCulture));
            else
                _line.Append(rip.ToString("x", CultureInfo.InvariantCulture));
            if (record.Symbol is { } symbol)
                _line.Append(' ').Append(symbol);
            Fill(InstructionColumn);
            _line.Append(record.Instruction ?? "");
            Fill(TextColumn);
        }
        else if (record.Vcpu is null)
        {
            _line.Append(record.Thread);
            Fill(TextColumn);
        }
        else
        {
            Fill(TextColumn);
        }

        int before = _line.Length;
        TraceText.AppendReport(_line, record.Event);
        if (record.Device is { } device)
            _line.Append(_line.Length > before ? "  " : "").Append(device).Append(": ");
        else if (_line.Length > before && record.Words is not null)
            _line.Append("  ");
        _line.Append(record.Words);
        if (record.IsAccess && record.Device is null)
            _line.Append("  nobody's");
        if (_line.Length > Columns)
            _line.Remove(Columns - 1, _line.Length - Columns + 1).Append('…');
        _lines.Append(_line).Append('\n');
    }

    private static string Microseconds(double seconds) =>
        (seconds * 1e6).ToString(seconds < 1e-2 ? "F1" : "F0", CultureInfo.InvariantCulture);

    /// <summary>Up to a column, with a blank at least: what is too long loses its end.</summary>
    private void Fill(int column)
    {
        if (_line.Length >= column)
            _line.Remove(column - 2, _line.Length - column + 2).Append("… ");
        else
            _line.Append(' ', column - _line.Length);
    }
}
