#include "cpu.h"
#include "pit.h"

#define CHANNEL0	0x40
#define CHANNEL2	0x42
#define MODE		0x43
#define GATE		0x61	/* bit 0 lets channel 2 count, bit 1 is the loudspeaker */
#define PIC1		0x20
#define PIC2		0xa0

static uint16_t channel2(void)
{
	outb(MODE, 0x80);		/* hold the count of channel 2 for reading */
	uint8_t low = inb(CHANNEL2);
	return (uint16_t)(inb(CHANNEL2) << 8 | low);
}

/* Reads the count: port 0x61 tells of its end too, but not every virtual machine has that port. */
void wait_microseconds(uint32_t microseconds)
{
	uint32_t count = microseconds * 1193 / 1000 + 1;
	outb(GATE, (inb(GATE) & 0xfc) | 1);
	outb(MODE, 0xb0);		/* channel 2, low then high byte, mode 0: down from there, once */
	outb(CHANNEL2, 0xff);
	outb(CHANNEL2, 0xff);
	while (0xffffu - channel2() < count)
		relax();
}

void pit_rate(uint32_t per_second)
{
	uint32_t count = PIT_HZ / per_second;
	outb(CHANNEL0, (uint8_t)count);
	outb(CHANNEL0, (uint8_t)(count >> 8));
}

void pit_ticks(uint32_t per_second)
{
	outb(MODE, 0x34);		/* channel 0, low then high byte, mode 2: over and over */
	pit_rate(per_second);
}

void pic_start(uint8_t first_vector, uint16_t enabled)
{
	outb(PIC1, 0x11);			/* ICW1: edge, cascade, ICW4 follows */
	outb(PIC2, 0x11);
	outb(PIC1 + 1, first_vector);		/* ICW2 */
	outb(PIC2 + 1, first_vector + 8);
	outb(PIC1 + 1, 1 << 2);			/* ICW3: the second PIC is on input 2 */
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);			/* ICW4: 8086 */
	outb(PIC2 + 1, 1);
	outb(PIC1 + 1, (uint8_t)~enabled);
	outb(PIC2 + 1, (uint8_t)(~enabled >> 8));
}

void pic_end_of_interrupt(void)
{
	outb(PIC1, 0x20);
}
