/*
 * Prints as the kernels of tutorials do: to the text screen at 0xb8000, in colours, and to nothing else. Powers off, or waits
 * with --append hold.
 */
#include "kernel.h"
#include "text.h"
#include "vga.h"

const char kernel_name[] = "screen";

void kernel_main(const struct boot *boot)
{
	screen_clear();
	screen_print(SCREEN_COLOURS, "Text at 0xb8000\n\n");
	for (unsigned colour = 0; colour < 16; colour++)
		screen_print(colour << 4 & 0x70, "  ");
	for (unsigned colour = 1; colour < 16; colour++) {
		char letter[] = { 'A' - 1 + colour, 0 };
		screen_print(colour, letter);
	}
	screen_print(SCREEN_COLOURS, "\n\xc9\xcd\xcd\xbb \xb0\xb1\xb2\xdb\n\xc8\xcd\xcd\xbc\n");
	screen_print(0x0a, "screen: ok");

	if (word_is(boot->arguments, "hold")) {
		while (true)
			asm volatile("cli; hlt");
	}
	power_off();
}
