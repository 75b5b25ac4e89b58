/*
 * What <linux/kvm.h> says about the ABI, one fact a line, for AbiTests to hold against the C# side:
 *
 *	sizeof STRUCT BYTES
 *	field STRUCT PATH OFFSET BYTES
 *	const NAME DECIMAL
 *	ioctl NAME HEX
 *
 * Build: cc kvm_abi.c -o kvm_abi. Needs linux-libc-dev of Linux 6.1 or newer. The names are the kernel's
 * and the numbers the compiler's: nothing here is copied from the C# side.
 */
#include <linux/kvm.h>

#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39	/* Linux 6.8 */
#endif
#include "abi_facts.h"

static void registers(void)
{
#define S kvm_regs
	SIZE()
	F(rax) F(rbx) F(rcx) F(rdx) F(rsi) F(rdi) F(rsp) F(rbp) F(r8) F(r9) F(r10) F(r11) F(r12)
	F(r13) F(r14) F(r15) F(rip) F(rflags)
#undef S
#define S kvm_segment
	SIZE()
	F(base) F(limit) F(selector) F(type) F(present) F(dpl) F(db) F(s) F(l) F(g) F(avl)
	F(unusable) F(padding)
#undef S
#define S kvm_dtable
	SIZE()
	F(base) F(limit) F(padding)
#undef S
#define S kvm_sregs
	SIZE()
	F(cs) F(ds) F(es) F(fs) F(gs) F(ss) F(tr) F(ldt) F(gdt) F(idt) F(cr0) F(cr2) F(cr3) F(cr4)
	F(cr8) F(efer) F(apic_base) F(interrupt_bitmap)
#undef S
#define S kvm_fpu
	SIZE()
	F(fpr) F(fcw) F(fsw) F(ftwx) F(pad1) F(last_opcode) F(last_ip) F(last_dp) F(xmm) F(mxcsr)
	F(pad2)
#undef S
#define S kvm_xsave
	SIZE()
	F(region)
#undef S
#define S kvm_xcrs
	SIZE()
	F(nr_xcrs) F(flags) F(xcrs) F(padding)
#undef S
#define S kvm_debugregs
	SIZE()
	F(db) F(dr6) F(dr7) F(flags) F(reserved)
#undef S
#define S kvm_vcpu_events
	SIZE()
	F(exception) F(exception.injected) F(exception.nr) F(exception.has_error_code)
	F(exception.pending) F(exception.error_code) F(interrupt) F(interrupt.injected)
	F(interrupt.nr) F(interrupt.soft) F(interrupt.shadow) F(nmi) F(nmi.injected) F(nmi.pending)
	F(nmi.masked) F(nmi.pad) F(sipi_vector) F(flags) F(smi) F(smi.smm) F(smi.pending)
	F(smi.smm_inside_nmi) F(smi.latched_init) F(triple_fault) F(triple_fault.pending)
	F(reserved) F(exception_has_payload) F(exception_payload)
#undef S
#define S kvm_sync_regs
	SIZE()
	F(regs) F(sregs) F(events)
#undef S
}

static void run(void)
{
#define S kvm_run
	SIZE()
	F(request_interrupt_window) F(immediate_exit) F(padding1) F(exit_reason)
	F(ready_for_interrupt_injection) F(if_flag) F(flags) F(cr8) F(apic_base) F(hw)
	F(hw.hardware_exit_reason) F(fail_entry) F(fail_entry.hardware_entry_failure_reason)
	F(fail_entry.cpu) F(ex) F(ex.exception) F(ex.error_code) F(io) F(io.direction) F(io.size)
	F(io.port) F(io.count) F(io.data_offset) F(debug) F(debug.arch) F(mmio) F(mmio.phys_addr)
	F(mmio.data) F(mmio.len) F(mmio.is_write) F(hypercall) F(hypercall.nr) F(hypercall.args)
	F(hypercall.ret) F(hypercall.longmode) F(hypercall.pad) F(tpr_access) F(tpr_access.rip)
	F(tpr_access.is_write) F(tpr_access.pad) F(internal) F(internal.suberror) F(internal.ndata)
	F(internal.data) F(emulation_failure) F(emulation_failure.suberror)
	F(emulation_failure.ndata) F(emulation_failure.flags) F(emulation_failure.insn_size)
	F(emulation_failure.insn_bytes) F(system_event) F(system_event.type) F(system_event.ndata)
	F(system_event.flags) F(system_event.data) F(eoi) F(eoi.vector) F(msr) F(msr.error)
	F(msr.pad) F(msr.reason) F(msr.index) F(msr.data) F(notify) F(notify.flags) F(padding)
	F(kvm_valid_regs) F(kvm_dirty_regs) F(s) F(s.regs) F(s.padding)
#undef S
#define S kvm_debug_exit_arch
	SIZE()
	F(exception) F(pad) F(pc) F(dr6) F(dr7)
#undef S
}

static void vcpu(void)
{
#define S kvm_cpuid_entry2
	SIZE()
	F(function) F(index) F(flags) F(eax) F(ebx) F(ecx) F(edx) F(padding)
#undef S
#define S kvm_cpuid2
	SIZE()
	F(nent) F(padding)
#undef S
#define S kvm_msr_entry
	SIZE()
	F(index) F(reserved) F(data)
#undef S
#define S kvm_msrs
	SIZE()
	F(nmsrs) F(pad)
#undef S
#define S kvm_msr_list
	SIZE()
	F(nmsrs)
#undef S
#define S kvm_lapic_state
	SIZE()
	F(regs)
#undef S
#define S kvm_mp_state
	SIZE()
	F(mp_state)
#undef S
#define S kvm_signal_mask
	SIZE()
	F(len)
#undef S
#define S kvm_interrupt
	SIZE()
	F(irq)
#undef S
#define S kvm_guest_debug
	SIZE()
	F(control) F(pad) F(arch)
#undef S
#define S kvm_guest_debug_arch
	SIZE()
	F(debugreg)
#undef S
#define S kvm_translation
	SIZE()
	F(linear_address) F(physical_address) F(valid) F(writeable) F(usermode) F(pad)
#undef S
}

static void vm(void)
{
#define S kvm_userspace_memory_region
	SIZE()
	F(slot) F(flags) F(guest_phys_addr) F(memory_size) F(userspace_addr)
#undef S
#define S kvm_dirty_log
	SIZE()
	F(slot) F(padding1) F(dirty_bitmap) F(padding2)
#undef S
#define S kvm_enable_cap
	SIZE()
	F(cap) F(flags) F(args) F(pad)
#undef S
#define S kvm_clock_data
	SIZE()
	F(clock) F(flags) F(pad0) F(realtime) F(host_tsc) F(pad)
#undef S
#define S kvm_ioeventfd
	SIZE()
	F(datamatch) F(addr) F(len) F(fd) F(flags) F(pad)
#undef S
#define S kvm_coalesced_mmio_zone
	SIZE()
	F(addr) F(size) F(pad) F(pio)
#undef S
#define S kvm_coalesced_mmio
	SIZE()
	F(phys_addr) F(len) F(pad) F(pio) F(data)
#undef S
#define S kvm_coalesced_mmio_ring
	SIZE()
	F(first) F(last)
#undef S
#define S kvm_stats_header
	SIZE()
	F(flags) F(name_size) F(num_desc) F(id_offset) F(desc_offset) F(data_offset)
#undef S
#define S kvm_stats_desc
	SIZE()
	F(flags) F(exponent) F(size) F(offset) F(bucket_size)
#undef S
}

static void interrupts(void)
{
#define S kvm_irq_level
	SIZE()
	F(irq) F(status) F(level)
#undef S
#define S kvm_irqchip
	SIZE()
	F(chip_id) F(pad) F(chip) F(chip.dummy) F(chip.pic) F(chip.ioapic)
#undef S
#define S kvm_pic_state
	SIZE()
	F(last_irr) F(irr) F(imr) F(isr) F(priority_add) F(irq_base) F(read_reg_select) F(poll)
	F(special_mask) F(init_state) F(auto_eoi) F(rotate_on_auto_eoi)
	F(special_fully_nested_mode) F(init4) F(elcr) F(elcr_mask)
#undef S
#define S kvm_ioapic_state
	SIZE()
	F(base_address) F(ioregsel) F(id) F(irr) F(pad) F(redirtbl)
#undef S
#define S kvm_pit_config
	SIZE()
	F(flags) F(pad)
#undef S
#define S kvm_pit_channel_state
	SIZE()
	F(count) F(latched_count) F(count_latched) F(status_latched) F(status) F(read_state)
	F(write_state) F(write_latch) F(rw_mode) F(mode) F(bcd) F(gate) F(count_load_time)
#undef S
#define S kvm_pit_state2
	SIZE()
	F(channels) F(flags) F(reserved)
#undef S
#define S kvm_irqfd
	SIZE()
	F(fd) F(gsi) F(flags) F(resamplefd) F(pad)
#undef S
#define S kvm_irq_routing
	SIZE()
	F(nr) F(flags)
#undef S
#define S kvm_irq_routing_entry
	SIZE()
	F(gsi) F(type) F(flags) F(pad) F(u) F(u.irqchip) F(u.msi) F(u.pad)
#undef S
#define S kvm_irq_routing_irqchip
	SIZE()
	F(irqchip) F(pin)
#undef S
#define S kvm_irq_routing_msi
	SIZE()
	F(address_lo) F(address_hi) F(data) F(pad) F(devid)
#undef S
#define S kvm_msi
	SIZE()
	F(address_lo) F(address_hi) F(data) F(flags) F(devid) F(pad)
#undef S
}

static void exit_reasons(void)
{
	CONST(KVM_EXIT_UNKNOWN) CONST(KVM_EXIT_EXCEPTION) CONST(KVM_EXIT_IO)
	CONST(KVM_EXIT_HYPERCALL) CONST(KVM_EXIT_DEBUG) CONST(KVM_EXIT_HLT) CONST(KVM_EXIT_MMIO)
	CONST(KVM_EXIT_IRQ_WINDOW_OPEN) CONST(KVM_EXIT_SHUTDOWN) CONST(KVM_EXIT_FAIL_ENTRY)
	CONST(KVM_EXIT_INTR) CONST(KVM_EXIT_SET_TPR) CONST(KVM_EXIT_TPR_ACCESS) CONST(KVM_EXIT_NMI)
	CONST(KVM_EXIT_INTERNAL_ERROR) CONST(KVM_EXIT_SYSTEM_EVENT) CONST(KVM_EXIT_IOAPIC_EOI)
	CONST(KVM_EXIT_HYPERV) CONST(KVM_EXIT_X86_RDMSR) CONST(KVM_EXIT_X86_WRMSR)
	CONST(KVM_EXIT_DIRTY_RING_FULL) CONST(KVM_EXIT_AP_RESET_HOLD) CONST(KVM_EXIT_X86_BUS_LOCK)
	CONST(KVM_EXIT_XEN) CONST(KVM_EXIT_NOTIFY)
	CONST(KVM_EXIT_MEMORY_FAULT)
}

static void constants(void)
{
	CONST(KVM_API_VERSION) CONST(KVM_MAX_XCRS) CONST(KVM_APIC_REG_SIZE) CONST(KVM_IOAPIC_NUM_PINS)
	CONST(KVM_NR_INTERRUPTS) CONST(SYNC_REGS_SIZE_BYTES) CONST(KVM_PIO_PAGE_OFFSET)
	CONST(KVM_COALESCED_MMIO_PAGE_OFFSET) CONST(KVM_DIRTY_LOG_PAGE_OFFSET)
	CONST(KVM_MEM_LOG_DIRTY_PAGES) CONST(KVM_MEM_READONLY) CONST(KVM_EXIT_IO_IN)
	CONST(KVM_EXIT_IO_OUT) CONST(KVM_RUN_X86_SMM) CONST(KVM_RUN_X86_BUS_LOCK)
	CONST(KVM_INTERNAL_ERROR_EMULATION) CONST(KVM_INTERNAL_ERROR_SIMUL_EX)
	CONST(KVM_INTERNAL_ERROR_DELIVERY_EV) CONST(KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON)
	CONST(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) CONST(KVM_SYSTEM_EVENT_SHUTDOWN)
	CONST(KVM_SYSTEM_EVENT_RESET) CONST(KVM_SYSTEM_EVENT_CRASH) CONST(KVM_SYSTEM_EVENT_WAKEUP)
	CONST(KVM_SYSTEM_EVENT_SUSPEND) CONST(KVM_SYSTEM_EVENT_SEV_TERM)
	CONST(KVM_MSR_EXIT_REASON_INVAL) CONST(KVM_MSR_EXIT_REASON_UNKNOWN)
	CONST(KVM_MSR_EXIT_REASON_FILTER) CONST(KVM_NOTIFY_CONTEXT_INVALID)
	CONST(KVM_SYNC_X86_REGS) CONST(KVM_SYNC_X86_SREGS) CONST(KVM_SYNC_X86_EVENTS)
	CONST(KVM_SYNC_X86_VALID_FIELDS) CONST(KVM_MP_STATE_RUNNABLE)
	CONST(KVM_MP_STATE_UNINITIALIZED) CONST(KVM_MP_STATE_INIT_RECEIVED)
	CONST(KVM_MP_STATE_HALTED) CONST(KVM_MP_STATE_SIPI_RECEIVED)
	CONST(KVM_MP_STATE_AP_RESET_HOLD) CONST(KVM_CPUID_FLAG_SIGNIFCANT_INDEX)
	CONST(KVM_CPUID_FLAG_STATEFUL_FUNC) CONST(KVM_CPUID_FLAG_STATE_READ_NEXT)
	CONST(KVM_VCPUEVENT_VALID_NMI_PENDING) CONST(KVM_VCPUEVENT_VALID_SIPI_VECTOR)
	CONST(KVM_VCPUEVENT_VALID_SHADOW) CONST(KVM_VCPUEVENT_VALID_SMM)
	CONST(KVM_VCPUEVENT_VALID_PAYLOAD) CONST(KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
	CONST(KVM_X86_SHADOW_INT_MOV_SS) CONST(KVM_X86_SHADOW_INT_STI) CONST(KVM_GUESTDBG_ENABLE)
	CONST(KVM_GUESTDBG_SINGLESTEP) CONST(KVM_GUESTDBG_USE_SW_BP) CONST(KVM_GUESTDBG_USE_HW_BP)
	CONST(KVM_GUESTDBG_INJECT_DB) CONST(KVM_GUESTDBG_INJECT_BP) CONST(KVM_GUESTDBG_BLOCKIRQ)
	CONST(KVM_IRQCHIP_PIC_MASTER) CONST(KVM_IRQCHIP_PIC_SLAVE) CONST(KVM_IRQCHIP_IOAPIC)
	CONST(KVM_IRQ_ROUTING_IRQCHIP) CONST(KVM_IRQ_ROUTING_MSI) CONST(KVM_IRQFD_FLAG_DEASSIGN)
	CONST(KVM_IRQFD_FLAG_RESAMPLE) CONST(KVM_MSI_VALID_DEVID) CONST(KVM_PIT_SPEAKER_DUMMY)
	CONST(KVM_PIT_FLAGS_HPET_LEGACY) CONST(KVM_PIT_FLAGS_SPEAKER_DATA_ON)
	CONST(KVM_IOEVENTFD_FLAG_DATAMATCH) CONST(KVM_IOEVENTFD_FLAG_PIO)
	CONST(KVM_IOEVENTFD_FLAG_DEASSIGN) CONST(KVM_CLOCK_TSC_STABLE) CONST(KVM_CLOCK_REALTIME)
	CONST(KVM_CLOCK_HOST_TSC) CONST(KVM_X2APIC_API_USE_32BIT_IDS)
	CONST(KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) CONST(KVM_PMU_CAP_DISABLE)
	CONST(KVM_X86_DISABLE_EXITS_MWAIT)
	CONST(KVM_X86_DISABLE_EXITS_HLT) CONST(KVM_X86_DISABLE_EXITS_PAUSE)
	CONST(KVM_X86_DISABLE_EXITS_CSTATE) CONST(KVM_X86_NOTIFY_VMEXIT_ENABLED)
	CONST(KVM_X86_NOTIFY_VMEXIT_USER) CONST(KVM_STATS_TYPE_SHIFT) CONST(KVM_STATS_TYPE_MASK)
	CONST(KVM_STATS_TYPE_CUMULATIVE) CONST(KVM_STATS_TYPE_INSTANT) CONST(KVM_STATS_TYPE_PEAK)
	CONST(KVM_STATS_TYPE_LINEAR_HIST) CONST(KVM_STATS_TYPE_LOG_HIST)
	CONST(KVM_STATS_UNIT_SHIFT) CONST(KVM_STATS_UNIT_MASK) CONST(KVM_STATS_UNIT_NONE)
	CONST(KVM_STATS_UNIT_BYTES) CONST(KVM_STATS_UNIT_SECONDS) CONST(KVM_STATS_UNIT_CYCLES)
	CONST(KVM_STATS_UNIT_BOOLEAN) CONST(KVM_STATS_BASE_SHIFT) CONST(KVM_STATS_BASE_MASK)
	CONST(KVM_STATS_BASE_POW10) CONST(KVM_STATS_BASE_POW2) CONST(KVMIO)
}

static void capabilities(void)
{
	CONST(KVM_CAP_IRQCHIP) CONST(KVM_CAP_HLT) CONST(KVM_CAP_MMU_SHADOW_CACHE_CONTROL)
	CONST(KVM_CAP_USER_MEMORY) CONST(KVM_CAP_SET_TSS_ADDR) CONST(KVM_CAP_VAPIC)
	CONST(KVM_CAP_EXT_CPUID) CONST(KVM_CAP_CLOCKSOURCE) CONST(KVM_CAP_NR_VCPUS)
	CONST(KVM_CAP_NR_MEMSLOTS) CONST(KVM_CAP_PIT) CONST(KVM_CAP_NOP_IO_DELAY)
	CONST(KVM_CAP_MP_STATE) CONST(KVM_CAP_COALESCED_MMIO) CONST(KVM_CAP_SYNC_MMU)
	CONST(KVM_CAP_DESTROY_MEMORY_REGION_WORKS) CONST(KVM_CAP_USER_NMI)
	CONST(KVM_CAP_SET_GUEST_DEBUG) CONST(KVM_CAP_REINJECT_CONTROL) CONST(KVM_CAP_IRQ_ROUTING)
	CONST(KVM_CAP_IRQ_INJECT_STATUS) CONST(KVM_CAP_JOIN_MEMORY_REGIONS_WORKS)
	CONST(KVM_CAP_MCE) CONST(KVM_CAP_IRQFD) CONST(KVM_CAP_PIT2) CONST(KVM_CAP_SET_BOOT_CPU_ID)
	CONST(KVM_CAP_PIT_STATE2) CONST(KVM_CAP_IOEVENTFD) CONST(KVM_CAP_SET_IDENTITY_MAP_ADDR)
	CONST(KVM_CAP_XEN_HVM) CONST(KVM_CAP_ADJUST_CLOCK) CONST(KVM_CAP_INTERNAL_ERROR_DATA)
	CONST(KVM_CAP_VCPU_EVENTS) CONST(KVM_CAP_HYPERV) CONST(KVM_CAP_HYPERV_VAPIC)
	CONST(KVM_CAP_HYPERV_SPIN) CONST(KVM_CAP_INTR_SHADOW) CONST(KVM_CAP_DEBUGREGS)
	CONST(KVM_CAP_X86_ROBUST_SINGLESTEP) CONST(KVM_CAP_ENABLE_CAP) CONST(KVM_CAP_XSAVE)
	CONST(KVM_CAP_XCRS) CONST(KVM_CAP_ASYNC_PF) CONST(KVM_CAP_TSC_CONTROL)
	CONST(KVM_CAP_GET_TSC_KHZ) CONST(KVM_CAP_MAX_VCPUS) CONST(KVM_CAP_ONE_REG)
	CONST(KVM_CAP_TSC_DEADLINE_TIMER) CONST(KVM_CAP_SYNC_REGS) CONST(KVM_CAP_KVMCLOCK_CTRL)
	CONST(KVM_CAP_SIGNAL_MSI) CONST(KVM_CAP_READONLY_MEM) CONST(KVM_CAP_IRQFD_RESAMPLE)
	CONST(KVM_CAP_DEVICE_CTRL) CONST(KVM_CAP_EXT_EMUL_CPUID) CONST(KVM_CAP_HYPERV_TIME)
	CONST(KVM_CAP_IOAPIC_POLARITY_IGNORED) CONST(KVM_CAP_ENABLE_CAP_VM)
	CONST(KVM_CAP_IOEVENTFD_NO_LENGTH) CONST(KVM_CAP_VM_ATTRIBUTES)
	CONST(KVM_CAP_CHECK_EXTENSION_VM) CONST(KVM_CAP_DISABLE_QUIRKS) CONST(KVM_CAP_X86_SMM)
	CONST(KVM_CAP_MULTI_ADDRESS_SPACE) CONST(KVM_CAP_GUEST_DEBUG_HW_BPS)
	CONST(KVM_CAP_GUEST_DEBUG_HW_WPS) CONST(KVM_CAP_SPLIT_IRQCHIP)
	CONST(KVM_CAP_IOEVENTFD_ANY_LENGTH) CONST(KVM_CAP_HYPERV_SYNIC)
	CONST(KVM_CAP_VCPU_ATTRIBUTES) CONST(KVM_CAP_MAX_VCPU_ID) CONST(KVM_CAP_X2APIC_API)
	CONST(KVM_CAP_MSI_DEVID) CONST(KVM_CAP_IMMEDIATE_EXIT) CONST(KVM_CAP_X86_DISABLE_EXITS)
	CONST(KVM_CAP_HYPERV_SYNIC2) CONST(KVM_CAP_HYPERV_VP_INDEX) CONST(KVM_CAP_GET_MSR_FEATURES)
	CONST(KVM_CAP_HYPERV_EVENTFD) CONST(KVM_CAP_HYPERV_TLBFLUSH) CONST(KVM_CAP_NESTED_STATE)
	CONST(KVM_CAP_MSR_PLATFORM_INFO) CONST(KVM_CAP_HYPERV_SEND_IPI)
	CONST(KVM_CAP_COALESCED_PIO) CONST(KVM_CAP_HYPERV_ENLIGHTENED_VMCS)
	CONST(KVM_CAP_EXCEPTION_PAYLOAD) CONST(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT)
	CONST(KVM_CAP_HYPERV_CPUID) CONST(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
	CONST(KVM_CAP_PMU_EVENT_FILTER) CONST(KVM_CAP_HYPERV_DIRECT_TLBFLUSH)
	CONST(KVM_CAP_HALT_POLL) CONST(KVM_CAP_ASYNC_PF_INT) CONST(KVM_CAP_LAST_CPU)
	CONST(KVM_CAP_SMALLER_MAXPHYADDR) CONST(KVM_CAP_STEAL_TIME)
	CONST(KVM_CAP_X86_USER_SPACE_MSR) CONST(KVM_CAP_X86_MSR_FILTER)
	CONST(KVM_CAP_ENFORCE_PV_FEATURE_CPUID) CONST(KVM_CAP_SYS_HYPERV_CPUID)
	CONST(KVM_CAP_DIRTY_LOG_RING) CONST(KVM_CAP_X86_BUS_LOCK_EXIT)
	CONST(KVM_CAP_SET_GUEST_DEBUG2) CONST(KVM_CAP_SGX_ATTRIBUTE)
	CONST(KVM_CAP_VM_COPY_ENC_CONTEXT_FROM) CONST(KVM_CAP_PTP_KVM)
	CONST(KVM_CAP_HYPERV_ENFORCE_CPUID) CONST(KVM_CAP_SREGS2) CONST(KVM_CAP_EXIT_HYPERCALL)
	CONST(KVM_CAP_BINARY_STATS_FD) CONST(KVM_CAP_EXIT_ON_EMULATION_FAILURE)
	CONST(KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM) CONST(KVM_CAP_VM_GPA_BITS) CONST(KVM_CAP_XSAVE2)
	CONST(KVM_CAP_SYS_ATTRIBUTES) CONST(KVM_CAP_PMU_CAPABILITY) CONST(KVM_CAP_DISABLE_QUIRKS2)
	CONST(KVM_CAP_VM_TSC_CONTROL) CONST(KVM_CAP_SYSTEM_EVENT_DATA)
	CONST(KVM_CAP_X86_TRIPLE_FAULT_EVENT) CONST(KVM_CAP_X86_NOTIFY_VMEXIT)
	CONST(KVM_CAP_VM_DISABLE_NX_HUGE_PAGES) CONST(KVM_CAP_DIRTY_LOG_RING_ACQ_REL)
}

static void ioctls(void)
{
	IOCTL(KVM_GET_SUPPORTED_CPUID) IOCTL(KVM_GET_MSR_INDEX_LIST)
	IOCTL(KVM_GET_SUPPORTED_HV_CPUID)
	IOCTL(KVM_SET_USER_MEMORY_REGION) IOCTL(KVM_SET_IDENTITY_MAP_ADDR) IOCTL(KVM_IRQ_LINE)
	IOCTL(KVM_GET_IRQCHIP) IOCTL(KVM_SET_IRQCHIP) IOCTL(KVM_SET_GSI_ROUTING) IOCTL(KVM_IRQFD)
	IOCTL(KVM_IOEVENTFD) IOCTL(KVM_CREATE_PIT2) IOCTL(KVM_GET_PIT2) IOCTL(KVM_SET_PIT2) IOCTL(KVM_SIGNAL_MSI)
	IOCTL(KVM_REGISTER_COALESCED_MMIO) IOCTL(KVM_UNREGISTER_COALESCED_MMIO)
	IOCTL(KVM_GET_DIRTY_LOG) IOCTL(KVM_GET_CLOCK) IOCTL(KVM_SET_CLOCK) IOCTL(KVM_ENABLE_CAP)
	IOCTL(KVM_GET_REGS) IOCTL(KVM_SET_REGS) IOCTL(KVM_GET_SREGS) IOCTL(KVM_SET_SREGS)
	IOCTL(KVM_GET_FPU) IOCTL(KVM_SET_FPU) IOCTL(KVM_GET_MSRS) IOCTL(KVM_SET_MSRS)
	IOCTL(KVM_GET_LAPIC) IOCTL(KVM_SET_LAPIC) IOCTL(KVM_SET_CPUID2) IOCTL(KVM_GET_CPUID2)
	IOCTL(KVM_SET_SIGNAL_MASK) IOCTL(KVM_GET_MP_STATE) IOCTL(KVM_SET_MP_STATE)
	IOCTL(KVM_GET_VCPU_EVENTS) IOCTL(KVM_SET_VCPU_EVENTS) IOCTL(KVM_GET_DEBUGREGS)
	IOCTL(KVM_SET_DEBUGREGS) IOCTL(KVM_SET_GUEST_DEBUG) IOCTL(KVM_TRANSLATE)
	IOCTL(KVM_INTERRUPT) IOCTL(KVM_GET_API_VERSION) IOCTL(KVM_CREATE_VM)
	IOCTL(KVM_CHECK_EXTENSION) IOCTL(KVM_GET_VCPU_MMAP_SIZE) IOCTL(KVM_CREATE_VCPU)
	IOCTL(KVM_SET_TSS_ADDR) IOCTL(KVM_CREATE_IRQCHIP) IOCTL(KVM_RESET_DIRTY_RINGS)
	IOCTL(KVM_GET_STATS_FD) IOCTL(KVM_GET_TSC_KHZ) IOCTL(KVM_SET_TSC_KHZ) IOCTL(KVM_RUN)
	IOCTL(KVM_KVMCLOCK_CTRL) IOCTL(KVM_NMI) IOCTL(KVM_GET_XSAVE) IOCTL(KVM_SET_XSAVE)
	IOCTL(KVM_GET_XSAVE2) IOCTL(KVM_GET_XCRS) IOCTL(KVM_SET_XCRS)
}

int main(void)
{
	registers();
	run();
	vcpu();
	vm();
	interrupts();
	exit_reasons();
	constants();
	capabilities();
	ioctls();
	return 0;
}
