/* An interrupt that is a write to memory: the entropy device in slot 1 says by MSI-X that it is done. */
#include "apic.h"
#include "interrupts.h"
#include "kernel.h"
#include "pci.h"
#include "pit.h"

const char kernel_name[] = "12-msix";

#define RNG	(1 << 3)
#define VECTOR	0x40

static volatile unsigned interrupts;

static void on_message(void)
{
	interrupts++;
	lapic_end_of_interrupt();
}

static volatile uint8_t *in_bar(unsigned bar, uint32_t offset)
{
	return (volatile uint8_t *)(uintptr_t)((pci_port_read(RNG, PCI_BAR + 4 * bar, 4) & ~0xfu) + offset);
}

/* Where a region of virtio's registers is: capability 9 of the right kind tells its BAR and offset. */
static volatile uint8_t *region(unsigned kind)
{
	uint8_t at = 0;
	do
		at = pci_capability(RNG, 9, at);
	while (pci_port_read(RNG, at + 3, 1) != kind);
	return in_bar(pci_port_read(RNG, at + 4, 1), pci_port_read(RNG, at + 8, 4));
}

/* One request for 16 bytes, by one queue: the next lesson explains it. Here a queue has vector 0 of the table. */
static void ask(void)
{
	static uint8_t bytes[16];
	static struct { uint64_t address; uint32_t length; uint16_t flags, next; } descriptor __attribute__((aligned(16)));
	static uint16_t available[4] __attribute__((aligned(2))), used[8] __attribute__((aligned(4)));
	volatile uint8_t *common = region(1);
	common[0x14] = 1 | 2;
	*(volatile uint32_t *)(common + 0x08) = 1;
	*(volatile uint32_t *)(common + 0x0c) = 1;
	common[0x14] = 1 | 2 | 8;
	*(volatile uint16_t *)(common + 0x18) = 1;
	*(volatile uint16_t *)(common + 0x1a) = 0;			/* vector 0 */
	*(volatile uint32_t *)(common + 0x20) = (uintptr_t)&descriptor;
	*(volatile uint32_t *)(common + 0x28) = (uintptr_t)available;
	*(volatile uint32_t *)(common + 0x30) = (uintptr_t)used;
	*(volatile uint16_t *)(common + 0x1c) = 1;
	common[0x14] = 1 | 2 | 8 | 4;
	descriptor.address = (uintptr_t)bytes;
	descriptor.length = sizeof(bytes);
	descriptor.flags = 2;
	available[1] = 1;
	asm volatile("" : : : "memory");
	*(volatile uint16_t *)region(2) = 0;
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	set_handler(VECTOR, on_message);
	load_interrupt_table();
	pic_start(0x20, 0);
	lapic_enable();
	pci_port_write(RNG, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);

	uint8_t msix = pci_capability(RNG, 0x11, 0);
	uint32_t where = pci_port_read(RNG, msix + 4, 4);
	volatile uint32_t *table = (volatile uint32_t *)in_bar(where & 7, where & ~7u);
	print("%u vectors, their table in BAR %u\n", (pci_port_read(RNG, msix + 2, 2) & 0x7ff) + 1, where & 7);
	table[0] = LAPIC | lapic_id() << 12;	/* where to write, low half */
	table[1] = 0;				/* high half */
	table[2] = VECTOR;			/* what to write */
	table[3] = 0;				/* not masked */
	pci_port_write(RNG, msix + 2, 0x8000, 2);	/* MSI-X on */

	ask();
	while (!interrupts)
		wait_for_interrupt();
	print("%08x written to %08x: %u interrupt by vector 0x%x\n", table[2], table[0], interrupts, VECTOR);
	power_off();
}
