/*
 * warm_twin: machines one after the other in a process that is warm, as bench/MiniVmm.Warm makes them, without anything
 * of a monitor around them. Prints the nanoseconds from the first call to the vCPU's first exit, a line a machine; or
 * keeps all of them, each with a thread that waits, and prints the private KiB that one holds beyond its guest's pages.
 *
 *   warm_twin bare|KERNEL.elf COUNT [keep]
 */
#include <pthread.h>
#include <time.h>

#include "boot_machine.h"

enum { CODE = 0x1000, BARE_MIB = 2, PC_MIB = 32, STACK_KIB = 256 };

static const unsigned char code[] = { 0xe6, 0x80, 0xf4 };	/* out 0x80, al; hlt */
static int kvm;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct machine create_bare(void)
{
	struct machine m = create_vm(kvm, BARE_MIB << 20);
	unsigned long long identity_map = 0xfffbc000;
	must("KVM_SET_IDENTITY_MAP_ADDR", ioctl(m.vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map));
	memcpy(m.ram + CODE, code, sizeof code);
	create_vcpu(kvm, &m);
	struct kvm_sregs s;
	must("KVM_GET_SREGS", ioctl(m.vcpu, KVM_GET_SREGS, &s));
	s.cs.base = s.cs.selector = 0;
	must("KVM_SET_SREGS", ioctl(m.vcpu, KVM_SET_SREGS, &s));
	struct kvm_regs r = { .rip = CODE, .rflags = 2 };
	must("KVM_SET_REGS", ioctl(m.vcpu, KVM_SET_REGS, &r));
	return m;
}

static struct machine create(const char *kind)
{
	return strcmp(kind, "bare") ? create_pc(kvm, kind, (size_t)PC_MIB << 20, "") : create_bare();
}

static void *first_exit(void *vcpu)
{
	must("KVM_RUN", ioctl(*(int *)vcpu, KVM_RUN, 0));
	return (void *)now();
}

static void *await_gate(void *unused)
{
	pthread_mutex_lock(&gate);
	return unused;
}

static pthread_t start(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_KIB << 10);
	must("pthread_create", -pthread_create(&thread, &attributes, run, argument));
	return thread;
}

static void destroy(struct machine *m)
{
	munmap(m->run, m->run_size);
	close(m->vcpu);
	munmap(m->ram, m->size);
	close(m->vm);
}

static long private_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	long sum = 0, value;
	for (char line[256]; file && fgets(line, sizeof line, file);)
		if (sscanf(line, "Private_Clean: %ld", &value) == 1 || sscanf(line, "Private_Dirty: %ld", &value) == 1)
			sum += value;
	if (file)
		fclose(file);
	return sum;
}

static void keep(const char *kind, int count)
{
	long before = private_kib();
	pthread_mutex_lock(&gate);
	for (int i = 0; i < count; i++) {
		struct machine m = create(kind);
		start(await_gate, NULL);
		madvise(m.ram, m.size, MADV_DONTNEED);
	}
	printf("%.1f\n", (double)(private_kib() - before) / count);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	int count = atoi(argv[2]);
	if (argc > 3) {
		keep(argv[1], count);
		return 0;
	}
	for (int i = 0; i < count; i++) {
		void *end;
		long long begin = now();
		struct machine m = create(argv[1]);
		pthread_join(start(first_exit, &m.vcpu), &end);
		printf("%lld\n", (long long)end - begin);
		destroy(&m);
	}
	return 0;
}
