/* Who is on PCI bus 0, and how much memory or how many ports each wants: ports 0xcf8 and 0xcfc, and nothing else. */
#include "kernel.h"

const char kernel_name[] = "12-pci";

/* The address of a doubleword of configuration space goes to 0xcf8; then 0xcfc is that doubleword. */
static uint32_t get(uint32_t device, uint32_t reg)
{
	outl(0xcf8, 1u << 31 | device << 11 | reg);
	return inl(0xcfc);
}

static void put(uint32_t device, uint32_t reg, uint32_t value)
{
	outl(0xcf8, 1u << 31 | device << 11 | reg);
	outl(0xcfc, value);
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	for (uint32_t device = 0; device < 32; device++) {
		uint32_t id = get(device, 0);
		if (id == 0xffffffff)		/* nobody answered */
			continue;
		print("00:%02x.0  vendor %04x, device %04x, class %06x\n", device, id & 0xffff, id >> 16, get(device, 8) >> 8);

		uint32_t command = get(device, 4) & 0xffff;
		put(device, 4, 0);		/* it is to answer to no address meanwhile */
		for (uint32_t reg = 0x10; reg <= 0x24; reg += 4) {
			uint32_t bar = get(device, reg), low = bar & 1 ? 3 : 15;
			put(device, reg, 0xffffffff);
			uint32_t kept = get(device, reg) & ~low;
			put(device, reg, bar);
			if (kept)
				print("  BAR at register %02x: %08x; of all ones %08x is kept: %u %s\n", reg, bar & ~low, kept,
					-kept, bar & 1 ? "ports" : "bytes");
			if ((bar & 7) == 4)	/* memory by 64 bits: the next BAR is the upper half */
				reg += 4;
		}
		put(device, 4, command);
	}
	power_off();
}
