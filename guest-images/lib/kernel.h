/* What a kernel gives the library, and what it gets from it. */
#pragma once
#include "boot.h"
#include "console.h"
#include "cpu.h"
#include "power.h"

/* Each kernel defines these two. */
extern const char kernel_name[];
void kernel_main(const struct boot *boot);
