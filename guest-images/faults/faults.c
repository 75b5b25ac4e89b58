/*
 * Dies in the way that the command line names: one mistake each, of those that kernels make. The line that dies has
 * "dies" behind it; a post-mortem must name the mistake, the function and the line. 64-bit code; start.S has mapped the
 * first 4 GiB.
 */
#include "faults.h"

#define PRESENT		1ul
#define WRITABLE	2ul
#define USER		4ul
#define LARGE		0x80ul
#define RESERVED	(1ul << 51)
#define NO_EXECUTE	(1ul << 63)
#define PLAY		(4ul << 30)	/* linear addresses that are ours, in pages of 4 KiB */
#define UNMAPPED	(6ul << 30)
#define HOLE		0xd0000000ul	/* mapped, but neither RAM nor a device */
#define NOT_CANONICAL	0x8000000000000000ul
#define EFER		0xc0000080
#define FS_BASE		0xc0000100

const char kernel_name[] = "faults";

extern uint64_t boot_pdpt[512], gdt[];
static uint64_t play_directory[512] __attribute__((aligned(4096)));
static uint64_t play_table[512] __attribute__((aligned(4096)));
static uint64_t low_table[512] __attribute__((aligned(4096)));
static uint8_t frames[8][4096] __attribute__((aligned(4096)));
static uint64_t spare[512] __attribute__((aligned(4096)));

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, zero;
} __attribute__((packed));

static struct gate idt[256] __attribute__((aligned(4096)));
static uint8_t tss[104] __attribute__((aligned(16)));
static uint64_t own_gdt[16] __attribute__((aligned(16)));

static inline uint64_t read_cr3(void)
{
	uint64_t value;
	asm volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline uint64_t read_cr0(void)
{
	uint64_t value;
	asm volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline uint64_t read_cr4(void)
{
	uint64_t value;
	asm volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static void flush(void)
{
	asm volatile("mov %0, %%cr3" : : "r"(read_cr3()) : "memory");
}

/* The page's linear address. */
static uint64_t play(unsigned page, uint64_t entry)
{
	boot_pdpt[4] = (uintptr_t)play_directory | PRESENT | WRITABLE | USER;
	play_directory[0] = (uintptr_t)play_table | PRESENT | WRITABLE | USER;
	play_table[page] = entry;
	flush();
	return PLAY + page * 4096ul;
}

static uint64_t frame(unsigned n)
{
	return (uintptr_t)frames[n];
}

/* Takes the first page away. */
static void unmap_null(void)
{
	uint64_t *directory = (uint64_t *)(boot_pdpt[0] & ~0xffful);
	for (uint64_t i = 1; i < 512; i++)
		low_table[i] = i * 4096 | PRESENT | WRITABLE;
	directory[0] = (uintptr_t)low_table | PRESENT | WRITABLE;
	flush();
}

static void load_idt(const void *base, uint16_t limit)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { limit, (uintptr_t)base };
	asm volatile("lidt %0" : : "m"(pointer) : "memory");
}

/* A handler that nobody comes back from; only deaths before it are of interest here. */
static void handler(void)
{
	fail("the exception was handled");
}

static void set_gate(unsigned vector, uint64_t offset, uint16_t selector, uint8_t type, uint8_t ist)
{
	idt[vector] = (struct gate) { (uint16_t)offset, selector, ist, type, (uint16_t)(offset >> 16), (uint32_t)(offset >> 32), 0 };
}

/* The gates of #UD and #GP as wished, so that nothing helps: #DF has none. */
static void use_gates(uint64_t offset, uint16_t selector, uint8_t type, uint8_t ist)
{
	set_gate(6, offset, selector, type, ist);
	set_gate(13, offset, selector, type, ist);
	set_gate(10, offset, selector, type, ist);
	set_gate(11, offset, selector, type, ist);
	set_gate(12, offset, selector, type, ist);
	set_gate(14, offset, selector, type, ist);
	set_gate(8, offset, selector, type, ist);
	load_idt(idt, sizeof(idt) - 1);
}

static void load_tss(uint64_t base, uint16_t limit)
{
	memcpy(own_gdt, gdt, 6 * 8);
	own_gdt[6] = (uint64_t)limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	own_gdt[7] = base >> 32;
	own_gdt[8] = 0x00affb000000ffff;	/* 0x43: 64-bit code, DPL 3 */
	own_gdt[9] = 0x00cff3000000ffff;	/* 0x4b: data, DPL 3 */
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { sizeof(own_gdt) - 1, (uintptr_t)own_gdt };
	asm volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(0x30) : "memory");
}

/* Goes to CPL 3: all of the first 4 GiB becomes the user's. */
static __attribute__((noipa)) void enter_user(void (*code)(void))
{
	uint64_t *pml4 = (uint64_t *)(read_cr3() & ~0xffful);
	pml4[0] |= USER;
	for (int i = 0; i < 4; i++)
		boot_pdpt[i] |= USER;
	uint64_t *directory = (uint64_t *)(boot_pdpt[0] & ~0xffful);
	for (int i = 0; i < 512; i++)
		directory[i] |= USER;
	flush();
	asm volatile("push $0x4b; push %0; push $2; push $0x43; push %1; iretq" : : "r"(frames[2] + 4000), "r"(code));
}

/* --- nothing is wrong but the instruction, and there is no IDT --- */

FAULT(undefined) { asm volatile("ud2"); /* dies */ }
FAULT(divide_by_zero) { asm volatile("xor %%ecx, %%ecx; div %%ecx" : : "a"(1), "d"(0) : "ecx"); /* dies */ }
FAULT(divide_overflow) { asm volatile("div %0" : : "r"(2), "a"(0), "d"(5)); /* dies */ }

FAULT(null_read)
{
	unmap_null();
	asm volatile("mov 8(%0), %%eax" : : "r"(0ul) : "eax"); /* dies */
}

FAULT(null_write)
{
	unmap_null();
	asm volatile("movl $1, 0x10(%0)" : : "r"(0ul) : "memory"); /* dies */
}

FAULT(page_read) { asm volatile("mov (%0), %%eax" : : "r"(UNMAPPED) : "eax"); /* dies */ }
FAULT(page_write) { asm volatile("movb $1, (%0)" : : "r"(UNMAPPED + 0x123) : "memory"); /* dies */ }
FAULT(string_write) { asm volatile("rep stosb" : : "D"(UNMAPPED), "c"(16ul), "a"(0) : "memory"); /* dies */ }

FAULT(read_only_page)
{
	uint64_t page = play(0, frame(0) | PRESENT);
	asm volatile("mov %0, %%cr0" : : "r"(read_cr0() | 1 << 16));
	asm volatile("movl $1, (%0)" : : "r"(page) : "memory"); /* dies */
}

FAULT(reserved_bits)
{
	uint64_t page = play(0, frame(0) | PRESENT | WRITABLE | RESERVED);
	asm volatile("mov (%0), %%eax" : : "r"(page) : "eax"); /* dies */
}

FAULT(reserved_bits_of_large_page)
{
	boot_pdpt[5] = (uintptr_t)spare | PRESENT | WRITABLE;
	spare[0] = 0x2000 | LARGE | PRESENT | WRITABLE;	/* not at a multiple of 2 MiB */
	flush();
	asm volatile("mov (%0), %%eax" : : "r"(5ul << 30) : "eax"); /* dies */
}

FAULT(non_canonical_read) { asm volatile("mov (%0), %%eax" : : "r"(NOT_CANONICAL) : "eax"); /* dies */ }
FAULT(non_canonical_write) { asm volatile("movb $0, (%0)" : : "r"(NOT_CANONICAL + 5) : "memory"); /* dies */ }
FAULT(non_canonical_jump) { asm volatile("jmp *%0" : : "r"(NOT_CANONICAL)); /* dies */ }
FAULT(non_canonical_return) { asm volatile("push %0; ret" : : "r"(NOT_CANONICAL)); /* dies */ }

FAULT(no_execute_page)
{
	wrmsr(EFER, rdmsr(EFER) | 1 << 11);
	frames[0][0] = 0xc3;
	uint64_t page = play(0, frame(0) | PRESENT | WRITABLE | NO_EXECUTE);
	asm volatile("call *%0" : : "r"(page)); /* dies */
}

FAULT(no_execute_without_nxe)
{
	uint64_t page = play(0, frame(0) | PRESENT | WRITABLE | NO_EXECUTE);
	asm volatile("mov (%0), %%eax" : : "r"(page) : "eax"); /* dies */
}

FAULT(null_call)
{
	unmap_null();
	asm volatile("call *%0" : : "r"(0ul)); /* dies */
}

FAULT(null_call_with_offset)
{
	unmap_null();
	asm volatile("call *%0" : : "r"(0x18ul)); /* dies */
}

FAULT(wild_call) { asm volatile("call *%0" : : "r"(UNMAPPED + 0x40)); /* dies */ }

FAULT(zeroes)
{
	unmap_null();
	asm volatile("xor %%eax, %%eax; call *%0" : : "r"(frames[1]) : "eax"); /* dies */
}

FAULT(text)
{
	static char words[] __attribute__((aligned(16))) = "ffffff is this code? no, it is not.";
	asm volatile("xor %%edx, %%edx; mov %1, %%rsi; call *%0" : : "r"(words), "r"(NOT_CANONICAL) : "rsi", "edx"); /* dies */
}

FAULT(sse_without_osfxsr) { asm volatile("movaps %xmm0, %xmm1"); /* dies */ }

FAULT(sse_with_em)
{
	asm volatile("mov %0, %%cr4" : : "r"(read_cr4() | 1 << 9));
	asm volatile("mov %0, %%cr0" : : "r"(read_cr0() | 1 << 2));
	asm volatile("movaps %xmm0, %xmm1"); /* dies */
}

FAULT(fpu_with_ts)
{
	asm volatile("mov %0, %%cr0" : : "r"(read_cr0() | 1 << 3));
	asm volatile("fninit"); /* dies */
}

FAULT(misaligned)
{
	asm volatile("mov %0, %%cr4" : : "r"(read_cr4() | 1 << 9));
	asm volatile("mov %0, %%cr0" : : "r"(read_cr0() & ~0xcul));
	asm volatile("movaps %%xmm0, (%0)" : : "r"(frames[0] + 4) : "memory"); /* dies */
}

FAULT(stack_unmapped) { asm volatile("mov %0, %%rsp; push %%rax" : : "r"(UNMAPPED + 4096)); /* dies */ }
FAULT(stack_non_canonical) { asm volatile("mov %0, %%rsp; push %%rax" : : "r"(NOT_CANONICAL)); /* dies */ }

FAULT(stack_read_only)
{
	uint64_t page = play(0, frame(0) | PRESENT);
	asm volatile("mov %0, %%cr0" : : "r"(read_cr0() | 1 << 16));
	asm volatile("mov %0, %%rsp; push %%rax" : : "r"(page + 2048)); /* dies */
}

FAULT(stack_overflow)
{
	play(3, 0);
	uint64_t top = play(4, frame(0) | PRESENT | WRITABLE) + 4096;
	asm volatile("mov %0, %%rsp; 1: call 1b" : : "r"(top)); /* dies */
}

FAULT(selector_beyond) { asm volatile("mov %0, %%ds" : : "r"(0xfff8)); /* dies */ }
FAULT(selector_of_code_in_ss) { asm volatile("mov %0, %%ss" : : "r"(0x18)); /* dies */ }
FAULT(selector_no_tss) { asm volatile("ltr %w0" : : "r"(0x10)); /* dies */ }
FAULT(selector_of_data_in_cs) { asm volatile("push $0x10; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : : "rax"); /* dies */ }
FAULT(selector_null_in_cs) { asm volatile("push $0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" : : : "rax"); /* dies */ }

FAULT(iret_frame)
{
	asm volatile("push $0x10; push %0; push $2; push $0x10; push %0; iretq" : : "r"(frames[0])); /* dies */
}

FAULT(gdt_unmapped)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer = { 0x2f, UNMAPPED };
	asm volatile("lgdt %0" : : "m"(pointer) : "memory");
	asm volatile("mov %0, %%ds" : : "r"(0x10)); /* dies */
}

FAULT(msr_unknown) { asm volatile("rdmsr" : : "c"(0x12345678) : "eax", "edx"); /* dies */ }
FAULT(msr_value) { asm volatile("wrmsr" : : "c"(FS_BASE), "a"(0), "d"(0x80000000)); /* dies */ }
FAULT(lme_with_paging) { asm volatile("wrmsr" : : "c"(EFER), "a"(0), "d"(0)); /* dies */ }
FAULT(cr4_unknown_bit) { asm volatile("mov %0, %%cr4" : : "r"(read_cr4() | 1ul << 31)); /* dies */ }
FAULT(cr4_without_pae) { asm volatile("mov %0, %%cr4" : : "r"(read_cr4() & ~(1ul << 5))); /* dies */ }
FAULT(cr0_without_pg) { asm volatile("mov %0, %%cr0" : : "r"(read_cr0() & ~(1ul << 31))); /* dies */ }
FAULT(cr0_without_pe) { asm volatile("mov %0, %%cr0" : : "r"(read_cr0() & ~1ul)); /* dies */ }
FAULT(cr8_too_high) { asm volatile("mov %0, %%cr8" : : "r"(0x10ul)); /* dies */ }

FAULT(tables_outside_ram)
{
	boot_pdpt[5] = HOLE | PRESENT | WRITABLE;
	flush();
	asm volatile("mov (%0), %%eax" : : "r"(5ul << 30) : "eax"); /* dies */
}

FAULT(tables_cleared)
{
	uint64_t page = play(0, frame(0) | PRESENT | WRITABLE);
	memset(play_table, 0, sizeof(play_table));	/* as start-up code that clears .bss too late */
	flush();
	asm volatile("mov (%0), %%eax" : : "r"(page) : "eax"); /* dies */
}

FAULT(kernel_unmapped)
{
	static uint64_t other[512] __attribute__((aligned(4096), section(".data"))) = { 2 };	/* not present */
	asm volatile("mov %0, %%cr3; nop" : : "r"(other)); /* dies */
}

static void user_cli(void) { asm volatile("cli"); /* dies */ }
FAULT(user_privileged) { load_tss((uintptr_t)tss, sizeof(tss) - 1); enter_user(user_cli); }

static void user_read(void) { asm volatile("mov (%0), %%eax" : : "r"(PLAY) : "eax"); /* dies */ }
FAULT(user_supervisor_page)
{
	load_tss((uintptr_t)tss, sizeof(tss) - 1);
	play(0, frame(0) | PRESENT | WRITABLE);
	enter_user(user_read);
}

FAULT(software_interrupt) { asm volatile("int $0x80"); /* dies */ }
FAULT(code_of_32_bits) { asm volatile(".byte 0x60, 0x0e, 0x1e, 0x07"); /* dies */ }

/* --- an undefined instruction, and an IDT with a mistake --- */

FAULT(idt_too_short) { use_gates((uintptr_t)handler, 0x18, 0x8e, 0); load_idt(idt, 5 * 16 - 1); asm volatile("ud2"); /* dies */ }
FAULT(idt_unmapped) { load_idt((void *)UNMAPPED, 4095); asm volatile("ud2"); /* dies */ }
FAULT(gate_empty) { load_idt(idt, sizeof(idt) - 1); asm volatile("ud2"); /* dies */ }
FAULT(gate_type) { use_gates((uintptr_t)handler, 0x18, 0x85, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_not_present) { use_gates((uintptr_t)handler, 0x18, 0x0e, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_selector_null) { use_gates((uintptr_t)handler, 0, 0x8e, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_selector_data) { use_gates((uintptr_t)handler, 0x10, 0x8e, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_selector_beyond) { use_gates((uintptr_t)handler, 0x88, 0x8e, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_selector_32_bit) { use_gates((uintptr_t)handler, 0x08, 0x8e, 0); asm volatile("ud2"); /* dies */ }
FAULT(gate_non_canonical) { use_gates(NOT_CANONICAL, 0x18, 0x8e, 0); asm volatile("ud2"); /* dies */ }
FAULT(handler_unmapped) { use_gates(UNMAPPED, 0x18, 0x8e, 0); set_gate(8, 0, 0, 0, 0); asm volatile("ud2"); /* dies */ }

FAULT(ist_without_tss) { use_gates((uintptr_t)handler, 0x18, 0x8e, 1); asm volatile("ud2"); /* dies */ }

FAULT(ist_unmapped)
{
	*(uint64_t *)(tss + 36) = UNMAPPED + 4096;
	load_tss((uintptr_t)tss, sizeof(tss) - 1);
	use_gates((uintptr_t)handler, 0x18, 0x8e, 1);
	asm volatile("ud2"); /* dies */
}

FAULT(tss_too_short)
{
	load_tss((uintptr_t)tss, 0x23);
	use_gates((uintptr_t)handler, 0x18, 0x8e, 1);
	asm volatile("ud2"); /* dies */
}

FAULT(tss_unmapped)
{
	load_tss(UNMAPPED, sizeof(tss) - 1);
	use_gates((uintptr_t)handler, 0x18, 0x8e, 1);
	asm volatile("ud2"); /* dies */
}

/* --- an interrupt, or none --- */

FAULT(interrupt_too_early)
{
	/* The PIT's channel 0, 1000 times a second, by the 8259s as the firmware left them. */
	outb(0x43, 0x34);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
	outb(0x21, 0xfe);
	asm volatile("sti; 1: hlt; jmp 1b"); /* dies */
}

FAULT(halt_for_good) { asm volatile("cli; 1: hlt; jmp 1b"); /* dies */ }

#define LAPIC 0xfee00000ul
static volatile unsigned served;

__attribute__((interrupt)) static void without_eoi(void *stack)
{
	(void)stack;
	served++;
}

/* The local APIC's timer ticks at vector 0x40; without an EOI its second tick waits for ever. */
FAULT(no_eoi)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	set_gate(0x40, (uintptr_t)without_eoi, 0x18, 0x8e, 0);
	load_idt(idt, sizeof(idt) - 1);
	*(volatile uint32_t *)(LAPIC + 0xf0) = 0x1ff;
	*(volatile uint32_t *)(LAPIC + 0x320) = 0x20040;	/* periodic */
	*(volatile uint32_t *)(LAPIC + 0x380) = 1000000;
	asm volatile("sti; 1: hlt; jmp 1b"); /* dies */
}

static const struct kind kinds[] = {
	KIND(undefined), KIND(divide_by_zero), KIND(divide_overflow), KIND(null_read), KIND(null_write), KIND(page_read),
	KIND(page_write), KIND(string_write), KIND(read_only_page), KIND(reserved_bits), KIND(reserved_bits_of_large_page),
	KIND(non_canonical_read), KIND(non_canonical_write), KIND(non_canonical_jump), KIND(non_canonical_return),
	KIND(no_execute_page), KIND(no_execute_without_nxe), KIND(null_call), KIND(null_call_with_offset), KIND(wild_call),
	KIND(zeroes), KIND(text), KIND(sse_without_osfxsr), KIND(sse_with_em), KIND(fpu_with_ts), KIND(misaligned),
	KIND(stack_unmapped), KIND(stack_non_canonical), KIND(stack_read_only), KIND(stack_overflow), KIND(selector_beyond),
	KIND(selector_of_code_in_ss), KIND(selector_no_tss), KIND(selector_of_data_in_cs), KIND(selector_null_in_cs),
	KIND(iret_frame), KIND(gdt_unmapped), KIND(msr_unknown), KIND(msr_value), KIND(lme_with_paging),
	KIND(cr4_unknown_bit), KIND(cr4_without_pae), KIND(cr0_without_pg), KIND(cr0_without_pe), KIND(cr8_too_high),
	KIND(tables_outside_ram), KIND(tables_cleared), KIND(kernel_unmapped), KIND(user_privileged),
	KIND(user_supervisor_page), KIND(software_interrupt), KIND(code_of_32_bits), KIND(idt_too_short), KIND(idt_unmapped),
	KIND(gate_empty), KIND(gate_type), KIND(gate_not_present), KIND(gate_selector_null), KIND(gate_selector_data),
	KIND(gate_selector_beyond), KIND(gate_selector_32_bit), KIND(gate_non_canonical), KIND(handler_unmapped),
	KIND(ist_without_tss), KIND(ist_unmapped), KIND(tss_too_short), KIND(tss_unmapped), KIND(interrupt_too_early),
	KIND(halt_for_good), KIND(no_eoi),
};

void kernel_main(const struct boot *boot)
{
	die(boot->arguments, kinds, sizeof(kinds) / sizeof(kinds[0]));
}
