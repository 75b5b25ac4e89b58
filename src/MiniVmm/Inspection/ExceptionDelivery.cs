using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>
/// The delivery of an exception or interrupt, done on paper: every check that the processor makes on its way to the handler,
/// in its order (SDM vol. 3, 6.12 and 6.14; 20.1.4 for real mode).
/// </summary>
internal static class ExceptionDelivery
{
    private const uint IdtBit = 2;
    private const ushort RplMask = 3;

    /// <summary>Delivers.</summary>
    /// <param name="view">The vCPU, as it is before the delivery.</param>
    /// <param name="vector">Exception or interrupt.</param>
    /// <param name="isSoftware">By INT n, INT3 or INTO, which the gate's DPL limits.</param>
    /// <param name="delivery">Where it went, if nothing is wrong.</param>
    /// <returns>Null for a delivery that works.</returns>
    public static DeliveryFault? Find(GuestView view, byte vector, bool isSoftware, out Delivery delivery)
    {
        ArgumentNullException.ThrowIfNull(view);
        delivery = default;
        int size = InterruptGate.SizeOf(view);
        ref readonly kvm_sregs sregs = ref view.Sregs;
        uint gateError = (uint)(vector << 3) | IdtBit;
        ulong at = DescriptorTables.GateAddress(view, vector);
        if (sregs.idt.limit < size - 1 && view.IsProtected)
        {
            return new(
                DeliveryProblem.NoIdt, ExceptionVector.GeneralProtection, gateError,
                $"there is no IDT (limit 0x{sregs.idt.limit:x})");
        }

        if (vector * size + size - 1 > sregs.idt.limit)
        {
            return new(
                DeliveryProblem.BeyondIdtLimit, ExceptionVector.GeneralProtection, gateError,
                $"the IDT has {DescriptorTables.GateCount(view)} entries (limit 0x{sregs.idt.limit:x}), and vector {vector} is past its end");
        }

        if (DescriptorTables.Gate(view, vector) is not { } gate)
        {
            return new(
                DeliveryProblem.IdtNotMapped, ExceptionVector.PageFault, Error(view, at, PageAccess.Read),
                $"the IDT entry at 0x{at:x} is not mapped", at);
        }

        if (!view.IsProtected)
            return PushReal(view, gate, out delivery);
        if (gate == default)
        {
            return new(
                DeliveryProblem.GateEmpty, ExceptionVector.GeneralProtection, gateError, $"IDT entry {vector} at 0x{at:x} is empty", at);
        }

        if (!gate.HasGoodType(view.IsLongMode))
        {
            return new(
                DeliveryProblem.GateType, ExceptionVector.GeneralProtection, gateError,
                $"IDT entry {vector} at 0x{at:x} has type {gate.Type}{(view.IsLongMode ? ", which long mode does not take" : ", which is no gate")}", at);
        }

        if (isSoftware && gate.Dpl < view.Cpl)
        {
            return new(
                DeliveryProblem.GatePrivilege, ExceptionVector.GeneralProtection, gateError,
                $"IDT entry {vector} has DPL {gate.Dpl}: code at CPL {view.Cpl} must not call it", at);
        }

        if (!gate.IsPresent)
        {
            return new(
                DeliveryProblem.GateNotPresent, ExceptionVector.SegmentNotPresent, gateError,
                $"IDT entry {vector} at 0x{at:x} is not present", at);
        }

        if (gate.Type == 5)
            return null; // a task gate: the switch is not followed
        if (CheckCode(view, vector, gate, out SegmentDescriptor code) is { } fault)
            return fault;
        return view.IsLongMode ? PushLong(view, vector, gate, code, out delivery) : PushProtected(view, vector, gate, code, out delivery);
    }

    private static DeliveryFault? CheckCode(GuestView view, byte vector, in InterruptGate gate, out SegmentDescriptor code)
    {
        code = default;
        string entry = $"IDT entry {vector} names selector 0x{gate.Selector:x4}";
        uint error = gate.Selector & 0xfff8u;
        if ((gate.Selector & ~RplMask) == 0)
            return new(DeliveryProblem.CodeSelectorNull, ExceptionVector.GeneralProtection, 0, $"{entry}, which is null");
        if (DescriptorTables.AddressOf(view, gate.Selector) is not { } at)
        {
            return new(
                DeliveryProblem.CodeSelectorBeyondTable, ExceptionVector.GeneralProtection, error,
                $"{entry}, which is past the end of the GDT (limit 0x{view.Sregs.gdt.limit:x})");
        }

        if (DescriptorTables.Segment(view, gate.Selector) is not { } descriptor)
        {
            return new(
                DeliveryProblem.GdtNotMapped, ExceptionVector.PageFault, Error(view, at, PageAccess.Read),
                $"{entry}, whose descriptor at 0x{at:x} is not mapped", at);
        }

        code = descriptor;
        if (!descriptor.IsCode)
        {
            return new(
                DeliveryProblem.NotACodeSegment, ExceptionVector.GeneralProtection, error,
                $"{entry}, which is no code segment but {descriptor.Describe()}", at);
        }

        if (descriptor.Dpl > view.Cpl)
        {
            return new(
                DeliveryProblem.CodePrivilege, ExceptionVector.GeneralProtection, error,
                $"{entry} of DPL {descriptor.Dpl}, less privileged than CPL {view.Cpl}", at);
        }

        if (!descriptor.IsPresent)
        {
            return new(
                DeliveryProblem.CodeNotPresent, ExceptionVector.SegmentNotPresent, error,
                $"{entry}, whose descriptor is not present", at);
        }

        return view.IsLongMode && (!descriptor.IsLong || descriptor.IsBig)
            ? new(
                DeliveryProblem.CodeNot64Bit, ExceptionVector.GeneralProtection, error,
                $"{entry}, {descriptor.Describe()}; long mode takes 64-bit handlers only", at)
            : null;
    }

    private static DeliveryFault? PushLong(
        GuestView view, byte vector, in InterruptGate gate, in SegmentDescriptor code, out Delivery delivery)
    {
        delivery = default;
        bool inner = !code.IsConforming && code.Dpl < view.Cpl;
        ulong stack = view.Regs.rsp;
        string from = $"RSP 0x{stack:x}";
        if (gate.Ist != 0 || inner)
        {
            int offset = gate.Ist != 0 ? 36 + 8 * (gate.Ist - 1) : 4 + 8 * code.Dpl;
            string name = gate.Ist != 0 ? $"IST {gate.Ist}" : $"RSP{code.Dpl}";
            if (ReadTss(view, offset, 8, name, out stack) is { } missing)
                return missing;
            from = $"{name} of the TSS, 0x{stack:x}";
        }

        if (!view.Paging.IsCanonical(stack))
        {
            return new(
                DeliveryProblem.StackNotCanonical, ExceptionVector.StackFault, 0,
                $"the stack at {from} is not canonical", stack);
        }

        ulong top = stack & ~0xfUL;
        int bytes = 40 + (ExceptionVector.HasErrorCode(vector) ? 8 : 0);
        if (CheckStack(view, top - (ulong)bytes, bytes, from) is { } fault)
            return fault;
        if (!view.Paging.IsCanonical(gate.Offset))
        {
            return new(
                DeliveryProblem.HandlerNotCanonical, ExceptionVector.GeneralProtection, 0,
                $"the handler's address 0x{gate.Offset:x} is not canonical", gate.Offset);
        }

        delivery = new(gate.Offset, top - (ulong)bytes);
        return null;
    }

    private static DeliveryFault? PushProtected(
        GuestView view, byte vector, in InterruptGate gate, in SegmentDescriptor code, out Delivery delivery)
    {
        delivery = default;
        ref readonly kvm_sregs sregs = ref view.Sregs;
        bool inner = !code.IsConforming && code.Dpl < view.Cpl;
        int word = gate.Type is 6 or 7 ? 2 : 4;
        int bytes = word * (3 + (ExceptionVector.HasErrorCode(vector) ? 1 : 0) + (inner ? 2 : 0) + (view.IsVirtual8086 ? 4 : 0));
        ulong stack = sregs.ss.db != 0 ? (uint)view.Regs.rsp : (ushort)view.Regs.rsp;
        ulong start = sregs.ss.@base;
        string from = $"ESP 0x{stack:x}";
        if (inner)
        {
            string name = $"SS{code.Dpl}:ESP{code.Dpl}";
            if (ReadTss(view, 4 + 8 * code.Dpl, 4, name, out stack) is { } missing
                || (missing = ReadTss(view, 8 + 8 * code.Dpl, 2, name, out ulong selector)) is not null)
                return missing;
            if (DescriptorTables.Segment(view, (ushort)selector) is not { IsWritableData: true, IsPresent: true } segment)
            {
                return new(
                    DeliveryProblem.StackSegment, ExceptionVector.InvalidTss, (uint)selector & 0xfff8,
                    $"SS{code.Dpl} of the TSS is 0x{selector:x4}, no stack segment");
            }

            start = segment.Base;
            from = $"{name} of the TSS, {selector:x4}:0x{stack:x}";
        }
        else if (stack - 1 > sregs.ss.limit && (sregs.ss.type & 4) == 0 || stack != 0 && stack < (ulong)bytes)
        {
            return new(
                DeliveryProblem.StackLimit, ExceptionVector.StackFault, 0,
                $"the stack at {from} is beyond SS's limit 0x{sregs.ss.limit:x}", stack);
        }

        ulong bottom = start + stack - (ulong)bytes & uint.MaxValue;
        if (CheckStack(view, bottom, bytes, from) is { } fault)
            return fault;
        if (gate.Offset > code.Limit)
        {
            return new(
                DeliveryProblem.HandlerBeyondLimit, ExceptionVector.GeneralProtection, 0,
                $"the handler at 0x{gate.Offset:x} is beyond the limit 0x{code.Limit:x} of {gate.Selector:x4}", gate.Offset);
        }

        delivery = new(code.Base + gate.Offset & uint.MaxValue, bottom);
        return null;
    }

    private static DeliveryFault? PushReal(GuestView view, in InterruptGate gate, out Delivery delivery)
    {
        delivery = default;
        ushort sp = (ushort)view.Regs.rsp;
        if (sp is > 0 and < 6)
        {
            return new(
                DeliveryProblem.StackLimit, ExceptionVector.StackFault, 0, $"SP is 0x{sp:x}: no room for the six bytes of a frame", sp);
        }

        ulong bottom = view.Sregs.ss.@base + (ushort)(sp - 6);
        if (CheckStack(view, bottom, 6, $"SS:SP {view.Sregs.ss.selector:x4}:{sp:x4}") is { } fault)
            return fault;
        delivery = new((ulong)gate.Selector * 16 + gate.Offset, bottom);
        return null;
    }

    private static DeliveryFault? ReadTss(GuestView view, int offset, int size, string name, out ulong value)
    {
        value = 0;
        ref readonly kvm_segment tr = ref view.Sregs.tr;
        if (tr.unusable != 0 || tr.present == 0 || (tr.selector & ~RplMask) == 0)
        {
            return new(
                DeliveryProblem.NoTss, ExceptionVector.InvalidTss, tr.selector & 0xfff8u,
                $"its stack is {name} of the TSS, and TR holds no TSS");
        }

        if (offset + size - 1 > tr.limit)
        {
            return new(
                DeliveryProblem.TssTooShort, ExceptionVector.InvalidTss, tr.selector & 0xfff8u,
                $"its stack is {name}, past the end of the TSS (limit 0x{tr.limit:x})");
        }

        ulong at = tr.@base + (ulong)offset;
        if (view.ReadValue(at, size) is not { } read)
        {
            return new(
                DeliveryProblem.TssNotMapped, ExceptionVector.PageFault, Error(view, at, PageAccess.Read),
                $"its stack is {name} of the TSS at 0x{tr.@base:x}, which is not mapped", at);
        }

        value = read;
        return null;
    }

    /// <summary>Each page of the frame must take a write by a supervisor.</summary>
    private static DeliveryFault? CheckStack(GuestView view, ulong bottom, int bytes, string from)
    {
        PagingState paging = view.Paging;
        ulong last = bottom + (ulong)bytes - 1;
        for (ulong at = last; ; at = bottom)
        {
            PageWalk walk = view.Walk(at);
            if (walk.End == PageWalkEnd.NotCanonical)
            {
                return new(
                    DeliveryProblem.StackNotCanonical, ExceptionVector.StackFault, 0, $"the stack at {from} is not canonical", at);
            }

            if (!walk.Permits(PageAccess.Write, paging, out uint error) && walk.End != PageWalkEnd.TableNotInRam)
            {
                bool readOnly = walk.End == PageWalkEnd.Mapped;
                return new(
                    readOnly ? DeliveryProblem.StackReadOnly : DeliveryProblem.StackNotMapped, ExceptionVector.PageFault, error,
                    $"the stack at {from} cannot take the frame: 0x{at:x} {(readOnly ? "cannot be written" : "is not mapped")}", at);
            }

            if (!view.Memory.TryGetSpan(walk.Physical, 1, out _) || walk.End == PageWalkEnd.TableNotInRam)
            {
                return new(
                    DeliveryProblem.StackNotMapped, ExceptionVector.PageFault, error,
                    $"the stack at {from} cannot take the frame: 0x{at:x} is not in RAM", at);
            }

            if (at == bottom)
                return null;
        }
    }

    private static uint Error(GuestView view, ulong at, PageAccess access)
    {
        _ = view.Walk(at).Permits(access, view.Paging, out uint error);
        return error;
    }
}
