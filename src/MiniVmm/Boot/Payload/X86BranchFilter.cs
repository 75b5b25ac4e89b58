using System.Buffers.Binary;

namespace MiniVmm.Boot.Payload;

/// <summary>
/// Undoes xz's x86 filter, which turns the relative targets of CALL and JMP into absolute ones: calls to one function
/// then look alike and pack better ("The .xz File Format", section 5.3.2).
/// </summary>
internal static class X86BranchFilter
{
    private const byte Call = 0xe8;
    private const byte Jump = 0xe9;
    private const int InstructionSize = 5;

    /// <summary>Decodes a whole stream, in place; its first byte counts as address 0.</summary>
    public static void Decode(Span<byte> code)
    {
        // Opcode bytes seen among the last three that were not taken for instructions: bit n for n + 1 bytes back.
        uint recent = 0;
        int last = -1;
        int position = 0;
        while (position <= code.Length - InstructionSize)
        {
            int skip = code[position..(code.Length - InstructionSize + 1)].IndexOfAny(Call, Jump);
            if (skip < 0)
                return;
            position += skip;

            int distance = position - last;
            recent = distance > 3 ? 0 : (recent << (distance - 1)) & 7;
            last = position;
            Span<byte> target = code.Slice(position + 1, sizeof(uint));
            if (!MayBeInstruction(recent, target) || !IsSignByte(target[3]))
            {
                recent = (recent << 1) | 1;
                position++;
                continue;
            }

            uint absolute = BinaryPrimitives.ReadUInt32LittleEndian(target);
            uint relative = Relative(absolute, (uint)position + InstructionSize, recent);
            BinaryPrimitives.WriteUInt32LittleEndian(target, relative);
            position += InstructionSize;
            // An instruction that was converted is no doubtful opcode to what follows it.
            recent = 0;
            last = position - 1;
        }
    }

    // The encoder gave up on opcodes too close to one another; the same ones must be left alone here.
    private static bool MayBeInstruction(uint recent, ReadOnlySpan<byte> target) => recent switch
    {
        0 => true,
        1 or 2 or 4 => !IsSignByte(target[3 - DoubtfulBytes(recent)]),
        _ => false,
    };

    private static uint Relative(uint absolute, uint nextInstruction, uint recent)
    {
        uint result;
        while (true)
        {
            result = unchecked(absolute - nextInstruction);
            if (recent == 0)
                break;
            int bits = DoubtfulBytes(recent) * 8;
            if (!IsSignByte((byte)(result >> (24 - bits))))
                break;
            absolute = result ^ ((1u << (32 - bits)) - 1);
        }

        // 25 significant bits; the highest of them is the sign.
        return (uint)((int)(result << 7) >> 7);
    }

    private static int DoubtfulBytes(uint recent) => recent switch
    {
        0 => 0,
        1 => 1,
        2 or 3 => 2,
        _ => 3,
    };

    private static bool IsSignByte(byte value) => value is 0x00 or 0xff;
}
