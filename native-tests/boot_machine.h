/*
 * The least of a PC that boots a multiboot test kernel on KVM as MiniVmm does: in-kernel interrupt controllers and PIT,
 * one vCPU, ACPI tables that tell of power-off and nothing else (a guest that finds none searches long). For boot_twin
 * and warm_twin.
 */
#include <elf.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "must.h"

enum { SOFT_OFF = 0x604 };
enum { STACK = 0x8ff0, INFO = 0x10000, COMMAND_LINE = 0x20000, ACPI = 0xe0000 };

static unsigned load(const char *path, char *ram)
{
	int fd = must(path, open(path, O_RDONLY | O_CLOEXEC));
	struct stat st;
	must("fstat", fstat(fd, &st));
	char *file = must_map(st.st_size, MAP_PRIVATE, fd);
	Elf32_Ehdr *e = (Elf32_Ehdr *)file;
	Elf32_Phdr *p = (Elf32_Phdr *)(file + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD)
			memcpy(ram + p[i].p_paddr, file + p[i].p_offset, p[i].p_filesz);
	unsigned entry = e->e_entry;
	munmap(file, st.st_size);
	close(fd);
	return entry;
}

static void fix_sum(unsigned char *bytes, size_t length, size_t at)
{
	unsigned char sum = 0;
	for (size_t i = 0; i < length; i++)
		sum += bytes[i];
	bytes[at] -= sum;
}

/* ACPI 6.5, section 5.2: RSDP, RSDT, and a FADT as of ACPI 1.0 with PM1a_CNT_BLK; without a DSDT, S5 is type 0. */
static void write_acpi(char *ram)
{
	unsigned char *rsdp = (unsigned char *)ram + ACPI, *rsdt = rsdp + 32, *fadt = rsdt + 48;
	memcpy(rsdp, "RSD PTR ", 8);
	*(unsigned *)(rsdp + 16) = ACPI + 32;
	fix_sum(rsdp, 20, 8);
	memcpy(rsdt, "RSDT\x28\0\0\0\1", 9);
	*(unsigned *)(rsdt + 36) = ACPI + 80;
	fix_sum(rsdt, 40, 9);
	memcpy(fadt, "FACP\x74\0\0\0\1", 9);
	*(unsigned *)(fadt + 64) = SOFT_OFF;
	fix_sum(fadt, 116, 9);
}

static void set_registers(int vcpu, unsigned entry)
{
	struct kvm_sregs s;
	must("KVM_GET_SREGS", ioctl(vcpu, KVM_GET_SREGS, &s));
	struct kvm_segment flat = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1 };
	s.cs = flat;
	flat.selector = 16;
	flat.type = 3;
	s.ds = s.es = s.fs = s.gs = s.ss = flat;
	s.cr0 = 0x11;
	must("KVM_SET_SREGS", ioctl(vcpu, KVM_SET_SREGS, &s));
	struct kvm_regs r = { .rax = 0x2badb002, .rbx = INFO, .rip = entry, .rsp = STACK, .rflags = 2 };
	must("KVM_SET_REGS", ioctl(vcpu, KVM_SET_REGS, &r));
}

struct machine {
	int vm, vcpu, run_size;
	size_t size;
	char *ram;
	struct kvm_run *run;
};

/* A VM with RAM from address 0. */
static struct machine create_vm(int kvm, size_t size)
{
	struct machine m = { .vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0)), .size = size };
	must("KVM_SET_TSS_ADDR", ioctl(m.vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	m.ram = must_map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	struct kvm_userspace_memory_region slot = { .memory_size = size, .userspace_addr = (unsigned long)m.ram };
	must("KVM_SET_USER_MEMORY_REGION", ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &slot));
	return m;
}

static void create_vcpu(int kvm, struct machine *m)
{
	m->vcpu = must("KVM_CREATE_VCPU", ioctl(m->vm, KVM_CREATE_VCPU, 0));
	m->run_size = must("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	m->run = must_map(m->run_size, MAP_SHARED, m->vcpu);
}

static __attribute__((unused)) struct machine create_pc(int kvm, const char *kernel, size_t size, const char *line)
{
	struct machine m = create_vm(kvm, size);
	must("KVM_CREATE_IRQCHIP", ioctl(m.vm, KVM_CREATE_IRQCHIP, 0));
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	must("KVM_CREATE_PIT2", ioctl(m.vm, KVM_CREATE_PIT2, &pit));

	unsigned entry = load(kernel, m.ram);
	write_acpi(m.ram);
	snprintf(m.ram + COMMAND_LINE, 256, "%s %s", kernel, line);
	unsigned *info = (unsigned *)(m.ram + INFO);
	info[0] = 1 | 4;		/* memory sizes and command line are valid */
	info[1] = 639;
	info[2] = (size >> 10) - 1024;
	info[4] = COMMAND_LINE;

	create_vcpu(kvm, &m);
	struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[128]; } cpuid = { .head.nent = 128 };
	must("KVM_GET_SUPPORTED_CPUID", ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	must("KVM_SET_CPUID2", ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid));
	set_registers(m.vcpu, entry);
	return m;
}
