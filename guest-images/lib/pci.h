/* Configuration space of bus 0, by its two mechanisms (PCI Local Bus 3.0, 3.2.2.3.2; PCI Firmware 3.3, 4.1.2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PCI_FUNCTIONS 256	/* of one bus: device << 3 | function */

enum pci_register {
	PCI_VENDOR = 0x00, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_HEADER_TYPE = 0x0e, PCI_BAR = 0x10,
	PCI_CAPABILITIES = 0x34, PCI_INTERRUPT_PIN = 0x3d,
};

#define PCI_COMMAND_MEMORY	0x002
#define PCI_COMMAND_MASTER	0x004
#define PCI_COMMAND_NO_INTX	0x400

/* Finds the MCFG table; false without one. */
bool pci_find_ecam(void);

uint32_t pci_port_read(uint8_t function, uint16_t reg, unsigned bytes);
void pci_port_write(uint8_t function, uint16_t reg, uint32_t value, unsigned bytes);
uint32_t pci_ecam_read(uint8_t function, uint16_t reg, unsigned bytes);
void pci_ecam_write(uint8_t function, uint16_t reg, uint32_t value, unsigned bytes);

/* The next capability with this ID behind one, or the first behind 0; 0 where there is none. */
uint8_t pci_capability(uint8_t function, uint8_t id, uint8_t behind);
