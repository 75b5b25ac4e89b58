using System.Runtime.InteropServices;

namespace MiniVmm.Kvm;

/// <summary>
/// The page shared with KVM through a vCPU's mapping (api.rst, "The kvm_run structure"). Members from
/// offset 32 are one union: <see cref="exit_reason"/> says which of them counts.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 2352)]
public unsafe struct kvm_run
{
    // in
    [FieldOffset(0)] public byte request_interrupt_window;

    /// <summary>Not 0: the next KVM_RUN returns EINTR before it enters the guest.</summary>
    [FieldOffset(1)] public byte immediate_exit;
    [FieldOffset(2)] public fixed byte padding1[6];

    // out
    [FieldOffset(8)] public KvmExitReason exit_reason;
    [FieldOffset(12)] public byte ready_for_interrupt_injection;
    [FieldOffset(13)] public byte if_flag;

    /// <summary>KVM_RUN_X86_* bits.</summary>
    [FieldOffset(14)] public ushort flags;

    // in and out
    [FieldOffset(16)] public ulong cr8;
    [FieldOffset(24)] public ulong apic_base;

    // the union
    [FieldOffset(32)] public exit_hw hw;
    [FieldOffset(32)] public exit_fail_entry fail_entry;
    [FieldOffset(32)] public exit_ex ex;
    [FieldOffset(32)] public exit_io io;
    [FieldOffset(32)] public exit_debug debug;
    [FieldOffset(32)] public exit_mmio mmio;
    [FieldOffset(32)] public exit_hypercall hypercall;
    [FieldOffset(32)] public exit_tpr_access tpr_access;
    [FieldOffset(32)] public exit_internal @internal;
    [FieldOffset(32)] public exit_emulation_failure emulation_failure;
    [FieldOffset(32)] public exit_system_event system_event;
    [FieldOffset(32)] public exit_eoi eoi;
    [FieldOffset(32)] public exit_msr msr;
    [FieldOffset(32)] public exit_notify notify;
    [FieldOffset(32)] public fixed byte padding[256];

    // with KVM_CAP_SYNC_REGS
    /// <summary>KVM_SYNC_X86_*: what KVM stores in <see cref="s"/> on every exit.</summary>
    [FieldOffset(288)] public ulong kvm_valid_regs;

    /// <summary>KVM_SYNC_X86_*: what KVM loads from <see cref="s"/> on the next entry.</summary>
    [FieldOffset(296)] public ulong kvm_dirty_regs;
    [FieldOffset(304)] public sync_area s;

    /// <summary>KVM_EXIT_UNKNOWN.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_hw
    {
        public ulong hardware_exit_reason;
    }

    /// <summary>KVM_EXIT_FAIL_ENTRY: the reason is VMX's or SVM's own number.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_fail_entry
    {
        public ulong hardware_entry_failure_reason;
        public uint cpu;
    }

    /// <summary>KVM_EXIT_EXCEPTION.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_ex
    {
        public uint exception;
        public uint error_code;
    }

    /// <summary>KVM_EXIT_IO: <see cref="count"/> items of <see cref="size"/> bytes each.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_io
    {
        /// <summary>KVM_EXIT_IO_IN or KVM_EXIT_IO_OUT.</summary>
        public byte direction;
        public byte size;
        public ushort port;
        public uint count;

        /// <summary>Bytes from the start of <see cref="kvm_run"/>.</summary>
        public ulong data_offset;
    }

    /// <summary>KVM_EXIT_DEBUG.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_debug
    {
        public kvm_debug_exit_arch arch;
    }

    /// <summary>KVM_EXIT_MMIO.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_mmio
    {
        public ulong phys_addr;
        public fixed byte data[8];
        public uint len;
        public byte is_write;
    }

    /// <summary>KVM_EXIT_HYPERCALL.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_hypercall
    {
        public ulong nr;
        public fixed ulong args[6];
        public ulong ret;
        public uint longmode;
        public uint pad;
    }

    /// <summary>KVM_EXIT_TPR_ACCESS.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_tpr_access
    {
        public ulong rip;
        public uint is_write;
        public uint pad;
    }

    /// <summary>KVM_EXIT_INTERNAL_ERROR: <see cref="ndata"/> of <see cref="data"/> count.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_internal
    {
        /// <summary>KVM_INTERNAL_ERROR_*.</summary>
        public uint suberror;
        public uint ndata;
        public fixed ulong data[16];
    }

    /// <summary>KVM_EXIT_INTERNAL_ERROR with KVM_INTERNAL_ERROR_EMULATION.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_emulation_failure
    {
        public uint suberror;
        public uint ndata;

        /// <summary>KVM_INTERNAL_ERROR_EMULATION_FLAG_*: what of the rest counts.</summary>
        public ulong flags;
        public byte insn_size;
        public fixed byte insn_bytes[15];
    }

    /// <summary>KVM_EXIT_SYSTEM_EVENT.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 136)]
    public struct exit_system_event
    {
        /// <summary>KVM_SYSTEM_EVENT_*.</summary>
        [FieldOffset(0)] public uint type;
        [FieldOffset(4)] public uint ndata;
        [FieldOffset(8)] public ulong flags;
        [FieldOffset(8)] public fixed ulong data[16];
    }

    /// <summary>KVM_EXIT_IOAPIC_EOI.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_eoi
    {
        public byte vector;
    }

    /// <summary>KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_msr
    {
        /// <summary>User space writes 1 to give the guest #GP.</summary>
        public byte error;
        public fixed byte pad[7];

        /// <summary>KVM_MSR_EXIT_REASON_*.</summary>
        public uint reason;
        public uint index;
        public ulong data;
    }

    /// <summary>KVM_EXIT_NOTIFY.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct exit_notify
    {
        public uint flags;
    }

    /// <summary>The room for KVM_CAP_SYNC_REGS.</summary>
    [StructLayout(LayoutKind.Explicit, Size = (int)KvmConstants.SYNC_REGS_SIZE_BYTES)]
    public struct sync_area
    {
        [FieldOffset(0)] public kvm_sync_regs regs;
        [FieldOffset(0)] public fixed byte padding[(int)KvmConstants.SYNC_REGS_SIZE_BYTES];
    }
}
