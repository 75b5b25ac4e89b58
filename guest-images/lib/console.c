#include <stdarg.h>
#include "console.h"
#include "cpu.h"
#include "text.h"

#ifndef SERIAL
#define SERIAL		0x3f8	/* COM1 */
#endif
#define LINE_STATUS	(SERIAL + 5)
#define TRANSMIT_EMPTY	0x20

static char line[160];
static unsigned used;

/*
 * A 16550A takes 16 bytes whenever its transmitter is empty. A virtual one is always empty, so that one
 * look for each 16 bytes is all the waiting there is; a port that is not there reads as all ones.
 */
static void flush(void)
{
	for (unsigned sent = 0, count; sent < used; sent += count) {
		count = used - sent < 16 ? used - sent : 16;
		while (!(inb(LINE_STATUS) & TRANSMIT_EMPTY))
			relax();
		outsb(SERIAL, line + sent, count);
	}
	used = 0;
}

static void put(char c)
{
	line[used++] = c;
	if (c == '\n' || used == sizeof(line))
		flush();
}

/* Divides by ten in two steps of 64 by 32 bits: 32-bit code has no 64-bit division without libgcc. */
static unsigned divide_by_ten(uint64_t *value)
{
	uint32_t high = *value >> 32, low = *value, rest = high % 10;
	asm("divl %4" : "=a"(low), "=d"(rest) : "a"(low), "d"(rest), "r"(10));
	*value = (uint64_t)(high / 10) << 32 | low;
	return rest;
}

static const char *digits(uint64_t value, bool hexadecimal, char *end)
{
	*end = 0;
	do {
		unsigned digit;
		if (hexadecimal) {
			digit = value & 15;
			value >>= 4;
		} else {
			digit = divide_by_ten(&value);
		}
		*--end = "0123456789abcdef"[digit];
	} while (value);
	return end;
}

static void put_padded(const char *text, unsigned width, bool left, char pad)
{
	unsigned length = strlen(text);
	for (unsigned i = length; !left && i < width; i++)
		put(pad);
	while (*text)
		put(*text++);
	for (unsigned i = length; left && i < width; i++)
		put(' ');
}

void print(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}

		bool left = false;
		char pad = ' ', buffer[24];
		unsigned width = 0, longs = 0;
		for (format++; *format == '-' || *format == '0'; format++)
			*format == '-' ? (left = true) : (pad = '0');
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (unsigned)(*format - '0');
		for (; *format == 'l'; format++)
			longs++;

		if (*format == 's') {
			put_padded(va_arg(list, const char *), width, left, ' ');
		} else if (*format == 'd' && !longs) {
			int value = va_arg(list, int);
			if (value < 0)
				put('-');
			put_padded(digits(value < 0 ? 0u - (unsigned)value : (unsigned)value, false, buffer + 23),
				width, left, pad);
		} else if (*format == 'u' || *format == 'x') {
			uint64_t value = longs == 2 ? va_arg(list, unsigned long long)
				: longs ? va_arg(list, unsigned long) : va_arg(list, unsigned);
			put_padded(digits(value, *format == 'x', buffer + 23), width, left, pad);
		} else {
			put(*format == 'c' ? (char)va_arg(list, int) : *format);
		}
	}
	va_end(list);
}
