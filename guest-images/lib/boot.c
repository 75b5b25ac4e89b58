#include "acpi.h"
#include "kernel.h"
#include "text.h"

/* Multiboot Specification 0.6.96, section 3.3; only the fields that are used have names. */
struct multiboot_info {
	uint32_t flags;			/* which of the fields below are valid */
	uint32_t mem_lower, mem_upper;	/* bit 0: KiB below 640 KiB, KiB from 1 MiB up */
	uint32_t boot_device;
	uint32_t cmdline;		/* bit 2 */
	uint32_t mods_count, mods_addr;	/* bit 3 */
	uint32_t symbols[4];
	uint32_t mmap_length, mmap_addr;	/* bit 6 */
	uint32_t drives[2];
	uint32_t config_table;
	uint32_t boot_loader_name;	/* bit 9 */
	uint32_t apm_table, vbe[4];
	uint8_t screen[];		/* bit 12: a struct boot_screen */
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct multiboot_range {
	uint32_t size;			/* of what follows: the next entry is at size + 4 */
	uint64_t start, length;
	uint32_t type;
} __attribute__((packed));

/* Multiboot 2 Specification 2.0, section 3.6: tags, each on a multiple of 8. */
struct multiboot2_tag {
	uint32_t type, size;
};

struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t start, end;
	char string[];
};

struct multiboot2_map {
	struct multiboot2_tag tag;
	uint32_t entry_size, entry_version;
	uint8_t entries[];
};

/* Xen's public/arch-x86/hvm/start_info.h */
#define PVH_MAGIC 0x336ec578

struct pvh_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp;
	uint64_t memory_map;		/* from version 1 on */
	uint32_t range_count, reserved;
};

struct pvh_module {
	uint64_t start, size, cmdline, reserved;
};

struct pvh_range {
	uint64_t start, length;
	uint32_t type, reserved;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct boot boot = { .protocol = "unknown", .loader = "", .command_line = "", .arguments = "" };

static void *at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

static void add_range(uint64_t start, uint64_t length, uint32_t type)
{
	if (length && boot.range_count < COUNT(boot.ranges))
		boot.ranges[boot.range_count++] = (struct range){ start, length, type };
}

static void add_in_use(uint64_t start, uint64_t length)
{
	if (length && boot.in_use_count < COUNT(boot.in_use))
		boot.in_use[boot.in_use_count++] = (struct range){ start, length, RANGE_RAM };
}

static const char *text_at(uint64_t address)
{
	const char *text = at(address);
	add_in_use(address, strlen(text) + 1);
	return text;
}

static void add_module(uint64_t start, uint64_t length)
{
	if (boot.module_count < COUNT(boot.modules))
		boot.modules[boot.module_count++] = (struct range){ start, length, RANGE_RAM };
	add_in_use(start, length);
}

static void read_multiboot(const struct multiboot_info *info)
{
	boot.protocol = "multiboot 1";
	add_in_use((uintptr_t)info, sizeof(*info));
	if (info->flags & 1 << 9)
		boot.loader = text_at(info->boot_loader_name);
	if (info->flags & 1 << 2) {
		boot.command_line = text_at(info->cmdline);
		boot.arguments = after_word(boot.command_line);
	}
	if (info->flags & 1 << 12)
		boot.screen = (const struct boot_screen *)info->screen;
	if (info->flags & 1 << 3) {
		const struct multiboot_module *module = at(info->mods_addr);
		add_in_use(info->mods_addr, info->mods_count * sizeof(*module));
		for (unsigned i = 0; i < info->mods_count; i++) {
			add_module(module[i].start, module[i].end - module[i].start);
			if (module[i].string)
				text_at(module[i].string);
		}
	}
	if (info->flags & 1 << 6) {
		add_in_use(info->mmap_addr, info->mmap_length);
		for (uint32_t p = info->mmap_addr; p < info->mmap_addr + info->mmap_length;) {
			const struct multiboot_range *range = at(p);
			add_range(range->start, range->length, range->type);
			p += range->size + 4;
		}
	} else if (info->flags & 1) {
		add_range(0, (uint64_t)info->mem_lower << 10, RANGE_RAM);
		add_range(1 << 20, (uint64_t)info->mem_upper << 10, RANGE_RAM);
	}
}

static void read_multiboot2_map(const struct multiboot2_map *map)
{
	const uint8_t *end = (const uint8_t *)map + map->tag.size;
	for (const uint8_t *p = map->entries; p + map->entry_size <= end; p += map->entry_size) {
		const struct pvh_range *range = (const void *)p;	/* the same fields */
		add_range(range->start, range->length, range->type);
	}
}

static void read_multiboot2(uint32_t *info)
{
	boot.protocol = "multiboot 2";
	add_in_use((uintptr_t)info, info[0]);
	for (uint32_t p = (uintptr_t)info + 8; p < (uintptr_t)info + info[0];) {
		const struct multiboot2_tag *tag = at(p);
		const struct multiboot2_module *module = at(p);
		switch (tag->type) {
		case 0:
			return;
		case 1:
			boot.command_line = boot.arguments = (const char *)(tag + 1);
			break;
		case 2:
			boot.loader = (const char *)(tag + 1);
			break;
		case 3:
			add_module(module->start, module->end - module->start);
			break;
		case 6:
			read_multiboot2_map(at(p));
			break;
		case 8:
			boot.screen = (const struct boot_screen *)(tag + 1);
			if (boot.screen->type == 2)
				boot.text_screen = boot.screen->address;
			break;
		case 14:
		case 15:
			boot.rsdp = p + sizeof(*tag);	/* a copy of it */
			break;
		}
		p += (tag->size + 7) & ~7u;
	}
}

static void read_pvh(const struct pvh_info *info)
{
	boot.protocol = "PVH";
	add_in_use((uintptr_t)info, sizeof(*info));
	boot.rsdp = info->rsdp;
	if (info->cmdline)
		boot.command_line = boot.arguments = text_at(info->cmdline);
	const struct pvh_module *module = at(info->modules);
	for (unsigned i = 0; i < info->module_count; i++)
		add_module(module[i].start, module[i].size);
	add_in_use(info->modules, info->module_count * sizeof(*module));
	if (info->version < 1)
		return;
	const struct pvh_range *range = at(info->memory_map);
	add_in_use(info->memory_map, info->range_count * sizeof(*range));
	for (unsigned i = 0; i < info->range_count; i++)
		add_range(range[i].start, range[i].length, range[i].type);
}

/* Called by start.S with the registers that the loader left. */
_Noreturn void start_c(uint32_t eax, uint32_t ebx);

_Noreturn void start_c(uint32_t eax, uint32_t ebx)
{
	add_in_use((uintptr_t)image_start, image_end - image_start);
	/* PVH first: it leaves eax undefined, and some firmware has multiboot's number there even so. */
	if (*(uint32_t *)at(ebx) == PVH_MAGIC)
		read_pvh(at(ebx));
	else if (eax == 0x2badb002)
		read_multiboot(at(ebx));
	else if (eax == 0x36d76289)
		read_multiboot2(at(ebx));
	acpi_start(boot.rsdp);
	kernel_main(&boot);
	halt();
}
