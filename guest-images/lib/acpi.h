/* The few ACPI tables that a kernel without an AML interpreter can use. ACPI 6.5, chapter 5.2. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct acpi_table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

/* Takes the root pointer from the loader; with 0 it is looked for where a PC keeps it. */
void acpi_start(uint32_t rsdp);

/* The first table with this signature and a right checksum, or NULL. */
const struct acpi_table *acpi_table(const char *signature);

/* The port and the sleep type that switch the machine off: the FADT's, or 0x604 and 0 without one. */
struct soft_off {
	uint16_t port;
	uint8_t type;
	bool from_acpi;
};
struct soft_off acpi_soft_off(void);

/* Interrupt controllers of the MADT ("APIC"), one after another: start with NULL, ends with NULL. */
struct madt_entry {
	uint8_t type, length;
	union {
		struct {	/* type 0 */
			uint8_t processor, apic_id;
			uint32_t flags;
		} __attribute__((packed)) lapic;
		struct {	/* type 1 */
			uint8_t id, reserved;
			uint32_t address, first_gsi;
		} __attribute__((packed)) ioapic;
		struct {	/* type 2: an ISA interrupt that is not wired one to one */
			uint8_t bus, irq;
			uint32_t gsi;
			uint16_t flags;
		} __attribute__((packed)) override;
		struct {	/* type 9 */
			uint16_t reserved;
			uint32_t apic_id, flags, processor;
		} __attribute__((packed)) x2apic;
	};
} __attribute__((packed));
const struct madt_entry *madt_next(const struct madt_entry *entry);
