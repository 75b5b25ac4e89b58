/* The ways a kernel ends. */
#pragma once
#include <stdint.h>

/* ACPI soft off; the virtual machine ends with status 0. */
_Noreturn void power_off(void);

/* Writes a value v to the debug-exit port; the virtual machine ends with status (v << 1) | 1. */
_Noreturn void debug_exit(uint32_t value);

/* Prints "<name>: ok" and powers off. */
_Noreturn void succeed(void);

/* Prints "<name>: FAILED: <why>" and ends with status 3. */
_Noreturn void fail(const char *why);
