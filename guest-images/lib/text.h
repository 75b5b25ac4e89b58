/* Strings, and the words of a command line. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t strlen(const char *text);
void *memset(void *to, int value, size_t count);
void *memcpy(void *to, const void *from, size_t count);
int memcmp(const void *a, const void *b, size_t count);

/* What comes after the first word and the blanks behind it. */
const char *after_word(const char *text);

/* The last word, or "" if there is none. */
const char *last_word(const char *text);

/* Whether the first word is this one. */
bool word_is(const char *text, const char *word);

/* What follows "name=" where some word begins so, or NULL. */
const char *option(const char *text, const char *name);

/* A decimal or 0x-hexadecimal number at the start of the text; false if there is none. */
bool parse_number(const char *text, uint32_t *value);
