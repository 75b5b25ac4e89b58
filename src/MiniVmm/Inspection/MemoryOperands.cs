using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>The checks that an instruction's memory operands go through: segment, canonical form, alignment, pages.</summary>
/// <param name="view">The vCPU before the instruction.</param>
/// <param name="instruction">The instruction.</param>
internal sealed class MemoryOperands(GuestView view, Instruction instruction)
{
    /// <summary>Linear address of the operand in memory that is written in the instruction; null without one.</summary>
    public static ulong? ExplicitAddress(GuestView view, in Instruction instruction)
    {
        ArgumentNullException.ThrowIfNull(view);
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Memory || instruction.IsVsib)
                continue;
            ulong offset = instruction.IsIPRelativeMemoryOperand
                ? instruction.IPRelativeMemoryAddress
                : instruction.MemoryDisplacement64
                    + (RegisterFile.Read(view, instruction.MemoryBase) ?? 0)
                    + (RegisterFile.Read(view, instruction.MemoryIndex) ?? 0) * (ulong)instruction.MemoryIndexScale;
            bool keepsBase = instruction.MemorySegment is Register.FS or Register.GS;
            return view.Linear(RegisterFile.Segment(view.Sregs, instruction.MemorySegment), offset, keepsBase);
        }

        return null;
    }

    /// <summary>The first operand's fault; null where all are good.</summary>
    public InstructionFault? Check()
    {
        InstructionInfo info = new InstructionInfoFactory().GetInfo(instruction);
        foreach (UsedMemory operand in info.GetUsedMemory())
        {
            if (Check(operand) is { } fault)
                return fault;
        }

        return null;
    }

    private InstructionFault? Check(in UsedMemory operand)
    {
        bool writes = operand.Access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
        if (operand.Access is OpAccess.None or OpAccess.NoMemAccess)
            return null;
        if (Offset(operand) is not { } offset)
            return null; // a vector register is its index
        int size = Math.Max(operand.MemorySize.GetSize(), 1);
        kvm_segment segment = RegisterFile.Segment(view.Sregs, operand.Segment);
        bool keepsBase = operand.Segment is Register.FS or Register.GS;
        bool stack = operand.Segment == Register.SS;
        if (!view.Is64Bit && CheckSegment(segment, operand.Segment, offset, size, writes) is { } fault)
            return fault;
        ulong linear = view.Linear(segment, offset, keepsBase);
        if (Aligned(size) && linear % (ulong)size != 0)
        {
            return new(
                FaultCause.Misaligned, ExceptionVector.GeneralProtection, 0,
                $"{Lower(instruction.Mnemonic)} takes addresses that are multiples of {size}; 0x{linear:x} is not", linear);
        }

        return CheckPage(linear, writes, stack) ?? CheckPage(linear + (ulong)size - 1, writes, stack);
    }

    /// <summary>Where an operand lies; null where a vector register is its index.</summary>
    public ulong? Linear(in UsedMemory operand) => Offset(operand) is { } offset
        ? view.Linear(RegisterFile.Segment(view.Sregs, operand.Segment), offset, operand.Segment is Register.FS or Register.GS)
        : null;

    private ulong? Offset(in UsedMemory operand)
    {
        ulong offset = operand.Displacement;
        if (operand.Base != Register.None)
        {
            if (operand.Base is Register.RIP or Register.EIP)
                return instruction.IPRelativeMemoryAddress;
            if (RegisterFile.Read(view, operand.Base) is not { } start)
                return null;
            offset += start;
        }

        if (operand.Index != Register.None)
        {
            if (RegisterFile.Read(view, operand.Index) is not { } index)
                return null;
            offset += index * (ulong)operand.Scale;
        }

        return operand.AddressSize switch
        {
            CodeSize.Code16 => offset & 0xffff,
            CodeSize.Code32 => offset & uint.MaxValue,
            _ => offset,
        };
    }

    private InstructionFault? CheckSegment(in kvm_segment segment, Register name, ulong offset, int size, bool writes)
    {
        byte vector = name == Register.SS ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection;
        return SegmentAccess.Check(segment, offset, size, writes, hasTypes: view.IsProtected && !view.IsVirtual8086) switch
        {
            SegmentProblem.None => null,
            SegmentProblem.Null => new(FaultCause.SegmentNull, vector, 0, $"{name} holds the null selector"),
            SegmentProblem.NotWritable => new(FaultCause.SegmentReadOnly, vector, 0, $"{name} ({segment.selector:x4}) is not writable"),
            SegmentProblem.NotReadable => new(FaultCause.SegmentReadOnly, vector, 0, $"{name} ({segment.selector:x4}) is execute-only"),
            _ => new(
                FaultCause.SegmentLimit, vector, 0,
                $"offset 0x{offset:x} is beyond the limit 0x{segment.limit:x} of {name} ({segment.selector:x4})", offset),
        };
    }

    private InstructionFault? CheckPage(ulong linear, bool writes, bool stack)
    {
        PagingState paging = view.Paging;
        PageWalk walk = view.Walk(linear);
        string does = writes ? "writes" : "reads";
        string what = stack ? "the stack at " : "";
        if (walk.End == PageWalkEnd.NotCanonical)
        {
            return new(
                stack ? FaultCause.StackNotCanonical : FaultCause.DataNotCanonical,
                stack ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0,
                $"it {does} {what}0x{linear:x}, which is not canonical", linear);
        }

        if (walk.End == PageWalkEnd.TableNotInRam)
        {
            return new(
                FaultCause.TableNotInRam, ExceptionVector.PageFault, 0,
                $"it {does} {what}0x{linear:x}, whose page table lies at 0x{walk.Physical:x}, which is not RAM", linear);
        }

        PageAccess access = (writes ? PageAccess.Write : PageAccess.Read) | (view.Cpl == 3 ? PageAccess.User : 0);
        if (walk.Permits(access, paging, out uint error))
            return null;
        (FaultCause cause, string why) = walk.End switch
        {
            PageWalkEnd.NotPresent => (stack ? FaultCause.StackNotMapped : FaultCause.DataNotMapped, "is not mapped"),
            PageWalkEnd.ReservedBit => (
                FaultCause.DataReservedBit, $"has reserved bits 0x{walk.ReservedBits:x} set in its {walk[walk.Count - 1].Name}"),
            _ when view.Cpl == 3 && !walk.IsUser => (FaultCause.DataPrivilege, "is a supervisor page"),
            _ when view.Cpl < 3 && walk.IsUser && paging.Smap => (
                FaultCause.DataPrivilege, "is a user page, which SMAP keeps the kernel off while RFLAGS.AC is 0"),
            _ => (stack ? FaultCause.StackReadOnly : FaultCause.DataReadOnly, "is read-only"),
        };
        return new(cause, ExceptionVector.PageFault, error, $"it {does} {what}0x{linear:x}, which {why}", linear);
    }

    private bool Aligned(int size) => size is 16 or 32 or 64 && instruction.Mnemonic is
        Mnemonic.Movaps or Mnemonic.Movapd or Mnemonic.Movdqa or Mnemonic.Movntps or Mnemonic.Movntpd or Mnemonic.Movntdq
        or Mnemonic.Movntdqa or Mnemonic.Vmovaps or Mnemonic.Vmovapd or Mnemonic.Vmovdqa or Mnemonic.Cmpxchg16b
        or Mnemonic.Vmovntps or Mnemonic.Vmovntdq or Mnemonic.Vmovntdqa;

    private static string Lower(Mnemonic mnemonic) => mnemonic.ToString().ToLowerInvariant();
}
