/*
 * exit_parts: what the parts of a vCPU thread's design add to an exit: a second thread, which makes the process share
 * its table of files; a signal mask for KVM_RUN; and a table of files of the vCPU thread's own. Each variant runs in a
 * process of its own, in interleaved rounds, and is compared with the plain loop of the same round.
 *
 *   exit_parts [ROUNDS [EXITS]]          (15, 20000)
 *
 * Without /dev/kvm only the first table appears: the same parts, around an ioctl that fails at once.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "must.h"

enum { KICK = 40, CODE = 0x1000, PORT = 0xc0, WARMUP = 1000, CALLS = 50000, MOST_ROUNDS = 1000 };
enum part { THREAD = 1, MASK = 2, UNSHARE = 4, HANDLER = 8, DIRTY = 16 };

static const struct variant { const char *name; int parts; } variants[] = {
	{ "plain loop", 0 },
	{ "again, for the noise", 0 },
	{ "second thread", THREAD },
	{ "signal mask", MASK },
	{ "second thread, signal mask", THREAD | MASK },
	{ "second thread, mask, own files", THREAD | MASK | UNSHARE },
	{ "second thread, own files", THREAD | UNSHARE },
	{ "second thread, handler", THREAD | HANDLER },
	{ "AVX registers in use", DIRTY },
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static void *idle(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void nothing(int signal)
{
	(void)signal;
}

static void prepare(int parts)
{
	pthread_t thread;
	if (parts & THREAD)
		must("pthread_create", -pthread_create(&thread, NULL, idle, NULL));
	if (parts & UNSHARE)
		must("unshare", unshare(CLONE_FILES));
	if (parts & HANDLER)
		must("sigaction", sigaction(KICK, &(struct sigaction){ .sa_handler = nothing }, NULL));
}

/* Of this thread, on a processor: what others take from it does not count. */
static double nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

__attribute__((target("avx"))) static void fill_avx(void)
{
	__asm__ volatile("vcmptrueps %%ymm0, %%ymm0, %%ymm0\n\tvmovaps %%ymm0, %%ymm15" ::: "xmm0", "xmm15");
}

/* ---- a call that goes nowhere ---- */

static double time_calls(int parts)
{
	prepare(parts);
	int fd = must("/dev/null", open("/dev/null", O_RDWR | O_CLOEXEC));
	uint64_t open_set = 0, kick = 1ull << (KICK - 1);
	double start = nanoseconds();
	for (int i = 0; i < CALLS; i++) {
		if (parts & MASK)	/* what KVM_RUN does in the kernel; here with two more system calls */
			syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kick, NULL, 8);
		ioctl(fd, KVM_RUN, 0);
		if (parts & MASK)
			syscall(SYS_rt_sigprocmask, SIG_SETMASK, &open_set, NULL, 8);
	}
	return (nanoseconds() - start) / CALLS;
}

/* The two crossings that stand beside the mask in time_calls, without it. */
static double time_crossings(int parts)
{
	(void)parts;
	double start = nanoseconds();
	for (int i = 0; i < CALLS; i++) {
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, NULL, 8);
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, NULL, 8);
	}
	return (nanoseconds() - start) / CALLS;
}

/* ---- a vCPU ---- */

static const uint8_t guest[] = { 0xe6, PORT, 0x49, 0x75, 0xfb, 0xf4 };	/* 1: out PORT, al; dec ecx; jnz 1b; hlt */

static int create_vcpu(int kvm, struct kvm_run **run)
{
	int vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	must("KVM_SET_TSS_ADDR", ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	char *ram = must_map(1 << 20, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	memcpy(ram + CODE, guest, sizeof guest);
	struct kvm_userspace_memory_region slot = { .memory_size = 1 << 20, .userspace_addr = (uintptr_t)ram };
	must("KVM_SET_USER_MEMORY_REGION", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
	must("KVM_CREATE_IRQCHIP", ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	int vcpu = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	struct kvm_sregs s;
	must("KVM_GET_SREGS", ioctl(vcpu, KVM_GET_SREGS, &s));
	struct kvm_segment flat = { .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1 };
	s.cs = flat;
	flat.selector = 16;
	flat.type = 3;
	s.ds = s.es = s.fs = s.gs = s.ss = flat;
	s.cr0 = 0x11;
	must("KVM_SET_SREGS", ioctl(vcpu, KVM_SET_SREGS, &s));
	struct kvm_regs r = { .rip = CODE, .rcx = UINT32_MAX, .rflags = 2 };
	must("KVM_SET_REGS", ioctl(vcpu, KVM_SET_REGS, &r));
	*run = must_map(must("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0)), MAP_SHARED, vcpu);
	return vcpu;
}

static void set_mask(int vcpu)
{
	struct { struct kvm_signal_mask head; uint8_t set[8]; } mask = { .head.len = 8 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, KICK);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must("KVM_SET_SIGNAL_MASK", ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask));
}

static int exits;

static double time_exits(int parts)
{
	struct kvm_run *run;
	int vcpu = create_vcpu(must("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC)), &run);
	if (parts & MASK)
		set_mask(vcpu);
	prepare(parts);
	double start = 0;
	for (int i = 0; i < WARMUP + exits; i++) {
		if (i == WARMUP)
			start = nanoseconds();
		if (parts & DIRTY)
			fill_avx();
		must("KVM_RUN", ioctl(vcpu, KVM_RUN, 0));
		if (run->exit_reason != KVM_EXIT_IO) {
			fprintf(stderr, "exit_parts: exit reason %u\n", run->exit_reason);
			exit(6);
		}
	}
	return (nanoseconds() - start) / exits;
}

/* ---- rounds ---- */

static double in_a_process(double (*measure)(int), int parts)
{
	int result[2];
	double ns;
	must("pipe", pipe(result));
	pid_t child = must("fork", fork());
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ns = measure(parts);
		_exit(write(result[1], &ns, sizeof ns) != sizeof ns);
	}
	close(result[1]);
	bool answered = read(result[0], &ns, sizeof ns) == sizeof ns;
	close(result[0]);
	waitpid(child, NULL, 0);
	if (!answered)
		exit(4);
	return ns;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_row(const char *name, const double *ns, const double *plain, int rounds)
{
	double absolute[MOST_ROUNDS], ratio[MOST_ROUNDS];
	for (int i = 0; i < rounds; i++) {
		absolute[i] = ns[i];
		ratio[i] = ns[i] / plain[i];
	}
	qsort(absolute, rounds, sizeof *absolute, ascending);
	qsort(ratio, rounds, sizeof *ratio, ascending);
	printf("%-31s%9.1f%9.1f%9.3f%9.3f%9.3f\n", name, absolute[0], absolute[rounds / 2], ratio[rounds / 4],
		ratio[rounds / 2], ratio[3 * rounds / 4]);
}

static void compare(const char *title, double (*measure)(int), int rounds, int unfit)
{
	static double ns[VARIANTS + 1][MOST_ROUNDS];
	bool calls = measure == time_calls;
	for (int round = 0; round < rounds; round++) {
		for (int v = 0; v < VARIANTS; v++)
			if (!(variants[v].parts & unfit))
				ns[v][round] = in_a_process(measure, variants[v].parts);
		if (calls)
			ns[VARIANTS][round] = in_a_process(time_crossings, 0);
	}
	printf("%-31s%9s%9s  ratio, lower q., median, upper q.\n", title, "min", "median");
	for (int v = 0; v < VARIANTS; v++)
		if (!(variants[v].parts & unfit))
			print_row(variants[v].name, ns[v], ns[0], rounds);
	if (calls)
		print_row("(two crossings, in \"mask\")", ns[VARIANTS], ns[0], rounds);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	exits = argc > 2 ? atoi(argv[2]) : 20000;
	if (argc > 3 || rounds < 1 || rounds > MOST_ROUNDS || exits < 1) {
		fprintf(stderr, "usage: exit_parts [ROUNDS [EXITS]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	compare("a call that fails at once, ns", time_calls, rounds, DIRTY | HANDLER);
	if (access("/dev/kvm", R_OK | W_OK)) {
		perror("exit_parts: no exits measured: /dev/kvm");
		return 0;
	}
	compare("exit by OUT, ns", time_exits, rounds, __builtin_cpu_supports("avx") ? 0 : DIRTY);
	return 0;
}
