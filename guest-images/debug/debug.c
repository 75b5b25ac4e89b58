/*
 * Something to debug: starts without paging, goes on in the higher half with two processors, counts, writes to a variable, and
 * unpacks code. With "wait" on its command line it goes on so until a debugger sets go_on.
 */
#include <stdbool.h>
#include <stdint.h>

#define LAPIC		0xfee00000
#define TRAMPOLINE	0x8000
#define PATIENCE	1000000

#define NOINLINE	__attribute__((noinline, noclone))

extern const uint8_t trampoline[], trampoline_end[], packed[], packed_end[];
extern uint8_t unpacked[];

volatile int watched = 1;
volatile int go_on;
volatile unsigned ticks, ap_ticks;
volatile bool ap_runs;

static inline void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void say(const char *text)
{
	while (*text)
		outb(0x3f8, *text++);
}

NOINLINE void tick(unsigned number)
{
	ticks = number + 1;
}

NOINLINE void ap_tick(void)
{
	ap_ticks++;
}

NOINLINE void change_watched(void)
{
	asm volatile("nop");
	watched = 2;
	asm volatile("nop");
}

NOINLINE void unpack(void)
{
	for (const uint8_t *from = packed; from < packed_end; from++)
		unpacked[from - packed] = *from;
}

void ap_main(void)
{
	ap_runs = true;
	for (;;) {
		ap_tick();
		asm volatile("pause");
	}
}

static void start_other(void)
{
	volatile uint32_t *command = (volatile uint32_t *)(LAPIC + 0x300);
	volatile uint32_t *spurious = (volatile uint32_t *)(LAPIC + 0xf0);

	for (const uint8_t *from = trampoline; from < trampoline_end; from++)
		((volatile uint8_t *)TRAMPOLINE)[from - trampoline] = *from;
	*spurious = 0x1ff;
	*command = 0x000c4500;			/* INIT to all but this one */
	*command = 0x000c4600 | (TRAMPOLINE >> 12);
	for (unsigned i = 0; i < PATIENCE && !ap_runs; i++)
		asm volatile("pause");
}

/* struct hvm_start_info: the command line's address is at 24. */
static bool waits(const char *start_info)
{
	const char *line = *(const char *const *)(start_info + 24);
	return line && line[0] == 'w';
}

void high_main(const char *start_info)
{
	start_other();
	for (unsigned i = 0; i < 3; i++)
		tick(i);
	change_watched();
	unpack();
	if (waits(start_info))
		say("debug: waiting\n");
	do {
		((void (*)(void))unpacked)();
	} while (waits(start_info) && !go_on);
	say("debug: ok\n");
	outw(0x604, 0x2000);			/* sleep type 0, sleep enable */
	for (;;)
		asm volatile("hlt");
}
