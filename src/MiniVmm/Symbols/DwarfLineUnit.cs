using System.Text;

namespace MiniVmm.Symbols;

/// <summary>What a line number program's rows say of addresses: ascending within a sequence.</summary>
/// <param name="Address">As linked.</param>
/// <param name="File">Index of the file.</param>
/// <param name="Line">From 1; 0 for code of no line.</param>
/// <param name="EndsSequence">Whether the address is the first one after the sequence.</param>
internal readonly record struct DwarfRow(ulong Address, ulong File, uint Line, bool EndsSequence);

/// <summary>
/// One unit of .debug_line: its header, and its program run row by row (DWARF 5, 6.2; versions 2 to 5). Made of what a file
/// says: nothing in it is believed beyond the section's end.
/// </summary>
internal sealed class DwarfLineUnit
{
    private const ulong Path = 1; // DW_LNCT_path
    private const ulong Directory = 2; // DW_LNCT_directory_index
    private const int MostFiles = 1 << 16;
    private const int MostNameBytes = 4096;

    private readonly ReadOnlyMemory<byte> _unit;
    private readonly ReadOnlyMemory<byte> _lineStrings;
    private readonly ReadOnlyMemory<byte> _strings;
    private readonly List<string> _directories = [];
    private readonly List<(string Name, ulong Directory)> _files = [];
    private readonly byte[] _operands;
    private readonly int _program;
    private readonly int _version;
    private readonly byte _minimum;
    private readonly sbyte _lineBase;
    private readonly byte _lineRange;
    private readonly byte _opcodeBase;
    private readonly bool _isWide;

    /// <param name="unit">The unit, without its length.</param>
    /// <param name="isWide">Whether offsets have eight bytes.</param>
    /// <param name="lineStrings">.debug_line_str.</param>
    /// <param name="strings">.debug_str.</param>
    public DwarfLineUnit(ReadOnlyMemory<byte> unit, bool isWide, ReadOnlyMemory<byte> lineStrings, ReadOnlyMemory<byte> strings)
    {
        _unit = unit;
        _isWide = isWide;
        _lineStrings = lineStrings;
        _strings = strings;
        _operands = [];
        DwarfReader reader = new(unit.Span);
        _version = reader.UInt16();
        if (_version is < 2 or > 5)
            return;
        if (_version == 5)
            _ = reader.UInt16(); // address and selector size
        ulong headerLength = isWide ? reader.UInt64() : reader.UInt32();
        _program = (int)Math.Min((ulong)reader.Position + Math.Min(headerLength, int.MaxValue), (ulong)unit.Length);
        _minimum = reader.Byte();
        if (_version >= 4)
            _ = reader.Byte(); // operations of a VLIW instruction
        _ = reader.Byte();
        _lineBase = (sbyte)reader.Byte();
        _lineRange = reader.Byte();
        _opcodeBase = reader.Byte();
        _operands = reader.Take((ulong)Math.Max(_opcodeBase - 1, 0)).ToArray();
        if (_version == 5)
            ReadTables(ref reader);
        else
            ReadOldTables(ref reader);
        IsGood = _lineRange != 0 && _operands.Length == _opcodeBase - 1;
    }

    /// <summary>Takes a row; says whether there are to be more.</summary>
    internal delegate bool RowVisitor(in DwarfRow row);

    /// <summary>Whether the header makes sense.</summary>
    public bool IsGood { get; }

    /// <summary>A file's name, in its directory unless that is the compiler's own; null for none.</summary>
    public string? FileName(ulong index)
    {
        ulong at = _version == 5 ? index : index - 1;
        if (at >= (ulong)_files.Count)
            return null;
        (string name, ulong directory) = _files[(int)at];
        ulong own = _version == 5 ? directory : directory - 1;
        return directory != 0 && own < (ulong)_directories.Count && !name.StartsWith('/')
            ? $"{_directories[(int)own]}/{name}"
            : name;
    }

    /// <summary>Runs the program.</summary>
    public void Run(RowVisitor visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        if (!IsGood)
            return;
        DwarfReader reader = new(_unit.Span[_program..]);
        ulong address = 0, file = 1;
        uint line = 1;
        while (!reader.IsAtEnd)
        {
            byte opcode = reader.Byte();
            if (opcode >= _opcodeBase)
            {
                int adjusted = opcode - _opcodeBase;
                address += (ulong)(adjusted / _lineRange * _minimum);
                line = (uint)(line + _lineBase + adjusted % _lineRange);
                if (!visit(new(address, file, line, false)))
                    return;
                continue;
            }

            switch (opcode)
            {
                case 0:
                    ulong length = reader.Unsigned();
                    DwarfReader extended = new(reader.Take(length));
                    switch (extended.Byte())
                    {
                        case 1: // DW_LNE_end_sequence
                            if (!visit(new(address, file, line, true)))
                                return;
                            (address, file, line) = (0, 1, 1);
                            break;
                        case 2: // DW_LNE_set_address
                            address = extended.Number(length == 5 ? 4 : 8);
                            break;
                    }

                    break;
                case 1: // DW_LNS_copy
                    if (!visit(new(address, file, line, false)))
                        return;
                    break;
                case 2: // DW_LNS_advance_pc
                    address += reader.Unsigned() * _minimum;
                    break;
                case 3: // DW_LNS_advance_line
                    line = (uint)(line + reader.Signed());
                    break;
                case 4: // DW_LNS_set_file
                    file = reader.Unsigned();
                    break;
                case 8: // DW_LNS_const_add_pc
                    address += (ulong)((255 - _opcodeBase) / _lineRange * _minimum);
                    break;
                case 9: // DW_LNS_fixed_advance_pc
                    address += reader.UInt16();
                    break;
                default:
                    for (int i = 0; i < _operands[opcode - 1]; i++)
                        _ = reader.Unsigned();
                    break;
            }
        }
    }

    private void ReadOldTables(ref DwarfReader reader)
    {
        while (reader.Text() is { IsEmpty: false } directory && _directories.Count < MostFiles)
            _directories.Add(Name(directory));
        while (reader.Text() is { IsEmpty: false } name && _files.Count < MostFiles)
        {
            _files.Add((Name(name), reader.Unsigned()));
            _ = reader.Unsigned();
            _ = reader.Unsigned();
        }
    }

    private void ReadTables(ref DwarfReader reader)
    {
        ReadTable(ref reader, (name, _) => _directories.Add(name));
        ReadTable(ref reader, (name, directory) => _files.Add((name, directory)));
    }

    private void ReadTable(ref DwarfReader reader, Action<string, ulong> add)
    {
        int formats = reader.Byte();
        List<(ulong Content, ulong Form)> columns = [];
        for (int i = 0; i < formats; i++)
            columns.Add((reader.Unsigned(), reader.Unsigned()));
        ulong count = Math.Min(reader.Unsigned(), MostFiles);
        for (ulong i = 0; i < count && !reader.IsAtEnd && columns.Count > 0; i++)
        {
            string name = "";
            ulong directory = 0;
            foreach ((ulong content, ulong form) in columns)
            {
                (string? text, ulong number) = ReadForm(ref reader, form);
                if (content == Path)
                    name = text ?? "";
                else if (content == Directory)
                    directory = number;
            }

            add(name, directory);
        }
    }

    private (string? Text, ulong Number) ReadForm(ref DwarfReader reader, ulong form)
    {
        switch (form)
        {
            case 0x08: // DW_FORM_string
                return (Name(reader.Text()), 0);
            case 0x1f: // DW_FORM_line_strp
                return (ElfSections.Text(_lineStrings.Span, reader.Number(_isWide ? 8 : 4)), 0);
            case 0x0e: // DW_FORM_strp
                return (ElfSections.Text(_strings.Span, reader.Number(_isWide ? 8 : 4)), 0);
            case 0x0b: // DW_FORM_data1
                return (null, reader.Byte());
            case 0x05: // DW_FORM_data2
                return (null, reader.UInt16());
            case 0x06: // DW_FORM_data4
                return (null, reader.UInt32());
            case 0x07: // DW_FORM_data8
                return (null, reader.UInt64());
            case 0x1e: // DW_FORM_data16
                _ = reader.Take(16);
                return default;
            case 0x0f: // DW_FORM_udata
                return (null, reader.Unsigned());
            case 0x09: // DW_FORM_block
                _ = reader.Take(reader.Unsigned());
                return default;
            default:
                _ = reader.Take(ulong.MaxValue); // whatever follows cannot be read
                return default;
        }
    }

    private static string Name(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, MostNameBytes)]);
}
