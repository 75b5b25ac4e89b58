#include "acpi.h"
#include "cpu.h"
#include "text.h"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;	/* from here on: revision 2 and later */
	uint64_t xsdt;
} __attribute__((packed));

static const struct acpi_table *root;
static uint32_t told;
static unsigned pointer_size;	/* 8 in an XSDT, 4 in an RSDT */

static const void *at(uint64_t address)
{
	return address < 0x100000000 ? (const void *)(uintptr_t)address : NULL;
}

static bool sums_to_zero(const void *bytes, uint32_t length)
{
	uint8_t sum = 0;
	for (const uint8_t *p = bytes; length; length--)
		sum += *p++;
	return sum == 0;
}

static bool is_rsdp(const struct rsdp *rsdp)
{
	return !memcmp(rsdp->signature, "RSD PTR ", 8) && sums_to_zero(rsdp, 20);
}

void acpi_start(uint32_t address)
{
	told = address;
}

/* Not before somebody asks: where nothing is to be found, the search takes long. */
static void find_root(void)
{
	static bool looked;
	if (looked)
		return;
	looked = true;
	uint32_t address = told;
	const struct rsdp *rsdp = at(address);
	if (!address)
		for (address = 0xe0000; address < 0x100000 && !is_rsdp(rsdp = at(address)); address += 16)
			;
	if (!is_rsdp(rsdp))
		return;
	pointer_size = rsdp->revision >= 2 && rsdp->xsdt ? 8 : 4;
	root = at(pointer_size == 8 ? rsdp->xsdt : rsdp->rsdt);
	if (root && !sums_to_zero(root, root->length))
		root = NULL;
}

const struct acpi_table *acpi_table(const char *signature)
{
	find_root();
	if (!root)
		return NULL;
	const char *end = (const char *)root + root->length;
	for (const char *p = (const char *)(root + 1); p + pointer_size <= end; p += pointer_size) {
		uint64_t address = 0;
		memcpy(&address, p, pointer_size);
		const struct acpi_table *table = at(address);
		if (table && !memcmp(table->signature, signature, 4) && sums_to_zero(table, table->length))
			return table;
	}
	return NULL;
}

/*
 * The sleep type of S5 is the first element of the package \_S5 in the DSDT. Without an AML interpreter:
 * look for NameOp "_S5_" PackageOp, step over the package's length and element count, read a small integer.
 */
static uint8_t s5_sleep_type(const struct acpi_table *dsdt)
{
	const uint8_t *p = (const uint8_t *)(dsdt + 1), *end = (const uint8_t *)dsdt + dsdt->length;
	for (; p + 12 < end; p++) {
		if (*p != '_' || memcmp(p, "_S5_\x12", 5))
			continue;
		p += 5;
		p += (*p >> 6) + 2;
		return *p == 0x0a ? p[1] : *p;	/* BytePrefix, or ZeroOp and OneOp themselves */
	}
	return 0;
}

struct soft_off acpi_soft_off(void)
{
	const uint8_t *fadt = (const uint8_t *)acpi_table("FACP");
	uint32_t dsdt = 0, port = 0;
	if (fadt) {
		memcpy(&dsdt, fadt + 40, 4);
		memcpy(&port, fadt + 64, 4);	/* PM1a_CNT_BLK */
	}
	if (!port)
		return (struct soft_off){ 0x604, 0, false };
	return (struct soft_off){ (uint16_t)port, dsdt ? s5_sleep_type(at(dsdt)) : 0, true };
}

const struct madt_entry *madt_next(const struct madt_entry *entry)
{
	static const struct acpi_table *madt;
	if (!entry)
		madt = acpi_table("APIC");
	if (!madt)
		return NULL;
	const char *next = entry ? (const char *)entry + entry->length : (const char *)(madt + 1) + 8;
	const char *end = (const char *)madt + madt->length;
	return next + 2 <= end && ((const struct madt_entry *)next)->length >= 2 ? (const void *)next : NULL;
}
