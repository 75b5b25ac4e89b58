using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Assist;

/// <summary>
/// SSE, AVX and AVX-512 instructions, which the host's own processor executes: the guest's state and operand are copied to where
/// they can do no harm. MMX registers, gathers, and masks on what is written to memory are left out, and so is a floating-point
/// exception that the guest wants to see.
/// </summary>
internal sealed class VectorInstructions(
    AssistedCpu cpu, GuestOperands operands, IExtendedState extended, CodeBytes code)
{
    private const ulong SseState = 3, AvxState = 7, Avx512State = 0xe7;
    private const uint ExceptionFlags = 0x3f, ExceptionMasks = 0x1f80; // of MXCSR
    private const uint Misaligned = 1 << 17; // MXCSR.MM of AMD's
    private readonly AssistFeatures _host = AssistFeatureBits.OfHost();
    private readonly RelocatedInstruction _relocated = new();
    private readonly NativeVectorCode _native = new();

    /// <summary>Vector registers, opmasks, general registers but RSP, immediates, one plain memory operand.</summary>
    public static bool AreKnown(in Instruction instruction)
    {
        if (instruction.Encoding is not (EncodingKind.Legacy or EncodingKind.VEX or EncodingKind.EVEX)
            || instruction.IsVsib || instruction.HasLockPrefix)
            return false;
        bool isVector = instruction.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Vzeroall or Mnemonic.Cvtss2si
            or Mnemonic.Cvttss2si or Mnemonic.Cvtsd2si or Mnemonic.Cvttsd2si or Mnemonic.Vcvtss2si or Mnemonic.Vcvttss2si
            or Mnemonic.Vcvtsd2si or Mnemonic.Vcvttsd2si;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            switch (instruction.GetOpKind(i))
            {
                case OpKind.Register:
                    Register register = instruction.GetOpRegister(i);
                    isVector |= register.IsVectorRegister() || register.IsK();
                    if (!register.IsVectorRegister() && !register.IsK()
                        && (!register.IsGPR() || register.GetFullRegister() == Register.RSP))
                        return false;
                    break;
                case OpKind.Memory or OpKind.Immediate8 or OpKind.Immediate8_2nd:
                    break;
                default:
                    return false;
            }
        }

        // Masks of their own, by which they may write less than all and fault on less.
        return isVector && instruction.Mnemonic is not (Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd
            or Mnemonic.Vpmaskmovq or Mnemonic.Maskmovdqu or Mnemonic.Vmaskmovdqu);
    }

    public AssistStep Execute(in Instruction instruction)
    {
        if (cpu.CodeBits == 16)
            return AssistStep.Unknown;
        bool isLegacy = instruction.Encoding == EncodingKind.Legacy;
        if (CheckMode(instruction, isLegacy) is { } refused)
            return refused;
        if (!_native.IsSupported || !_relocated.TryRelocate(instruction, code.Read(instruction.Length)))
            return AssistStep.Unknown;
        bool hasOperand = _relocated.Base != Register.None;
        bool writes = hasOperand && instruction.Op0Kind == OpKind.Memory;
        int size = hasOperand ? instruction.MemorySize.GetSize() : 0;
        ulong linear = 0;
        if (hasOperand)
        {
            if (size is 0 or > NativeVectorCode.OperandBytes || (writes && instruction.OpMask != Register.None))
                return AssistStep.Unknown;
            if (!operands.TryLocate(instruction, size, writes, out linear))
                return MaskedFault(instruction);
            if (MustBeAligned(instruction, size, isLegacy) && linear % (uint)size != 0)
                return AssistStep.GeneralProtection;
            if (writes ? !operands.TryProbe(linear, size, write: true) : !operands.TryRead(linear, _native.Operand[..size]))
                return MaskedFault(instruction);
        }

        Span<byte> image = extended.Image;
        if (image.Length > NativeVectorCode.ImageBytes || image.Length < XsaveLayout.Start)
            return AssistStep.Unknown;
        uint mxcsr = XsaveImage.Mxcsr(image);
        if ((mxcsr & Misaligned) != 0)
            return AssistStep.Unknown;
        if (Run(image, mxcsr) is not { } registers)
            return AssistStep.Unknown;
        if (writes && !operands.TryWrite(linear, _native.Operand[..size]))
            return AssistStep.MemoryFault;
        _native.Image[..image.Length].CopyTo(image);
        extended.KeepImage();
        cpu.Regs = registers;
        return AssistStep.Done;
    }

    /// <summary>Executes it; null where that cannot be, or where it ends in an exception that the guest has not masked.</summary>
    private kvm_regs? Run(Span<byte> image, uint mxcsr)
    {
        Span<byte> state = _native.Image;
        image.CopyTo(state);
        XsaveImage.Write(state, XsaveImage.MxcsrAt, mxcsr & ~ExceptionFlags | ExceptionMasks);
        ulong components = SseState | extended.Xcr0 & Avx512State;
        XsaveImage.Write(state, XsaveImage.XstateBvAt, XsaveImage.XstateBv(state) & components | 2);
        kvm_regs registers = cpu.Regs;
        ulong kept = 0;
        if (_relocated.Base != Register.None)
        {
            kept = cpu.Read(_relocated.Base);
            cpu.Write(_relocated.Base, _native.OperandAddress);
            registers = cpu.Regs;
            cpu.Write(_relocated.Base, kept);
        }

        if (!_native.TryExecute(_relocated.Code, ref registers, components))
            return null;
        uint raised = XsaveImage.Mxcsr(state) & ExceptionFlags;
        if ((raised & ~(mxcsr >> 7)) != 0)
            return null;
        XsaveImage.Write(state, XsaveImage.MxcsrAt, mxcsr | raised);

        // What the processor did not have to load stays as the guest has it.
        ulong left = XsaveImage.XstateBv(image) & ~components;
        XsaveImage.Write(state, XsaveImage.XstateBvAt, XsaveImage.XstateBv(state) & components | left | 2);
        if (_relocated.Base != Register.None)
        {
            kvm_regs before = cpu.Regs;
            cpu.Regs = registers;
            cpu.Write(_relocated.Base, kept);
            registers = cpu.Regs;
            cpu.Regs = before;
        }

        return registers;
    }

    /// <summary>A fault of an element that a mask leaves out is none, and which element it is nobody looks up here.</summary>
    private static AssistStep MaskedFault(in Instruction instruction) =>
        instruction.OpMask == Register.None ? AssistStep.MemoryFault : AssistStep.Unknown;

    private AssistStep? CheckMode(in Instruction instruction, bool isLegacy)
    {
        if (isLegacy)
        {
            if ((cpu.Sregs.cr0 & ControlBits.Cr0Em) != 0 || (cpu.Sregs.cr4 & ControlBits.Cr4Osfxsr) == 0)
                return AssistStep.InvalidOpcode;
        }
        else
        {
            ulong state = instruction.Encoding == EncodingKind.EVEX || UsesOpmasks(instruction) ? Avx512State : AvxState;
            if (!cpu.IsProtected || cpu.IsVirtual8086 || (cpu.Sregs.cr4 & ControlBits.Cr4Osxsave) == 0
                || (extended.Xcr0 & state & ~1UL) != (state & ~1UL))
                return AssistStep.InvalidOpcode;
        }

        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            if (AssistFeatureBits.OfVector(feature) is not { } needed)
                return AssistStep.Unknown;
            if (!cpu.Has(needed))
                return AssistStep.InvalidOpcode;
            if ((_host & needed) == 0)
                return AssistStep.Unknown;
        }

        return (cpu.Sregs.cr0 & ControlBits.Cr0Ts) != 0 ? AssistStep.DeviceNotAvailable : null;
    }

    private static bool UsesOpmasks(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsK())
                return true;
        }

        return false;
    }

    private static bool MustBeAligned(in Instruction instruction, int size, bool isLegacy) => isLegacy
        ? size >= 16 && instruction.Mnemonic is not (Mnemonic.Movups or Mnemonic.Movupd or Mnemonic.Movdqu or Mnemonic.Lddqu
            or Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm)
        : instruction.Mnemonic is Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Vmovdqa32
            or Mnemonic.Vmovdqa64 or Mnemonic.Vmovntps or Mnemonic.Vmovntpd or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa;
}
