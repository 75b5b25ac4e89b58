using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>
/// The exception that the instruction at RIP raises, worked out on paper: fetch, decoding, privilege, what it needs of the
/// control registers, its operands (SDM vol. 2 lists each instruction's exceptions; vol. 3, 6.9 their order).
/// </summary>
internal static class InstructionAnalysis
{
    /// <summary>Looks.</summary>
    /// <param name="view">The vCPU, before the instruction.</param>
    /// <returns>Null where nothing is wrong with it as far as can be told.</returns>
    public static InstructionFault? Find(GuestView view) => Find(view, out _);

    /// <inheritdoc cref="Find(GuestView)"/>
    /// <param name="instruction">What is at RIP; invalid where it cannot be fetched.</param>
    /// <param name="view">The vCPU, before the instruction.</param>
    public static InstructionFault? Find(GuestView view, out Instruction instruction)
    {
        ArgumentNullException.ThrowIfNull(view);
        instruction = default;
        if (CodeFetch.Check(view) is { } first)
            return first;
        byte[] code = view.Read(view.Rip, CodeFetch.MostBytes);
        Decoder decoder = Decoder.Create(view.CodeBits, new ByteArrayCodeReader(code), view.Regs.rip, DecoderOptions.None);
        decoder.Decode(out instruction);
        if (decoder.LastError == DecoderError.NoMoreBytes)
            return CodeFetch.Check(view, view.Rip + (ulong)code.Length);
        if (instruction.IsInvalid)
        {
            return new(
                FaultCause.NotAnInstruction, ExceptionVector.InvalidOpcode, 0,
                $"bytes {Convert.ToHexStringLower(code.AsSpan(0, Math.Min(code.Length, 8)))} are no instruction");
        }

        if (CodeFetch.Check(view, view.Rip + (ulong)instruction.Length - 1) is { } fetch)
            return fetch;
        return ByItself(view, instruction)
            ?? SystemInstructions.Check(view, instruction)
            ?? SelectorLoad.Check(view, instruction)
            ?? BranchTarget(view, instruction)
            ?? new MemoryOperands(view, instruction).Check()
            ?? Division(view, instruction);
    }

    private static InstructionFault? ByItself(GuestView view, in Instruction instruction)
    {
        ref readonly kvm_sregs sregs = ref view.Sregs;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2:
                return new(
                    FaultCause.Undefined, ExceptionVector.InvalidOpcode, 0,
                    $"{instruction.Mnemonic.ToString().ToLowerInvariant()} raises it on purpose, as compilers do where code must not get to");
            case Mnemonic.Int3:
                return new(FaultCause.Breakpoint, ExceptionVector.Breakpoint, 0, "a breakpoint in the code");
            case Mnemonic.Int:
                return new(FaultCause.SoftwareInterrupt, instruction.Immediate8, 0, $"int 0x{instruction.Immediate8:x} asks for it");
            case Mnemonic.Into when (view.Regs.rflags & 1 << 11) != 0:
                return new(FaultCause.SoftwareInterrupt, ExceptionVector.Overflow, 0, "into with OF set");
            case Mnemonic.Int1:
                return new(FaultCause.Breakpoint, ExceptionVector.Debug, 0, "int1 asks for it");
        }

        if (IsSimd(instruction))
        {
            if ((sregs.cr0 & ControlBits.Cr0Em) != 0)
                return new(FaultCause.SimdOff, ExceptionVector.InvalidOpcode, 0, "an SSE or AVX instruction while CR0.EM is 1");
            if (IsVex(instruction) ? (sregs.cr4 & ControlBits.Cr4Osxsave) == 0 : (sregs.cr4 & ControlBits.Cr4Osfxsr) == 0)
            {
                return new(
                    FaultCause.SimdOff, ExceptionVector.InvalidOpcode, 0,
                    IsVex(instruction) ? "an AVX instruction while CR4.OSXSAVE is 0" : "an SSE instruction while CR4.OSFXSR is 0");
            }

            if ((sregs.cr0 & ControlBits.Cr0Ts) != 0)
                return new(FaultCause.FpuOff, ExceptionVector.DeviceNotAvailable, 0, "an SSE or AVX instruction while CR0.TS is 1");
        }

        if (IsX87(instruction) && (sregs.cr0 & (ControlBits.Cr0Em | ControlBits.Cr0Ts)) != 0)
        {
            return new(
                FaultCause.FpuOff, ExceptionVector.DeviceNotAvailable, 0,
                $"a floating-point instruction while CR0.{((sregs.cr0 & ControlBits.Cr0Em) != 0 ? "EM" : "TS")} is 1");
        }

        return null;
    }

    /// <summary>A near jump, call or return, whose target is checked before it is left.</summary>
    private static InstructionFault? BranchTarget(GuestView view, in Instruction instruction)
    {
        if (!view.Is64Bit)
            return null;
        ulong? target = instruction.Mnemonic switch
        {
            Mnemonic.Ret => view.ReadValue(view.Regs.rsp, 8),
            Mnemonic.Jmp or Mnemonic.Call when instruction.Op0Kind == OpKind.Register => RegisterFile.Read(view, instruction.Op0Register),
            _ => null,
        };
        return target is { } at && !view.Paging.IsCanonical(at)
            ? new(
                FaultCause.CodeNotCanonical, ExceptionVector.GeneralProtection, 0,
                $"it {(instruction.Mnemonic == Mnemonic.Ret ? "returns" : "jumps")} to 0x{at:x}, which is not canonical", at)
            : null;
    }

    private static InstructionFault? Division(GuestView view, in Instruction instruction)
    {
        if (instruction.Mnemonic is not (Mnemonic.Div or Mnemonic.Idiv))
            return null;
        int size = instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize();
        ulong? operand = instruction.Op0Kind == OpKind.Register
            ? RegisterFile.Read(view, instruction.Op0Register)
            : MemoryOperands.ExplicitAddress(view, instruction) is { } at ? view.ReadValue(at, size) : null;
        if (operand is not { } divisor)
            return null;
        if (divisor == 0)
            return new(FaultCause.DivideByZero, ExceptionVector.DivideError, 0, "it divides by 0");
        return Overflows(view, instruction.Mnemonic == Mnemonic.Idiv, divisor, size)
            ? new(FaultCause.DivideOverflow, ExceptionVector.DivideError, 0, "the quotient does not fit")
            : null;
    }

    private static bool Overflows(GuestView view, bool signed, ulong divisor, int size)
    {
        int bits = size * 8;
        ulong mask = size == 8 ? ulong.MaxValue : (1UL << bits) - 1;
        UInt128 dividend = size == 1
            ? view.Regs.rax & 0xffff
            : (UInt128)(view.Regs.rdx & mask) << bits | view.Regs.rax & mask;
        if (!signed)
            return dividend / divisor > mask;
        int wide = bits * 2;
        Int128 value = (Int128)(dividend << 128 - wide) >> 128 - wide;
        Int128 by = (long)(divisor << 64 - bits) >> 64 - bits;
        if (by == -1 && value == Int128.MinValue)
            return true;
        Int128 quotient = value / by;
        Int128 limit = Int128.One << bits - 1;
        return quotient >= limit || quotient < -limit;
    }

    private static bool IsVex(in Instruction instruction) => instruction.Encoding is EncodingKind.VEX or EncodingKind.EVEX or EncodingKind.XOP;

    private static bool IsSimd(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsVectorRegister())
                return true;
        }

        return instruction.Mnemonic is Mnemonic.Ldmxcsr or Mnemonic.Stmxcsr or Mnemonic.Vldmxcsr or Mnemonic.Vzeroupper;
    }

    private static bool IsX87(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            if (feature is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.MMX)
                return instruction.Mnemonic != Mnemonic.Wait; // which looks at CR0.MP too, and kernels use to wait only
        }

        return false;
    }
}
