/*
 * Reads the keyboard as the kernels of tutorials do, scan codes of set 1 from port 0x60, and echoes letters on the text screen:
 * by IRQ 1, or with --append poll by looking at the status port. With log each code goes to the serial port too. Escape powers
 * off.
 */
#include "interrupts.h"
#include "kernel.h"
#include "pit.h"
#include "text.h"
#include "vga.h"

#define DATA		0x60
#define STATUS		0x64
#define OUTPUT_FULL	0x01
#define ESCAPE		0x01
#define SHIFT		0x2a
#define RELEASED	0x80

enum { PIC_VECTOR = 0x20, KEYBOARD_IRQ = 1 };

const char kernel_name[] = "keyboard";

static const char letters[] = "\0\0" "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\0" "!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static bool shift, logs;

static void take(uint8_t code)
{
	if (logs)
		print("%02x ", code);
	if (code == ESCAPE) {
		if (logs)
			print("\n%s: ok\n", kernel_name);
		screen_print(0x0a, "\nkeyboard: ok");
		power_off();
	}
	if ((code & ~RELEASED) == SHIFT)
		shift = !(code & RELEASED);
	if (code & RELEASED || code >= sizeof(letters))
		return;
	char text[] = { (shift ? shifted : letters)[code], 0 };
	screen_print(SCREEN_COLOURS, text);
}

static void on_key(void)
{
	take(inb(DATA));
	pic_end_of_interrupt();
}

void kernel_main(const struct boot *boot)
{
	bool poll = false;
	for (const char *word = boot->arguments; *word; word = after_word(word)) {
		poll |= word_is(word, "poll");
		logs |= word_is(word, "log");
	}
	screen_clear();
	screen_print(SCREEN_COLOURS, poll ? "polls its keyboard\n" : "waits for its keyboard\n");
	if (!poll) {
		set_handler(PIC_VECTOR + KEYBOARD_IRQ, on_key);
		load_interrupt_table();
		pic_start(PIC_VECTOR, 1 << KEYBOARD_IRQ);
	}
	if (logs)
		print("%s: ready\n", kernel_name);
	while (true) {
		if (!poll)
			wait_for_interrupt();
		else if (inb(STATUS) & OUTPUT_FULL)
			take(inb(DATA));
		else
			relax();
	}
}
