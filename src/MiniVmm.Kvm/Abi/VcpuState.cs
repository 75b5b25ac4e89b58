using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>One CPUID leaf as the guest will see it (api.rst, KVM_SET_CPUID2).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_cpuid_entry2
{
    public uint function;

    /// <summary>The subleaf; it counts only with KVM_CPUID_FLAG_SIGNIFCANT_INDEX in <see cref="flags"/>.</summary>
    public uint index;
    public uint flags;
    public uint eax;
    public uint ebx;
    public uint ecx;
    public uint edx;
    public fixed uint padding[3];
}

/// <summary>Header before <see cref="nent"/> times <see cref="kvm_cpuid_entry2"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_cpuid2
{
    public uint nent;
    public uint padding;
}

/// <summary>One model-specific register (api.rst, KVM_GET_MSRS).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_entry
{
    public uint index;
    public uint reserved;
    public ulong data;
}

/// <summary>Header before <see cref="nmsrs"/> times <see cref="kvm_msr_entry"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msrs
{
    public uint nmsrs;
    public uint pad;
}

/// <summary>Header before <see cref="nmsrs"/> 32-bit MSR numbers (api.rst, KVM_GET_MSR_INDEX_LIST).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_msr_list
{
    public uint nmsrs;
}

/// <summary>The local APIC's register page, first KiB (SDM vol. 3, 11.4.1).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_lapic_state
{
    public fixed byte regs[(int)KvmConstants.KVM_APIC_REG_SIZE];
}

/// <summary>Whether a vCPU runs, halts or waits for INIT and SIPI: KVM_MP_STATE_*.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_mp_state
{
    public uint mp_state;
}

/// <summary>Header before <see cref="len"/> bytes of the kernel's signal set (api.rst, KVM_SET_SIGNAL_MASK).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_signal_mask
{
    /// <summary>Length of the set in bytes: 8, the kernel's own, not glibc's 128.</summary>
    public uint len;
}

/// <summary>An external interrupt to queue, for VMs without an in-kernel irqchip.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_interrupt
{
    public uint irq;
}

/// <summary>Breakpoints and single step (api.rst, KVM_SET_GUEST_DEBUG).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_guest_debug
{
    /// <summary>KVM_GUESTDBG_* bits.</summary>
    public uint control;
    public uint pad;
    public kvm_guest_debug_arch arch;
}

/// <summary>DR0–DR7 for KVM_GUESTDBG_USE_HW_BP.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_guest_debug_arch
{
    public fixed ulong debugreg[8];
}

/// <summary>What KVM_EXIT_DEBUG reports.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct kvm_debug_exit_arch
{
    public uint exception;
    public uint pad;
    public ulong pc;
    public ulong dr6;
    public ulong dr7;
}

/// <summary>A linear address walked through the vCPU's page tables (api.rst, KVM_TRANSLATE).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct kvm_translation
{
    public ulong linear_address;
    public ulong physical_address;
    public byte valid;
    public byte writeable;
    public byte usermode;
    public fixed byte pad[5];
}
