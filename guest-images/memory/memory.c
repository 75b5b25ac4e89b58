/*
 * Is all the RAM there that the loader told of, zero at first, and each word of it a word of its own? Writes
 * to every place first and reads all of them back afterwards, so that two addresses for one byte show up.
 * A 64-bit kernel, since the RAM goes on above 4 GiB.
 * The command line may say stride=4096 (look closer), or dirty=ok (after firmware that does not tidy up).
 */
#include "kernel.h"
#include "text.h"

#define MIB		(1ul << 20)
#define GIB		(1ul << 30)
#define PRESENT		3		/* and writable */
#define LARGE		0x80		/* a page of 2 MiB or 1 GiB, in the table that would else go one level down */

const char kernel_name[] = "memory";

/* From start.S, which has mapped the first 4 GiB. One PDPT, so 512 GiB at most. */
extern uint64_t boot_pdpt[512];
/* Without 1 GiB pages each GiB needs a table of 2 MiB pages; there are so many. */
static uint64_t page_directories[64][512] __attribute__((aligned(4096)));

static uint64_t stride = 2 * MIB;
static uint64_t words, not_zero, wrong;

static void map_gib(uint64_t number)
{
	if (boot_pdpt[number])
		return;
	if (cpuid(0x80000001, 0).edx & 1 << 26) {
		boot_pdpt[number] = number * GIB | LARGE | PRESENT;
		return;
	}
	static unsigned used;
	if (used == sizeof(page_directories) / sizeof(page_directories[0]))
		fail("too much RAM to map without 1 GiB pages (--cpu ...,+pdpe1gb)");
	uint64_t *directory = page_directories[used++];
	for (uint64_t i = 0; i < 512; i++)
		directory[i] = (number * GIB + i * 2 * MIB) | LARGE | PRESENT;
	boot_pdpt[number] = (uintptr_t)directory | PRESENT;
}

static void map(const struct range *range)
{
	if (range->start + range->length > 512 * GIB)
		fail("RAM above 512 GiB: this kernel maps no more");
	for (uint64_t gib = range->start / GIB; gib * GIB < range->start + range->length; gib++)
		map_gib(gib);
}

/* An address says itself; the key makes sure that it is never zero. */
static uint64_t pattern(uint64_t address)
{
	return address ^ 0x5a5a5a5a5a5a5a5a;
}

static void write_word(uint64_t address)
{
	volatile uint64_t *word = (uint64_t *)address;
	/* Below 1 MiB the loader may have left more than it tells. */
	if (address >= MIB && *word && !not_zero++)
		print("  0x%lx was not zero but 0x%lx\n", address, *word);
	*word = pattern(address);
	words++;
}

static void check_word(uint64_t address)
{
	uint64_t value = *(volatile uint64_t *)address;
	if (value != pattern(address) && !wrong++)
		print("  0x%lx holds 0x%lx, the word of 0x%lx\n", address, value,
			pattern(value));
}

/* The first and the last word of each `stride` of a piece, and so of the piece itself. */
static void visit_piece(uint64_t start, uint64_t end, void (*word)(uint64_t address))
{
	start = (start + 7) & ~7ul;
	end &= ~7ul;
	for (uint64_t next = (start / stride + 1) * stride; start < end; start = next, next += stride) {
		uint64_t last = (next < end ? next : end) - 8;
		word(start);
		if (last != start)
			word(last);
	}
}

/* All of a range but what is in use, and but the first page: it has the real-mode vectors, and C's null. */
static void visit(const struct boot *boot, const struct range *range, void (*word)(uint64_t address))
{
	uint64_t start = range->start < 0x1000 ? 0x1000 : range->start, end = range->start + range->length;
	while (start < end) {
		uint64_t free_end = end, used_end = 0;
		for (unsigned i = 0; i < boot->in_use_count; i++) {
			const struct range *used = &boot->in_use[i];
			if (start >= used->start && start < used->start + used->length)
				used_end = used->start + used->length;
			else if (start < used->start && used->start < free_end)
				free_end = used->start;
		}
		if (!used_end)
			visit_piece(start, free_end, word);
		start = used_end ? used_end : free_end;
	}
}

void kernel_main(const struct boot *boot)
{
	uint64_t total = 0;
	unsigned ranges = 0;
	for (unsigned i = 0; i < boot->range_count; i++) {
		if (boot->ranges[i].type != RANGE_RAM)
			continue;
		map(&boot->ranges[i]);
		total += boot->ranges[i].length;
		ranges++;
	}

	/*
	 * Much RAM is sampled more thinly, so that the time stays the same: the first word written to a huge
	 * page costs the host milliseconds, since it clears the page.
	 */
	while (total / stride > 128)
		stride *= 2;
	uint32_t wanted;
	const char *text = option(boot->arguments, "stride");
	if (text) {
		if (!parse_number(text, &wanted) || wanted < 16 || wanted % 8)
			fail("stride= wants a multiple of 8 from 16 up, in bytes");
		stride = wanted;
	}

	print("memory: first and last word of every %lu bytes\n", stride);
	for (unsigned i = 0; i < boot->range_count; i++) {
		const struct range *range = &boot->ranges[i];
		if (range->type != RANGE_RAM)
			continue;
		words = not_zero = 0;
		visit(boot, range, write_word);
		print("  0x%09lx-0x%09lx  %8lu words written, %lu not zero before\n",
			range->start, (range->start + range->length - 1),
			words, not_zero);
		if (not_zero && !option(boot->arguments, "dirty"))
			fail("fresh memory must be zero (dirty=ok to go on)");
	}
	for (unsigned i = 0; i < boot->range_count; i++)
		if (boot->ranges[i].type == RANGE_RAM)
			visit(boot, &boot->ranges[i], check_word);

	/* A PC's RAM misses its last bytes below 1 MiB: round up to say what was asked for. */
	print("memory: %lu MiB in %u ranges: %s\n", (total + MIB - 1) / MIB, ranges,
		wrong ? "FAILED" : "ok");
	if (wrong)
		fail("words do not read back as written");
	succeed();
}
