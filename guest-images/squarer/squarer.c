/* Drives the device of samples/own-device: it squares the number written to it, and interrupts when it has. */
#include "interrupts.h"
#include "kernel.h"

enum { PIC_COMMAND = 0x20, PIC_MASK = 0x21, END_OF_INTERRUPT = 0x20, FIRST_VECTOR = 8, LINE = 5 };

const char kernel_name[] = "squarer";

static volatile uint32_t *const device = (volatile uint32_t *)0xe0000000;
static volatile uint32_t interrupts;

static void squared(void)
{
	interrupts++;
	outb(PIC_COMMAND, END_OF_INTERRUPT);
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	if (device[0] == 0xffffffff)
		fail("there is no squarer at 0xe0000000");
	set_handler(FIRST_VECTOR + LINE, squared);
	load_interrupt_table();
	outb(PIC_MASK, (uint8_t)~(1 << LINE));
	for (uint32_t n = 1; n <= 12; n += 1 + n / 3) {
		uint32_t before = interrupts;
		device[0] = n;
		while (interrupts == before)
			wait_for_interrupt();
		print("%u squared is %u\n", n, device[1]);
	}

	succeed();
}
