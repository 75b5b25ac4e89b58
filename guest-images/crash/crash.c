/* Dies, hangs or misbehaves in the way that the command line names; see `kinds` at the end. */
#include "kernel.h"
#include "text.h"

#define UNMAPPED	0xd0000000	/* in the device hole: neither RAM nor, without disks, a device */
#define IDLE_PORT	0x80		/* takes anything and does nothing, on every PC */

const char kernel_name[] = "crash";

/* With no IDT at all, any exception becomes a double fault, that one a triple fault, and that a reset. */
static void forget_idt(void)
{
	static const struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };
	asm volatile("lidt %0" : : "m"(none));
}

static void triple(const char *arguments)
{
	(void)arguments;
	forget_idt();
	asm volatile("ud2");
}

static void int3(const char *arguments)
{
	(void)arguments;
	forget_idt();
	asm volatile("int3");
}

static void gp(const char *arguments)
{
	(void)arguments;
	forget_idt();
	asm volatile("mov %0, %%ds" : : "r"(0xfff8));	/* a selector far beyond the GDT's end */
}

static void page_fault(const char *arguments)
{
	(void)arguments;
	static uint32_t empty_directory[1024] __attribute__((aligned(4096)));
	forget_idt();
	asm volatile("mov %0, %%cr3" : : "r"(empty_directory));
	asm volatile("mov %0, %%cr0" : : "r"(0x80000011));	/* paging on, with nothing mapped */
	halt();
}

static void wild_jump(const char *arguments)
{
	(void)arguments;
	((void (*)(void))UNMAPPED)();
}

static void hang(const char *arguments)
{
	(void)arguments;
	asm volatile("1: jmp 1b");
}

static void hlt(const char *arguments)
{
	(void)arguments;
	halt();
}

static void loop_io(const char *arguments)
{
	(void)arguments;
	for (;;)
		outb(IDLE_PORT, 0);
}

static void exits(const char *arguments)
{
	uint32_t count = 10000;
	parse_number(arguments, &count);
	for (uint32_t i = 0; i < count; i++)
		outb(IDLE_PORT, (uint8_t)i);
	print("crash: %u port exits done\n", count);
	succeed();
}

static void bad_mmio(const char *arguments)
{
	(void)arguments;
	volatile uint8_t *byte = (uint8_t *)UNMAPPED;
	volatile uint16_t *word = (uint16_t *)UNMAPPED;
	volatile uint32_t *dword = (uint32_t *)UNMAPPED;
	*byte = 0;
	*word = 0;
	*dword = 0;
	print("crash: 0x%x reads 0x%02x, 0x%04x, 0x%08x\n", UNMAPPED, *byte, *word, *dword);
	if (*byte != 0xff || *word != 0xffff || *dword != 0xffffffff)
		fail("an address where nothing is must read as all ones");
	succeed();
}

static const struct {
	const char *word;
	void (*run)(const char *arguments);
	const char *what;
} kinds[] = {
	{ "triple", triple, "triple fault by an undefined instruction, with no IDT" },
	{ "int3", int3, "triple fault by a breakpoint, with no IDT" },
	{ "gp", gp, "triple fault by a bad selector, with no IDT" },
	{ "page-fault", page_fault, "triple fault by paging with an empty page directory" },
	{ "wild-jump", wild_jump, "jump to an address where nothing is" },
	{ "hang", hang, "endless loop" },
	{ "hlt", hlt, "hlt with interrupts off" },
	{ "loop-io", loop_io, "endless writes to port 0x80" },
	{ "exits", exits, "so many writes to port 0x80 (a number follows), then power-off" },
	{ "bad-mmio", bad_mmio, "reads and writes where nothing is, then power-off" },
};

void kernel_main(const struct boot *boot)
{
	const char *arguments = *boot->arguments ? boot->arguments : "triple";
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (word_is(arguments, kinds[i].word)) {
			print("crash: %s\n", kinds[i].what);
			kinds[i].run(after_word(arguments));
		}
	}

	print("crash: the command line may say\n");
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		print("  %-12s %s\n", kinds[i].word, kinds[i].what);
	fail("no such kind of crash");
}
