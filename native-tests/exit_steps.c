/*
 * exit_steps: how many instructions a monitor executes in user space from one KVM_RUN to the next, and what other system
 * calls it makes there, counted by single-stepping the thread that calls KVM_RUN. A count, not a time: it is the same on
 * a busy machine and on an emulated one.
 *
 *   exit_steps [--profile] COMMAND [ARG ...]     the command must run a guest that exits a few thousand times
 *
 * --profile prints instead where they were, as counts by address, for a disassembler.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

enum { SKIPPED = 200, COUNTED = 100, MOST_STEPS = 200000, SYSCALL = 0x050f };

static struct { uint64_t at, count; } places[4096];
static int place_count;

static void note(uint64_t at)
{
	for (int i = 0; i < place_count; i++)
		if (places[i].at == at) {
			places[i].count++;
			return;
		}
	if (place_count < (int)(sizeof places / sizeof *places))
		places[place_count++] = (typeof(places[0])){ at, 1 };
}

static bool is_kvm_run(const struct user_regs_struct *r, uint64_t number)
{
	return number == SYS_ioctl && r->rsi == KVM_RUN;
}

static int ascending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

static struct user_regs_struct registers(pid_t thread)
{
	struct user_regs_struct r;
	must("PTRACE_GETREGS", ptrace(PTRACE_GETREGS, thread, 0, &r));
	return r;
}

/* Lets all threads run from call to call until one has entered KVM_RUN so often; it is then stopped before that call. */
static pid_t find_vcpu(void)
{
	for (int entries = 0;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL);
		if (thread < 0 || (WIFEXITED(status) && entries == 0 && errno == ECHILD))
			break;
		if (!WIFSTOPPED(status))
			continue;
		int signal = WSTOPSIG(status);
		if (signal == (SIGTRAP | 0x80)) {
			struct user_regs_struct r = registers(thread);
			/* Stops come in pairs; before the call rax is -ENOSYS. */
			if (is_kvm_run(&r, r.orig_rax) && (int64_t)r.rax == -ENOSYS && ++entries > SKIPPED)
				return thread;
		}
		bool ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || status >> 16;
		ptrace(PTRACE_SYSCALL, thread, 0, ours || signal == SIGSTOP ? 0 : signal);
	}
	fprintf(stderr, "exit_steps: the command ended before it had made %d exits\n", SKIPPED);
	exit(2);
}

/* One step; returns false where the thread has ended. Other threads run on. */
static bool step(pid_t thread, int request)
{
	int status;
	must("ptrace", ptrace(request, thread, 0, 0));
	return waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status);
}

int main(int argc, char **argv)
{
	bool profile = argc > 1 && !strcmp(argv[1], "--profile");
	char **command = argv + 1 + profile;
	if (!*command) {
		fprintf(stderr, "usage: exit_steps [--profile] COMMAND [ARG ...]\n");
		return 2;
	}
	pid_t child = must("fork", fork());
	if (child == 0) {
		if (profile)
			dup2(2, 1);
		else
			must("/dev/null", dup2(must("/dev/null", open("/dev/null", O_WRONLY)), 1));
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		execv(*command, command);
		must(*command, -1);
	}
	int status;
	waitpid(child, &status, 0);
	must("PTRACE_SETOPTIONS", ptrace(PTRACE_SETOPTIONS, child, 0,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL));
	ptrace(PTRACE_SYSCALL, child, 0, 0);

	pid_t vcpu = find_vcpu();
	static int steps[COUNTED];
	int calls = 0, exits = -1, n = 0;
	step(vcpu, PTRACE_SINGLESTEP);	/* to behind the call that it stands before */
	while (exits < COUNTED) {
		struct user_regs_struct r = registers(vcpu);
		bool is_call = (ptrace(PTRACE_PEEKTEXT, vcpu, r.rip, 0) & 0xffff) == SYSCALL;
		if (exits >= 0 && profile)
			note(r.rip);
		n++;
		if (is_call && is_kvm_run(&r, r.rax)) {
			if (exits >= 0)
				steps[exits] = n;
			exits++;
			n = 0;
		} else if (is_call && exits >= 0) {
			calls++;
		}
		if (n > MOST_STEPS || !step(vcpu, PTRACE_SINGLESTEP)) {
			fprintf(stderr, "exit_steps: the thread ended, or made no more exits\n");
			return 2;
		}
	}
	qsort(steps, COUNTED, sizeof *steps, ascending);
	if (profile)
		for (int i = 0; i < place_count; i++)
			printf("%#lx %.2f\n", places[i].at, (double)places[i].count / COUNTED);
	else
		printf("instructions an exit: min %d, median %d, max %d; other system calls an exit: %.2f\n",
			steps[0], steps[COUNTED / 2], steps[COUNTED - 1], (double)calls / COUNTED);
	return 0;
}
