#include "acpi.h"
#include "apic.h"
#include "cpu.h"
#include "pit.h"
#include "smp.h"
#include "text.h"

/* A page below 1 MiB where the others begin, in real mode: a SIPI holds its number only. See trampoline.S. */
#define TRAMPOLINE 0x70000

struct processor processors[MAX_PROCESSORS];
unsigned processor_count;

extern char trampoline[], trampoline_end[];
static void (*work)(void);

static void add(uint32_t apic_id, uint32_t flags)
{
	if (flags & 1 && apic_id < 255 && processor_count < MAX_PROCESSORS)
		processors[processor_count++].apic_id = apic_id;
}

static void find_processors(void)
{
	processor_count = 0;
	for (const struct madt_entry *entry = NULL; (entry = madt_next(entry));) {
		if (entry->type == 0)
			add(entry->lapic.apic_id, entry->lapic.flags);
		else if (entry->type == 9)
			add(entry->x2apic.apic_id, entry->x2apic.flags);
	}
	if (!processor_count)
		add(lapic_id(), 1);
}

unsigned processor_index(void)
{
	uint32_t id = lapic_id();
	unsigned index = 0;
	while (index < processor_count && processors[index].apic_id != id)
		index++;
	return index;
}

/* Called by trampoline.S. */
_Noreturn void processor_started(void);

_Noreturn void processor_started(void)
{
	processors[processor_index()].started = true;
	work();
	halt();
}

static unsigned count_started(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < processor_count; i++)
		count += processors[i].started;
	return count;
}

static void send_to_sleeping(uint32_t command)
{
	for (unsigned i = 0; i < processor_count; i++)
		if (!processors[i].started)
			lapic_send(processors[i].apic_id, command);
}

unsigned start_processors(void (*their_work)(void))
{
	work = their_work;
	find_processors();
	processors[processor_index()].started = true;
	if (processor_count == 1)
		return 1;

	memcpy((void *)TRAMPOLINE, trampoline, trampoline_end - trampoline);
	lapic_enable();
	/* The 10 ms that the MP specification asks for after INIT are for processors of the early nineties. */
	send_to_sleeping(ICR_INIT);
	send_to_sleeping(ICR_STARTUP | TRAMPOLINE >> 12);
	/* The second SIPI is for those that missed the first. Then they get up to a quarter of a second. */
	for (unsigned tries = 0; count_started() < processor_count && tries < 250; tries++) {
		wait_microseconds(tries ? 1000 : 200);
		if (tries == 1)
			send_to_sleeping(ICR_STARTUP | TRAMPOLINE >> 12);
	}
	return count_started();
}
