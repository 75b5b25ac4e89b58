/* Each processor asks CPUID where it sits: leaf 0xb, a subleaf for each level. */
#include "kernel.h"
#include "smp.h"

const char kernel_name[] = "cpuid";

static struct cpuid answers[MAX_PROCESSORS][2];
static unsigned asked;

static void ask(void)
{
	for (uint32_t level = 0; level < 2; level++)
		answers[processor_index()][level] = cpuid(0xb, level);
	__atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	unsigned running = start_processors(ask);
	ask();
	while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) < running)
		relax();

	for (unsigned i = 0; i < running; i++) {
		uint32_t id = answers[i][0].edx;
		unsigned core_bit = answers[i][0].eax & 31, socket_bit = answers[i][1].eax & 31;
		print("APIC id %u: socket %u, core %u, thread %u\n", id, id >> socket_bit,
			(id >> core_bit) & ((1u << (socket_bit - core_bit)) - 1), id & ((1u << core_bit) - 1));
	}
	print("signature %x\n", cpuid(1, 0).eax);
	power_off();
}
