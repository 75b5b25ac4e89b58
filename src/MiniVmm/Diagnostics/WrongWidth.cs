using Iced.Intel;
using MiniVmm.Inspection;

namespace MiniVmm.Diagnostics;

/// <summary>Tells code that was compiled for another mode than the one that it runs in.</summary>
internal static class WrongWidth
{
    private const int Looked = 48; // bytes before and after RIP
    private const int Enough = 3;  // REX.W prefixes with an opcode that compilers use

    /// <summary>Whether what a 32-bit mode runs was compiled for 64 bits.</summary>
    public static bool Is64BitCodeIn32BitMode(GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        ReadOnlySpan<byte> code = view.Read(view.Rip - Looked, 2 * Looked);
        int found = 0;
        for (int i = 0; i + 1 < code.Length; i++)
        {
            // dec eax or dec esp in 32-bit code, which does not put one before a move; a REX prefix in 64-bit code.
            if (code[i] is 0x48 or 0x4c or 0x49 && code[i + 1] is 0x89 or 0x8b or 0x83 or 0x8d or 0xc7 or 0x81 or 0x31 or 0x01 or 0xb8)
                found++;
        }

        return found >= Enough;
    }

    /// <summary>Whether what 64-bit mode runs is an instruction of 32-bit code alone.</summary>
    public static bool Is32BitCodeIn64BitMode(GuestView view, InstructionFault fault)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(fault);
        if (fault.Cause != FaultCause.NotAnInstruction)
            return false;
        byte[] code = view.Read(view.Rip, CodeFetch.MostBytes);
        Decoder decoder = Decoder.Create(32, new ByteArrayCodeReader(code), view.Rip);
        decoder.Decode(out Instruction instruction);
        return !instruction.IsInvalid;
    }
}
