using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>What of a vCPU decides how linear addresses are translated and who may use them.</summary>
/// <param name="Cr0">CR0.</param>
/// <param name="Cr3">CR3.</param>
/// <param name="Cr4">CR4.</param>
/// <param name="Efer">IA32_EFER.</param>
/// <param name="Rflags">RFLAGS: its AC bit lifts SMAP.</param>
internal readonly record struct PagingState(ulong Cr0, ulong Cr3, ulong Cr4, ulong Efer, ulong Rflags)
{
    /// <summary>The widest that a processor can have; entries may use no more bits than theirs.</summary>
    private const int WidestPhysicalAddress = 52;

    /// <summary>Physical-address bits of the guest's processor (CPUID 0x80000008), 32 to 52: more are reserved in entries.</summary>
    public int PhysicalBits { get; init; } = WidestPhysicalAddress;

    public bool WriteProtect => (Cr0 & ControlBits.Cr0Wp) != 0;

    public bool NoExecute => (Efer & ControlBits.EferNxe) != 0;

    public bool Smep => (Cr4 & ControlBits.Cr4Smep) != 0;

    /// <summary>Whether supervisor code is kept off user pages: CR4.SMAP, unless RFLAGS.AC.</summary>
    public bool Smap => (Cr4 & ControlBits.Cr4Smap) != 0 && (Rflags & ControlBits.RflagsAc) == 0;

    public PagingMode Mode =>
        (Cr0 & ControlBits.Cr0Pg) == 0 ? PagingMode.None
        : (Cr4 & ControlBits.Cr4Pae) == 0 ? PagingMode.TwoLevel
        : (Efer & ControlBits.EferLma) == 0 ? PagingMode.Pae
        : (Cr4 & ControlBits.Cr4La57) == 0 ? PagingMode.FourLevel
        : PagingMode.FiveLevel;

    public static PagingState Of(in kvm_regs regs, in kvm_sregs sregs) =>
        new(sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer, regs.rflags);

    /// <summary>Whether all bits above the highest translated one are equal to it (SDM vol. 1, 3.3.7.1).</summary>
    public bool IsCanonical(ulong linear) => Mode switch
    {
        PagingMode.FourLevel => (ulong)((long)(linear << 16) >> 16) == linear,
        PagingMode.FiveLevel => (ulong)((long)(linear << 7) >> 7) == linear,
        _ => linear <= uint.MaxValue,
    };
}
