/*
 * What x86 test suites for QEMU take from the machine: its pc-testdev, sizes by fw_cfg, an environment as the one module,
 * and the result by isa-debug-exit. Ends with the value `exit=N` of its command line there, or 0.
 */
#include "fw_cfg.h"
#include "interrupts.h"
#include "kernel.h"
#include "pci.h"
#include "pit.h"

#define ECHO		0xe0
#define FLUSH		0xe4
#define LINES		0x2000
#define DEBUG_EXIT	0xf4
#define TEST_MEMORY	0xff000000
#define FIRST_VECTOR	0x20
#define LINE		3	/* 5, 6, 10 and 11 are PCI's */

const char kernel_name[] = "testdev";

static volatile unsigned interrupts;
static uint32_t page[2048] __attribute__((aligned(4096)));

static void on_line(void)
{
	interrupts++;
	outb(LINES + LINE, 0);
	pic_end_of_interrupt();
}

static void try_ports(void)
{
	outl(ECHO, 0x44332211);
	if (inl(ECHO) != 0x44332211 || inw(ECHO) != 0x2211 || inb(ECHO + 3) != 0x44)
		fail("the ports do not read as written");
	outb(ECHO + 1, 0xaa);
	if (inl(ECHO) != 0x4433aa11)
		fail("a byte of the ports is not where it belongs");
	print("  ports 0xe0-0xe3          read as written\n");
}

static void try_memory(void)
{
	volatile uint32_t *memory = (volatile uint32_t *)(uintptr_t)TEST_MEMORY;
	for (unsigned i = 0; i < 0x4000; i += 0xfff)
		memory[i] = i ^ 0x5a5a5a5a;
	for (unsigned i = 0; i < 0x4000; i += 0xfff)
		if (memory[i] != (i ^ 0x5a5a5a5a))
			fail("the memory does not read as written");
	print("  memory at 0x%x     reads as written\n", TEST_MEMORY);
}

static void try_flush(void)
{
	for (unsigned i = 0; i < 2048; i++)
		page[i] = i;
	outl(FLUSH, (uint32_t)(uintptr_t)page);
	for (unsigned i = 0; i < 2048; i++)
		if (page[i] != i)
			fail("a page that was flushed has lost its bytes");
	page[0] = 1;
	outl(FLUSH, 0xfffff000);	/* no RAM there */
	print("  a page flushed           and what was in it is there\n");
}

static void try_lines(void)
{
	set_handler(FIRST_VECTOR + LINE, on_line);
	load_interrupt_table();
	pic_start(FIRST_VECTOR, 1 << LINE);
	for (unsigned i = 1; i <= 5; i++) {
		outb(LINES + LINE, 1);
		while (interrupts < i)
			wait_for_interrupt();
	}
	print("  interrupt line %u         %u interrupts\n", LINE, interrupts);
}

/* Each test of a BAR in turn: what it says is to be written there, and is counted. */
static unsigned count_tests(uintptr_t base, bool ports)
{
	unsigned test = 0;
	for (;; test++) {
		if (ports)
			outb((uint16_t)base, (uint8_t)test);
		else
			*(volatile uint8_t *)base = (uint8_t)test;
		uint32_t header[4];
		for (unsigned i = 0; i < 4; i++)
			header[i] = ports ? inl((uint16_t)(base + 4 * i)) : ((volatile uint32_t *)base)[i];
		if (!(header[0] & 0xff00))	/* no width: no such test */
			return test;
		for (unsigned i = 0; i < 5; i++)
			if (ports)
				outb((uint16_t)(base + header[1]), (uint8_t)header[2]);
			else
				*(volatile uint8_t *)(base + header[1]) = (uint8_t)header[2];
		uint32_t count = ports ? inl((uint16_t)(base + 12)) : ((volatile uint32_t *)base)[3];
		/* QEMU counts none of the writes that KVM signals by an eventfd, as it does those of tests but the first. */
		if (header[3] != 0 || (count != 5 && (test == 0 || count != 0)))
			fail("the PCI test device does not count");
	}
}

static void try_pci(void)
{
	for (unsigned function = 0; function < PCI_FUNCTIONS; function++) {
		if (pci_port_read((uint8_t)function, PCI_VENDOR, 4) != 0x00051b36)
			continue;
		uint32_t memory = pci_port_read((uint8_t)function, PCI_BAR, 4) & ~0xfu;
		uint32_t ports = pci_port_read((uint8_t)function, PCI_BAR + 4, 4) & ~3u;
		unsigned in_memory = count_tests(memory, false), in_ports = count_tests(ports, true);
		print("  PCI test device          %u tests of memory, %u of ports\n", in_memory, in_ports);
	}
}

static unsigned exit_value(const char *arguments)
{
	static const char key[] = "exit=";
	for (; *arguments; arguments++) {
		unsigned i = 0;
		while (key[i] && arguments[i] == key[i])
			i++;
		if (key[i])
			continue;
		unsigned value = 0;
		for (arguments += i; *arguments >= '0' && *arguments <= '9'; arguments++)
			value = value * 10 + (unsigned)(*arguments - '0');
		return value;
	}
	return 0;
}

void kernel_main(const struct boot *boot)
{
	print("testdev: arguments \"%s\"\n", boot->arguments);
	if (fw_cfg_is_there())
		print("  fw_cfg                   %u CPUs, %u MiB\n", (unsigned)fw_cfg_number(FW_CFG_NB_CPUS, 2),
			(unsigned)(fw_cfg_number(FW_CFG_RAM_SIZE, 8) >> 20));
	if (boot->module_count == 1)
		for (const char *at = (const char *)(uintptr_t)boot->modules[0].start, *end = at + boot->modules[0].length; at < end;) {
			char line[80];
			unsigned length = 0;
			while (at < end && *at != '\n' && length < sizeof(line) - 1)
				line[length++] = *at++;
			line[length] = 0;
			at++;
			print("  environment              %s\n", line);
		}
	try_ports();
	try_memory();
	try_flush();
	try_lines();
	try_pci();
	print("testdev: ok\n");
	outl(DEBUG_EXIT, exit_value(boot->arguments));
	fail("the debug exit did nothing");
}
