using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>General registers (api.rst, KVM_GET_REGS).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_regs
{
    public ulong rax, rbx, rcx, rdx;
    public ulong rsi, rdi, rsp, rbp;
    public ulong r8, r9, r10, r11;
    public ulong r12, r13, r14, r15;
    public ulong rip, rflags;
}

/// <summary>A segment register with its hidden part (SDM vol. 3, 3.4.3).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_segment
{
    public ulong @base;

    /// <summary>The last valid offset in bytes, already scaled by <see cref="g"/>.</summary>
    public uint limit;
    public ushort selector;
    public byte type;
    public byte present, dpl, db, s, l, g, avl;
    public byte unusable;
    public byte padding;
}

/// <summary>GDTR or IDTR.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_dtable
{
    public ulong @base;
    public ushort limit;
    public fixed ushort padding[3];
}

/// <summary>Segment, control and system registers (api.rst, KVM_GET_SREGS).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_sregs
{
    public kvm_segment cs, ds, es, fs, gs, ss;
    public kvm_segment tr, ldt;
    public kvm_dtable gdt, idt;
    public ulong cr0, cr2, cr3, cr4, cr8;
    public ulong efer;
    public ulong apic_base;

    /// <summary>At most one bit set: the external interrupt waiting to be injected.</summary>
    public fixed ulong interrupt_bitmap[4];
}

/// <summary>x87 and SSE state (api.rst, KVM_GET_FPU).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_fpu
{
    /// <summary>ST0–ST7, 16 bytes each.</summary>
    public fixed byte fpr[8 * 16];
    public ushort fcw;
    public ushort fsw;

    /// <summary>The tag word as FXSAVE abridges it: one bit a register.</summary>
    public byte ftwx;
    public byte pad1;
    public ushort last_opcode;
    public ulong last_ip;
    public ulong last_dp;

    /// <summary>XMM0–XMM15, 16 bytes each.</summary>
    public fixed byte xmm[16 * 16];
    public uint mxcsr;
    public uint pad2;
}

/// <summary>
/// x87, SSE and extended state as XSAVE lays it out (api.rst, KVM_GET_XSAVE2; SDM vol. 1, 13.4): its first 4 KiB, behind
/// which more may follow.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_xsave
{
    public fixed uint region[1024];
}

/// <summary>Extended control registers (api.rst, KVM_GET_XCRS).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_xcrs
{
    /// <summary>How many of <see cref="xcrs"/> there are.</summary>
    public uint nr_xcrs;
    public uint flags;

    /// <summary>Pairs of a register's number, in the low 32 bits, and its value.</summary>
    public fixed ulong xcrs[2 * (int)KvmConstants.KVM_MAX_XCRS];
    public fixed ulong padding[16];
}

/// <summary>Debug registers (api.rst, KVM_GET_DEBUGREGS).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_debugregs
{
    public fixed ulong db[4];
    public ulong dr6;
    public ulong dr7;
    public ulong flags;
    public fixed ulong reserved[9];
}

/// <summary>The registers that KVM_CAP_SYNC_REGS shares through <see cref="kvm_run.s"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_sync_regs
{
    public kvm_regs regs;
    public kvm_sregs sregs;
    public kvm_vcpu_events events;
}

/// <summary>Pending and injected events (api.rst, KVM_GET_VCPU_EVENTS).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_vcpu_events
{
    public exception_events exception;
    public interrupt_events interrupt;
    public nmi_events nmi;
    public uint sipi_vector;

    /// <summary>KVM_VCPUEVENT_VALID_* bits.</summary>
    public uint flags;
    public smi_events smi;
    public triple_fault_events triple_fault;
    public fixed byte reserved[26];
    public byte exception_has_payload;
    public ulong exception_payload;

    [StructLayout(LayoutKind.Sequential)]
    public struct exception_events
    {
        public byte injected;
        public byte nr;
        public byte has_error_code;
        public byte pending;
        public uint error_code;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct interrupt_events
    {
        public byte injected;
        public byte nr;
        public byte soft;
        public byte shadow;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct nmi_events
    {
        public byte injected;
        public byte pending;
        public byte masked;
        public byte pad;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct smi_events
    {
        public byte smm;
        public byte pending;
        public byte smm_inside_nmi;
        public byte latched_init;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct triple_fault_events
    {
        public byte pending;
    }
}
