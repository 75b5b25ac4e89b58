#include "vga.h"
#include "cpu.h"

#define CRTC_INDEX	0x3d4
#define CRTC_DATA	0x3d5
#define CURSOR_HIGH	0x0e
#define CURSOR_LOW	0x0f

static volatile uint16_t *const cells = (volatile uint16_t *)0xb8000;
static unsigned cursor;

static void show_cursor(void)
{
	outb(CRTC_INDEX, CURSOR_HIGH);
	outb(CRTC_DATA, cursor >> 8);
	outb(CRTC_INDEX, CURSOR_LOW);
	outb(CRTC_DATA, cursor & 0xff);
}

void screen_clear(void)
{
	for (unsigned i = 0; i < SCREEN_COLUMNS * SCREEN_ROWS; i++)
		cells[i] = SCREEN_COLOURS << 8 | ' ';
	cursor = 0;
	show_cursor();
}

static void scroll(void)
{
	const unsigned last = SCREEN_COLUMNS * (SCREEN_ROWS - 1);
	for (unsigned i = 0; i < last; i++)
		cells[i] = cells[i + SCREEN_COLUMNS];
	for (unsigned i = last; i < last + SCREEN_COLUMNS; i++)
		cells[i] = SCREEN_COLOURS << 8 | ' ';
	cursor -= SCREEN_COLUMNS;
}

void screen_print(uint8_t colours, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			cursor += SCREEN_COLUMNS - cursor % SCREEN_COLUMNS;
		else
			cells[cursor++] = (uint16_t)(colours << 8 | (uint8_t)*text);
		if (cursor >= SCREEN_COLUMNS * SCREEN_ROWS)
			scroll();
	}
	show_cursor();
}
