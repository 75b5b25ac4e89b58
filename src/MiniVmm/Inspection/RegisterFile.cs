using Iced.Intel;
using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>General and segment registers by the disassembler's names.</summary>
internal static class RegisterFile
{
    /// <summary>The value of a general register of any size, zero-extended; null for a register of another kind.</summary>
    public static ulong? Read(GuestView view, Register register)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (register is Register.AH or Register.CH or Register.DH or Register.BH)
            return Read(view, register - Register.AH + Register.AL) is not null ? Full(view.Regs, register.GetFullRegister()) >> 8 & 0xff : null;
        if (!register.IsGPR())
            return register is Register.RIP or Register.EIP ? view.Regs.rip : null;
        ulong value = Full(view.Regs, register.GetFullRegister());
        return register.GetSize() switch
        {
            1 => value & 0xff,
            2 => value & 0xffff,
            4 => value & uint.MaxValue,
            _ => value,
        };
    }

    /// <summary>A segment register with what is cached of its descriptor.</summary>
    public static kvm_segment Segment(GuestView view, Register register)
    {
        ArgumentNullException.ThrowIfNull(view);
        return register switch
        {
            Register.CS => view.Sregs.cs,
            Register.ES => view.Sregs.es,
            Register.FS => view.Sregs.fs,
            Register.GS => view.Sregs.gs,
            Register.SS => view.Sregs.ss,
            _ => view.Sregs.ds,
        };
    }

    private static ulong Full(in kvm_regs regs, Register register) => register switch
    {
        Register.RAX => regs.rax,
        Register.RBX => regs.rbx,
        Register.RCX => regs.rcx,
        Register.RDX => regs.rdx,
        Register.RSI => regs.rsi,
        Register.RDI => regs.rdi,
        Register.RBP => regs.rbp,
        Register.RSP => regs.rsp,
        Register.R8 => regs.r8,
        Register.R9 => regs.r9,
        Register.R10 => regs.r10,
        Register.R11 => regs.r11,
        Register.R12 => regs.r12,
        Register.R13 => regs.r13,
        Register.R14 => regs.r14,
        _ => regs.r15,
    };
}
