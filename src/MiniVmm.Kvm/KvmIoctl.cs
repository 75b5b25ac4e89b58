using MiniVmm.Host;

namespace MiniVmm.Kvm;

/// <summary>
/// KVM's request numbers (&lt;linux/kvm.h&gt;). Those without an argument block are constants; the others
/// are computed from the size of their block once, and fold into the code like constants.
/// </summary>
public static class KvmIoctl
{
    /// <summary>The type byte of every KVM request.</summary>
    public const byte KVMIO = 0xae;

    // Ioctl.IO(KVMIO, 0) as a constant expression.
    private const uint Io = (uint)KVMIO << 8;

    // The /dev/kvm fd.
    public const uint KVM_GET_API_VERSION = Io | 0x00;
    public const uint KVM_CREATE_VM = Io | 0x01;
    public const uint KVM_CHECK_EXTENSION = Io | 0x03;
    public const uint KVM_GET_VCPU_MMAP_SIZE = Io | 0x04;
    public static readonly uint KVM_GET_SUPPORTED_CPUID = Ioctl.IOWR<kvm_cpuid2>(KVMIO, 0x05);
    public static readonly uint KVM_GET_SUPPORTED_HV_CPUID = Ioctl.IOWR<kvm_cpuid2>(KVMIO, 0xc1);
    // KVM_GET_MSRS, below with a vCPU's, reads the MSRs that list features here.
    public static readonly uint KVM_GET_MSR_INDEX_LIST = Ioctl.IOWR<kvm_msr_list>(KVMIO, 0x02);

    // A VM's fd.
    public const uint KVM_CREATE_VCPU = Io | 0x41;
    public static readonly uint KVM_SET_USER_MEMORY_REGION = Ioctl.IOW<kvm_userspace_memory_region>(KVMIO, 0x46);
    public const uint KVM_SET_TSS_ADDR = Io | 0x47;
    public static readonly uint KVM_SET_IDENTITY_MAP_ADDR = Ioctl.IOW<ulong>(KVMIO, 0x48);
    public const uint KVM_CREATE_IRQCHIP = Io | 0x60;
    public static readonly uint KVM_IRQ_LINE = Ioctl.IOW<kvm_irq_level>(KVMIO, 0x61);
    public static readonly uint KVM_GET_IRQCHIP = Ioctl.IOWR<kvm_irqchip>(KVMIO, 0x62);
    public static readonly uint KVM_SET_IRQCHIP = Ioctl.IOR<kvm_irqchip>(KVMIO, 0x63);
    public static readonly uint KVM_SET_GSI_ROUTING = Ioctl.IOW<kvm_irq_routing>(KVMIO, 0x6a);
    public static readonly uint KVM_IRQFD = Ioctl.IOW<kvm_irqfd>(KVMIO, 0x76);
    public static readonly uint KVM_IOEVENTFD = Ioctl.IOW<kvm_ioeventfd>(KVMIO, 0x79);
    public static readonly uint KVM_CREATE_PIT2 = Ioctl.IOW<kvm_pit_config>(KVMIO, 0x77);
    public static readonly uint KVM_GET_PIT2 = Ioctl.IOR<kvm_pit_state2>(KVMIO, 0x9f);
    public static readonly uint KVM_SET_PIT2 = Ioctl.IOW<kvm_pit_state2>(KVMIO, 0xa0);
    public static readonly uint KVM_SIGNAL_MSI = Ioctl.IOW<kvm_msi>(KVMIO, 0xa5);
    public static readonly uint KVM_REGISTER_COALESCED_MMIO = Ioctl.IOW<kvm_coalesced_mmio_zone>(KVMIO, 0x67);
    public static readonly uint KVM_UNREGISTER_COALESCED_MMIO = Ioctl.IOW<kvm_coalesced_mmio_zone>(KVMIO, 0x68);
    public static readonly uint KVM_GET_DIRTY_LOG = Ioctl.IOW<kvm_dirty_log>(KVMIO, 0x42);
    public const uint KVM_RESET_DIRTY_RINGS = Io | 0xc7;
    public static readonly uint KVM_GET_CLOCK = Ioctl.IOR<kvm_clock_data>(KVMIO, 0x7c);
    public static readonly uint KVM_SET_CLOCK = Ioctl.IOW<kvm_clock_data>(KVMIO, 0x7b);

    // A VM's fd and a vCPU's.
    public static readonly uint KVM_ENABLE_CAP = Ioctl.IOW<kvm_enable_cap>(KVMIO, 0xa3);
    public const uint KVM_GET_STATS_FD = Io | 0xce;
    public const uint KVM_GET_TSC_KHZ = Io | 0xa3;
    public const uint KVM_SET_TSC_KHZ = Io | 0xa2;

    // A vCPU's fd.
    public const uint KVM_RUN = Io | 0x80;
    public static readonly uint KVM_GET_REGS = Ioctl.IOR<kvm_regs>(KVMIO, 0x81);
    public static readonly uint KVM_SET_REGS = Ioctl.IOW<kvm_regs>(KVMIO, 0x82);
    public static readonly uint KVM_GET_SREGS = Ioctl.IOR<kvm_sregs>(KVMIO, 0x83);
    public static readonly uint KVM_SET_SREGS = Ioctl.IOW<kvm_sregs>(KVMIO, 0x84);
    public static readonly uint KVM_GET_FPU = Ioctl.IOR<kvm_fpu>(KVMIO, 0x8c);
    public static readonly uint KVM_SET_FPU = Ioctl.IOW<kvm_fpu>(KVMIO, 0x8d);
    public static readonly uint KVM_GET_MSRS = Ioctl.IOWR<kvm_msrs>(KVMIO, 0x88);
    public static readonly uint KVM_SET_MSRS = Ioctl.IOW<kvm_msrs>(KVMIO, 0x89);
    public static readonly uint KVM_GET_LAPIC = Ioctl.IOR<kvm_lapic_state>(KVMIO, 0x8e);
    public static readonly uint KVM_SET_LAPIC = Ioctl.IOW<kvm_lapic_state>(KVMIO, 0x8f);
    public static readonly uint KVM_SET_CPUID2 = Ioctl.IOW<kvm_cpuid2>(KVMIO, 0x90);
    public static readonly uint KVM_GET_CPUID2 = Ioctl.IOWR<kvm_cpuid2>(KVMIO, 0x91);
    public static readonly uint KVM_SET_SIGNAL_MASK = Ioctl.IOW<kvm_signal_mask>(KVMIO, 0x8b);
    public static readonly uint KVM_GET_MP_STATE = Ioctl.IOR<kvm_mp_state>(KVMIO, 0x98);
    public static readonly uint KVM_SET_MP_STATE = Ioctl.IOW<kvm_mp_state>(KVMIO, 0x99);
    public static readonly uint KVM_GET_VCPU_EVENTS = Ioctl.IOR<kvm_vcpu_events>(KVMIO, 0x9f);
    public static readonly uint KVM_SET_VCPU_EVENTS = Ioctl.IOW<kvm_vcpu_events>(KVMIO, 0xa0);
    public static readonly uint KVM_GET_DEBUGREGS = Ioctl.IOR<kvm_debugregs>(KVMIO, 0xa1);
    public static readonly uint KVM_SET_DEBUGREGS = Ioctl.IOW<kvm_debugregs>(KVMIO, 0xa2);
    public static readonly uint KVM_GET_XSAVE = Ioctl.IOR<kvm_xsave>(KVMIO, 0xa4);
    public static readonly uint KVM_SET_XSAVE = Ioctl.IOW<kvm_xsave>(KVMIO, 0xa5);
    public static readonly uint KVM_GET_XSAVE2 = Ioctl.IOR<kvm_xsave>(KVMIO, 0xcf);
    public static readonly uint KVM_GET_XCRS = Ioctl.IOR<kvm_xcrs>(KVMIO, 0xa6);
    public static readonly uint KVM_SET_XCRS = Ioctl.IOW<kvm_xcrs>(KVMIO, 0xa7);
    public static readonly uint KVM_SET_GUEST_DEBUG = Ioctl.IOW<kvm_guest_debug>(KVMIO, 0x9b);
    public static readonly uint KVM_TRANSLATE = Ioctl.IOWR<kvm_translation>(KVMIO, 0x85);
    public const uint KVM_KVMCLOCK_CTRL = Io | 0xad;
    public const uint KVM_NMI = Io | 0x9a;
    public static readonly uint KVM_INTERRUPT = Ioctl.IOW<kvm_interrupt>(KVMIO, 0x86);
}
