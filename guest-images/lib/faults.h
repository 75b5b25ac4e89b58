/* Kernels that die in the way that the command line names. */
#pragma once
#include "kernel.h"
#include "text.h"

#define FAULT(name)	static __attribute__((noipa)) void name(void)
#define KIND(name)	{ #name, name }

struct kind {
	const char *name;
	void (*run)(void);
};

/* Without an IDT, so that the exception kills. Any other word lists the kinds. */
static inline void die(const char *arguments, const struct kind *kinds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!word_is(arguments, kinds[i].name))
			continue;
		print("%s: %s\n", kernel_name, kinds[i].name);
		static const char none[16];
		asm volatile("lidt %0" : : "m"(none));
		kinds[i].run();
		fail("it lives");
	}

	for (unsigned i = 0; i < count; i++)
		print("%s\n", kinds[i].name);
	fail("no such fault");
}
