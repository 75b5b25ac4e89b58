/* Does so many of one thing that makes a processor leave its guest: how long each takes is to be seen from outside. */
#include "kernel.h"
#include "text.h"

#define UNMAPPED	0xd0000000	/* in the device hole: neither RAM nor, without disks, a device */
#define IDLE_PORT	0x80		/* takes anything and does nothing, on every PC */
#define APIC_BASE	0x1b		/* an MSR of every processor, and none that a guest reads by itself */

const char kernel_name[] = "exits";

/* A loop each, with nothing in it but the one thing: the guest's own instructions count too. */
#define LOOP(name, statement) \
	static void name(uint32_t count) \
	{ \
		for (; count; count--) \
			statement; \
	}

LOOP(pio_out, outb(IDLE_PORT, 0))
LOOP(pio_in, inb(IDLE_PORT))
LOOP(mmio_write, *(volatile uint32_t *)UNMAPPED = 0)
LOOP(mmio_read, (void)*(volatile uint32_t *)UNMAPPED)
LOOP(read_cpuid, cpuid(0, 0))
LOOP(read_msr, rdmsr(APIC_BASE))
LOOP(nothing, asm volatile(""))

static const struct {
	const char *word;
	void (*repeat)(uint32_t count);
	const char *what;
} kinds[] = {
	{ "pio-out", pio_out, "writes of a byte to port 0x80" },
	{ "pio-in", pio_in, "reads of a byte from port 0x80" },
	{ "mmio-write", mmio_write, "writes of 32 bits where nothing is" },
	{ "mmio-read", mmio_read, "reads of 32 bits where nothing is" },
	{ "cpuid", read_cpuid, "CPUID, which KVM answers by itself" },
	{ "rdmsr", read_msr, "RDMSR of the APIC's base, which KVM answers by itself" },
	{ "nothing", nothing, "the loop without anything in it" },
};

/* By the debug-exit port: not every monitor that this is to be compared on powers off. */
void kernel_main(const struct boot *boot)
{
	uint32_t count;
	if (!parse_number(after_word(boot->arguments), &count))
		fail("the command line is to say a kind and a number: pio-out 10000");

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (word_is(boot->arguments, kinds[i].word)) {
			kinds[i].repeat(count);
			print("exits: %u %s done\n", count, kinds[i].word);
			print("exits: ok\n");
			debug_exit(0);
		}
	}

	print("exits: the kinds are\n");
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		print("  %-12s %s\n", kinds[i].word, kinds[i].what);
	fail("no such kind of exit");
}
