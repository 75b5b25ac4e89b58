#include "text.h"

/* The compiler makes calls to these four by itself, even in a freestanding program. */
__attribute__((optimize("no-tree-loop-distribute-patterns")))	/* or it makes this one a call to itself */
size_t strlen(const char *text)
{
	size_t length = 0;
	while (text[length])
		length++;
	return length;
}

void *memset(void *to, int value, size_t count)
{
	void *end = to;
	asm volatile("rep stosb" : "+D"(end), "+c"(count) : "a"(value) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
	void *end = to;
	asm volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(count) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
	const unsigned char *x = a, *y = b;
	for (; count; count--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

static const char *skip_blanks(const char *text)
{
	while (*text == ' ')
		text++;
	return text;
}

static const char *skip_word(const char *text)
{
	while (*text && *text != ' ')
		text++;
	return text;
}

const char *after_word(const char *text)
{
	return skip_blanks(skip_word(skip_blanks(text)));
}

const char *last_word(const char *text)
{
	const char *last = skip_blanks(text);
	for (const char *word = last; *word; word = after_word(word))
		last = word;
	return last;
}

bool word_is(const char *text, const char *word)
{
	while (*word && *text == *word)
		text++, word++;
	return !*word && (!*text || *text == ' ');
}

const char *option(const char *text, const char *name)
{
	for (text = skip_blanks(text); *text; text = after_word(text)) {
		const char *t = text, *n = name;
		while (*n && *t == *n)
			t++, n++;
		if (!*n && *t == '=')
			return t + 1;
	}
	return NULL;
}

bool parse_number(const char *text, uint32_t *value)
{
	uint32_t base = 10, sum = 0;
	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		base = 16, text += 2;
	bool any = false;
	for (;; text++) {
		uint32_t digit = *text >= '0' && *text <= '9' ? (uint32_t)(*text - '0')
			: (*text | 0x20) >= 'a' && (*text | 0x20) <= 'f' ? (uint32_t)((*text | 0x20) - 'a' + 10)
			: 16;
		if (digit >= base)
			break;
		sum = sum * base + digit;
		any = true;
	}
	*value = sum;
	return any && (!*text || *text == ' ');
}
