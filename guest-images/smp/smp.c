/*
 * Do the processors really share one memory, and do interrupts go from each to each? All of them add to one
 * counter with a locked instruction, meet at a barrier, and then pass an interrupt round: each to its next.
 */
#include "apic.h"
#include "interrupts.h"
#include "kernel.h"
#include "pit.h"
#include "smp.h"

#define ADDITIONS	1000
#define VECTOR		0x40
/* Loops of a second or so on the slowest of machines, a moment on others: then it is a failure. */
#define PATIENCE	1000000

const char kernel_name[] = "smp";

static unsigned counter, at_barrier, finished;
static volatile unsigned received[MAX_PROCESSORS];

static void on_ipi(void)
{
	received[processor_index()]++;
	lapic_end_of_interrupt();
}

/* Waits until all have come, so that none is sent an interrupt before it has its table of handlers. */
static void barrier(void)
{
	__atomic_fetch_add(&at_barrier, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < PATIENCE && __atomic_load_n(&at_barrier, __ATOMIC_SEQ_CST) < processor_count; i++)
		relax();
}

static void work(void)
{
	unsigned self = processor_index();
	for (unsigned i = 0; i < ADDITIONS; i++) {
		unsigned one = 1;
		asm volatile("lock xadd %0, %1" : "+r"(one), "+m"(counter) : : "memory");
	}
	load_interrupt_table();
	lapic_enable();
	barrier();

	lapic_send(processors[(self + 1) % processor_count].apic_id, ICR_FIXED | VECTOR);
	while (!received[self])
		wait_for_interrupt();
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	pic_start(0x20, 0);	/* firmware may have left its timer ticking */
	set_handler(VECTOR, on_ipi);
	unsigned running = start_processors(work);
	if (running < processor_count) {
		print("smp: %u of %u processors run\n", running, processor_count);
		fail("not every processor started");
	}
	work();
	for (unsigned i = 0; i < PATIENCE && __atomic_load_n(&finished, __ATOMIC_SEQ_CST) < running; i++)
		relax();

	unsigned ipis = 0, exactly_one = 0;
	for (unsigned i = 0; i < running; i++) {
		ipis += received[i];
		exactly_one += received[i] == 1;
	}
	bool good = counter == running * ADDITIONS && exactly_one == running && finished == running;
	print("smp: %u processor%s, counter %u, ipis %u: %s\n", running, running == 1 ? "" : "s", counter, ipis,
		good ? "ok" : "FAILED");
	if (!good)
		fail("the counts are wrong");
	succeed();
}
