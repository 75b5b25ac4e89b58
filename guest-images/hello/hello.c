/*
 * The machine as a kernel sees it from inside: what the loader said, the memory, the processor, and all
 * other processors, started and asked where they are. Then it powers the machine off, as ACPI says.
 */
#include "acpi.h"
#include "kernel.h"
#include "smp.h"
#include "text.h"
#include "topology.h"

const char kernel_name[] = "hello";

static void show_boot(const struct boot *boot)
{
	print("Hello from inside the virtual machine\n\n");
	print("  booted by     %s, loader \"%s\"\n", boot->protocol, boot->loader);
	print("  command line  \"%s\"\n", boot->command_line);
	if (boot->text_screen)
		print("  text screen   0x%x\n", boot->text_screen);
	for (unsigned i = 0; i < boot->module_count; i++)
		print("  module        0x%llx, %llu bytes\n", boot->modules[i].start, boot->modules[i].length);
}

static const char *type_name(uint32_t type)
{
	switch (type) {
	case RANGE_RAM: return "RAM";
	case RANGE_RESERVED: return "reserved";
	case RANGE_ACPI: return "ACPI tables";
	case RANGE_NVS: return "ACPI NVS";
	case RANGE_BAD: return "bad";
	default: return "unknown";
	}
}

static void show_memory(const struct boot *boot)
{
	uint64_t total = 0;
	print("\n  memory\n");
	for (unsigned i = 0; i < boot->range_count; i++) {
		const struct range *range = &boot->ranges[i];
		print("    0x%09llx-0x%09llx  %10llu KiB  %s\n", range->start, range->start + range->length - 1,
			range->length >> 10, type_name(range->type));
		if (range->type == RANGE_RAM)
			total += range->length;
	}
	/* A PC's RAM misses its last bytes below 1 MiB: round up to say what was asked for. */
	print("    %llu MiB of RAM\n", (total + (1 << 20) - 1) >> 20);
}

/* Four registers of CPUID hold twelve or sixteen letters. */
static void put_letters(char *to, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	uint32_t letters[4] = { a, b, c, d };
	memcpy(to, letters, sizeof(letters));
	to[16] = 0;
}

static void show_processor(void)
{
	char vendor[17], hypervisor[17], brand[49] = "";
	struct cpuid leaf = cpuid(0, 0);
	put_letters(vendor, leaf.ebx, leaf.edx, leaf.ecx, 0);
	for (uint32_t i = 0; i < 3 && cpuid(0x80000000, 0).eax >= 0x80000004; i++) {
		leaf = cpuid(0x80000002 + i, 0);
		put_letters(brand + 16 * i, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx);
	}
	print("\n  processor     %s%s%s\n", vendor, brand[0] ? ", " : "", brand);

	if (cpuid(1, 0).ecx & 1u << 31) {	/* the bit that real processors keep zero */
		leaf = cpuid(0x40000000, 0);
		put_letters(hypervisor, leaf.ebx, leaf.ecx, leaf.edx, 0);
		print("  hypervisor    %s\n", hypervisor);
	} else {
		print("  hypervisor    none that shows itself\n");
	}
}

/* Each processor fills its own line of the table; the first one prints them all, in order. */
static struct topology topologies[MAX_PROCESSORS];
static volatile unsigned reported;

static void report(void)
{
	topologies[processor_index()] = topology_of_this_processor();
	__atomic_fetch_add(&reported, 1, __ATOMIC_RELEASE);
}

static const char *plural(unsigned count)
{
	return count == 1 ? "" : "s";
}

static void show_topology(void)
{
	unsigned running = start_processors(report);
	report();
	while (__atomic_load_n(&reported, __ATOMIC_ACQUIRE) < running)
		relax();

	unsigned sockets = 0, cores = 0;
	print("\n  processors (by CPUID %s)\n", topologies[processor_index()].source);
	for (unsigned i = 0; i < processor_count; i++) {
		const struct topology *t = &topologies[i];
		if (!processors[i].started) {
			print("    cpu %-3u  APIC id %-3u  did not start\n", i, processors[i].apic_id);
			continue;
		}
		print("    cpu %-3u  APIC id %-3u  socket %-3u  core %-3u  thread %u%s\n",
			i, t->apic_id, t->socket, t->core, t->thread,
			t->agree && t->apic_id == processors[i].apic_id ? "" : "  (but ACPI or another leaf differs)");

		bool new_socket = true, new_core = true;
		for (unsigned j = 0; j < i; j++) {
			bool same_socket = processors[j].started && topologies[j].socket == t->socket;
			new_socket &= !same_socket;
			new_core &= !(same_socket && topologies[j].core == t->core);
		}
		sockets += new_socket;
		cores += new_core;
	}
	print("    %u processor%s: %u socket%s x %u core%s x %u thread%s\n", running, plural(running),
		sockets, plural(sockets), cores / sockets, plural(cores / sockets),
		running / cores, plural(running / cores));
	if (running < processor_count)
		fail("not every processor started");
	if (sockets * (cores / sockets) * (running / cores) != running)
		fail("the sockets are not all alike");
}

void kernel_main(const struct boot *boot)
{
	show_boot(boot);
	show_memory(boot);
	show_processor();
	show_topology();

	struct soft_off off = acpi_soft_off();
	print("\n  power-off     port 0x%x, sleep type %u (%s)\n\n", off.port, off.type,
		off.from_acpi ? "from ACPI" : "by custom: no ACPI tables");
	succeed();
}
