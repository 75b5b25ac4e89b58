using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>Instructions for the system: who may use them, and which values they take (SDM vol. 3, 2.5 and 5.9).</summary>
internal static class SystemInstructions
{
    private const uint Efer = 0xc000_0080;
    private const uint ApicBase = 0x1b;

    /// <summary>Those of an MSR whose value is a linear address (SDM vol. 4): it must be canonical.</summary>
    private static ReadOnlySpan<uint> AddressMsrs =>
        [0x175, 0x176, 0xc000_0082, 0xc000_0083, 0xc000_0100, 0xc000_0101, 0xc000_0102];

    /// <summary>What is wrong; null for nothing, and for other instructions.</summary>
    public static InstructionFault? Check(GuestView view, in Instruction instruction)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (view.Cpl > 0 && (instruction.IsPrivileged || instruction.Mnemonic is Mnemonic.Hlt) && NeedsCpl0(view, instruction))
        {
            return new(
                FaultCause.Privileged, ExceptionVector.GeneralProtection, 0,
                $"{instruction.Mnemonic.ToString().ToLowerInvariant()} is for CPL 0; this is CPL {view.Cpl}");
        }

        return instruction.Mnemonic switch
        {
            Mnemonic.Mov when instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsCR() =>
                ControlRegister(view, instruction.Op0Register, RegisterFile.Read(view, instruction.Op1Register) ?? 0, instruction.Length),
            Mnemonic.Wrmsr => WriteMsr(view),
            Mnemonic.Rdmsr => new(
                FaultCause.Msr, ExceptionVector.GeneralProtection, 0,
                $"rdmsr of MSR 0x{(uint)view.Regs.rcx:x}, which this processor does not have"),
            Mnemonic.Xsetbv => XSetBv(view),
            _ => null,
        };
    }

    private static bool NeedsCpl0(GuestView view, in Instruction instruction)
    {
        bool io = instruction.Mnemonic is Mnemonic.Cli or Mnemonic.Sti or Mnemonic.In or Mnemonic.Out
            or Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd or Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd;
        return !io || view.Cpl > (int)(view.Regs.rflags >> 12 & 3);
    }

    /// <summary>The next instruction is fetched by the page tables already.</summary>
    private static InstructionFault? TurnPagingOn(GuestView view, ulong cr0, int length)
    {
        kvm_sregs sregs = view.Sregs;
        kvm_regs regs = view.Regs;
        sregs.cr0 = cr0;
        if ((sregs.efer & ControlBits.EferLme) != 0)
            sregs.efer |= ControlBits.EferLma;
        regs.rip += (ulong)length;
        GuestView after = new(regs, sregs, view.Memory) { PhysicalBits = view.PhysicalBits };
        return CodeFetch.Check(after, after.Rip) is { } fault
            ? fault with { Detail = $"paging is turned on, and by the page tables at 0x{sregs.cr3:x} the next instruction cannot be read: {fault.Detail}" }
            : null;
    }

    private static InstructionFault? ControlRegister(GuestView view, Register register, ulong value, int length)
    {
        ref readonly kvm_sregs sregs = ref view.Sregs;
        string what = $"it loads {register} with 0x{value:x}";
        bool paging = (sregs.cr0 & ControlBits.Cr0Pg) != 0;
        if (register == Register.CR0)
        {
            if ((value & ControlBits.Cr0Pg) != 0 && (value & ControlBits.Cr0Pe) == 0)
                return Fault($"{what}: paging without protection (PG without PE)");
            if ((value & ControlBits.Cr0Pg) != 0 && !paging && (sregs.efer & ControlBits.EferLme) != 0)
            {
                if ((sregs.cr4 & ControlBits.Cr4Pae) == 0)
                    return Fault($"{what}: EFER.LME is 1 and CR4.PAE is 0: long mode needs PAE");
                if (sregs.cs.l != 0)
                    return Fault($"{what}: CS is 64-bit code before long mode is on");
            }

            if ((value & ControlBits.Cr0Pg) == 0 && paging && view.Is64Bit)
                return Fault($"{what}: 64-bit code cannot turn paging off");
            if ((value & 1 << 29) != 0 && (value & 1 << 30) == 0)
                return Fault($"{what}: NW without CD");
            if (value >> 32 != 0)
                return Fault($"{what}: bits 63:32 are reserved");
            return (value & ControlBits.Cr0Pg) != 0 && !paging ? TurnPagingOn(view, value, length) : null;
        }

        if (register == Register.CR4)
        {
            if (view.IsLongMode && (value & ControlBits.Cr4Pae) == 0)
                return Fault($"{what}: long mode needs PAE");
            if (paging && ((value ^ sregs.cr4) & ControlBits.Cr4La57) != 0 && view.IsLongMode)
                return Fault($"{what}: LA57 cannot change in long mode");
            ulong more = value & ~sregs.cr4;
            string names = ControlBits.NameCr4(more);
            return Fault($"{what}: 0x{more:x}{(names == "-" ? "" : $" ({names})")} is not of this processor, or not all of it");
        }

        if (register == Register.CR3 && view.IsLongMode && value >> view.PhysicalBits != 0 && value >> 63 == 0)
            return Fault($"{what}: beyond the {view.PhysicalBits} physical-address bits");
        return register is Register.CR8 && value > 15 ? Fault($"{what}: more than 15") : null;

        static InstructionFault Fault(string detail) =>
            new(FaultCause.SystemRegister, ExceptionVector.GeneralProtection, 0, detail);
    }

    private static InstructionFault? WriteMsr(GuestView view)
    {
        uint msr = (uint)view.Regs.rcx;
        ulong value = view.Regs.rdx << 32 | view.Regs.rax & uint.MaxValue;
        string what = $"wrmsr of 0x{value:x} to MSR 0x{msr:x}";
        if (msr == Efer)
        {
            bool changes = ((value ^ view.Sregs.efer) & ControlBits.EferLme) != 0;
            return Fault(changes && (view.Sregs.cr0 & ControlBits.Cr0Pg) != 0
                ? $"{what} (EFER): LME cannot change while paging is on"
                : $"{what} (EFER): a bit that this processor does not have");
        }

        if (AddressMsrs.Contains(msr) && (ulong)((long)(value << 16) >> 16) != value)
            return Fault($"{what}: not a canonical address");
        if (msr == ApicBase)
            return Fault($"{what} (IA32_APIC_BASE): not a state that the APIC can go to");
        return Fault($"{what}: this processor does not have it, or not with that value");

        static InstructionFault Fault(string detail) => new(FaultCause.Msr, ExceptionVector.GeneralProtection, 0, detail);
    }

    private static InstructionFault? XSetBv(GuestView view)
    {
        if ((view.Sregs.cr4 & ControlBits.Cr4Osxsave) == 0)
            return new(FaultCause.SimdOff, ExceptionVector.InvalidOpcode, 0, "xsetbv while CR4.OSXSAVE is 0");
        ulong value = view.Regs.rdx << 32 | view.Regs.rax & uint.MaxValue;
        return new(
            FaultCause.SystemRegister, ExceptionVector.GeneralProtection, 0,
            $"xsetbv of 0x{value:x} to XCR{(uint)view.Regs.rcx}: not features that this processor has, or not together");
    }
}
