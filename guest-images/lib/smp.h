/* All processors of the machine. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* An 8-bit APIC id has 255 values for processors; those beyond, reached by x2APIC only, are left asleep. */
#define MAX_PROCESSORS 255

struct processor {
	uint32_t apic_id;
	volatile bool started;
};

/* The enabled ones that ACPI lists, in its order; without ACPI only the one that runs this. */
extern struct processor processors[MAX_PROCESSORS];
extern unsigned processor_count;

/* The place of the running processor in that list. */
unsigned processor_index(void);

/*
 * Finds the processors and starts all but the running one by INIT-SIPI-SIPI. Each calls work() on a stack
 * of its own and halts when that returns. Gives the number that run, the calling one included.
 */
unsigned start_processors(void (*work)(void));
