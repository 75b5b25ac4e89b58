namespace MiniVmm.Symbols;

/// <summary>How to get from a function to its caller at one instruction (DWARF 5, 6.4).</summary>
/// <param name="CfaRegister">DWARF's number of the register that the canonical frame address is counted from.</param>
/// <param name="CfaOffset">What is added to it.</param>
/// <param name="Saved">Where registers of the caller are, by DWARF's numbers: offsets from the canonical frame address.</param>
/// <param name="ReturnRegister">The column of the return address.</param>
internal sealed record DwarfFrameRow(ulong CfaRegister, long CfaOffset, IReadOnlyDictionary<ulong, long> Saved, ulong ReturnRegister);

/// <summary>
/// Call frame information of an ELF file: .debug_frame, or .eh_frame where that is missing. What a file says is not believed beyond
/// the section's end; expressions are passed over.
/// </summary>
internal sealed class DwarfFrames
{
    private const int MostEntries = 1 << 20;
    private const int MostStates = 64; // of DW_CFA_remember_state

    private readonly ReadOnlyMemory<byte> _section;
    private readonly bool _isEh;
    private readonly int _word;
    private readonly ulong _address;

    private DwarfFrames(ReadOnlyMemory<byte> section, bool isEh, ulong address, bool is64)
    {
        _section = section;
        _isEh = isEh;
        _address = address;
        _word = is64 ? 8 : 4;
    }

    /// <summary>The frames of a file; null where it has none.</summary>
    public static DwarfFrames? Find(ElfSections sections)
    {
        ArgumentNullException.ThrowIfNull(sections);
        ReadOnlyMemory<byte> debug = sections.Contents(".debug_frame");
        if (!debug.IsEmpty)
            return new(debug, false, 0, sections.Is64);
        return sections.Named(".eh_frame") is { Contents.IsEmpty: false } eh ? new(eh.Contents, true, eh.Address, sections.Is64) : null;
    }

    /// <summary>Those of a .debug_frame of 64-bit code.</summary>
    internal static DwarfFrames Of(ReadOnlyMemory<byte> section) => new(section, false, 0, is64: true);

    /// <summary>The row of an instruction; null where no function has it.</summary>
    /// <param name="address">As linked.</param>
    public DwarfFrameRow? At(ulong address)
    {
        int at = 0;
        for (int i = 0; i < MostEntries && at + 4 < _section.Length; i++)
        {
            DwarfReader reader = new(_section.Span[at..]);
            ulong length = reader.Length(out bool isWide);
            if (length == 0)
                return null; // .eh_frame's end
            int header = reader.Position;
            int size = (int)Math.Min(length, (ulong)(_section.Length - at - header));
            int start = at + header;
            ulong id = isWide && !_isEh ? reader.UInt64() : reader.UInt32();
            bool isCommon = _isEh ? id == 0 : id == (isWide ? ulong.MaxValue : uint.MaxValue);
            int common = _isEh ? start - (int)Math.Min(id, int.MaxValue) : (int)Math.Min(id, int.MaxValue);
            if (!isCommon && common >= 0 && common < _section.Length && Common(common) is { } cie)
            {
                int body = at + reader.Position;
                DwarfReader entry = new(_section.Span[body..(start + size)]);
                ulong first = cie.Read(ref entry, _word, _address + (ulong)body);
                ulong count = cie.ReadLength(ref entry, _word);
                if (cie.IsAugmented)
                    _ = entry.Take(entry.Unsigned());
                if (address - first < count)
                    return Run(cie, first, entry.Take(ulong.MaxValue), address);
            }

            at = start + size;
        }

        return null;
    }

    private CommonEntry? Common(int at)
    {
        DwarfReader reader = new(_section.Span[at..]);
        ulong length = reader.Length(out bool isWide);
        int size = (int)Math.Min(length, (ulong)(_section.Length - at - reader.Position));
        reader = new(_section.Span.Slice(at + reader.Position, size));
        _ = isWide && !_isEh ? reader.UInt64() : reader.UInt32();
        byte version = reader.Byte();
        if (version is not (1 or 3 or 4))
            return null;
        ReadOnlySpan<byte> augmentation = reader.Text();
        if (version == 4)
            _ = reader.UInt16(); // sizes of addresses and segments
        ulong code = reader.Unsigned();
        long data = reader.Signed();
        ulong back = version == 1 ? reader.Byte() : reader.Unsigned();
        byte encoding = 0;
        bool augmented = augmentation.Length > 0 && augmentation[0] == (byte)'z';
        if (augmented)
        {
            DwarfReader more = new(reader.Take(reader.Unsigned()));
            foreach (byte letter in augmentation[1..])
            {
                if (letter == 'R')
                    encoding = more.Byte();
                else if (letter == 'L')
                    _ = more.Byte();
                else if (letter == 'P')
                    _ = more.Number((more.Byte() & 7) is 3 or 0xb ? 4 : 8);
            }
        }

        return new(code, data, back, encoding, augmented, reader.Take(ulong.MaxValue).ToArray());
    }

    private static DwarfFrameRow? Run(CommonEntry cie, ulong first, ReadOnlySpan<byte> program, ulong address)
    {
        State state = new();
        Execute(cie, cie.Program, ref state, first, ulong.MaxValue, initial: null);
        State initial = state.Copy();
        Execute(cie, program, ref state, first, address, initial);
        return state.IsKnown ? new(state.Register, state.Offset, state.Saved, cie.ReturnRegister) : null;
    }

    private static void Execute(
        CommonEntry cie, ReadOnlySpan<byte> program, ref State state, ulong location, ulong address, State? initial)
    {
        Stack<State> remembered = new();
        DwarfReader reader = new(program);
        while (!reader.IsAtEnd)
        {
            byte code = reader.Byte();
            ulong low = code & 0x3fu;
            ulong advance = 0;
            switch (code >> 6)
            {
                case 1:
                    advance = low * cie.CodeAlignment;
                    break;
                case 2:
                    state.Saved[low] = (long)reader.Unsigned() * cie.DataAlignment;
                    continue;
                case 3:
                    Restore(ref state, initial, low);
                    continue;
                default:
                    switch (low)
                    {
                        case 0x00: // DW_CFA_nop
                            continue;
                        case 0x02 or 0x03 or 0x04: // DW_CFA_advance_loc1, 2, 4
                            advance = reader.Number(1 << (int)(low - 2)) * cie.CodeAlignment;
                            break;
                        case 0x05: // DW_CFA_offset_extended
                            state.Saved[reader.Unsigned()] = (long)reader.Unsigned() * cie.DataAlignment;
                            continue;
                        case 0x06: // DW_CFA_restore_extended
                            Restore(ref state, initial, reader.Unsigned());
                            continue;
                        case 0x07 or 0x08: // DW_CFA_undefined, same_value
                            state.Saved.Remove(reader.Unsigned());
                            continue;
                        case 0x0a: // DW_CFA_remember_state
                            if (remembered.Count < MostStates)
                                remembered.Push(state.Copy());
                            continue;
                        case 0x0b: // DW_CFA_restore_state
                            if (remembered.TryPop(out State before))
                                state = before;
                            continue;
                        case 0x0c: // DW_CFA_def_cfa
                            (state.Register, state.Offset, state.IsKnown) = (reader.Unsigned(), (long)reader.Unsigned(), true);
                            continue;
                        case 0x0d: // DW_CFA_def_cfa_register
                            state.Register = reader.Unsigned();
                            continue;
                        case 0x0e: // DW_CFA_def_cfa_offset
                            state.Offset = (long)reader.Unsigned();
                            continue;
                        case 0x0f: // DW_CFA_def_cfa_expression
                            _ = reader.Take(reader.Unsigned());
                            state.IsKnown = false;
                            continue;
                        case 0x10 or 0x16: // DW_CFA_expression, val_expression
                            state.Saved.Remove(reader.Unsigned());
                            _ = reader.Take(reader.Unsigned());
                            continue;
                        case 0x11: // DW_CFA_offset_extended_sf
                            state.Saved[reader.Unsigned()] = reader.Signed() * cie.DataAlignment;
                            continue;
                        case 0x12: // DW_CFA_def_cfa_sf
                            (state.Register, state.Offset, state.IsKnown) = (reader.Unsigned(), reader.Signed() * cie.DataAlignment, true);
                            continue;
                        case 0x13: // DW_CFA_def_cfa_offset_sf
                            state.Offset = reader.Signed() * cie.DataAlignment;
                            continue;
                        case 0x2e: // DW_CFA_GNU_args_size
                            _ = reader.Unsigned();
                            continue;
                        default:
                            state.IsKnown = false; // operands of unknown length
                            return;
                    }

                    break;
            }

            location += advance;
            if (location > address)
                return;
        }
    }

    private static void Restore(ref State state, State? initial, ulong register)
    {
        if (initial is { } first && first.Saved.TryGetValue(register, out long offset))
            state.Saved[register] = offset;
        else
            state.Saved.Remove(register);
    }

    private struct State
    {
        public State()
        {
        }

        public ulong Register;
        public long Offset;
        public bool IsKnown;
        public Dictionary<ulong, long> Saved = [];

        public readonly State Copy() => this with { Saved = new(Saved) };
    }

    /// <summary>What functions have in common (CIE).</summary>
    private sealed record CommonEntry(
        ulong CodeAlignment, long DataAlignment, ulong ReturnRegister, byte Encoding, bool IsAugmented, byte[] Program)
    {
        /// <summary>An address, as .eh_frame encodes it (LSB Core, 10.5.1).</summary>
        public ulong Read(ref DwarfReader reader, int word, ulong here)
        {
            ulong value = Value(ref reader, word);
            return (Encoding & 0x70) == 0x10 ? here + value : value;
        }

        public ulong ReadLength(ref DwarfReader reader, int word) => Value(ref reader, word);

        private ulong Value(ref DwarfReader reader, int word) => (Encoding & 0xf) switch
        {
            0x2 => reader.UInt16(),
            0x3 => reader.UInt32(),
            0x4 or 0xc => reader.UInt64(),
            0xa => (ulong)(short)reader.UInt16(),
            0xb => (ulong)(int)reader.UInt32(),
            _ => reader.Number(word),
        };
    }
}
