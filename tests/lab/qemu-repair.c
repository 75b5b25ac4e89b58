/*
 * qemu-repair: loaded into QEMU (LD_PRELOAD), takes out a function and a check that spoil nested virtualisation under
 * `-accel tcg,thread=multi`, and puts in a check that it lacks.
 *
 * FXRSTOR, XRSTOR, FRSTOR and FLDENV on any processor call cpu_clear_ignne(), which clears a flag for MS-DOS programs in
 * the first processor's `hflags2`: read, change, write, with no lock, from another thread. The same word holds that
 * processor's global interrupt flag and whether its guest has nested paging. When the first processor enters or leaves
 * a guest at that moment, its own change is lost: it may stay deaf to every interrupt (STGI lost), take one between CLGI
 * and VMRUN, or run the guest with the wrong page tables. Only a handler of IRQ 13, the FPU's before the 486, sets the flag,
 * and the lab's kernel has none: nothing has to clear it, and the function returns at once.
 *
 * A nested guest that writes CR8 while an interrupt is pending for it, as UEFI's interrupt handlers do, has QEMU raise that
 * interrupt on its own processor without the big lock, and so abort: tcg_handle_interrupt() asserts that it is held. The
 * assertion is jumped over. What it guards, an "or" into a word, is this thread's own; another processor's request could be lost
 * in the same few nanoseconds, which is less than an abort each time.
 *
 * INT3 of a nested guest is taken for a software interrupt like INT n, whose intercept is another one than that of #BP (AMD's
 * manual, vol. 2, 15.12.4): a debugger's breakpoints go to the guest instead of to KVM. The intercept is looked at first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SVM_EXIT_BREAKPOINT	0x43	/* SVM_EXIT_EXCP_BASE + 3 */
#define GETPC_ADJ		2	/* QEMU's, from a return address to its call */

static void (*check_intercept)(void *env, uint32_t exit, uint64_t information, uintptr_t pc);
static void (*raise_interrupt)(void *env, int vector, int length);

enum { CALL = 0xe8, JMP_SHORT = 0xeb, JNE_SHORT = 0x75, RET = 0xc3 };

/* Writes one byte of code. */
static void put(uint8_t *code, uint8_t value)
{
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)code & ~(size - 1));
	if (mprotect(page, size, PROT_READ | PROT_WRITE) == 0) {
		*code = value;
		if (mprotect(page, size, PROT_READ | PROT_EXEC) == 0)
			return;
	}
	perror("qemu-repair: mprotect");
	_exit(1);
}

/* The function's start: call, test %al,%al, jne over the assertion. */
static void skip_assertion(uint8_t *code)
{
	for (int at = 0; code && at < 24; at++) {
		if (code[at] == CALL && code[at + 5] == 0x84 && code[at + 6] == 0xc0 && code[at + 7] == JNE_SHORT) {
			put(code + at + 7, JMP_SHORT);
			return;
		}
	}
	fprintf(stderr, "qemu-repair: this QEMU's tcg_handle_interrupt looks different; UEFI firmware may abort it\n");
}

/* In the place of helper_raise_interrupt(), which translated code calls for INT3 and INT n. */
static void interrupt(void *env, int vector, int length)
{
	if (vector == 3)
		check_intercept(env, SVM_EXIT_BREAKPOINT, 0, (uintptr_t)__builtin_return_address(0) - GETPC_ADJ);
	raise_interrupt(env, vector, length);
}

/* mov $interrupt, %rax; jmp *%rax: 12 bytes of a function that has 16. */
static void intercept_breakpoints(uint8_t *code)
{
	uintptr_t to = (uintptr_t)interrupt;
	check_intercept = dlsym(RTLD_DEFAULT, "cpu_svm_check_intercept_param");
	raise_interrupt = dlsym(RTLD_DEFAULT, "raise_interrupt");
	if (!code || !check_intercept || !raise_interrupt || code[0] != 0x48 || code[4] != CALL) {
		fprintf(stderr, "qemu-repair: this QEMU's helper_raise_interrupt looks different; breakpoints in memory miss\n");
		return;
	}
	put(code, 0x48);
	put(code + 1, 0xb8);
	for (int i = 0; i < 8; i++)
		put(code + 2 + i, (uint8_t)(to >> (8 * i)));
	put(code + 10, 0xff);
	put(code + 11, 0xe0);
}

__attribute__((constructor)) static void repair(void)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, "cpu_clear_ignne");
	if (code)
		put(code, RET);
	else
		fprintf(stderr, "qemu-repair: this QEMU has no cpu_clear_ignne to take out\n");
	skip_assertion(dlsym(RTLD_DEFAULT, "tcg_handle_interrupt"));
	intercept_breakpoints(dlsym(RTLD_DEFAULT, "helper_raise_interrupt"));
}
