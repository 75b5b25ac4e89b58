/*
 * boot_twin: the least C program that boots a multiboot test kernel: a serial port that is always ready, the debug-exit
 * port, power-off, nothing at all other ports and addresses. What MiniVmm is measured against; not a monitor to use (it
 * trusts its guest's file).
 *
 *   boot_twin KERNEL.elf RAM_MIB [COMMAND LINE]
 */
#include "boot_machine.h"

enum { COM1 = 0x3f8, LINE_STATUS = COM1 + 5, DEBUG_EXIT = 0xf4 };

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	int kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	struct machine m = create_pc(kvm, argv[1], (size_t)atoi(argv[2]) << 20, argc > 3 ? argv[3] : "");
	struct kvm_run *run = m.run;

	for (;;) {
		must("KVM_RUN", ioctl(m.vcpu, KVM_RUN, 0));
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
