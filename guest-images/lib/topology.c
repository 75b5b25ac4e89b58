#include "cpu.h"
#include "topology.h"

/* Bits that it takes to number so many things. */
static unsigned bits_for(uint32_t count)
{
	unsigned bits = 0;
	while (1u << bits < count)
		bits++;
	return bits;
}

/* An APIC id is made of bit fields: socket, then core, then thread at the bottom. */
static struct topology split(uint32_t id, unsigned thread_bits, unsigned socket_shift, const char *source)
{
	if (socket_shift < thread_bits)
		socket_shift = thread_bits;
	return (struct topology){
		.apic_id = id,
		.socket = socket_shift < 32 ? id >> socket_shift : 0,
		.core = (id & (socket_shift < 32 ? (1u << socket_shift) - 1 : ~0u)) >> thread_bits,
		.thread = id & ((1u << thread_bits) - 1),
		.source = source,
	};
}

/* Bits of leaf 0x80000001's ecx on AMD. */
enum { CMP_LEGACY = 1 << 1, TOPOLOGY_EXTENSIONS = 1 << 22 };

static struct topology decode(uint32_t amd)
{
	struct cpuid leaf0 = cpuid(0, 0), leaf1 = cpuid(1, 0);
	uint32_t id = leaf1.ebx >> 24;

	/* Leaf 0xB (SDM vol. 2, CPUID): one level a subleaf, each with the width of all fields below the next. */
	if (leaf0.eax >= 0xb && (cpuid(0xb, 0).ebx & 0xffff)) {
		unsigned thread_bits = 0, socket_shift = 0;
		for (uint32_t level = 0; level < 8; level++) {
			struct cpuid leaf = cpuid(0xb, level);
			unsigned type = leaf.ecx >> 8 & 0xff;
			if (type == 0)
				break;
			if (type == 1)
				thread_bits = leaf.eax & 31;
			socket_shift = leaf.eax & 31;
			id = leaf.edx;
		}
		return split(id, thread_bits, socket_shift, "leaf 0xb");
	}

	/* AMD (APM vol. 3, appendix E.4): threads a core in 0x8000001E, width of the rest in 0x80000008. */
	if (amd & TOPOLOGY_EXTENSIONS) {
		unsigned threads = (cpuid(0x8000001e, 0).ebx >> 8 & 0xff) + 1;
		uint32_t sizes = cpuid(0x80000008, 0).ecx;
		unsigned width = sizes >> 12 & 15 ? sizes >> 12 & 15 : bits_for((sizes & 0xff) + 1);
		return split(id, bits_for(threads), width, "leaf 0x8000001e");
	}

	/*
	 * Before leaf 0xB: leaf 1 counts the logical processors of a socket. Which of them are threads: on Intel
	 * leaf 4 counts the cores, on AMD all are cores if CmpLegacy is set.
	 */
	unsigned logical = leaf1.edx & 1 << 28 ? leaf1.ebx >> 16 & 0xff : 1;
	unsigned cores = leaf0.ebx == 0x756e6547 && leaf0.eax >= 4 ? (cpuid(4, 0).eax >> 26) + 1 : 1;
	if (amd & CMP_LEGACY)
		cores = logical;
	unsigned socket_shift = bits_for(logical), core_bits = bits_for(cores);
	return split(id, socket_shift > core_bits ? socket_shift - core_bits : 0, socket_shift, "leaf 1");
}

struct topology topology_of_this_processor(void)
{
	bool amd = cpuid(0, 0).ebx == 0x68747541;	/* "Auth" */
	uint32_t largest = cpuid(0x80000000, 0).eax;
	uint32_t features = amd && largest >= 0x80000001 ? cpuid(0x80000001, 0).ecx : 0;
	if (largest < 0x8000001e)
		features &= ~(uint32_t)TOPOLOGY_EXTENSIONS;

	struct topology t = decode(features);
	t.agree = cpuid(1, 0).ebx >> 24 == (t.apic_id & 0xff)
		&& (!(features & TOPOLOGY_EXTENSIONS) || cpuid(0x8000001e, 0).eax == t.apic_id);
	return t;
}
