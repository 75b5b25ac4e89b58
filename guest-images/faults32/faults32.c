/*
 * As faults, in 32-bit protected mode, with paging off at first: one mistake each, which the command line names. The line that
 * dies has "dies" behind it.
 */
#include "faults.h"

#define EFER		0xc0000080

const char kernel_name[] = "faults32";

static uint64_t own_gdt[8] __attribute__((aligned(16)));
static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t directory[512] __attribute__((aligned(4096)));

static void load_gdt(void)
{
	own_gdt[1] = 0x00cf9b000000ffff;	/* 0x08: code */
	own_gdt[2] = 0x00cf93000000ffff;	/* 0x10: data */
	own_gdt[3] = 0x0040930000000fff;	/* 0x18: data, 4 KiB from 0 */
	own_gdt[4] = 0x00cf91000000ffff;	/* 0x20: read-only data */
	own_gdt[5] = 0x00409b0000000fff;	/* 0x28: code, 4 KiB from 0 */
	own_gdt[6] = 0x00cf13000000ffff;	/* 0x30: data, not present */
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) pointer = { sizeof(own_gdt) - 1, (uintptr_t)own_gdt };
	asm volatile("lgdt %0" : : "m"(pointer) : "memory");
}

/* The first 2 MiB, by PAE. */
static void page_with_pae(void)
{
	directory[0] = 0x83;
	pdpt[0] = (uintptr_t)directory | 1;
	asm volatile("mov %%cr4, %%eax; or $0x20, %%eax; mov %%eax, %%cr4" : : : "eax");
	asm volatile("mov %0, %%cr3" : : "r"(pdpt) : "memory");
	asm volatile("mov %%cr0, %%eax; or $0x80000000, %%eax; mov %%eax, %%cr0" : : : "eax");
}

FAULT(undefined) { asm volatile("ud2"); /* dies */ }
FAULT(divide_by_zero) { asm volatile("xor %%ecx, %%ecx; div %%ecx" : : "a"(1), "d"(0) : "ecx"); /* dies */ }

FAULT(lme_without_pae)
{
	asm volatile(".skip 48, 0x90"); /* between its neighbours and what follows */
	asm volatile("wrmsr" : : "c"(EFER), "a"(1 << 8), "d"(0));
	asm volatile("mov %%cr0, %%eax; or $0x80000000, %%eax; mov %%eax, %%cr0" : : : "eax"); /* dies */
	asm volatile(".byte 0x48, 0x89, 0xe5, 0x48, 0x89, 0xc3, 0x48, 0x31, 0xc0; .skip 48, 0x90"); /* the 64-bit code behind it is no reason */
}

FAULT(cr0_pg_without_pe) { asm volatile("mov %0, %%cr0" : : "r"(0x80000010)); /* dies */ }

FAULT(pae_unmapped)
{
	page_with_pae();
	asm volatile("movl $1, (%0)" : : "r"(0x40000000) : "memory"); /* dies */
}

FAULT(pae_reserved_bits)
{
	pdpt[1] = (uintptr_t)directory | 1;
	directory[1] = 0x2000 | 0x83;	/* not at a multiple of 2 MiB */
	page_with_pae();
	asm volatile("movl $1, (%0)" : : "r"(0x200000) : "memory"); /* dies */
}

FAULT(segment_limit)
{
	load_gdt();
	asm volatile("mov %0, %%fs" : : "r"(0x18));
	asm volatile("movl $1, %%fs:0x2000" : : : "memory"); /* dies */
}

FAULT(segment_null)
{
	asm volatile("mov %0, %%fs" : : "r"(0));
	asm volatile("movl $1, %%fs:0x2000" : : : "memory"); /* dies */
}

FAULT(segment_read_only)
{
	load_gdt();
	asm volatile("mov %0, %%fs" : : "r"(0x20));
	asm volatile("movl $1, %%fs:0x200000" : : : "memory"); /* dies */
}

FAULT(segment_not_present)
{
	load_gdt();
	asm volatile("mov %0, %%fs" : : "r"(0x30)); /* dies */
}

FAULT(far_jump_to_data) { asm volatile("ljmp $0x10, $1f; 1:"); /* dies */ }

FAULT(code_of_64_bits)
{
	/* mov %rsp, %rax; mov 0x40000000(%rax), %rbx; mov %rbx, (%rax); sub $8, %rsp */
	static const uint8_t code[] __attribute__((aligned(16))) = {
		0x48, 0x89, 0xe0, 0x48, 0x8d, 0x98, 0, 0, 0, 0x40, 0x48, 0x8b, 0x1b, 0x48, 0x83, 0xec, 8, 0x0f, 0x0b,
	};
	asm volatile("call *%0" : : "r"(code) : "eax", "ebx"); /* dies */
}

static const struct kind kinds[] = {
	KIND(undefined), KIND(divide_by_zero), KIND(lme_without_pae), KIND(cr0_pg_without_pe), KIND(pae_unmapped),
	KIND(pae_reserved_bits), KIND(segment_limit), KIND(segment_null), KIND(segment_read_only), KIND(segment_not_present),
	KIND(far_jump_to_data), KIND(code_of_64_bits),
};

void kernel_main(const struct boot *boot)
{
	die(boot->arguments, kinds, sizeof(kinds) / sizeof(kinds[0]));
}
