/* A PC's text screen, 80 by 25 cells at 0xb8000, and the cursor of its CRT controller. */
#pragma once
#include <stdint.h>

enum { SCREEN_COLUMNS = 80, SCREEN_ROWS = 25 };

/* Light grey on black, as firmware leaves it. */
#define SCREEN_COLOURS 0x07

void screen_clear(void);

/* Writes from the cursor on, and moves it; a line feed starts the next row, and the last row scrolls. */
void screen_print(uint8_t colours, const char *text);
