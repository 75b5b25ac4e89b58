namespace MiniVmm.Kvm;

/// <summary>
/// Flags and numbers of &lt;linux/kvm.h&gt; by their own names. What belongs to one enumeration is
/// in <see cref="KvmExitReason"/> and <see cref="KvmCapability"/>.
/// </summary>
public static class KvmConstants
{
    /// <summary>The only version that programs may run on (api.rst, KVM_GET_API_VERSION).</summary>
    public const int KVM_API_VERSION = 12;

    // Sizes and places.
    public const uint KVM_MAX_XCRS = 16;
    public const uint KVM_APIC_REG_SIZE = 0x400;
    public const uint KVM_IOAPIC_NUM_PINS = 24;
    public const uint KVM_NR_INTERRUPTS = 256;
    public const uint SYNC_REGS_SIZE_BYTES = 2048;

    /// <summary>Page of a vCPU's mapping that holds the data of KVM_EXIT_IO.</summary>
    public const uint KVM_PIO_PAGE_OFFSET = 1;

    /// <summary>Page of a vCPU's mapping that holds the <see cref="kvm_coalesced_mmio_ring"/>.</summary>
    public const uint KVM_COALESCED_MMIO_PAGE_OFFSET = 2;
    public const uint KVM_DIRTY_LOG_PAGE_OFFSET = 64;

    // kvm_userspace_memory_region.flags
    public const uint KVM_MEM_LOG_DIRTY_PAGES = 1 << 0;
    public const uint KVM_MEM_READONLY = 1 << 1;

    // kvm_run
    public const byte KVM_EXIT_IO_IN = 0;
    public const byte KVM_EXIT_IO_OUT = 1;
    public const ushort KVM_RUN_X86_SMM = 1 << 0;
    public const ushort KVM_RUN_X86_BUS_LOCK = 1 << 1;
    public const uint KVM_INTERNAL_ERROR_EMULATION = 1;
    public const uint KVM_INTERNAL_ERROR_SIMUL_EX = 2;
    public const uint KVM_INTERNAL_ERROR_DELIVERY_EV = 3;
    public const uint KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON = 4;
    public const ulong KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES = 1 << 0;
    public const uint KVM_SYSTEM_EVENT_SHUTDOWN = 1;
    public const uint KVM_SYSTEM_EVENT_RESET = 2;
    public const uint KVM_SYSTEM_EVENT_CRASH = 3;
    public const uint KVM_SYSTEM_EVENT_WAKEUP = 4;
    public const uint KVM_SYSTEM_EVENT_SUSPEND = 5;
    public const uint KVM_SYSTEM_EVENT_SEV_TERM = 6;
    public const uint KVM_MSR_EXIT_REASON_INVAL = 1 << 0;
    public const uint KVM_MSR_EXIT_REASON_UNKNOWN = 1 << 1;
    public const uint KVM_MSR_EXIT_REASON_FILTER = 1 << 2;
    public const uint KVM_NOTIFY_CONTEXT_INVALID = 1 << 0;
    public const ulong KVM_SYNC_X86_REGS = 1 << 0;
    public const ulong KVM_SYNC_X86_SREGS = 1 << 1;
    public const ulong KVM_SYNC_X86_EVENTS = 1 << 2;
    public const ulong KVM_SYNC_X86_VALID_FIELDS = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;

    // kvm_mp_state.mp_state
    public const uint KVM_MP_STATE_RUNNABLE = 0;
    public const uint KVM_MP_STATE_UNINITIALIZED = 1;
    public const uint KVM_MP_STATE_INIT_RECEIVED = 2;
    public const uint KVM_MP_STATE_HALTED = 3;
    public const uint KVM_MP_STATE_SIPI_RECEIVED = 4;
    public const uint KVM_MP_STATE_AP_RESET_HOLD = 9;

    // kvm_cpuid_entry2.flags
    public const uint KVM_CPUID_FLAG_SIGNIFCANT_INDEX = 1 << 0;
    public const uint KVM_CPUID_FLAG_STATEFUL_FUNC = 1 << 1;
    public const uint KVM_CPUID_FLAG_STATE_READ_NEXT = 1 << 2;

    // kvm_vcpu_events
    public const uint KVM_VCPUEVENT_VALID_NMI_PENDING = 1 << 0;
    public const uint KVM_VCPUEVENT_VALID_SIPI_VECTOR = 1 << 1;
    public const uint KVM_VCPUEVENT_VALID_SHADOW = 1 << 2;
    public const uint KVM_VCPUEVENT_VALID_SMM = 1 << 3;
    public const uint KVM_VCPUEVENT_VALID_PAYLOAD = 1 << 4;
    public const uint KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 1 << 5;
    public const byte KVM_X86_SHADOW_INT_MOV_SS = 1 << 0;
    public const byte KVM_X86_SHADOW_INT_STI = 1 << 1;

    // kvm_guest_debug.control
    public const uint KVM_GUESTDBG_ENABLE = 1 << 0;
    public const uint KVM_GUESTDBG_SINGLESTEP = 1 << 1;
    public const uint KVM_GUESTDBG_USE_SW_BP = 1 << 16;
    public const uint KVM_GUESTDBG_USE_HW_BP = 1 << 17;
    public const uint KVM_GUESTDBG_INJECT_DB = 1 << 18;
    public const uint KVM_GUESTDBG_INJECT_BP = 1 << 19;
    public const uint KVM_GUESTDBG_BLOCKIRQ = 1 << 20;

    // Interrupts.
    public const uint KVM_IRQCHIP_PIC_MASTER = 0;
    public const uint KVM_IRQCHIP_PIC_SLAVE = 1;
    public const uint KVM_IRQCHIP_IOAPIC = 2;
    public const uint KVM_IRQ_ROUTING_IRQCHIP = 1;
    public const uint KVM_IRQ_ROUTING_MSI = 2;
    public const uint KVM_IRQFD_FLAG_DEASSIGN = 1 << 0;
    public const uint KVM_IRQFD_FLAG_RESAMPLE = 1 << 1;
    public const uint KVM_MSI_VALID_DEVID = 1 << 0;
    public const uint KVM_PIT_SPEAKER_DUMMY = 1;
    public const uint KVM_PIT_FLAGS_HPET_LEGACY = 1;
    public const uint KVM_PIT_FLAGS_SPEAKER_DATA_ON = 2;
    public const uint KVM_IOEVENTFD_FLAG_DATAMATCH = 1 << 0;
    public const uint KVM_IOEVENTFD_FLAG_PIO = 1 << 1;
    public const uint KVM_IOEVENTFD_FLAG_DEASSIGN = 1 << 2;

    // kvm_clock_data.flags
    public const uint KVM_CLOCK_TSC_STABLE = 1 << 1;
    public const uint KVM_CLOCK_REALTIME = 1 << 2;
    public const uint KVM_CLOCK_HOST_TSC = 1 << 3;

    // Arguments of KVM_ENABLE_CAP.
    public const ulong KVM_X2APIC_API_USE_32BIT_IDS = 1 << 0;
    public const ulong KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK = 1 << 1;
    public const ulong KVM_PMU_CAP_DISABLE = 1 << 0;
    public const ulong KVM_X86_DISABLE_EXITS_MWAIT = 1 << 0;
    public const ulong KVM_X86_DISABLE_EXITS_HLT = 1 << 1;
    public const ulong KVM_X86_DISABLE_EXITS_PAUSE = 1 << 2;
    public const ulong KVM_X86_DISABLE_EXITS_CSTATE = 1 << 3;
    public const ulong KVM_X86_NOTIFY_VMEXIT_ENABLED = 1 << 0;
    public const ulong KVM_X86_NOTIFY_VMEXIT_USER = 1 << 1;

    // kvm_stats_desc.flags
    public const uint KVM_STATS_TYPE_SHIFT = 0;
    public const uint KVM_STATS_TYPE_MASK = 0xfu << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_TYPE_CUMULATIVE = 0u << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_TYPE_INSTANT = 1u << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_TYPE_PEAK = 2u << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_TYPE_LINEAR_HIST = 3u << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_TYPE_LOG_HIST = 4u << (int)KVM_STATS_TYPE_SHIFT;
    public const uint KVM_STATS_UNIT_SHIFT = 4;
    public const uint KVM_STATS_UNIT_MASK = 0xfu << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_UNIT_NONE = 0u << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_UNIT_BYTES = 1u << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_UNIT_SECONDS = 2u << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_UNIT_CYCLES = 3u << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_UNIT_BOOLEAN = 4u << (int)KVM_STATS_UNIT_SHIFT;
    public const uint KVM_STATS_BASE_SHIFT = 8;
    public const uint KVM_STATS_BASE_MASK = 0xfu << (int)KVM_STATS_BASE_SHIFT;
    public const uint KVM_STATS_BASE_POW10 = 0u << (int)KVM_STATS_BASE_SHIFT;
    public const uint KVM_STATS_BASE_POW2 = 1u << (int)KVM_STATS_BASE_SHIFT;
}
