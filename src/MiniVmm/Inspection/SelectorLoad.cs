using Iced.Intel;

namespace MiniVmm.Inspection;

/// <summary>Loads of segment registers: MOV, LTR, LLDT, far jumps, IRET and far returns (SDM vol. 2, their pages).</summary>
internal static class SelectorLoad
{
    private const ushort RplMask = 3;

    /// <summary>What is wrong with a selector that the instruction loads; null for nothing, and for other instructions.</summary>
    public static InstructionFault? Check(GuestView view, in Instruction instruction)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (!view.IsProtected || view.IsVirtual8086)
            return null;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Mov when instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister():
                return Source(view, instruction, 1) is { } selector ? Data(view, (ushort)selector, instruction.Op0Register) : null;
            case Mnemonic.Pop when instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsSegmentRegister():
                return OnStack(view, 0, view.CodeBits / 8) is { } popped ? Data(view, (ushort)popped, instruction.Op0Register) : null;
            case Mnemonic.Ltr:
                return Source(view, instruction, 0) is { } task ? Tss(view, (ushort)task) : null;
            case Mnemonic.Jmp or Mnemonic.Call when instruction.Op0Kind is OpKind.FarBranch16 or OpKind.FarBranch32:
                return Code(view, instruction.FarBranchSelector, "it jumps to");
            case Mnemonic.Retf or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq:
                return Return(view, instruction);
            default:
                return null;
        }
    }

    private static InstructionFault? Return(GuestView view, in Instruction instruction)
    {
        int word = instruction.Mnemonic switch
        {
            Mnemonic.Iretq => 8,
            Mnemonic.Iretd => 4,
            Mnemonic.Iret => 2,
            _ => instruction.Code == Iced.Intel.Code.Retfq ? 8 : instruction.Code == Iced.Intel.Code.Retfd ? 4 : 2,
        };
        if (OnStack(view, 1, word) is not { } selector)
            return null;
        if (Code(view, (ushort)selector, "it returns to") is { } fault)
            return fault;
        return view.Is64Bit && OnStack(view, 0, word) is { } rip && !view.Paging.IsCanonical(rip)
            ? new(FaultCause.CodeNotCanonical, ExceptionVector.GeneralProtection, 0, $"it returns to 0x{rip:x}, which is not canonical", rip)
            : null;
    }

    private static InstructionFault? Data(GuestView view, ushort selector, Register register)
    {
        string what = $"it loads {register} with 0x{selector:x4}";
        if ((selector & ~RplMask) == 0)
        {
            return register == Register.CS || register == Register.SS && !(view.Is64Bit && view.Cpl < 3)
                ? Fault(ExceptionVector.GeneralProtection, 0, $"{what}, which is null")
                : null;
        }

        if (Find(view, selector, what, out SegmentDescriptor descriptor) is { } fault)
            return fault;
        bool good = register switch
        {
            Register.CS => false,
            Register.SS => descriptor.IsWritableData && descriptor.Dpl == view.Cpl,
            _ => !descriptor.IsSystem && (!descriptor.IsCode || (descriptor.Type & 2) != 0),
        };
        if (!good)
            return Fault(ExceptionVector.GeneralProtection, selector, $"{what}, which is {descriptor.Describe()}");
        byte vector = register == Register.SS ? ExceptionVector.StackFault : ExceptionVector.SegmentNotPresent;
        return descriptor.IsPresent ? null : Fault(vector, selector, $"{what}, which is not present");
    }

    private static InstructionFault? Code(GuestView view, ushort selector, string does)
    {
        string what = $"{does} selector 0x{selector:x4}";
        if ((selector & ~RplMask) == 0)
            return Fault(ExceptionVector.GeneralProtection, 0, $"{what}, which is null");
        if (Find(view, selector, what, out SegmentDescriptor descriptor) is { } fault)
            return fault;
        if (descriptor.IsSystem)
            return descriptor.Type is 0 or 8 or 10 or 13 ? Fault(ExceptionVector.GeneralProtection, selector, $"{what}, which is {descriptor.Describe()}") : null;
        if (!descriptor.IsCode)
            return Fault(ExceptionVector.GeneralProtection, selector, $"{what}, which is no code segment but {descriptor.Describe()}");
        if (view.IsLongMode && descriptor is { IsLong: true, IsBig: true })
            return Fault(ExceptionVector.GeneralProtection, selector, $"{what}, whose descriptor has both L and D set");
        return descriptor.IsPresent ? null : Fault(ExceptionVector.SegmentNotPresent, selector, $"{what}, which is not present");
    }

    private static InstructionFault? Tss(GuestView view, ushort selector)
    {
        string what = $"it loads TR with 0x{selector:x4}";
        if ((selector & ~RplMask) == 0)
            return Fault(ExceptionVector.GeneralProtection, 0, $"{what}, which is null");
        if (Find(view, selector, what, out SegmentDescriptor descriptor) is { } fault)
            return fault;
        if (!(descriptor.IsSystem && descriptor.Type is 9 || descriptor.IsSystem && descriptor.Type == 1 && !view.IsLongMode))
            return Fault(ExceptionVector.GeneralProtection, selector, $"{what}, which is no available TSS but {descriptor.Describe()}");
        return descriptor.IsPresent ? null : Fault(ExceptionVector.SegmentNotPresent, selector, $"{what}, which is not present");
    }

    private static InstructionFault? Find(GuestView view, ushort selector, string what, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (DescriptorTables.AddressOf(view, selector) is not { } at)
        {
            return Fault(
                ExceptionVector.GeneralProtection, selector,
                $"{what}, past the end of the {((selector & 4) != 0 ? "LDT" : $"GDT (limit 0x{view.Sregs.gdt.limit:x})")}");
        }

        if (DescriptorTables.Segment(view, selector) is { } found)
        {
            descriptor = found;
            return null;
        }

        _ = view.Walk(at).Permits(PageAccess.Read, view.Paging, out uint error);
        return new(FaultCause.Selector, ExceptionVector.PageFault, error, $"{what}, whose descriptor at 0x{at:x} is not mapped", at);
    }

    private static InstructionFault Fault(byte vector, ushort selector, string detail) =>
        new(FaultCause.Selector, vector, selector & 0xfff8u, detail);

    private static ulong? Source(GuestView view, in Instruction instruction, int operand)
    {
        if (instruction.GetOpKind(operand) == OpKind.Register)
            return RegisterFile.Read(view, instruction.GetOpRegister(operand)) & 0xffff;
        return instruction.GetOpKind(operand) == OpKind.Memory && MemoryOperands.ExplicitAddress(view, instruction) is { } at
            ? view.ReadValue(at, 2)
            : null;
    }

    private static ulong? OnStack(GuestView view, int index, int word)
    {
        ulong rsp = view.Is64Bit ? view.Regs.rsp : view.Sregs.ss.db != 0 ? (uint)view.Regs.rsp : (ushort)view.Regs.rsp;
        return view.ReadValue(view.Linear(view.Sregs.ss, rsp + (ulong)(index * word)), word);
    }
}
