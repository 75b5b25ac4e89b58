/* What tests do, one kernel of each: KIND, which the Makefile defines, says which this one is. For `minivmm test`. */
#include "kernel.h"
#include "text.h"

const char kernel_name[] = KIND;

static void pass(void)
{
	print("three of three checks passed\n");
	succeed();
}

static void fail_exit(void)
{
	print("2 + 2 is 5\n");
	debug_exit(1);
}

/* Says that it failed, and powers off as if it had not. */
static void fail_text(void)
{
	print("check 1: ok\ncheck 2: FAILED\n");
	power_off();
}

static void tap(void)
{
	print("TAP version 13\n1..3\nok 1 - add\nok 2 - subtract # SKIP no such thing\nok 3 - multiply\n");
	power_off();
}

static void tap_fail(void)
{
	print("TAP version 13\n1..2\nok 1 - add\nnot ok 2 - divide by zero\n");
	power_off();
}

static void tap_short(void)
{
	print("TAP version 13\n1..3\nok 1 - add\nok 2 - subtract\n");
	power_off();
}

static void hang(void)
{
	print("waiting for an interrupt that nobody sends\n");
	halt();
}

/* No IDT at all: any exception becomes a triple fault. */
static void crash(void)
{
	static const struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };
	print("about to die\n");
	asm volatile("lidt %0; ud2" : : "m"(none));
}

static void skip(void)
{
	print("SKIP: this machine has no floppy drive\n");
	debug_exit(77);
}

static void empty(void)
{
	power_off();
}

static void panic(void)
{
	print("Kernel panic - not syncing: Attempted to kill init!\n");
	power_off();
}

/* Powers off before it has said what is expected of it. */
static void early(void)
{
	print("starting\n");
	power_off();
}

/* The debug exit by which kernels in Rust say that all is well. */
static void rust(void)
{
	print("test trivial_assertion...\t\x1b[32m[ok]\x1b[0m\r\n");
	debug_exit(0x10);
}

static const struct {
	const char *word;
	void (*run)(void);
} kinds[] = {
	{ "pass", pass }, { "fail-exit", fail_exit }, { "fail-text", fail_text }, { "tap", tap }, { "tap-fail", tap_fail },
	{ "tap-short", tap_short }, { "hang", hang }, { "crash", crash }, { "skip", skip }, { "not-run", pass },
	{ "empty", empty }, { "panic", panic }, { "early", early }, { "rust", rust },
};

void kernel_main(const struct boot *boot)
{
	(void)boot;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (word_is(KIND, kinds[i].word))
			kinds[i].run();
	}
	fail("it is of no kind");
}
