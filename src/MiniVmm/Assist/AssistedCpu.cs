using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Assist;

/// <summary>The registers of the vCPU whose instruction is completed, by the disassembler's names.</summary>
internal sealed class AssistedCpu : IVATryGetRegisterValueProvider
{
    /// <summary>General registers, RIP and RFLAGS.</summary>
    public kvm_regs Regs;

    /// <summary>Segments, control registers, EFER.</summary>
    public kvm_sregs Sregs;

    /// <summary>What the guest's CPUID offers.</summary>
    public AssistFeatures Features { get; set; }

    /// <inheritdoc cref="PagingState.PhysicalBits"/>
    public int PhysicalBits { get; set; } = 52;

    public bool IsProtected => (Sregs.cr0 & ControlBits.Cr0Pe) != 0;

    public bool IsVirtual8086 => IsProtected && (Regs.rflags & ControlBits.RflagsVm) != 0;

    public bool Is64Bit => (Sregs.efer & ControlBits.EferLma) != 0 && Sregs.cs.l != 0;

    /// <summary>Of the code: 16, 32 or 64.</summary>
    public int CodeBits => Is64Bit ? 64 : Sregs.cs.db != 0 ? 32 : 16;

    /// <summary>The privilege level: SS has it in its hidden part (SDM vol. 3, 5.5).</summary>
    public int Cpl => !IsProtected ? 0 : IsVirtual8086 ? 3 : Sregs.ss.dpl;

    public PagingState Paging => PagingState.Of(Regs, Sregs) with { PhysicalBits = PhysicalBits };

    public bool Has(AssistFeatures features) => (Features & features) == features;

    /// <summary>A general register's value, zero-extended.</summary>
    public ulong Read(Register register) => RegisterFile.Read(Regs, register);

    /// <summary>
    /// Writes a general register: 32 bits clear the upper half, 8 and 16 leave the others as they are (SDM vol. 1, 3.4.1.1).
    /// </summary>
    public void Write(Register register, ulong value)
    {
        ref ulong full = ref RegisterFile.Full(ref Regs, register);
        full = register.GetSize() switch
        {
            1 when RegisterFile.IsHighByte(register) => full & ~0xff00UL | (value & 0xff) << 8,
            1 => full & ~0xffUL | value & 0xff,
            2 => full & ~0xffffUL | value & 0xffff,
            4 => (uint)value,
            _ => value,
        };
    }

    /// <summary>For addresses: a segment is 0 here, as its base is added where its limit is checked.</summary>
    bool IVATryGetRegisterValueProvider.TryGetRegisterValue(
        Register register, int elementIndex, int elementSize, out ulong value)
    {
        value = register.IsGPR() ? Read(register) : 0;
        return register.IsGPR() || register.IsSegmentRegister();
    }
}
