/* What is in this machine besides the processor and RAM? */
#include "fw_cfg.h"
#include "kernel.h"
#include "pci.h"

const char kernel_name[] = "16-qemu";

void kernel_main(const struct boot *boot)
{
	print("loader          %s, %s\n", boot->protocol, boot->loader);

	/* The first instruction of a PC's processor is fetched from here: firmware, if there is any. */
	const volatile uint8_t *reset = (const volatile uint8_t *)0xfffffff0;
	print("at 0xfffffff0   %02x %02x %02x %02x %02x\n", reset[0], reset[1], reset[2], reset[3], reset[4]);

	print("fw_cfg          %s\n", fw_cfg_is_there() ? "yes" : "no");
	/* A timer that says who made it: Intel, in all of them. */
	print("HPET            %s\n", *(const volatile uint32_t *)0xfed00000 >> 16 == 0x8086 ? "yes" : "no");

	print("PCI            ");
	for (unsigned function = 0; function < PCI_FUNCTIONS; function++) {
		uint32_t id = pci_port_read((uint8_t)function, PCI_VENDOR, 4);
		if (id != ~0u)
			print(" %04x:%04x", id & 0xffff, id >> 16);
	}
	print("\n");
	power_off();
}
