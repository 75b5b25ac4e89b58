using Iced.Intel;

namespace MiniVmm.Inspection;

/// <summary>What memory an instruction writes that a vCPU has been through, as far as that can be told afterwards.</summary>
internal static class InstructionWrites
{
    /// <summary>How far a base or index register may have moved with the instruction, in bytes: a push, an element of a string.</summary>
    private const ulong Moved = 64;

    /// <summary>Bytes of an operand whose size depends on more than the instruction (XSAVE).</summary>
    private const ulong Unsized = 4096;

    /// <summary>Whether it can have written there; true where that cannot be told.</summary>
    /// <param name="after">The vCPU behind the instruction.</param>
    /// <param name="at">Linear address of the instruction.</param>
    /// <param name="address">Linear address of the bytes.</param>
    /// <param name="length">How many.</param>
    public static bool MayBe(GuestView after, ulong at, ulong address, int length)
    {
        ArgumentNullException.ThrowIfNull(after);
        byte[] code = after.Read(at, CodeFetch.MostBytes);
        ulong ip = at - after.Linear(after.Sregs.cs, 0);
        Decoder decoder = Decoder.Create(after.CodeBits, new ByteArrayCodeReader(code), ip, DecoderOptions.None);
        decoder.Decode(out Instruction instruction);
        if (instruction.IsInvalid)
            return true;
        InstructionInfo info = new InstructionInfoFactory().GetInfo(instruction);
        foreach (UsedMemory operand in info.GetUsedMemory())
        {
            if (!IsWrite(operand.Access))
                continue;
            bool moves = Writes(info, operand.Base) || Writes(info, operand.Index);
            if ((moves && (instruction.HasRepPrefix || instruction.HasRepnePrefix))
                || new MemoryOperands(after, instruction).Linear(operand) is not { } start)
                return true;
            ulong slack = moves ? Moved : 0;
            ulong size = operand.MemorySize.GetSize() is > 0 and int known ? (ulong)known : Unsized;

            // Distances, so that neither end runs over the top.
            if (start - slack - address < (ulong)length || address - (start - slack) < size + (2 * slack))
                return true;
        }

        return false;
    }

    private static bool Writes(InstructionInfo info, Register register)
    {
        if (register is Register.None or Register.RIP or Register.EIP)
            return false;
        foreach (UsedRegister used in info.GetUsedRegisters())
        {
            if (used.Register.GetFullRegister() == register.GetFullRegister()
                && IsWrite(used.Access))
                return true;
        }

        return false;
    }

    private static bool IsWrite(OpAccess access) =>
        access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
}
