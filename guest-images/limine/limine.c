/*
 * An executable of the Limine boot protocol in the higher half: shows what it is handed, checks what the protocol
 * promises of it, and has every processor that waits come to a function of its own. Written from the protocol's
 * specification, base revision 4 and up.
 */
#include <stdint.h>
#include "console.h"
#include "cpu.h"
#include "text.h"

#ifndef REVISION
#define REVISION 6
#endif
#define COMMON 0xc7b1dd30df4c8b88, 0x0a82e883a194f07b

struct request {
	uint64_t id[4], revision;
	const uint64_t *response;
	uint64_t more;
};

#define REQUEST(name, a, b) \
	__attribute__((used, section(".requests"))) static volatile struct request name = { { COMMON, a, b }, 0, 0, 0 }

__attribute__((used, section(".requests.1"))) static const uint64_t start_marker[] = {
	0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9 };
__attribute__((used, section(".requests.3"))) static const uint64_t end_marker[] = {
	0xadc0e0531bb10d03, 0x9572709f31764c62 };
__attribute__((used, section(".requests"))) static volatile uint64_t base_revision[] = {
	0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, REVISION };

REQUEST(loader_info, 0xf55038d8e2a1202f, 0x279426fcf5f59740);
REQUEST(command_line, 0x4b161536e598651e, 0xb390ad4a2f1f303a);
REQUEST(firmware_type, 0x8c2f75d90bef28a8, 0x7045a4688eac00c3);
REQUEST(direct_map, 0x48dcf1cb8ad2b852, 0x63984e959a98244b);
REQUEST(framebuffer, 0x9d5827dcd881dd75, 0xa3148604f6fab11b);
REQUEST(paging_mode, 0x95c1a0edab0944cb, 0xa4e5cb3842f7488a);
REQUEST(processors, 0x95a67b819a1b857e, 0xa0b61b723b6a73e0);
REQUEST(memory_map, 0x67cf3d9d378a806f, 0xe304acdfc50c3c62);
REQUEST(own_file, 0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69);
REQUEST(modules, 0x3e7e279702be32af, 0xca1c4f3bd1280cee);
REQUEST(root_pointer, 0xc5e77b6b397e7b43, 0x27637845accdcf3c);
REQUEST(date, 0x502746e184c088aa, 0xfbc5ec83e6327893);
REQUEST(own_address, 0x71ba76863cc55f63, 0xb2644a48c516a487);

void entry_point(void);
__attribute__((used, section(".requests"))) static volatile struct request entry = {
	{ COMMON, 0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a }, 0, 0, (uint64_t)entry_point };
__attribute__((used, section(".requests"))) static volatile struct request stack = {
	{ COMMON, 0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d }, 0, 0, 128 << 10 };

struct file {
	uint64_t revision;
	const uint8_t *address;
	uint64_t size;
	const char *path, *string;
};

struct processor {
	uint32_t id, apic_id;
	uint64_t reserved;
	void *volatile goto_address;
	uint64_t argument;
};

extern char image_start[];

static _Noreturn void end(const char *why)
{
	if (why)
		print("limine: FAILED: %s\n", why);
	else
		print("limine: ok\n");
	if (why)
		outb(0xf4, 1);
	outw(0x604, 1 << 13);
	for (;;)
		asm volatile("cli; hlt");
}

static void check(bool good, const char *what)
{
	if (!good)
		end(what);
}

static const char *type_name(uint64_t type)
{
	static const char *const names[] = { "usable", "reserved", "ACPI reclaimable", "ACPI NVS", "bad",
		"loader reclaimable", "executable and modules", "framebuffer", "reserved, mapped" };
	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static void show_map(uint64_t hhdm)
{
	uint64_t *const *entries = (void *)memory_map.response[2];
	uint64_t last = 0, own = 0;
	for (uint64_t i = 0; i < memory_map.response[1]; i++) {
		uint64_t start = entries[i][0], length = entries[i][1], type = entries[i][2];
		print("    0x%09lx-0x%09lx  %s\n", start, start + length - 1, type_name(type));
		check(start >= last && length > 0, "the memory map is not in order");
		last = start + length;
		if (type == 0 || type == 5)
			check(!((start | length) & 0xfff), "usable memory is not in whole pages");
		if (type == 0) {	/* mapped, and ours: the last word of it, too */
			volatile uint64_t *word = (void *)(hhdm + last - 8);
			*word = start;
			check(*word == start, "usable memory does not keep what is written");
		}
		if (type == 6 && own_address.response[1] >= start && own_address.response[1] < last)
			own++;
	}
	check(own == 1, "the executable is not in the memory map");
}

static volatile unsigned arrived;
static uint64_t expected_cr3;

static void read_control(uint64_t *cr0, uint64_t *cr3, uint64_t *efer)
{
	uint32_t low, high;
	asm volatile("mov %%cr0, %0; mov %%cr3, %1" : "=r"(*cr0), "=r"(*cr3));
	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0xc0000080));
	*efer = low | (uint64_t)high << 32;
}

/* Other processors come here with their structure as the argument. */
static _Noreturn void arrive(struct processor *self)
{
	uint64_t cr0, cr3, efer;
	read_control(&cr0, &cr3, &efer);
	if (cr3 == expected_cr3 && (cr0 & 1 << 16) && (efer & 1 << 11) && self->argument == 1000 + self->id)
		__atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
	for (;;)
		asm volatile("cli; hlt");
}

static void start_processors(void)
{
	struct processor *const *list = (void *)processors.response[3];
	uint64_t count = processors.response[2];
	for (uint64_t i = 0; i < count; i++) {
		check(!list[i]->goto_address, "a processor is going somewhere");
		if (list[i]->apic_id == processors.response[1] >> 32)
			continue;
		list[i]->argument = 1000 + list[i]->id;
		__atomic_store_n(&list[i]->goto_address, (void *)arrive, __ATOMIC_SEQ_CST);
	}
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) + 1 < count)
		relax();
	print("  processors    %lu, all here\n", count);
}

static void check_machine(void)
{
	uint16_t cs, ss;
	uint64_t cr0, cr3, efer, flags;
	asm volatile("mov %%cs, %0; mov %%ss, %1; pushfq; pop %2" : "=r"(cs), "=r"(ss), "=r"(flags));
	read_control(&cr0, &cr3, &efer);
	expected_cr3 = cr3;
	check(cs == 0x28 && ss == 0x30, "the selectors are not the protocol's");
	check(!(flags & 1 << 9), "interrupts are on");
	check(cr0 & 1 << 16, "CR0.WP is off");
	check(efer & 1 << 11, "EFER.NXE is off");
	check(inb(0x21) == 0xff && inb(0xa1) == 0xff, "the PICs are not masked");
	/* CS and SS again, from the table that the loader left. */
	asm volatile("push $0x30; pop %%rax; mov %%ax, %%ss; mov %%ax, %%ds" : : : "rax");
}

static void show_screen(void)
{
	if (!framebuffer.response) {
		print("  framebuffer   none\n");
		return;
	}
	const uint64_t *screen = *(uint64_t *const *)framebuffer.response[2];
	print("  framebuffer   %lu x %lu, %u bits\n", screen[1], screen[2], (unsigned)(screen[4] & 0xffff));
	check(screen[3] >= screen[1] * 4, "a line of the framebuffer is shorter than its dots");
	volatile uint32_t *last = (void *)(screen[0] + screen[3] * (screen[2] - 1) + 4 * (screen[1] - 1));
	*last = 0x123456;
	check(*last == 0x123456, "the framebuffer does not keep what is written");
}

static void show_files(void)
{
	struct file *const *files = (void *)modules.response[2];
	for (uint64_t i = 0; i < modules.response[1]; i++) {
		print("  module        %s \"%s\", %lu bytes, %c...\n", files[i]->path, files[i]->string, files[i]->size,
			files[i]->address[0]);
		check(!((uintptr_t)files[i]->address & 0xfff), "a module is not on a page");
	}
	const struct file *own = (void *)own_file.response[1];
	check(!memcmp(own->address, "\x7f" "ELF", 4), "the executable's file is not there");
	print("  own file      %s, %lu bytes\n", own->path, own->size);
}

void run(void);

void run(void)
{
	print("Hello from a Limine executable\n\n");
	check(base_revision[2] == 0, "the base revision is not supported");
	check(base_revision[1] == REVISION, "another base revision was loaded");
	check(entry.response && stack.response, "no stack or entry point was granted");
	uint64_t hhdm = direct_map.response[1];
	print("  booted by     Limine base revision %u, loader \"%s\" %s\n", REVISION, (char *)loader_info.response[1],
		(char *)loader_info.response[2]);
	print("  command line  \"%s\"\n", (char *)command_line.response[1]);
	print("  direct map    0x%lx\n", hhdm);
	show_screen();
	print("  executable    0x%lx at 0x%lx\n", own_address.response[2], own_address.response[1]);
	check(own_address.response[2] == (uint64_t)image_start, "the executable is not where it says");
	check(firmware_type.response[1] == 0 && paging_mode.response[1] == 0, "another firmware or paging mode");
	check(date.response[1] > 1700000000, "the date is not of this time");
	check_machine();
	show_files();
	print("\n  memory\n");
	show_map(hhdm);
	print("\n");
	check(!memcmp((void *)root_pointer.response[1], "RSD PTR ", 8), "the ACPI root pointer is not there");
	start_processors();
	end(0);
}

/* The ELF header's own entry point is the one that must not be used. */
void start(void);
void start(void)
{
	end("entered at e_entry although an entry point was asked for");
}

/* All registers are 0, and so is the return address, which puts the stack where a function expects it. */
asm(".text; .globl entry_point; entry_point: or %rdi, %rax; or %rsi, %rax; or %rbx, %rax; or %rbp, %rax; "
    "or (%rsp), %rax; jnz start; jmp run");
