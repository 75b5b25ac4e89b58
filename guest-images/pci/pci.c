/*
 * The PCI bus as a driver uses it: both ways to configuration space show the same, BARs are sized and moved, and a virtio
 * entropy device interrupts by MSI-X while its vector is masked and moved, and by INTx. `minivmm run --pci` has the bus,
 * `--virtio pci --rng` the device.
 */
#include "acpi.h"
#include "apic.h"
#include "interrupts.h"
#include "kernel.h"
#include "pci.h"
#include "pit.h"

#define VIRTIO_RNG	0x10441af4
#define CAP_VENDOR	0x09
#define CAP_MSIX	0x11
#define ROUNDS		200
#define NO_VECTOR	0xffff

/* Regions of a virtio function (virtio 1.2, 4.1.4), and the fields of the first. */
enum region { COMMON = 1, NOTIFY = 2, ISR = 3 };
enum common {
	FEATURE_SELECT = 0x08, FEATURE = 0x0c, CONFIG_VECTOR = 0x10, NUM_QUEUES = 0x12, STATUS = 0x14, QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18, QUEUE_VECTOR = 0x1a, QUEUE_ENABLE = 0x1c, QUEUE_DESC = 0x20, QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
};

enum { FIRST_VECTOR = 0x40, SECOND_VECTOR = 0x41, INTX_VECTOR = 0x42 };
#define IOAPIC		0xfec00000
#define FIRST_PCI_GSI	16
#define LEVEL_LOW	0xa000
#define PIN_MASKED	0x10000

const char kernel_name[] = "pci";

static volatile unsigned messages[2], lines, idle_lines;
static uint8_t rng;
static bool exact = true;	/* a machine that is moved may send a message twice: nobody knows whether the first one came */
static volatile uint8_t *common, *isr;
static volatile uint16_t *doorbell;
static volatile uint32_t *table, *pending;

/* A queue of one descriptor. */
static struct { uint64_t address; uint32_t length; uint16_t flags, next; } descriptor __attribute__((aligned(16)));
static volatile struct { uint16_t flags, index, ring[8]; } available __attribute__((aligned(4)));
static volatile struct { uint16_t flags, index; struct { uint32_t id, length; } ring[8]; } used __attribute__((aligned(4)));
static uint8_t entropy[64];

static void on_first(void)
{
	messages[0]++;
	lapic_end_of_interrupt();
}

static void on_second(void)
{
	messages[1]++;
	lapic_end_of_interrupt();
}

static void on_line(void)
{
	if (*isr & 1)
		lines++;
	else
		idle_lines++;
	lapic_end_of_interrupt();
}

static uint16_t common16(enum common field)
{
	return *(volatile uint16_t *)(common + field);
}

static void set_common16(enum common field, uint16_t value)
{
	*(volatile uint16_t *)(common + field) = value;
}

static void set_common32(enum common field, uint32_t value)
{
	*(volatile uint32_t *)(common + field) = value;
}

/* Every register of every function, by both mechanisms; a function that is not there by its ID alone. */
static unsigned compare_mechanisms(void)
{
	unsigned found = 0;
	for (unsigned function = 0; function < PCI_FUNCTIONS; function++) {
		uint32_t id = pci_port_read((uint8_t)function, PCI_VENDOR, 4);
		found += id != ~0u;
		for (uint16_t reg = 0; reg < (id == ~0u ? 4 : 256); reg += 4) {
			uint32_t value = pci_port_read((uint8_t)function, reg, 4);
			if (pci_ecam_read((uint8_t)function, reg, 4) != value)
				fail("ECAM and 0xcf8 differ");
			for (uint16_t lane = 0; lane < 4 && id != ~0u; lane += 2) {
				if (pci_ecam_read((uint8_t)function, reg + lane, 2) != (uint16_t)(value >> (8 * lane))
				    || pci_port_read((uint8_t)function, reg + lane, 1) != (uint8_t)(value >> (8 * lane)))
					fail("a word or a byte differs from its doubleword");
			}
		}
		if (id != ~0u)
			print("  %02x:%02x.%x %04x:%04x\n", 0, function >> 3, function & 7, id & 0xffff, id >> 16);
		if (id == VIRTIO_RNG)
			rng = (uint8_t)function;
	}
	return found;
}

/* Size of a memory BAR below 4 GiB, found as every kernel does; decoding is off meanwhile. */
static uint32_t size_bar(unsigned bar)
{
	uint16_t at = (uint16_t)(PCI_BAR + 4 * bar);
	uint32_t command = pci_ecam_read(rng, PCI_COMMAND, 2), address = pci_ecam_read(rng, at, 4);
	pci_ecam_write(rng, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY, 2);
	pci_port_write(rng, at, ~0u, 4);
	uint32_t size = ~(pci_ecam_read(rng, at, 4) & ~0xfu) + 1;
	pci_ecam_write(rng, at, address, 4);
	pci_port_write(rng, PCI_COMMAND, command, 2);
	return size;
}

static uint32_t bar_address(unsigned bar)
{
	return pci_port_read(rng, (uint16_t)(PCI_BAR + 4 * bar), 4) & ~0xfu;
}

/* Moves a BAR by so many bytes while it is decoded, as a guest may at any time. */
static void move_bar(unsigned bar, uint32_t by)
{
	pci_ecam_write(rng, (uint16_t)(PCI_BAR + 4 * bar), bar_address(bar) + by, 4);
}

static void find_regions(void)
{
	for (uint8_t at = 0; (at = pci_capability(rng, CAP_VENDOR, at));) {
		unsigned bar = pci_port_read(rng, at + 4, 1);
		uintptr_t start = bar_address(bar) + pci_port_read(rng, at + 8, 4);
		switch (pci_port_read(rng, at + 3, 1)) {
		case COMMON:
			common = (volatile uint8_t *)start;
			break;
		case NOTIFY:
			doorbell = (volatile uint16_t *)start;
			break;
		case ISR:
			isr = (volatile uint8_t *)start;
			break;
		}
	}
	uint8_t msix = pci_capability(rng, CAP_MSIX, 0);
	uint32_t at = pci_port_read(rng, msix + 4, 4), bits = pci_port_read(rng, msix + 8, 4);
	table = (volatile uint32_t *)(uintptr_t)(bar_address(at & 7) + (at & ~7u));
	pending = (volatile uint32_t *)(uintptr_t)(bar_address(bits & 7) + (bits & ~7u));
}

static void start_device(void)
{
	common[STATUS] = 0;
	common[STATUS] = 1 | 2;
	set_common32(FEATURE_SELECT, 1);
	set_common32(FEATURE, 1);	/* VIRTIO_F_VERSION_1 */
	common[STATUS] = 1 | 2 | 8;
	if (!(common[STATUS] & 8))
		fail("the device refuses VIRTIO_F_VERSION_1");
	set_common16(QUEUE_SELECT, 0);
	set_common16(QUEUE_SIZE, 8);
	set_common32(QUEUE_DESC, (uint32_t)(uintptr_t)&descriptor);
	set_common32(QUEUE_DRIVER, (uint32_t)(uintptr_t)&available);
	set_common32(QUEUE_DEVICE, (uint32_t)(uintptr_t)&used);
	available.index = used.index = 0;
	set_common16(QUEUE_ENABLE, 1);
	common[STATUS] = 1 | 2 | 8 | 4;
	if (common[STATUS] != (1 | 2 | 8 | 4))
		fail("the device did not start");
	descriptor.address = (uintptr_t)entropy;
	descriptor.length = sizeof(entropy);
	descriptor.flags = 2;	/* the device writes it */
}

/* Asks for entropy and waits until it is there, interrupts let in. */
static void ask(void)
{
	uint16_t before = used.index;
	available.ring[available.index % 8] = 0;
	available.index++;
	asm volatile("sti" : : : "memory");
	*doorbell = 0;
	while (used.index == before)
		relax();
}

/* Lets in what is due: an interrupt that KVM still has on its way needs a moment. */
static void wait_for(volatile unsigned *count, unsigned wanted, const char *otherwise)
{
	for (unsigned left = 20000000; *count < wanted; left--) {
		if (!left)
			fail(otherwise);
		relax();
	}
}

static void mask(bool masked)
{
	table[3] = masked;
}

static void use_messages(bool on)
{
	uint8_t msix = pci_capability(rng, CAP_MSIX, 0);
	table[0] = LAPIC | lapic_id() << 12;
	table[1] = 0;
	table[2] = FIRST_VECTOR;
	mask(!on);
	pci_ecam_write(rng, msix + 2, on ? 0x8000 : 0, 2);
	set_common16(QUEUE_SELECT, 0);
	set_common16(QUEUE_VECTOR, on ? 0 : NO_VECTOR);
	if (on && common16(QUEUE_VECTOR) != 0)
		fail("the device does not take vector 0");
}

static void fire_messages(void)
{
	for (unsigned i = 1; i <= ROUNDS; i++) {
		ask();
		wait_for(&messages[0], i, "a message is lost");
	}
	print("  MSI-X                    %u requests, %u interrupts\n", ROUNDS, messages[0]);
}

/* While the vector is masked nothing comes, and once it is not, one interrupt for all that was. */
static void mask_under_fire(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned before = messages[0];
		mask(true);
		for (unsigned request = 0; request < 3; request++)
			ask();
		for (unsigned left = 1000000; !(*pending & 1); left--) {
			if (!left)
				fail("a masked vector is not pending");
			relax();
		}
		if (exact && messages[0] != before)
			fail("a masked vector came");
		mask(false);
		wait_for(&messages[0], before + 1, "a vector that was pending is lost");
		if (exact && *pending & 1)
			fail("a vector that was sent is still pending");
	}
	print("  masked under fire        %u times, none lost, none early\n", ROUNDS);
}

/* Each request is heard of, wherever its vector was just then. */
static void move_under_fire(void)
{
	messages[0] = messages[1] = 0;
	for (unsigned i = 1; i <= ROUNDS; i++) {
		mask(true);
		table[2] = i & 1 ? SECOND_VECTOR : FIRST_VECTOR;
		mask(false);
		ask();
		for (unsigned left = 20000000; messages[0] + messages[1] < i; left--) {
			if (!left)
				fail("a message is lost while its vector moves");
			relax();
		}
	}
	if (exact && (messages[0] != ROUNDS / 2 || messages[1] != ROUNDS / 2))
		fail("messages came by the vector of before");
	print("  moved under fire         %u and %u interrupts\n", messages[0], messages[1]);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)IOAPIC = reg;
	*(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

/*
 * Disabled, INTx does not come, but the status says that it would, and once enabled it comes. One that was sent before
 * may still be on its way through KVM, and takes the cause with it: then once more.
 */
static void disable_line(void)
{
	unsigned before, attempt = 0;
	do {
		if (attempt++ == 3)
			fail("INTx comes although it is disabled");
		pci_ecam_write(rng, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX, 2);
		before = lines;
		ask();
		/* The buffer is used a moment before the device says why it interrupts. */
		for (unsigned left = 100000; !(pci_port_read(rng, PCI_STATUS, 2) & 8) && lines == before; left--) {
			if (!left)
				fail("the status does not say that INTx would come");
			relax();
		}
	} while (lines != before);
	pci_ecam_write(rng, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	wait_for(&lines, before + 1, "INTx does not come once it is enabled");
}

static void fire_line(void)
{
	uint32_t pin = FIRST_PCI_GSI + ((rng >> 3) + pci_port_read(rng, PCI_INTERRUPT_PIN, 1) - 1) % 4;
	*(volatile uint8_t *)isr;	/* what MSI-X left */
	ioapic_write(0x11 + 2 * pin, lapic_id() << 24);
	ioapic_write(0x10 + 2 * pin, LEVEL_LOW | INTX_VECTOR);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		ask();
		wait_for(&lines, i, "a level interrupt is lost");
	}
	if (idle_lines > ROUNDS / 10)
		fail("the line stays up without a cause");
	print("  INTx on GSI %u           %u interrupts\n", pin, lines);

	disable_line();
	ioapic_write(0x10 + 2 * pin, PIN_MASKED);
}

static void drive_entropy_device(void)
{
	uint32_t registers = size_bar(4), messages_size = size_bar(1);
	print("  BAR 1 %u bytes at 0x%x, BAR 4 %u bytes at 0x%x\n",
		messages_size, bar_address(1), registers, bar_address(4));
	find_regions();
	uintptr_t before = (uintptr_t)common;
	move_bar(4, 0x800000);
	move_bar(1, 0x800000);
	find_regions();
	if (common16(NUM_QUEUES) != 1 || *(volatile uint16_t *)(before + NUM_QUEUES) != 0xffff)
		fail("a BAR that was moved is not there, or still where it was");
	print("  BARs moved to 0x%x and 0x%x\n", bar_address(1), bar_address(4));

	pci_port_write(rng, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	start_device();
	use_messages(true);
	fire_messages();
	mask_under_fire();
	move_under_fire();
	use_messages(false);
	fire_line();
}

void kernel_main(const struct boot *boot)
{
	exact = boot->arguments[0] != 'm';
	if (!pci_find_ecam())
		fail("no PCI bus: no MCFG table");
	set_handler(FIRST_VECTOR, on_first);
	set_handler(SECOND_VECTOR, on_second);
	set_handler(INTX_VECTOR, on_line);
	load_interrupt_table();
	pic_start(0x20, 0);	/* or the timer that firmware left comes by it */
	lapic_enable();

	print("pci: configuration space by 0xcf8 and by ECAM\n");
	print("  %u functions\n", compare_mechanisms());
	if (rng)
		drive_entropy_device();
	else
		print("  no virtio entropy device: no interrupts tried\n");
	succeed();
}
