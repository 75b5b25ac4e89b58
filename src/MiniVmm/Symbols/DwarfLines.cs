namespace MiniVmm.Symbols;

/// <summary>
/// Source lines of a kernel's addresses, from .debug_line of its ELF file. The first question reads all of it, and remembers
/// which unit has which addresses; the others run one unit's program.
/// </summary>
internal sealed class DwarfLines
{
    private const int MostUnits = 1 << 18;

    private readonly List<DwarfLineUnit> _units = [];
    private List<(ulong Start, ulong End, DwarfLineUnit Unit)>? _sequences;

    private DwarfLines()
    {
    }

    /// <summary>The lines of a file; null where it has none.</summary>
    public static DwarfLines? Find(ElfSections sections)
    {
        ArgumentNullException.ThrowIfNull(sections);
        ReadOnlyMemory<byte> section = sections.Contents(".debug_line");
        ReadOnlyMemory<byte> lineStrings = sections.Contents(".debug_line_str");
        ReadOnlyMemory<byte> strings = sections.Contents(".debug_str");
        DwarfLines lines = new();
        while (section.Length > 4 && lines._units.Count < MostUnits)
        {
            DwarfReader reader = new(section.Span);
            ulong length = reader.Length(out bool isWide);
            section = section[reader.Position..];
            int size = (int)Math.Min(length, (ulong)section.Length);
            DwarfLineUnit unit = new(section[..size], isWide, lineStrings, strings);
            if (unit.IsGood)
                lines._units.Add(unit);
            section = section[size..];
        }

        return lines._units.Count == 0 ? null : lines;
    }

    /// <summary>The file and line of an instruction, as in "kernel/main.c:41"; null where no row has it.</summary>
    /// <param name="address">As linked.</param>
    public string? Describe(ulong address)
    {
        _sequences ??= FindSequences();
        foreach ((ulong start, ulong end, DwarfLineUnit unit) in _sequences)
        {
            if (address < start || address >= end)
                continue;
            DwarfRow before = default, found = default;
            unit.Run((in DwarfRow row) =>
            {
                if (before.Line != 0 && before.Address <= address && address < row.Address)
                    found = before;
                before = row.EndsSequence ? default : row;
                return found.Line == 0;
            });
            if (found.Line != 0 && unit.FileName(found.File) is { Length: > 0 } name)
                return $"{name}:{found.Line}";
        }

        return null;
    }

    private List<(ulong Start, ulong End, DwarfLineUnit Unit)> FindSequences()
    {
        List<(ulong Start, ulong End, DwarfLineUnit Unit)> sequences = [];
        foreach (DwarfLineUnit unit in _units)
        {
            ulong? start = null;
            unit.Run((in DwarfRow row) =>
            {
                start ??= row.Address;
                if (!row.EndsSequence)
                    return true;
                if (row.Address > start)
                    sequences.Add((start.Value, row.Address, unit));
                start = null;
                return true;
            });
        }

        return sequences;
    }
}
