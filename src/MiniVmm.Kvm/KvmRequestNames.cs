namespace MiniVmm.Kvm;

/// <summary>
/// The kernel's names of the requests that a monitor of x86 guests may make, also of those that MiniVmm does not
/// (&lt;linux/kvm.h&gt;), for traces of other monitors.
/// </summary>
internal static class KvmRequestNames
{
    /// <summary>By the lowest byte, which most of them have alone.</summary>
    public static IReadOnlyList<(uint Request, string Name)> All { get; } =
    [
        (KvmIoctl.KVM_GET_API_VERSION, nameof(KvmIoctl.KVM_GET_API_VERSION)),
        (KvmIoctl.KVM_CREATE_VM, nameof(KvmIoctl.KVM_CREATE_VM)),
        (0xc004ae02, "KVM_GET_MSR_INDEX_LIST"),
        (KvmIoctl.KVM_CHECK_EXTENSION, nameof(KvmIoctl.KVM_CHECK_EXTENSION)),
        (KvmIoctl.KVM_GET_VCPU_MMAP_SIZE, nameof(KvmIoctl.KVM_GET_VCPU_MMAP_SIZE)),
        (0xc008ae05, "KVM_GET_SUPPORTED_CPUID"),
        (0xc008ae09, "KVM_GET_EMULATED_CPUID"),
        (0xc004ae0a, "KVM_GET_MSR_FEATURE_INDEX_LIST"),
        (0x4018ae40, "KVM_SET_MEMORY_REGION"),
        (KvmIoctl.KVM_CREATE_VCPU, nameof(KvmIoctl.KVM_CREATE_VCPU)),
        (0x4010ae42, "KVM_GET_DIRTY_LOG"),
        (0x4020ae46, "KVM_SET_USER_MEMORY_REGION"),
        (KvmIoctl.KVM_SET_TSS_ADDR, nameof(KvmIoctl.KVM_SET_TSS_ADDR)),
        (0x4008ae48, "KVM_SET_IDENTITY_MAP_ADDR"),
        (KvmIoctl.KVM_CREATE_IRQCHIP, nameof(KvmIoctl.KVM_CREATE_IRQCHIP)),
        (0x4008ae61, "KVM_IRQ_LINE"),
        (0xc208ae62, "KVM_GET_IRQCHIP"),
        (0x8208ae63, "KVM_SET_IRQCHIP"),
        (0x0000ae64, "KVM_CREATE_PIT"),
        (0xc048ae65, "KVM_GET_PIT"),
        (0x8048ae66, "KVM_SET_PIT"),
        (0xc008ae67, "KVM_IRQ_LINE_STATUS"),
        (0x4010ae67, "KVM_REGISTER_COALESCED_MMIO"),
        (0x4010ae68, "KVM_UNREGISTER_COALESCED_MMIO"),
        (0x4008ae6a, "KVM_SET_GSI_ROUTING"),
        (0x0000ae71, "KVM_REINJECT_CONTROL"),
        (0x4020ae76, "KVM_IRQFD"),
        (0x4040ae77, "KVM_CREATE_PIT2"),
        (0x0000ae78, "KVM_SET_BOOT_CPU_ID"),
        (0x4040ae79, "KVM_IOEVENTFD"),
        (0x4038ae7a, "KVM_XEN_HVM_CONFIG"),
        (0x4030ae7b, "KVM_SET_CLOCK"),
        (0x8030ae7c, "KVM_GET_CLOCK"),
        (KvmIoctl.KVM_RUN, nameof(KvmIoctl.KVM_RUN)),
        (0x8090ae81, "KVM_GET_REGS"),
        (0x4090ae82, "KVM_SET_REGS"),
        (0x8138ae83, "KVM_GET_SREGS"),
        (0x4138ae84, "KVM_SET_SREGS"),
        (0xc018ae85, "KVM_TRANSLATE"),
        (0x4004ae86, "KVM_INTERRUPT"),
        (0xc008ae88, "KVM_GET_MSRS"),
        (0x4008ae89, "KVM_SET_MSRS"),
        (0x4004ae8b, "KVM_SET_SIGNAL_MASK"),
        (0x81a0ae8c, "KVM_GET_FPU"),
        (0x41a0ae8d, "KVM_SET_FPU"),
        (0x8400ae8e, "KVM_GET_LAPIC"),
        (0x4400ae8f, "KVM_SET_LAPIC"),
        (0x4008ae90, "KVM_SET_CPUID2"),
        (0xc008ae91, "KVM_GET_CPUID2"),
        (0xc028ae92, "KVM_TPR_ACCESS_REPORTING"),
        (0x4008ae93, "KVM_SET_VAPIC_ADDR"),
        (0x8004ae98, "KVM_GET_MP_STATE"),
        (0x4004ae99, "KVM_SET_MP_STATE"),
        (KvmIoctl.KVM_NMI, nameof(KvmIoctl.KVM_NMI)),
        (0x4048ae9b, "KVM_SET_GUEST_DEBUG"),
        (0x4008ae9c, "KVM_X86_SETUP_MCE"),
        (0x8008ae9d, "KVM_X86_GET_MCE_CAP_SUPPORTED"),
        (0x4040ae9e, "KVM_X86_SET_MCE"),
        (0x8070ae9f, "KVM_GET_PIT2"),
        (0x8040ae9f, "KVM_GET_VCPU_EVENTS"),
        (0x4070aea0, "KVM_SET_PIT2"),
        (0x4040aea0, "KVM_SET_VCPU_EVENTS"),
        (0x8080aea1, "KVM_GET_DEBUGREGS"),
        (0x4080aea2, "KVM_SET_DEBUGREGS"),
        (KvmIoctl.KVM_SET_TSC_KHZ, nameof(KvmIoctl.KVM_SET_TSC_KHZ)),
        (0x4068aea3, "KVM_ENABLE_CAP"),
        (KvmIoctl.KVM_GET_TSC_KHZ, nameof(KvmIoctl.KVM_GET_TSC_KHZ)),
        (0x9000aea4, "KVM_GET_XSAVE"),
        (0x5000aea5, "KVM_SET_XSAVE"),
        (0x4020aea5, "KVM_SIGNAL_MSI"),
        (0x8188aea6, "KVM_GET_XCRS"),
        (0x4188aea7, "KVM_SET_XCRS"),
        (KvmIoctl.KVM_KVMCLOCK_CTRL, nameof(KvmIoctl.KVM_KVMCLOCK_CTRL)),
        (0x4020aeb2, "KVM_SET_PMU_EVENT_FILTER"),
        (0x0000aeb7, "KVM_SMI"),
        (0xc008aeba, "KVM_MEMORY_ENCRYPT_OP"),
        (0x8010aebb, "KVM_MEMORY_ENCRYPT_REG_REGION"),
        (0x8010aebc, "KVM_MEMORY_ENCRYPT_UNREG_REGION"),
        (0x4018aebd, "KVM_HYPERV_EVENTFD"),
        (0xc080aebe, "KVM_GET_NESTED_STATE"),
        (0x4080aebf, "KVM_SET_NESTED_STATE"),
        (0xc018aec0, "KVM_CLEAR_DIRTY_LOG"),
        (0xc008aec1, "KVM_GET_SUPPORTED_HV_CPUID"),
        (0x4188aec6, "KVM_X86_SET_MSR_FILTER"),
        (KvmIoctl.KVM_RESET_DIRTY_RINGS, nameof(KvmIoctl.KVM_RESET_DIRTY_RINGS)),
        (0xc048aec8, "KVM_XEN_HVM_GET_ATTR"),
        (0x4048aec9, "KVM_XEN_HVM_SET_ATTR"),
        (0xc048aeca, "KVM_XEN_VCPU_GET_ATTR"),
        (0x4048aecb, "KVM_XEN_VCPU_SET_ATTR"),
        (0x8140aecc, "KVM_GET_SREGS2"),
        (0x4140aecd, "KVM_SET_SREGS2"),
        (KvmIoctl.KVM_GET_STATS_FD, nameof(KvmIoctl.KVM_GET_STATS_FD)),
        (0x9000aecf, "KVM_GET_XSAVE2"),
        (0x400caed0, "KVM_XEN_HVM_EVTCHN_SEND"),
        (0xc00caee0, "KVM_CREATE_DEVICE"),
        (0x4018aee1, "KVM_SET_DEVICE_ATTR"),
        (0x4018aee2, "KVM_GET_DEVICE_ATTR"),
        (0x4018aee3, "KVM_HAS_DEVICE_ATTR"),
    ];

    /// <summary>As in KVM_CREATE_VM; the number where there is no name for it.</summary>
    public static string Of(uint request)
    {
        foreach ((uint number, string name) in All)
        {
            if (number == request)
                return name;
        }

        return $"0x{request:x}";
    }
}
