/* QEMU's firmware configuration device, by its I/O ports. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "cpu.h"

enum fw_cfg_item { FW_CFG_SIGNATURE = 0x00, FW_CFG_RAM_SIZE = 0x03, FW_CFG_NB_CPUS = 0x05 };

/* A number of the device's: little-endian, of so many bytes. */
static inline uint64_t fw_cfg_number(enum fw_cfg_item item, unsigned bytes)
{
	uint64_t value = 0;
	outw(0x510, item);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)inb(0x511) << (8 * i);
	return value;
}

static inline bool fw_cfg_is_there(void)
{
	return fw_cfg_number(FW_CFG_SIGNATURE, 4) == 0x554d4551;	/* "QEMU" */
}
