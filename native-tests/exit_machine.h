/*
 * The machine of exit_twin: memory with the image in it, interrupt controllers, vCPUs and what starts them at a loop,
 * doorbells, queues and an interrupt. As MiniVmm's ExitRig sets it up.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "must.h"

enum { PORT_DATA = 0xc0, PORT_DOORBELL = 0xc4, PORT_WOKEN = 0xc6, PORT_COALESCED = 0xc8, PORT_END = 0xcc };
enum { WINDOW_DOORBELL = 0x100, WINDOW_WOKEN = 0x200, WINDOW_COALESCED = 0x1000, COALESCED_LENGTH = 0x100 };
enum { HEADER = 0x1000, FLAG = 0x3000, SECOND_STACK = 0x5000, CODE_SELECTOR = 0x10, DATA_SELECTOR = 0x18 };
enum { GSI = 24, VECTOR = 0x40, LOCAL_APIC = 0xfee00000 };
enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

struct header {
	char magic[8];
	uint32_t version, rows;
	uint64_t gdt, gdt_limit, idt, idt_limit, cr3, stack, samples, ram_size, window;
	struct row { char name[20]; uint32_t ring, plain, timed; } row[];
};

struct vcpu { int fd; struct kvm_run *run; pid_t thread; struct kvm_sregs reset; bool stop; };

static int kvm, vm, idle_doorbell, woken_doorbell, interrupt;
static char *ram;
static const struct header *header;
static struct vcpu boot = { .fd = -1 }, second = { .fd = -1 };
static struct kvm_coalesced_mmio_ring *ring;

/* Told what this KVM cannot wire. */
static void cannot(const char *kind);

static void create_vcpu(struct vcpu *v, int id)
{
	v->fd = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, id));
	struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[256]; } cpuid = { .head.nent = 256 };
	must("KVM_GET_SUPPORTED_CPUID", ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	must("KVM_SET_CPUID2", ioctl(v->fd, KVM_SET_CPUID2, &cpuid));
	must("KVM_GET_SREGS", ioctl(v->fd, KVM_GET_SREGS, &v->reset));
	v->run = must_map(must("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)), MAP_SHARED, v->fd);
}

/* As reset leaves it, the local APIC drops interrupts, and the first may come before the guest has seen to that. */
static void enable_apic(struct vcpu *v)
{
	struct kvm_lapic_state apic;
	must("KVM_GET_LAPIC", ioctl(v->fd, KVM_GET_LAPIC, &apic));
	memcpy(apic.regs + 0xf0, &(uint32_t){ 0x1ff }, 4);
	must("KVM_SET_LAPIC", ioctl(v->fd, KVM_SET_LAPIC, &apic));
}

static void enter(struct vcpu *v, const char *name, bool timed, int turns, uint64_t stack)
{
	const struct row *row = header->row;
	while (strcmp(row->name, name))
		if (++row == header->row + header->rows) {
			fprintf(stderr, "exit_twin: the image has no %s\n", name);
			exit(2);
		}

	/* An exit to user space is complete only at the next entry (api.rst, 5: KVM_EXIT_IO): one that ends at once. */
	v->run->immediate_exit = 1;
	ioctl(v->fd, KVM_RUN, 0);
	v->run->immediate_exit = 0;
	v->stop = false;

	struct kvm_sregs now, s = v->reset;
	must("KVM_GET_SREGS", ioctl(v->fd, KVM_GET_SREGS, &now));
	struct kvm_segment flat = { .limit = 0xffffffff, .selector = CODE_SELECTOR | row->ring, .dpl = row->ring,
		.type = 11, .present = 1, .s = 1, .l = 1, .g = 1 };
	s.cs = flat;
	flat.selector = DATA_SELECTOR | row->ring;
	flat.type = 3;
	flat.l = 0;
	flat.db = 1;
	s.ds = s.es = s.ss = flat;
	flat.selector = DATA_SELECTOR;
	flat.dpl = 0;
	s.fs = s.gs = flat;
	s.tr = (struct kvm_segment){ .limit = 0x67, .selector = 0x20, .type = 11, .present = 1 };
	s.gdt = (struct kvm_dtable){ .base = header->gdt, .limit = header->gdt_limit };
	s.idt = (struct kvm_dtable){ .base = header->idt, .limit = header->idt_limit };
	s.cr0 = 0x80000011;
	s.cr3 = header->cr3;
	s.cr4 = 0x20;
	s.efer = 0x500;
	s.apic_base = now.apic_base;	/* from x2APIC mode there is no direct way back */
	must("KVM_SET_SREGS", ioctl(v->fd, KVM_SET_SREGS, &s));
	struct kvm_regs r = { .rip = timed ? row->timed : row->plain, .rsp = stack, .rbp = header->stack, .rdi = turns,
		.rsi = header->samples, .rflags = 2 | (row->ring == 3 ? 3 << 12 : 0) };
	must("KVM_SET_REGS", ioctl(v->fd, KVM_SET_REGS, &r));
}

static void wire(const char *kind, unsigned long request, void *argument)
{
	if (ioctl(vm, request, argument) >= 0)
		return;
	fprintf(stderr, "exit_twin: no %s: %s\n", kind, strerror(errno));
	cannot(kind);
}

static void wire_doorbell(const char *kind, uint64_t address, int length, int fd)
{
	struct kvm_ioeventfd doorbell = { .addr = address, .len = length, .fd = fd,
		.flags = address < 0x10000 ? KVM_IOEVENTFD_FLAG_PIO : 0 };
	wire(kind, KVM_IOEVENTFD, &doorbell);
}

static void wire_devices(void)
{
	idle_doorbell = must("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	woken_doorbell = must("eventfd", eventfd(0, EFD_CLOEXEC));
	interrupt = must("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	wire_doorbell("ioeventfd-pio", PORT_DOORBELL, 1, idle_doorbell);
	wire_doorbell("ioeventfd-pio-woken", PORT_WOKEN, 1, woken_doorbell);
	wire_doorbell("ioeventfd-mmio", header->window + WINDOW_DOORBELL, 4, idle_doorbell);
	wire_doorbell("ioeventfd-mmio-woken", header->window + WINDOW_WOKEN, 4, woken_doorbell);
	wire("hlt-irqfd", KVM_IRQFD, &(struct kvm_irqfd){ .fd = interrupt, .gsi = GSI });
	wire("coalesced-pio", KVM_REGISTER_COALESCED_MMIO,
		&(struct kvm_coalesced_mmio_zone){ .addr = PORT_COALESCED, .size = 1, .pio = 1 });
	wire("coalesced-mmio", KVM_REGISTER_COALESCED_MMIO,
		&(struct kvm_coalesced_mmio_zone){ .addr = header->window + WINDOW_COALESCED, .size = COALESCED_LENGTH });
	int page = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);
	if (page > 0)
		ring = (void *)((char *)boot.run + page * PAGE);
}

static void create_machine(const char *image)
{
	int file = must(image, open(image, O_RDONLY | O_CLOEXEC));
	struct header peek;
	if (pread(file, &peek, sizeof peek, HEADER) != sizeof peek || memcmp(peek.magic, "MVMEXITS", 8) || peek.version != 1) {
		fprintf(stderr, "exit_twin: %s: not what minivmm bench exits --write-guest writes\n", image);
		exit(2);
	}
	kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	must("KVM_SET_TSS_ADDR", ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	must("KVM_SET_IDENTITY_MAP_ADDR", ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &(uint64_t){ 0xfffbc000 }));

	ram = must_map(peek.ram_size + HUGE_PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	ram += -(uintptr_t)ram & (HUGE_PAGE - 1);
	madvise(ram, peek.ram_size, MADV_HUGEPAGE);
	memset(ram, 0, peek.ram_size);
	must(image, pread(file, ram, peek.ram_size, 0));
	close(file);
	header = (const struct header *)(ram + HEADER);
	struct kvm_userspace_memory_region slot = { .memory_size = peek.ram_size, .userspace_addr = (uintptr_t)ram };
	must("KVM_SET_USER_MEMORY_REGION", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));

	must("KVM_CREATE_IRQCHIP", ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	struct { struct kvm_irq_routing head; struct kvm_irq_routing_entry entry; } routes = { .head.nr = 1,
		.entry = { .gsi = GSI, .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = LOCAL_APIC, .data = VECTOR } } };
	must("KVM_SET_GSI_ROUTING", ioctl(vm, KVM_SET_GSI_ROUTING, &routes));
	create_vcpu(&boot, 0);
	enable_apic(&boot);
	wire_devices();
}
