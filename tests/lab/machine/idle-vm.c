/*
 * idle-vm: holds a virtual machine open, with interrupt controllers and one vCPU that never runs, until it is killed.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
	return result;
}

int main(void)
{
	int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "idle-vm: /dev/kvm");
	int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "idle-vm: KVM_CREATE_VM");

	must(ioctl(vm, KVM_CREATE_IRQCHIP, 0), "idle-vm: KVM_CREATE_IRQCHIP");
	must(ioctl(vm, KVM_CREATE_VCPU, 0), "idle-vm: KVM_CREATE_VCPU");
	for (;;)
		pause();
}
