/* What the loader told us, the same for multiboot 1 and 2 and PVH. */
#pragma once
#include <stdint.h>

enum range_type { RANGE_RAM = 1, RANGE_RESERVED = 2, RANGE_ACPI = 3, RANGE_NVS = 4, RANGE_BAD = 5 };

struct range {
	uint64_t start, length;
	uint32_t type;
};

/* What is shown: letters or dots. */
struct boot_screen {
	uint64_t address;
	uint32_t pitch, width, height;	/* bytes of a line; dots, or letters */
	uint8_t bits, type;		/* of a dot; 1 for dots that are colours, 2 for letters */
};

struct boot {
	const char *protocol;		/* "multiboot 1", "multiboot 2" or "PVH" */
	const char *loader;		/* its name, "" if it gives none */
	const char *command_line;	/* all of it */
	const char *arguments;		/* without the kernel's own name, which multiboot puts first */
	uint32_t rsdp;			/* address of the ACPI root pointer if the loader says so, else 0 */
	uint32_t text_screen;		/* address of the text screen if the loader says so, else 0 */
	const struct boot_screen *screen;	/* NULL if the loader does not say */
	unsigned range_count, module_count, in_use_count;
	struct range ranges[32];	/* the memory map */
	struct range modules[8];
	struct range in_use[32];	/* memory not to be overwritten: the kernel, modules, what the loader left */
};

/* The first and the last address of the kernel itself, from the linker script. */
extern char image_start[], image_end[];
