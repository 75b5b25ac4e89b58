#include "acpi.h"
#include "kernel.h"
#include "pit.h"

#define DEBUG_EXIT	0xf4
#define RESET_CONTROL	0xcf9

_Noreturn void power_off(void)
{
	struct soft_off off = acpi_soft_off();
	outw(off.port, (uint16_t)(off.type << 10 | 1 << 13));	/* SLP_TYP, SLP_EN */

	wait_microseconds(50000);	/* hardware, and QEMU too, may take a moment */
	print("%s: power-off by port 0x%x did nothing; resetting\n", kernel_name, off.port);
	outb(RESET_CONTROL, 0x06);
	outb(0x64, 0xfe);			/* the keyboard controller's reset line */
	static const struct { uint16_t limit; uintptr_t base; } __attribute__((packed)) no_idt = { 0, 0 };
	asm volatile("lidt %0; ud2" : : "m"(no_idt));	/* the last resort of every PC kernel: a triple fault */
	__builtin_unreachable();
}

_Noreturn void debug_exit(uint32_t value)
{
	if (value <= 0xff)
		outb(DEBUG_EXIT, (uint8_t)value);
	else
		outl(DEBUG_EXIT, value);
	halt();
}

_Noreturn void succeed(void)
{
	print("%s: ok\n", kernel_name);
	power_off();
}

_Noreturn void fail(const char *why)
{
	print("%s: FAILED: %s\n", kernel_name, why);
	debug_exit(1);
}
