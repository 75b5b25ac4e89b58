using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Explain;

/// <summary>Which way a call's argument goes.</summary>
internal enum ArgumentWay
{
    /// <summary>It has none, or a number.</summary>
    Number,

    /// <summary>A block that KVM reads.</summary>
    In,

    /// <summary>A block that KVM fills.</summary>
    Out,
}

/// <summary>What is known of an ioctl: its name, what it is for here, and where the kernel documents it.</summary>
/// <param name="Request">Its number.</param>
/// <param name="Name">The kernel's name.</param>
/// <param name="Step">Which part of a machine's making it belongs to; the heading above it.</param>
/// <param name="Section">Of Documentation/virt/kvm/api.rst.</param>
/// <param name="Why">A sentence.</param>
/// <param name="Way">Which way the argument goes.</param>
/// <param name="Structure">What the argument is.</param>
internal sealed record KvmApi(uint Request, string Name, string Step, string Section, string Why, ArgumentWay Way, KvmStructure Structure)
{
    public const string Subsystem = "KVM itself";
    public const string Machine = "A machine with nothing in it";
    public const string Processor = "What its processors can be";
    public const string Memory = "Memory";
    public const string Interrupts = "Interrupt controllers and timer";
    public const string Devices = "Devices";
    public const string Processors = "Processors";
    public const string Entry = "Where the processors begin";

    // Built at the first use, which is --explain's.
    private static readonly KvmApi[] All =
    [
        Number(KvmIoctl.KVM_GET_API_VERSION, nameof(KvmIoctl.KVM_GET_API_VERSION), Subsystem, "4.1",
            "12 since Linux 2.6.22: whatever else answers on that file is not the KVM that this program was written for."),
        Number(KvmIoctl.KVM_GET_VCPU_MMAP_SIZE, nameof(KvmIoctl.KVM_GET_VCPU_MMAP_SIZE), Subsystem, "4.5",
            "Each vCPU shares some pages with this program, by which it says why it left the guest: so many bytes of them."),
        Number(KvmIoctl.KVM_CHECK_EXTENSION, nameof(KvmIoctl.KVM_CHECK_EXTENSION), Subsystem, "4.4",
            "KVM has no version to go by: each ability is asked for by itself."),
        Number(KvmIoctl.KVM_CREATE_VM, nameof(KvmIoctl.KVM_CREATE_VM), Machine, "4.2",
            "A machine is a file: it lives until the last one that refers to it is closed. It has no memory and no processor yet."),
        Number(KvmIoctl.KVM_SET_TSS_ADDR, nameof(KvmIoctl.KVM_SET_TSS_ADDR), Machine, "4.36",
            "Intel processors without \"unrestricted guest\" run real mode as a virtual-8086 task, which needs a TSS: three pages "
            + "that the guest's RAM leaves free."),
        Block(KvmIoctl.KVM_SET_IDENTITY_MAP_ADDR, nameof(KvmIoctl.KVM_SET_IDENTITY_MAP_ADDR), Machine, "4.40",
            "The same processors need a page table where the guest has paging off: one page.", ArgumentWay.In),
        Block(KvmIoctl.KVM_ENABLE_CAP, nameof(KvmIoctl.KVM_ENABLE_CAP), Machine, "4.37",
            "What would change the behaviour of old programs is off until it is turned on.", ArgumentWay.In, "kvm_enable_cap"),
        Block(KvmIoctl.KVM_GET_SUPPORTED_CPUID, nameof(KvmIoctl.KVM_GET_SUPPORTED_CPUID), Processor, "4.46",
            "What CPUID may answer in a guest: what the processor has, less what KVM cannot give, more what KVM adds.", ArgumentWay.Out, "kvm_cpuid2"),
        Block(KvmIoctl.KVM_GET_SUPPORTED_HV_CPUID, nameof(KvmIoctl.KVM_GET_SUPPORTED_HV_CPUID), Processor, "4.118",
            "The same for a guest that takes KVM for Hyper-V.", ArgumentWay.Out, "kvm_cpuid2"),
        Block(KvmIoctl.KVM_SET_USER_MEMORY_REGION, nameof(KvmIoctl.KVM_SET_USER_MEMORY_REGION), Memory, "4.35",
            "Memory of this process becomes the guest's: the kernel's page tables for the guest point to the same pages. Whatever is in no "
            + "slot ends in an exit, and so becomes a device.", ArgumentWay.In, "kvm_userspace_memory_region"),
        Number(KvmIoctl.KVM_CREATE_IRQCHIP, nameof(KvmIoctl.KVM_CREATE_IRQCHIP), Interrupts, "4.24",
            "Two 8259s, an I/O APIC, and a local APIC in every vCPU to come: in the kernel, since a guest speaks to them at each interrupt."),
        Block(KvmIoctl.KVM_SET_GSI_ROUTING, nameof(KvmIoctl.KVM_SET_GSI_ROUTING), Interrupts, "4.52",
            "Which pins an interrupt line (a GSI) leads to. A PC's ISA lines go to both kinds of controllers, the timer's to pin 2 of the I/O APIC.",
            ArgumentWay.In, "kvm_irq_routing"),
        Block(KvmIoctl.KVM_CREATE_PIT2, nameof(KvmIoctl.KVM_CREATE_PIT2), Interrupts, "4.71",
            "The PC's timer, an 8254, in the kernel too; the flag takes port 0x61 with it, by which kernels calibrate their clocks.",
            ArgumentWay.In, "kvm_pit_config"),
        Block(KvmIoctl.KVM_GET_IRQCHIP, nameof(KvmIoctl.KVM_GET_IRQCHIP), Interrupts, "4.26",
            "The controller as KVM made it.", ArgumentWay.Out, "kvm_irqchip"),
        Block(KvmIoctl.KVM_SET_IRQCHIP, nameof(KvmIoctl.KVM_SET_IRQCHIP), Interrupts, "4.27",
            "The controller as a BIOS leaves it: a kernel entered without a BIOS may count on that.", ArgumentWay.In, "kvm_irqchip"),
        Block(KvmIoctl.KVM_GET_PIT2, nameof(KvmIoctl.KVM_GET_PIT2), Interrupts, "4.72",
            "The timer as KVM made it.", ArgumentWay.Out, "kvm_pit_state2"),
        Block(KvmIoctl.KVM_SET_PIT2, nameof(KvmIoctl.KVM_SET_PIT2), Interrupts, "4.73",
            "The timer as a BIOS leaves it: channel 0 ticks 18.2 times a second.", ArgumentWay.In, "kvm_pit_state2"),
        Block(KvmIoctl.KVM_IRQFD, nameof(KvmIoctl.KVM_IRQFD), Devices, "4.75",
            "A device raises its interrupt by writing to an eventfd, from any thread, without a call to KVM.", ArgumentWay.In, "kvm_irqfd"),
        Block(KvmIoctl.KVM_IOEVENTFD, nameof(KvmIoctl.KVM_IOEVENTFD), Devices, "4.59",
            "A guest's write there signals an eventfd, and the vCPU goes on: a device's thread wakes instead of an exit.", ArgumentWay.In, "kvm_ioeventfd"),
        Block(KvmIoctl.KVM_IRQ_LINE, nameof(KvmIoctl.KVM_IRQ_LINE), Devices, "4.25",
            "The level of an interrupt line.", ArgumentWay.In, "kvm_irq_level"),
        Block(KvmIoctl.KVM_REGISTER_COALESCED_MMIO, nameof(KvmIoctl.KVM_REGISTER_COALESCED_MMIO), Devices, "4.116",
            "Writes there are collected in a ring, and read at the next exit.", ArgumentWay.In, "kvm_coalesced_mmio_zone"),
        Number(KvmIoctl.KVM_CREATE_VCPU, nameof(KvmIoctl.KVM_CREATE_VCPU), Processors, "4.7",
            "A processor is a file of its own; the argument is its local APIC's id."),
        Block(KvmIoctl.KVM_SET_CPUID2, nameof(KvmIoctl.KVM_SET_CPUID2), Processors, "4.20",
            "What CPUID answers on this vCPU, APIC id and topology included; 'minivmm cpuid' decodes it.", ArgumentWay.In, "kvm_cpuid2"),
        Block(KvmIoctl.KVM_SET_MSRS, nameof(KvmIoctl.KVM_SET_MSRS), Processors, "4.19",
            "Model-specific registers as firmware leaves them: memory is cached (write-back) by default.", ArgumentWay.In, "kvm_msrs"),
        Block(KvmIoctl.KVM_GET_MSRS, nameof(KvmIoctl.KVM_GET_MSRS), Processors, "4.18",
            "Model-specific registers.", ArgumentWay.Out, "kvm_msrs"),
        Block(KvmIoctl.KVM_GET_MSR_INDEX_LIST, nameof(KvmIoctl.KVM_GET_MSR_INDEX_LIST), Processors, "4.3",
            "Which model-specific registers there are to save.", ArgumentWay.Out, "kvm_msr_list"),
        Number(KvmIoctl.KVM_GET_TSC_KHZ, nameof(KvmIoctl.KVM_GET_TSC_KHZ), Processors, "4.56",
            "How fast the vCPU's time-stamp counter runs."),
        Number(KvmIoctl.KVM_SET_TSC_KHZ, nameof(KvmIoctl.KVM_SET_TSC_KHZ), Processors, "4.55",
            "How fast the vCPU's time-stamp counter is to run."),
        Block(KvmIoctl.KVM_GET_SREGS, nameof(KvmIoctl.KVM_GET_SREGS), Entry, "4.13",
            "Segments and control registers as after a reset: real mode, at 0xfffffff0.", ArgumentWay.Out, "kvm_sregs"),
        Block(KvmIoctl.KVM_SET_SREGS, nameof(KvmIoctl.KVM_SET_SREGS), Entry, "4.14",
            "The processor mode in which the kernel's boot protocol begins, as if a boot loader had set it up.", ArgumentWay.In, "kvm_sregs"),
        Block(KvmIoctl.KVM_SET_REGS, nameof(KvmIoctl.KVM_SET_REGS), Entry, "4.12",
            "The general registers: where the first instruction is, and what the boot protocol hands over in them.", ArgumentWay.In, "kvm_regs"),
        Block(KvmIoctl.KVM_GET_REGS, nameof(KvmIoctl.KVM_GET_REGS), Entry, "4.11", "The general registers.", ArgumentWay.Out, "kvm_regs"),
        Block(KvmIoctl.KVM_SET_MP_STATE, nameof(KvmIoctl.KVM_SET_MP_STATE), Entry, "4.39",
            "This vCPU does not wait for INIT and SIPI, as the boot protocol has it.", ArgumentWay.In, "kvm_mp_state"),
        Block(KvmIoctl.KVM_GET_MP_STATE, nameof(KvmIoctl.KVM_GET_MP_STATE), Entry, "4.38",
            "Whether the vCPU runs or waits.", ArgumentWay.Out, "kvm_mp_state"),
        Block(KvmIoctl.KVM_GET_LAPIC, nameof(KvmIoctl.KVM_GET_LAPIC), Entry, "4.57", "The local APIC's registers.", ArgumentWay.Out, "kvm_lapic_state"),
        Block(KvmIoctl.KVM_SET_LAPIC, nameof(KvmIoctl.KVM_SET_LAPIC), Entry, "4.58", "The local APIC as the boot protocol wants it.", ArgumentWay.In, "kvm_lapic_state"),
        Block(KvmIoctl.KVM_GET_CLOCK, nameof(KvmIoctl.KVM_GET_CLOCK), Machine, "4.29", "The clock that guests share with KVM.", ArgumentWay.Out, "kvm_clock_data"),
        Block(KvmIoctl.KVM_SET_CLOCK, nameof(KvmIoctl.KVM_SET_CLOCK), Machine, "4.30", "The clock that guests share with KVM.", ArgumentWay.In, "kvm_clock_data"),
        Block(KvmIoctl.KVM_GET_VCPU_EVENTS, nameof(KvmIoctl.KVM_GET_VCPU_EVENTS), Entry, "4.31", "Exceptions and interrupts that are pending.", ArgumentWay.Out),
        Block(KvmIoctl.KVM_GET_FPU, nameof(KvmIoctl.KVM_GET_FPU), Entry, "4.22", "The x87 and SSE registers.", ArgumentWay.Out),
        Block(KvmIoctl.KVM_GET_XSAVE, nameof(KvmIoctl.KVM_GET_XSAVE), Entry, "4.42", "The x87, SSE and AVX registers.", ArgumentWay.Out),
        Block(KvmIoctl.KVM_GET_XSAVE2, nameof(KvmIoctl.KVM_GET_XSAVE2), Entry, "4.134", "The same where they are more than 4 KiB.", ArgumentWay.Out),
        Block(KvmIoctl.KVM_GET_XCRS, nameof(KvmIoctl.KVM_GET_XCRS), Entry, "4.44", "XCR0, which says what XSAVE saves.", ArgumentWay.Out),
        Block(KvmIoctl.KVM_GET_DEBUGREGS, nameof(KvmIoctl.KVM_GET_DEBUGREGS), Entry, "4.33", "The debug registers.", ArgumentWay.Out, "kvm_debugregs"),
    ];

    /// <summary>Where the kernel documents it.</summary>
    public string Place => $"api.rst {Section}";

    public static KvmApi? Find(uint request) => Array.Find(All, api => api.Request == request);

    private static KvmApi Number(uint request, string name, string step, string section, string why) =>
        new(request, name, step, section, why, ArgumentWay.Number, KvmStructure.None);

    private static KvmApi Block(uint request, string name, string step, string section, string why, ArgumentWay way, string? structure = null) =>
        new(request, name, step, section, why, way, structure is null ? KvmStructure.None : KvmStructures.Find(structure));
}
