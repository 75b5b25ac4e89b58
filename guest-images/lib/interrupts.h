/* Interrupt handlers, in 32-bit code: plain C functions. Not for exceptions that push an error code. */
#pragma once
#include <stdint.h>

void set_handler(uint8_t vector, void (*handler)(void));

/* Each processor loads the table for itself. */
void load_interrupt_table(void);

/* Lets interrupts in, one instruction late: an interrupt never comes between the look and the hlt. */
static inline void wait_for_interrupt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}
