/* Goes back to real mode, where a PC starts, works there for a while, and returns: see real-mode.S. */
#include "kernel.h"
#include "text.h"

/* In the first 64 KiB, which 16-bit code with base 0 reaches. The number is in real-mode.S too. */
#define REAL_MODE_PAGE	0x1000

const char kernel_name[] = "real-mode";

extern char real_mode_code[], real_mode_code_end[];

/* What the 16-bit code found, each a bit. */
enum { INTERRUPT = 1, SEGMENTS = 2, A20 = 4, BACK_AGAIN = 8 };
extern uint32_t real_mode_visit(void);

static bool check(uint32_t found, uint32_t bit, const char *what)
{
	print("  %-52s %s\n", what, found & bit ? "ok" : "FAILED");
	return found & bit;
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	print("real-mode: leaving protected mode\n");
	memcpy((void *)REAL_MODE_PAGE, real_mode_code, real_mode_code_end - real_mode_code);
	uint32_t found = real_mode_visit();

	bool good = check(found, INTERRUPT, "int 0x60 through the real-mode vector table");
	good &= check(found, SEGMENTS, "0100:0010 and 0101:0000 are one address");
	good &= check(found, A20, "ffff:0010 is 1 MiB, not 0: address line 20 is on");
	good &= check(found, BACK_AGAIN, "back in protected mode");
	if (!good)
		fail("see above");
	succeed();
}
