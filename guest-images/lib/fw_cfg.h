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

/* The number of a file, or 0. */
static inline uint16_t fw_cfg_find(const char *name)
{
	uint8_t entry[64];
	outw(0x510, 0x19);
	for (unsigned i = 0; i < 4; i++)
		entry[i] = inb(0x511);
	for (unsigned left = entry[2] << 8 | entry[3]; left; left--) {
		for (unsigned i = 0; i < sizeof(entry); i++)
			entry[i] = inb(0x511);
		unsigned i = 0;
		while (name[i] && name[i] == (char)entry[8 + i])
			i++;
		if (!name[i] && !entry[8 + i])
			return (uint16_t)(entry[4] << 8 | entry[5]);
	}
	return 0;
}

/* Writes a file from its start by DMA. */
static inline bool fw_cfg_write(uint16_t file, const void *data, uint32_t length)
{
	static volatile struct { uint32_t control, length; uint64_t address; } request;
	request.control = __builtin_bswap32((uint32_t)file << 16 | 0x18);	/* select, write */
	request.length = __builtin_bswap32(length);
	request.address = __builtin_bswap64((uintptr_t)data);
	outl(0x514, 0);
	outl(0x518, __builtin_bswap32((uint32_t)(uintptr_t)&request));
	return request.control == 0;
}
