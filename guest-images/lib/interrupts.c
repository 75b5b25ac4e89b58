#include "interrupts.h"

/* SDM vol. 3, 6.11 */
struct gate {
	uint16_t offset_low, selector;
	uint8_t reserved, type;
	uint16_t offset_high;
};

#define STUB_SIZE 16
extern char interrupt_stubs[];

static struct gate table[256];
static void (*handlers[256])(void);

void set_handler(uint8_t vector, void (*handler)(void))
{
	uintptr_t stub = (uintptr_t)interrupt_stubs + vector * STUB_SIZE;
	handlers[vector] = handler;
	table[vector] = (struct gate){
		.offset_low = (uint16_t)stub,
		.offset_high = (uint16_t)(stub >> 16),
		.selector = 0x08,
		.type = 0x8e,	/* present, 32-bit interrupt gate */
	};
}

void load_interrupt_table(void)
{
	struct {
		uint16_t limit;
		uintptr_t base;
	} __attribute__((packed)) pointer = { sizeof(table) - 1, (uintptr_t)table };
	asm volatile("lidt %0" : : "m"(pointer));
}

/* Called by interrupts.S. */
void handle_interrupt(uint32_t vector);

void handle_interrupt(uint32_t vector)
{
	handlers[vector]();
}
