#include "pci.h"
#include "acpi.h"
#include "cpu.h"

#define ADDRESS	0xcf8
#define DATA	0xcfc

struct mcfg {
	struct acpi_table header;
	uint8_t reserved[8];
	uint64_t base;
} __attribute__((packed));

static uintptr_t ecam;

bool pci_find_ecam(void)
{
	const struct mcfg *mcfg = (const struct mcfg *)acpi_table("MCFG");
	ecam = mcfg ? (uintptr_t)mcfg->base : 0;
	return ecam != 0;
}

static uint16_t aim(uint8_t function, uint16_t reg)
{
	outl(ADDRESS, 1u << 31 | (uint32_t)function << 8 | (reg & 0xfc));
	return DATA + (reg & 3);
}

uint32_t pci_port_read(uint8_t function, uint16_t reg, unsigned bytes)
{
	uint16_t port = aim(function, reg);
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void pci_port_write(uint8_t function, uint16_t reg, uint32_t value, unsigned bytes)
{
	uint16_t port = aim(function, reg);
	if (bytes == 1)
		outb(port, (uint8_t)value);
	else if (bytes == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
}

uint32_t pci_ecam_read(uint8_t function, uint16_t reg, unsigned bytes)
{
	uintptr_t at = ecam + ((uintptr_t)function << 12) + reg;
	return bytes == 1 ? *(volatile uint8_t *)at : bytes == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

void pci_ecam_write(uint8_t function, uint16_t reg, uint32_t value, unsigned bytes)
{
	uintptr_t at = ecam + ((uintptr_t)function << 12) + reg;
	if (bytes == 1)
		*(volatile uint8_t *)at = (uint8_t)value;
	else if (bytes == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else
		*(volatile uint32_t *)at = value;
}

uint8_t pci_capability(uint8_t function, uint8_t id, uint8_t behind)
{
	uint8_t at = behind ? behind + 1 : PCI_CAPABILITIES;
	for (int left = 48; left > 0; left--) {
		uint8_t next = (uint8_t)pci_port_read(function, at, 1);
		if (!next || pci_port_read(function, next, 1) == id)
			return next;
		at = next + 1;
	}
	return 0;
}
