/* What a processor's own CPUID says of its place among the others. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct topology {
	uint32_t apic_id;		/* x2APIC id if leaf 0xB is there, else the initial one of leaf 1 */
	uint32_t socket, core, thread;	/* core within its socket, thread within its core */
	const char *source;		/* the leaf that told */
	bool agree;			/* leaf 1 and, on AMD, leaf 0x8000001e give the same APIC id */
};

struct topology topology_of_this_processor(void);
