/* What a processor's own CPUID says of its place among the others. */
#pragma once
#include <stdint.h>

struct topology {
	uint32_t apic_id;		/* x2APIC id if leaf 0xB is there, else the initial one of leaf 1 */
	uint32_t socket, core, thread;	/* core within its socket, thread within its core */
	const char *source;		/* the leaf that told */
};

struct topology topology_of_this_processor(void);
