using Iced.Intel;

namespace MiniVmm.Assist;

/// <summary>
/// A guest's vector instruction as this process can execute it in 64-bit code: the same bytes, but for its memory operand, which
/// is made [register] without displacement, index or segment.
/// </summary>
/// <remarks>Not trusted before the decoder has said that these bytes are the same instruction with that operand.</remarks>
internal sealed class RelocatedInstruction
{
    private const int MostBytes = 15;
    private readonly Reader _reader = new();
    private readonly Decoder _decoder;

    public RelocatedInstruction() => _decoder = Decoder.Create(64, _reader);

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Code => _reader.Bytes.AsSpan(0, _reader.Count);

    /// <summary>The general register that holds the operand's address; none without a memory operand.</summary>
    public Register Base { get; private set; }

    /// <summary>Relocates.</summary>
    /// <param name="instruction">The guest's, in 32-bit or 64-bit code.</param>
    /// <param name="code">Its bytes.</param>
    /// <returns>False for one that cannot be.</returns>
    public bool TryRelocate(in Instruction instruction, ReadOnlySpan<byte> code)
    {
        Base = Register.None;
        _reader.Restart();
        int at = 0;
        while (at < code.Length && IsPrefix(code[at]))
        {
            // Operand size and repetition are part of the opcode; segments and the size of addresses are of the operand.
            if (code[at] is 0x66 or 0xf2 or 0xf3)
                _reader.Add(code[at]);
            at++;
        }

        byte extension = 0; // B of REX, VEX or EVEX: bit 3 of the base
        int opcode;
        if (at < code.Length && instruction.Encoding == EncodingKind.Legacy && instruction.CodeSize == CodeSize.Code64
            && (code[at] & 0xf0) == 0x40)
        {
            extension = (byte)(code[at] & 1);
            _reader.Add(code[at++]);
        }

        switch (instruction.Encoding)
        {
            case EncodingKind.Legacy:
                if (at + 1 >= code.Length || code[at] != 0x0f)
                    return false;
                opcode = code[at + 1] is 0x38 or 0x3a ? 3 : 2;
                break;
            case EncodingKind.VEX when at + 1 < code.Length && code[at] == 0xc5:
                opcode = 3;
                break;
            case EncodingKind.VEX when at + 1 < code.Length && code[at] == 0xc4:
                opcode = 4;
                extension = (byte)(~code[at + 1] >> 5 & 1);
                break;
            case EncodingKind.EVEX when at + 1 < code.Length && code[at] == 0x62:
                opcode = 5;
                extension = (byte)(~code[at + 1] >> 5 & 1);
                break;
            default:
                return false;
        }

        if (at + opcode > code.Length)
            return false;
        foreach (byte value in code.Slice(at, opcode))
            _reader.Add(value);
        at += opcode;
        return TryRelocateOperand(instruction, code[at..], extension) && IsTheSame(instruction);
    }

    private bool TryRelocateOperand(in Instruction instruction, ReadOnlySpan<byte> rest, byte extension)
    {
        if (rest.IsEmpty)
            return instruction.OpCount == 0; // VZEROUPPER
        byte modRm = rest[0];
        int mode = modRm >> 6, low = modRm & 7, length = 1;
        if (mode == 3)
        {
            foreach (byte value in rest)
                _reader.Add(value);
            return true;
        }

        int displacement = mode switch { 1 => 1, 2 => 4, _ => low == 5 ? 4 : 0 };
        if (low == 4)
        {
            if (rest.Length < 2)
                return false;
            length = 2;
            if (mode == 0 && (rest[1] & 7) == 5)
                displacement = 4;
        }

        length += displacement;
        if (length > rest.Length)
            return false;
        int number = FreeRegister(instruction, extension);
        if (number < 0)
            return false;
        Base = Register.RAX + number + 8 * extension;
        _reader.Add((byte)(modRm & 0x38 | number));
        foreach (byte value in rest[length..])
            _reader.Add(value);
        return true;
    }

    /// <summary>RSI, RDI or RBX, or those of eight more, which the instruction does not use.</summary>
    private static int FreeRegister(in Instruction instruction, byte extension)
    {
        foreach (int number in (ReadOnlySpan<int>)[6, 7, 3])
        {
            Register register = Register.RAX + number + 8 * extension;
            bool isUsed = false;
            for (int i = 0; i < instruction.OpCount; i++)
            {
                isUsed |= instruction.GetOpKind(i) == OpKind.Register
                    && instruction.GetOpRegister(i).GetFullRegister() == register;
            }

            if (!isUsed)
                return number;
        }

        return -1;
    }

    private bool IsTheSame(in Instruction original)
    {
        _reader.Rewind();
        _decoder.IP = 0;
        _decoder.Decode(out Instruction copy);
        if (_decoder.LastError != DecoderError.None || copy.Length != _reader.Count || copy.Code != original.Code
            || copy.OpCount != original.OpCount || copy.SegmentPrefix != Register.None || copy.OpMask != original.OpMask
            || copy.IsBroadcast != original.IsBroadcast || copy.ZeroingMasking != original.ZeroingMasking
            || copy.RoundingControl != original.RoundingControl
            || copy.SuppressAllExceptions != original.SuppressAllExceptions)
            return false;
        for (int i = 0; i < copy.OpCount; i++)
        {
            OpKind kind = copy.GetOpKind(i);
            if (kind != original.GetOpKind(i))
                return false;
            bool same = kind switch
            {
                OpKind.Register => copy.GetOpRegister(i) == original.GetOpRegister(i),
                OpKind.Memory => copy.MemoryBase == Base && copy.MemoryIndex == Register.None
                    && copy.MemoryDisplacement64 == 0 && copy.MemorySize == original.MemorySize,
                OpKind.Immediate8 or OpKind.Immediate8_2nd => copy.GetImmediate(i) == original.GetImmediate(i),
                _ => false,
            };
            if (!same)
                return false;
        }

        return true;
    }

    private static bool IsPrefix(byte value) =>
        value is 0x66 or 0xf2 or 0xf3 or 0x67 or 0x26 or 0x2e or 0x36 or 0x3e or 0x64 or 0x65;

    private sealed class Reader : CodeReader
    {
        private int _next;

        public byte[] Bytes { get; } = new byte[MostBytes];

        public int Count { get; private set; }

        public void Restart() => Count = 0;

        public void Add(byte value)
        {
            if (Count < MostBytes)
                Bytes[Count++] = value;
        }

        public void Rewind() => _next = 0;

        public override int ReadByte() => _next < Count ? Bytes[_next++] : -1;
    }
}
