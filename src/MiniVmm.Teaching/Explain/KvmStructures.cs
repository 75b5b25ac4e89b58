using MiniVmm.Kvm;
using static MiniVmm.Kvm.KvmConstants;

namespace MiniVmm.Teaching.Explain;

/// <summary>The structures that ioctls take, with names for values and bits (linux/kvm.h; SDM vol. 3 for the registers).</summary>
internal static class KvmStructures
{
    private static readonly Dictionary<string, (FieldFormat, (ulong, string)[])> Names = new()
    {
        ["mem"] = (FieldFormat.Flags, [(KVM_MEM_LOG_DIRTY_PAGES, nameof(KVM_MEM_LOG_DIRTY_PAGES)), (KVM_MEM_READONLY, nameof(KVM_MEM_READONLY))]),
        ["pit"] = (FieldFormat.Flags, [(KVM_PIT_SPEAKER_DUMMY, nameof(KVM_PIT_SPEAKER_DUMMY))]),
        ["pits"] = (FieldFormat.Flags,
            [(KVM_PIT_FLAGS_HPET_LEGACY, nameof(KVM_PIT_FLAGS_HPET_LEGACY)), (KVM_PIT_FLAGS_SPEAKER_DATA_ON, nameof(KVM_PIT_FLAGS_SPEAKER_DATA_ON))]),
        ["chip"] = (FieldFormat.Name,
        [
            (KVM_IRQCHIP_PIC_MASTER, nameof(KVM_IRQCHIP_PIC_MASTER)), (KVM_IRQCHIP_PIC_SLAVE, nameof(KVM_IRQCHIP_PIC_SLAVE)),
            (KVM_IRQCHIP_IOAPIC, nameof(KVM_IRQCHIP_IOAPIC)),
        ]),
        ["route"] = (FieldFormat.Name, [(KVM_IRQ_ROUTING_IRQCHIP, nameof(KVM_IRQ_ROUTING_IRQCHIP)), (KVM_IRQ_ROUTING_MSI, nameof(KVM_IRQ_ROUTING_MSI))]),
        ["irqfd"] = (FieldFormat.Flags,
            [(KVM_IRQFD_FLAG_DEASSIGN, nameof(KVM_IRQFD_FLAG_DEASSIGN)), (KVM_IRQFD_FLAG_RESAMPLE, nameof(KVM_IRQFD_FLAG_RESAMPLE))]),
        ["ioeventfd"] = (FieldFormat.Flags,
        [
            (KVM_IOEVENTFD_FLAG_DATAMATCH, nameof(KVM_IOEVENTFD_FLAG_DATAMATCH)), (KVM_IOEVENTFD_FLAG_PIO, nameof(KVM_IOEVENTFD_FLAG_PIO)),
            (KVM_IOEVENTFD_FLAG_DEASSIGN, nameof(KVM_IOEVENTFD_FLAG_DEASSIGN)),
        ]),
        ["cap"] = (FieldFormat.Name, [.. Enum.GetValues<KvmCapability>().Select(capability => ((ulong)capability, $"{capability}"))]),
        ["cpuid"] = (FieldFormat.Flags, [(KVM_CPUID_FLAG_SIGNIFCANT_INDEX, nameof(KVM_CPUID_FLAG_SIGNIFCANT_INDEX))]),
        ["mp"] = (FieldFormat.Name,
        [
            (KVM_MP_STATE_RUNNABLE, nameof(KVM_MP_STATE_RUNNABLE)), (KVM_MP_STATE_UNINITIALIZED, nameof(KVM_MP_STATE_UNINITIALIZED)),
            (KVM_MP_STATE_INIT_RECEIVED, nameof(KVM_MP_STATE_INIT_RECEIVED)), (KVM_MP_STATE_HALTED, nameof(KVM_MP_STATE_HALTED)),
            (KVM_MP_STATE_SIPI_RECEIVED, nameof(KVM_MP_STATE_SIPI_RECEIVED)),
        ]),
        ["clock"] = (FieldFormat.Flags,
        [
            (KVM_CLOCK_TSC_STABLE, nameof(KVM_CLOCK_TSC_STABLE)), (KVM_CLOCK_REALTIME, nameof(KVM_CLOCK_REALTIME)),
            (KVM_CLOCK_HOST_TSC, nameof(KVM_CLOCK_HOST_TSC)),
        ]),
        ["msr"] = (FieldFormat.Name,
            [(0x10A, "IA32_ARCH_CAPABILITIES"), (0xCF, "IA32_CORE_CAPABILITIES"), (0x345, "IA32_PERF_CAPABILITIES"), (0x2FF, "IA32_MTRR_DEF_TYPE")]),
    };

    private static readonly KvmStructure Segment = Of(
        "kvm_segment", "base:8 limit:4 selector:2 type:1 present:1 dpl:1 db:1 s:1 l:1 g:1 avl:1 unusable:1 padding:1");

    private static readonly KvmStructure Table = Of("kvm_dtable", "base:8 limit:2 padding:2*3");
    private static readonly KvmStructure Pic = Of("kvm_pic_state", """
        last_irr:1 irr:1 imr:1 isr:1 priority_add:1 irq_base:1 read_reg_select:1 poll:1 special_mask:1 init_state:1 auto_eoi:1
        rotate_on_auto_eoi:1 special_fully_nested_mode:1 init4:1 elcr:1 elcr_mask:1
        """);

    private static readonly KvmStructure Channel = Of("kvm_pit_channel_state", """
        count:4:d latched_count:2 count_latched:1 status_latched:1 status:1 read_state:1 write_state:1 write_latch:1 rw_mode:1 mode:1
        bcd:1 gate:1 count_load_time:8:d
        """);

    private static readonly KvmStructure CpuidEntry = Of(
        "kvm_cpuid_entry2", "function:4 index:4 flags:4:cpuid eax:4 ebx:4 ecx:4 edx:4 padding:4*3");

    private static readonly KvmStructure RoutingEntry = Of("kvm_irq_routing_entry", "gsi:4:d type:4:route flags:4 pad:4 u:4*8");
    private static readonly KvmStructure MsrEntry = Of("kvm_msr_entry", "index:4:msr reserved:4 data:8");
    private static readonly KvmStructure MsrNumber = Of("__u32", "msr:4");

    /// <summary>All of them, those that are parts of others included.</summary>
    public static IReadOnlyList<KvmStructure> All { get; } =
    [
        Segment, Table, Pic, Channel, CpuidEntry, RoutingEntry, MsrEntry,
        Of("kvm_userspace_memory_region", "slot:4:d flags:4:mem guest_phys_addr:8 memory_size:8:b userspace_addr:8"),
        Of("kvm_pit_config", "flags:4:pit pad:4*15"),
        Of("kvm_pit_state2", "channels:kvm_pit_channel_state*3 flags:4:pits reserved:4*9"),
        Of("kvm_irqchip", "chip_id:4:chip pad:4 chip:8*64"),
        Of("kvm_irq_routing", "nr:4:d flags:4", RoutingEntry),
        Of("kvm_irq_level", "irq:4:d level:4"),
        Of("kvm_irqfd", "fd:4:d gsi:4:d flags:4:irqfd resamplefd:4:d pad:1*16"),
        Of("kvm_ioeventfd", "datamatch:8 addr:8 len:4:d fd:4:d flags:4:ioeventfd pad:1*36"),
        Of("kvm_coalesced_mmio_zone", "addr:8 size:4 pio:4"),
        Of("kvm_msi", "address_lo:4 address_hi:4 data:4 flags:4 devid:4 pad:1*12"),
        Of("kvm_enable_cap", "cap:4:cap flags:4 args:8*4 pad:1*64"),
        Of("kvm_clock_data", "clock:8:d flags:4:clock pad0:4 realtime:8:d host_tsc:8:d pad:4*4"),
        Of("kvm_cpuid2", "nent:4:d padding:4", CpuidEntry),
        Of("kvm_msrs", "nmsrs:4:d pad:4", MsrEntry),
        Of("kvm_msr_list", "nmsrs:4:d", MsrNumber),
        Of("kvm_mp_state", "mp_state:4:mp"),
        Of("kvm_regs", "rax:8 rbx:8 rcx:8 rdx:8 rsi:8 rdi:8 rsp:8 rbp:8 r8:8 r9:8 r10:8 r11:8 r12:8 r13:8 r14:8 r15:8 rip:8 rflags:8"),
        Of("kvm_sregs", """
            cs:kvm_segment ds:kvm_segment es:kvm_segment fs:kvm_segment gs:kvm_segment ss:kvm_segment tr:kvm_segment ldt:kvm_segment
            gdt:kvm_dtable idt:kvm_dtable cr0:8 cr2:8 cr3:8 cr4:8 cr8:8 efer:8 apic_base:8 interrupt_bitmap:8*4
            """),
        Of("kvm_lapic_state", "regs:1*1024"),
        Of("kvm_debugregs", "db:8*4 dr6:8 dr7:8 flags:8 reserved:8*9"),
    ];

    public static KvmStructure Find(string name) => All.First(structure => structure.Name == name);

    private static KvmStructure Of(string name, string fields, KvmStructure? list = null)
    {
        KvmStructure[] parts = name is "kvm_sregs" ? [Segment, Table] : name is "kvm_pit_state2" ? [Channel] : [];
        return KvmStructure.Of(name, fields, parts, Names, list);
    }

    /// <summary>One 8259A within <c>kvm_irqchip</c>.</summary>
    public static KvmStructure PicState => Pic;
}
