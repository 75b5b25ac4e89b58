using System.Buffers.Binary;
using Iced.Intel;

namespace MiniVmm.Assist;

/// <summary>Instructions on general registers and memory, and their checks.</summary>
internal sealed class GeneralInstructions(AssistedCpu cpu, GuestOperands operands)
{
    private const int Wide = 16;

    public AssistStep Execute(in Instruction instruction)
    {
        Mnemonic mnemonic = instruction.Mnemonic;
        return BitInstructions.Requirement(mnemonic) is { } needed ? Compute(instruction, needed) : mnemonic switch
        {
            Mnemonic.Mulx => Multiply(instruction),
            Mnemonic.Movbe => MoveSwapped(instruction),
            Mnemonic.Cmpxchg16b => CompareExchange(instruction),
            _ => AssistStep.Unknown,
        };
    }

    /// <summary>Whether an instruction with a VEX prefix exists in this mode (SDM vol. 2, 2.7: exception type 13).</summary>
    private bool IsPossible(in Instruction instruction) =>
        instruction.Encoding != EncodingKind.VEX || (cpu.IsProtected && !cpu.IsVirtual8086);

    private AssistStep Compute(in Instruction instruction, AssistFeatures needed)
    {
        // Without their bits LZCNT and TZCNT are BSR and BSF.
        if (!cpu.Has(needed))
            return instruction.Mnemonic is Mnemonic.Lzcnt or Mnemonic.Tzcnt ? AssistStep.Unknown : AssistStep.InvalidOpcode;
        if (!IsPossible(instruction))
            return AssistStep.InvalidOpcode;
        bool changesFirst = instruction.Mnemonic is Mnemonic.Adcx or Mnemonic.Adox or Mnemonic.Crc32;
        int source = changesFirst ? 0 : 1;
        if (!TryRead(instruction, source, out ulong first))
            return AssistStep.MemoryFault;
        ulong second = 0;
        if (source + 1 < instruction.OpCount && !TryRead(instruction, source + 1, out second))
            return AssistStep.MemoryFault;
        int bits = 8 * (instruction.Mnemonic == Mnemonic.Crc32 ? OperandSize(instruction, 1) : instruction.Op0Register.GetSize());
        ulong result = BitInstructions.Compute(instruction.Mnemonic, bits, first, second, ref cpu.Regs.rflags);
        cpu.Write(instruction.Op0Register, result);
        return AssistStep.Done;
    }

    private AssistStep Multiply(in Instruction instruction)
    {
        if (!cpu.Has(AssistFeatures.Bmi2) || !IsPossible(instruction))
            return AssistStep.InvalidOpcode;
        if (!TryRead(instruction, 2, out ulong source))
            return AssistStep.MemoryFault;
        int bits = 8 * instruction.Op0Register.GetSize();
        UInt128 product = (UInt128)source * cpu.Read(bits == 64 ? Register.RDX : Register.EDX);
        cpu.Write(instruction.Op1Register, (ulong)product);
        cpu.Write(instruction.Op0Register, (ulong)(product >> bits));
        return AssistStep.Done;
    }

    private AssistStep MoveSwapped(in Instruction instruction)
    {
        if (!cpu.Has(AssistFeatures.Movbe))
            return AssistStep.InvalidOpcode;
        bool loads = instruction.Op0Kind == OpKind.Register;
        Register register = loads ? instruction.Op0Register : instruction.Op1Register;
        int size = register.GetSize();
        if (!operands.TryLocate(instruction, size, write: !loads, out ulong linear))
            return AssistStep.MemoryFault;
        ulong value = cpu.Read(register);
        if (loads && !operands.TryRead(linear, size, out value))
            return AssistStep.MemoryFault;
        value = BinaryPrimitives.ReverseEndianness(value) >> (64 - 8 * size);
        if (loads)
            cpu.Write(register, value);
        else if (!operands.TryWrite(linear, size, value))
            return AssistStep.MemoryFault;
        return AssistStep.Done;
    }

    /// <summary>With LOCK or without it: an exchange that is atomic though it need not be is no other.</summary>
    private unsafe AssistStep CompareExchange(in Instruction instruction)
    {
        if (!cpu.Has(AssistFeatures.Cmpxchg16b))
            return AssistStep.InvalidOpcode;
        if (!operands.TryLocate(instruction, Wide, write: true, out ulong linear))
            return AssistStep.MemoryFault;
        if (linear % Wide != 0)
            return AssistStep.GeneralProtection;
        if (!WideCompareExchange.IsSupported)
            return AssistStep.Unknown;
        if (!operands.TryPin(linear, Wide, out byte* host))
            return AssistStep.MemoryFault;
        UInt128 expected = new(cpu.Regs.rdx, cpu.Regs.rax);
        UInt128 found = WideCompareExchange.Exchange(host, new(cpu.Regs.rcx, cpu.Regs.rbx), expected);
        Rflags.Assign(ref cpu.Regs.rflags, Rflags.Zero, found == expected ? Rflags.Zero : 0);
        cpu.Regs.rax = (ulong)found;
        cpu.Regs.rdx = (ulong)(found >> 64);
        return AssistStep.Done;
    }

    private static int OperandSize(in Instruction instruction, int index) =>
        instruction.GetOpKind(index) == OpKind.Register
            ? instruction.GetOpRegister(index).GetSize()
            : instruction.MemorySize.GetSize();

    private bool TryRead(in Instruction instruction, int index, out ulong value)
    {
        switch (instruction.GetOpKind(index))
        {
            case OpKind.Register:
                value = cpu.Read(instruction.GetOpRegister(index));
                return true;
            case OpKind.Memory:
                value = 0;
                int size = instruction.MemorySize.GetSize();
                return operands.TryLocate(instruction, size, write: false, out ulong linear)
                    && operands.TryRead(linear, size, out value);
            default:
                value = instruction.GetImmediate(index);
                return true;
        }
    }
}
