/* The local APIC of the processor that runs this, in its memory-mapped form (SDM vol. 3, chapter 11). */
#pragma once
#include <stdint.h>

#define LAPIC 0xfee00000

enum lapic_register {
	LAPIC_ID = 0x20, LAPIC_EOI = 0xb0, LAPIC_SPURIOUS = 0xf0, LAPIC_ICR_LOW = 0x300, LAPIC_ICR_HIGH = 0x310,
	LAPIC_TIMER = 0x320, LAPIC_LINT0 = 0x350, LAPIC_TIMER_INITIAL = 0x380, LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

/* Bits of ICR and of the timer's entry. */
#define ICR_FIXED	0x4000		/* asserted, edge, fixed delivery: or the vector into it */
#define ICR_INIT	0x4500
#define ICR_STARTUP	0x4600		/* or the page number into it */
#define ICR_PENDING	0x1000
#define TIMER_MASKED	0x10000
#define TIMER_PERIODIC	0x20000
#define TIMER_DEADLINE	0x40000

static inline uint32_t lapic_read(enum lapic_register reg)
{
	return *(volatile uint32_t *)(uintptr_t)(LAPIC + reg);
}

static inline void lapic_write(enum lapic_register reg, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(LAPIC + reg) = value;
}

static inline uint32_t lapic_id(void)
{
	return lapic_read(LAPIC_ID) >> 24;
}

static inline void lapic_end_of_interrupt(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* Lets the local APIC take interrupts: bit 8 enables it, 0xff is the vector of spurious ones. */
static inline void lapic_enable(void)
{
	lapic_write(LAPIC_SPURIOUS, 0x1ff);
}

static inline void lapic_send(uint32_t apic_id, uint32_t command)
{
	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR_LOW, command);
	while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING)
		asm volatile("pause");
}
