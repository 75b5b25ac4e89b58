using System.Runtime.CompilerServices;
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
        return register.IsGPR() ? Read(view.Regs, register) : register is Register.RIP or Register.EIP ? view.Regs.rip : null;
    }

    /// <summary>The value of a general register, zero-extended. Allocates nothing.</summary>
    public static ulong Read(in kvm_regs regs, Register register)
    {
        ulong value = Full(ref Unsafe.AsRef(in regs), register);
        return register.GetSize() switch
        {
            1 when IsHighByte(register) => value >> 8 & 0xff,
            1 => value & 0xff,
            2 => value & 0xffff,
            4 => (uint)value,
            _ => value,
        };
    }

    /// <summary>AH, CH, DH or BH, which are the second byte of another register.</summary>
    public static bool IsHighByte(Register register) => register is >= Register.AH and <= Register.BH;

    /// <summary>The 64 bits that a general register of any size is part of.</summary>
    public static ref ulong Full(ref kvm_regs regs, Register register)
    {
        switch (register.GetFullRegister() - Register.RAX)
        {
            case 0: return ref regs.rax;
            case 1: return ref regs.rcx;
            case 2: return ref regs.rdx;
            case 3: return ref regs.rbx;
            case 4: return ref regs.rsp;
            case 5: return ref regs.rbp;
            case 6: return ref regs.rsi;
            case 7: return ref regs.rdi;
            case 8: return ref regs.r8;
            case 9: return ref regs.r9;
            case 10: return ref regs.r10;
            case 11: return ref regs.r11;
            case 12: return ref regs.r12;
            case 13: return ref regs.r13;
            case 14: return ref regs.r14;
            default: return ref regs.r15;
        }
    }

    /// <summary>A segment register with what is cached of its descriptor; DS for none.</summary>
    public static kvm_segment Segment(in kvm_sregs sregs, Register register) => register switch
    {
        Register.CS => sregs.cs,
        Register.ES => sregs.es,
        Register.FS => sregs.fs,
        Register.GS => sregs.gs,
        Register.SS => sregs.ss,
        _ => sregs.ds,
    };
}
