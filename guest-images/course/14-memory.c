/* Uses 64 MiB of its RAM, and gives the host as much of them as it asks for, by a balloon (virtio 1.2, 5.5). */
#include "kernel.h"
#include "pit.h"

const char kernel_name[] = "14-memory";

#define REGISTER(offset)	(*(volatile uint32_t *)(0xd0000000 + (offset)))
#define WANTED		REGISTER(0x100)		/* pages that the host wants */
#define GIVEN		REGISTER(0x104)		/* pages that it has */
#define START		(16u << 20)
#define PAGES		(64u << 20 >> 12)

enum { GIVE, TAKE };	/* the queues */
static struct queue {
	struct { uint64_t address; uint32_t length; uint16_t flags, next; } descriptors[1] __attribute__((aligned(16)));
	volatile struct { uint16_t flags, index, ring[1]; } available;
	volatile struct { uint16_t flags, index; struct { uint32_t id, length; } ring[1]; } used __attribute__((aligned(4)));
} queues[2];
static uint32_t numbers[1024];

static void use(uint32_t from, uint32_t to)
{
	for (uint32_t page = from; page < to; page++)
		*(volatile uint8_t *)(START + (page << 12)) = 1;
}

/* Tells the device the numbers of up to 1024 pages, and waits until it has them. */
static void tell(unsigned number, uint32_t first, uint32_t count)
{
	struct queue *queue = &queues[number];
	for (uint32_t i = 0; i < count; i++)
		numbers[i] = (START >> 12) + first + i;
	queue->descriptors[0].address = (uintptr_t)numbers;
	queue->descriptors[0].length = count * 4;
	asm volatile("" : : : "memory");
	queue->available.index++;
	REGISTER(0x50) = number;
	while (queue->used.index != queue->available.index)
		relax();
}

void kernel_main(const struct boot *boot)
{
	(void)boot;
	REGISTER(0x70) = 0;
	REGISTER(0x70) = 1 | 2;
	REGISTER(0x24) = 1;
	REGISTER(0x20) = 1;
	REGISTER(0x70) = 1 | 2 | 8;
	for (unsigned i = 0; i < 2; i++) {
		REGISTER(0x30) = i;
		REGISTER(0x38) = 1;
		REGISTER(0x80) = (uintptr_t)queues[i].descriptors;
		REGISTER(0x90) = (uintptr_t)&queues[i].available;
		REGISTER(0xa0) = (uintptr_t)&queues[i].used;
		REGISTER(0x44) = 1;
	}
	REGISTER(0x70) = 1 | 2 | 8 | 4;

	use(0, PAGES);
	print("using 64 MiB\n");
	for (uint32_t given = 0;; wait_microseconds(5000)) {
		uint32_t wanted = WANTED < PAGES ? WANTED : PAGES;
		while (given != wanted) {
			uint32_t count = given < wanted ? wanted - given : given - wanted;
			count = count < 1024 ? count : 1024;
			if (given < wanted) {
				tell(GIVE, given, count);
				given += count;
			} else {
				tell(TAKE, given - count, count);
				use(given - count, given);
				given -= count;
			}
			GIVEN = given;
		}
	}
}
