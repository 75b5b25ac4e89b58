/*
 * boot_twin: the least C program that boots a multiboot test kernel on KVM as MiniVmm does: in-kernel interrupt
 * controllers and PIT, one vCPU, a serial port that is always ready, the debug-exit port, ACPI tables that tell of
 * power-off and nothing else (a guest that finds none searches long), nothing at all other ports and addresses. What
 * MiniVmm is measured against; not a monitor to use (it trusts its guest's file).
 *
 *   boot_twin KERNEL.elf RAM_MIB [COMMAND LINE]
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

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, DEBUG_EXIT = 0xf4, SOFT_OFF = 0x604 };
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

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	size_t size = (size_t)atoi(argv[2]) << 20;
	int kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	int vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	must("KVM_SET_TSS_ADDR", ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	char *ram = must_map(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	struct kvm_userspace_memory_region slot = { .memory_size = size, .userspace_addr = (unsigned long)ram };
	must("KVM_SET_USER_MEMORY_REGION", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
	must("KVM_CREATE_IRQCHIP", ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	must("KVM_CREATE_PIT2", ioctl(vm, KVM_CREATE_PIT2, &pit));

	unsigned entry = load(argv[1], ram);
	write_acpi(ram);
	snprintf(ram + COMMAND_LINE, 256, "%s %s", argv[1], argc > 3 ? argv[3] : "");
	unsigned *info = (unsigned *)(ram + INFO);
	info[0] = 1 | 4;		/* memory sizes and command line are valid */
	info[1] = 639;
	info[2] = (size >> 10) - 1024;
	info[4] = COMMAND_LINE;

	int vcpu = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[128]; } cpuid = { .head.nent = 128 };
	must("KVM_GET_SUPPORTED_CPUID", ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	must("KVM_SET_CPUID2", ioctl(vcpu, KVM_SET_CPUID2, &cpuid));
	set_registers(vcpu, entry);
	struct kvm_run *run = must_map(must("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)), MAP_SHARED, vcpu);

	for (;;) {
		must("KVM_RUN", ioctl(vcpu, KVM_RUN, 0));
		if (run->exit_reason == KVM_EXIT_MMIO) {
			if (!run->mmio.is_write)
				memset(run->mmio.data, 0xff, sizeof run->mmio.data);
			continue;
		}
		if (run->exit_reason != KVM_EXIT_IO) {
			fprintf(stderr, "boot_twin: exit reason %u\n", run->exit_reason);
			return 6;
		}
		char *data = (char *)run + run->io.data_offset;
		size_t bytes = (size_t)run->io.size * run->io.count;
		if (run->io.direction == KVM_EXIT_IO_IN)
			memset(data, run->io.port == LINE_STATUS ? 0x60 : 0xff, bytes);
		else if (run->io.port == COM1 && write(1, data, bytes) < 0)
			return 1;
		else if (run->io.port == DEBUG_EXIT)
			return (unsigned char)(*data << 1 | 1);
		else if (run->io.port == SOFT_OFF)
			return 0;
	}
}
