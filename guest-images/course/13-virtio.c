/* 16 random bytes from a virtio device, by its registers in memory and one queue (virtio 1.2: 2.7, 3.1.1, 4.2, 5.4). */
#include "kernel.h"

const char kernel_name[] = "13-virtio";

#define REGISTER(offset)	(*(volatile uint32_t *)(0xd0000000 + (offset)))
enum status { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
#define SIZE		4

/* The queue: buffers, which of them the device may use, and which it has used. */
static struct { uint64_t address; uint32_t length; uint16_t flags, next; } descriptors[SIZE] __attribute__((aligned(16)));
static volatile struct { uint16_t flags, index, ring[SIZE]; } available;
static volatile struct { uint16_t flags, index; struct { uint32_t id, length; } ring[SIZE]; } used __attribute__((aligned(4)));
static uint8_t bytes[16];

void kernel_main(const struct boot *boot)
{
	(void)boot;
	print("magic %08x, version %u, device %u\n", REGISTER(0x00), REGISTER(0x04), REGISTER(0x08));

	/* A hand-shake: features are offered and accepted, 32 at a time. Bit 32 says that we are not of the time before 1.0. */
	REGISTER(0x70) = 0;				/* reset */
	REGISTER(0x70) = ACKNOWLEDGE | DRIVER;
	REGISTER(0x14) = 1;				/* DeviceFeaturesSel: the upper half */
	print("features 32 to 63: %08x\n", REGISTER(0x10));
	REGISTER(0x24) = 1;
	REGISTER(0x20) = 1 << 0;
	REGISTER(0x70) = ACKNOWLEDGE | DRIVER | FEATURES_OK;
	print("status %x\n", REGISTER(0x70));		/* FEATURES_OK is gone if the device does not agree */

	REGISTER(0x30) = 0;				/* queue 0 */
	print("queue 0 has at most %u entries\n", REGISTER(0x34));
	REGISTER(0x38) = SIZE;
	REGISTER(0x80) = (uintptr_t)descriptors;	/* where its parts are */
	REGISTER(0x90) = (uintptr_t)&available;
	REGISTER(0xa0) = (uintptr_t)&used;
	REGISTER(0x44) = 1;
	REGISTER(0x70) = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;

	descriptors[0].address = (uintptr_t)bytes;
	descriptors[0].length = sizeof(bytes);
	descriptors[0].flags = 2;			/* the device writes, we read */
	available.ring[0] = 0;				/* descriptor 0 */
	asm volatile("" : : : "memory");		/* index last: with it the entry is the device's */
	available.index = 1;
	REGISTER(0x50) = 0;				/* the doorbell of queue 0 */
	while (used.index == 0)
		relax();
	asm volatile("" : : : "memory");

	print("used: descriptor %u, %u bytes:", used.ring[0].id, used.ring[0].length);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		print(" %02x", bytes[i]);
	print("\n");
	power_off();
}
