/*
 * INT3 of a kernel's own while a timer interrupts it, as Linux has them when it changes its code. Each is to reach its handler
 * once, also where a debugger looks at it first and an interrupt is waiting by then.
 */
#include "apic.h"
#include "interrupts.h"
#include "kernel.h"
#include "pit.h"

#define COUNT		1000
#define TIMER_COUNT	200000	/* 200 us on KVM */

enum { BREAKPOINT_VECTOR = 3, PIC_VECTOR = 0x20, TIMER_VECTOR = 0x30, SPURIOUS_VECTOR = 0xff };

const char kernel_name[] = "int3";

static volatile unsigned breakpoints, interrupts;

static void on_breakpoint(void)
{
	breakpoints++;
}

static void on_timer(void)
{
	interrupts++;
	lapic_end_of_interrupt();
}

static void on_spurious(void)
{
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	set_handler(BREAKPOINT_VECTOR, on_breakpoint);
	set_handler(TIMER_VECTOR, on_timer);
	set_handler(SPURIOUS_VECTOR, on_spurious);
	load_interrupt_table();
	pic_start(PIC_VECTOR, 0);
	lapic_enable();
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);	/* by 1 */
	lapic_write(LAPIC_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, TIMER_COUNT);
	while (!interrupts)
		wait_for_interrupt();

	for (unsigned i = 0; i < COUNT; i++) {
		asm volatile("sti; nop; int3; cli" : : : "memory");
		if (breakpoints != i + 1) {
			print("  INT3 number %u, after %u interrupts\n", i + 1, interrupts);
			fail("one came to nobody");
		}
	}
	print("  %u INT3, %u interrupts\n", breakpoints, interrupts);
	succeed();
}
