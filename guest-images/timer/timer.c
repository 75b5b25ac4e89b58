/*
 * Every timer that raises interrupts, five times each at 100 Hz: the PIT by the old PICs, as firmware leaves both and
 * set up anew, the PIT by the I/O APIC, the local APIC's own timer, and its TSC-deadline mode where CPUID has it.
 */
#include "acpi.h"
#include "apic.h"
#include "interrupts.h"
#include "kernel.h"
#include "pit.h"

#define HZ		100
#define TICKS		5
#define MSR_TSC_DEADLINE	0x6e0

enum { BIOS_VECTOR = 0x08, PIC_VECTOR = 0x20, IOAPIC_VECTOR = 0x30, LAPIC_VECTOR = 0x31, DEADLINE_VECTOR = 0x32 };

const char kernel_name[] = "timer";

static volatile unsigned ticks;
static uint32_t tsc_per_tick;

static void on_pic(void)
{
	ticks++;
	pic_end_of_interrupt();
}

static void on_lapic(void)
{
	ticks++;
	lapic_end_of_interrupt();
}

static void on_deadline(void)
{
	if (++ticks < TICKS)
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_tick);
	lapic_end_of_interrupt();
}

static void wait_for_ticks(const char *source)
{
	while (ticks < TICKS)
		wait_for_interrupt();
	print("  %-24s %u interrupts\n", source, ticks);
	ticks = 0;
}

/* The I/O APIC's two registers: which one, and its value. */
static void ioapic_write(uint32_t base, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)base = reg;
	*(volatile uint32_t *)(uintptr_t)(base + 0x10) = value;
}

/* Where the I/O APIC is and which of its inputs IRQ 0 is wired to: input 2 on nearly every PC. */
static void find_ioapic(uint32_t *base, uint32_t *input)
{
	*base = 0xfec00000;
	*input = acpi_table("APIC") ? 0 : 2;
	for (const struct madt_entry *entry = NULL; (entry = madt_next(entry));) {
		if (entry->type == 1 && entry->ioapic.first_gsi == 0)
			*base = entry->ioapic.address;
		if (entry->type == 2 && entry->override.irq == 0)
			*input = entry->override.gsi;
	}
}

/* Only the count is written: mode, vectors and masks are the BIOS's. */
static void pit_by_bios(void)
{
	pit_rate(HZ);
	wait_for_ticks("PIT as firmware left it");
}

static void pit_by_pic(void)
{
	lapic_enable();
	lapic_write(LAPIC_LINT0, 0x700);	/* ExtINT: the PICs come in by this pin */
	pic_start(PIC_VECTOR, 1 << 0);
	pit_ticks(HZ);
	wait_for_ticks("PIT by PIC");
	pic_start(PIC_VECTOR, 0);
	lapic_write(LAPIC_LINT0, 0x10700);
}

static void pit_by_ioapic(void)
{
	uint32_t base, input;
	find_ioapic(&base, &input);
	ioapic_write(base, 0x11 + 2 * input, lapic_id() << 24);
	ioapic_write(base, 0x10 + 2 * input, IOAPIC_VECTOR);	/* edge, active high, fixed, not masked */
	wait_for_ticks("PIT by I/O APIC");
	ioapic_write(base, 0x10 + 2 * input, 1 << 16);
}

/* How far the local APIC's timer and the TSC go while the PIT counts one tick. */
static uint32_t calibrate(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, 3);	/* by 16 */
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	uint64_t tsc = rdtsc();
	lapic_write(LAPIC_TIMER_INITIAL, ~0u);
	wait_microseconds(1000000 / HZ);
	uint32_t count = ~0u - lapic_read(LAPIC_TIMER_CURRENT);
	tsc_per_tick = (uint32_t)(rdtsc() - tsc);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	print("  calibrated by the PIT    local APIC timer %u kHz, TSC %u kHz\n",
		count / (1000 / HZ) * 16, tsc_per_tick / (1000 / HZ));
	return count;
}

static void lapic_timer(uint32_t count)
{
	lapic_write(LAPIC_TIMER, TIMER_PERIODIC | LAPIC_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, count);
	wait_for_ticks("local APIC timer");
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}

static void deadline_timer(void)
{
	if (!(cpuid(1, 0).ecx & 1 << 24)) {
		print("  TSC deadline             not there (CPUID leaf 1, ecx bit 24)\n");
		return;
	}
	lapic_write(LAPIC_TIMER, TIMER_DEADLINE | DEADLINE_VECTOR);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_tick);
	wait_for_ticks("TSC deadline");
	lapic_write(LAPIC_TIMER, TIMER_MASKED);
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	set_handler(BIOS_VECTOR, on_pic);
	set_handler(PIC_VECTOR, on_pic);
	set_handler(IOAPIC_VECTOR, on_lapic);
	set_handler(LAPIC_VECTOR, on_lapic);
	set_handler(DEADLINE_VECTOR, on_deadline);
	load_interrupt_table();

	print("timer: %u interrupts of each source at %u Hz\n", TICKS, HZ);
	pit_by_bios();
	pit_by_pic();
	pit_by_ioapic();
	uint32_t count = calibrate();
	lapic_timer(count);
	deadline_timer();
	succeed();
}
