/*
 * qemu-repair: loaded into QEMU (LD_PRELOAD), takes out a function that spoils nested virtualisation under
 * `-accel tcg,thread=multi`.
 *
 * FXRSTOR, XRSTOR, FRSTOR and FLDENV on any processor call cpu_clear_ignne(), which clears a flag for MS-DOS programs in
 * the first processor's `hflags2`: read, change, write, with no lock, from another thread. The same word holds that
 * processor's global interrupt flag and whether its guest has nested paging. When the first processor enters or leaves
 * a guest at that moment, its own change is lost: it may stay deaf to every interrupt (STGI lost), take one between CLGI
 * and VMRUN, or run the guest with the wrong page tables. Only a handler of IRQ 13, the FPU's before the 486, sets the flag,
 * and the lab's kernel has none: nothing has to clear it, and the function returns at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RET = 0xc3 };

__attribute__((constructor)) static void repair(void)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, "cpu_clear_ignne");
	if (!code) {
		fprintf(stderr, "qemu-repair: this QEMU has no cpu_clear_ignne to take out\n");
		return;
	}
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)code & ~(size - 1));
	if (mprotect(page, size, PROT_READ | PROT_WRITE) == 0) {
		*code = RET;
		if (mprotect(page, size, PROT_READ | PROT_EXEC) == 0)
			return;
	}
	perror("qemu-repair: mprotect");
	_exit(1);
}
