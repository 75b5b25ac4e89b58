/*
 * Instructions that a KVM without hardware virtualisation does not emulate, in supervisor mode: each over some random operands,
 * with what the manual says in C beside it, and the exceptions that they raise. A 64-bit kernel. The command line may name one
 * instruction: only that is executed then.
 * LZCNT, TZCNT and MOVBE are not among them: such a KVM takes the first two for BSR and BSF, and has its own mind about the third.
 */
#include "kernel.h"
#include "text.h"

#define ROUNDS		16
#define UNMAPPED	0x140000000ul	/* 5 GiB: start.S maps four */
#define STATUS_FLAGS	0x8d5ul		/* OF, SF, ZF, AF, PF, CF */
#define CF		0x001ul
#define ZF		0x040ul
#define SF		0x080ul
#define OF		0x800ul
#define AC		0x40000ul

const char kernel_name[] = "assist";

/* SDM vol. 3, 6.14.1 */
struct gate {
	uint16_t offset_low, selector;
	uint8_t stack, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

static struct gate table[32];
static volatile struct {
	unsigned vector;
	uint64_t error_code, address, rip;
} caught;
static volatile uint64_t resume;	/* where a fault goes on */

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	/* Few bits, many bits, a small number. */
	switch (seed >> 62) {
	case 0: return seed & seed << 21 & seed >> 13;
	case 1: return seed & 0x3f3f;
	default: return seed;
	}
}

static void note(unsigned vector, uint64_t error_code, struct frame *frame)
{
	uint64_t address;
	asm volatile("mov %%cr2, %0" : "=r"(address));
	caught.vector = vector;
	caught.error_code = error_code;
	caught.address = address;
	caught.rip = frame->rip;
	if (resume)
		frame->rip = resume;
	else if (vector != 3)
		fail("an exception that nobody expects");
	resume = 0;
}

#define HANDLER(vector) \
	__attribute__((interrupt)) static void handle_##vector(struct frame *frame) { note(vector, 0, frame); }
#define HANDLER_WITH_CODE(vector) \
	__attribute__((interrupt)) static void handle_##vector(struct frame *frame, uint64_t code) { note(vector, code, frame); }

HANDLER(1)
HANDLER(3)
HANDLER(6)
HANDLER(7)
HANDLER_WITH_CODE(13)
HANDLER_WITH_CODE(14)
HANDLER(16)

static void set_gate(unsigned vector, uintptr_t handler)
{
	table[vector] = (struct gate){
		.offset_low = (uint16_t)handler, .offset_middle = (uint16_t)(handler >> 16),
		.offset_high = (uint32_t)(handler >> 32), .selector = 0x18, .type = 0x8e,
	};
}

static void load_interrupt_table(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(table) - 1, (uintptr_t)table };
	set_gate(1, (uintptr_t)handle_1);
	set_gate(3, (uintptr_t)handle_3);
	set_gate(6, (uintptr_t)handle_6);
	set_gate(7, (uintptr_t)handle_7);
	set_gate(13, (uintptr_t)handle_13);
	set_gate(14, (uintptr_t)handle_14);
	set_gate(16, (uintptr_t)handle_16);
	asm volatile("lidt %0" : : "m"(pointer));
}

static const char *only = "";
static unsigned checked;

static bool wanted(const char *name)
{
	return !*only || word_is(only, name);
}

static void expect(const char *name, bool is_right)
{
	if (!is_right)
		fail(name);
	checked++;
}

/* An instruction that makes one register of two, and of flags flags. */
#define COMPUTE(text, result, flags, a, b) \
	asm volatile("push %[f]; popf; " text "; pushf; pop %[f]" \
		: [d] "=&r"(result), [f] "+&r"(flags) : [a] "r"(a), [b] "r"(b), [m] "m"(b) : "cc", "memory")

/* Loops over random operands: `want` is an expression of a, b and the flags before, `keep` the flags that are compared. */
#define CHECK(name, has, text, want, want_flags, keep) \
	if ((has) && wanted(name)) { \
		for (int round = 0; round < ROUNDS; round++) { \
			uint64_t a = random(), b = random(), flags = (random() & STATUS_FLAGS) | 2, before = flags, result = 0; \
			COMPUTE(text, result, flags, a, b); \
			(void)before; \
			uint64_t expected = (want); \
			expect(name, result == expected); \
			expect(name " (flags)", ((flags ^ (want_flags)) & (keep)) == 0); \
		} \
		print("  %s\n", name); \
	} else if (!(has)) { \
		print("  %s: not offered\n", name); \
	}

static uint64_t count_bits(uint64_t value)
{
	uint64_t count = 0;
	for (; value; value &= value - 1)
		count++;
	return count;
}

static uint64_t deposit(uint64_t source, uint64_t mask)
{
	uint64_t result = 0;
	for (unsigned i = 0, k = 0; i < 64; i++)
		if (mask >> i & 1)
			result |= (source >> k++ & 1) << i;
	return result;
}

static uint64_t gather(uint64_t source, uint64_t mask)
{
	uint64_t result = 0;
	for (unsigned i = 0, k = 0; i < 64; i++)
		if (mask >> i & 1)
			result |= (source >> i & 1) << k++;
	return result;
}

static uint64_t logical(uint64_t result, bool carry)
{
	return (result ? 0 : ZF) | (result >> 63 ? SF : 0) | (carry ? CF : 0);
}

static void check_bits(void)
{
	struct cpuid basic = cpuid(1, 0), more = cpuid(7, 0);
	bool bmi1 = more.ebx & 1 << 3, bmi2 = more.ebx & 1 << 8, adx = more.ebx & 1 << 19;

	CHECK("popcnt", basic.ecx & 1 << 23, "popcnt %[m], %[d]", count_bits(b), b ? 0 : ZF, STATUS_FLAGS);
	CHECK("andn", bmi1, "andn %[m], %[a], %[d]", ~a & b, logical(~a & b, false), CF | ZF | SF | OF);
	CHECK("blsi", bmi1, "blsi %[a], %[d]", a & -a, logical(a & -a, a), CF | ZF | SF | OF);
	CHECK("blsr", bmi1, "blsr %[m], %[d]", b & (b - 1), logical(b & (b - 1), !b), CF | ZF | SF | OF);
	CHECK("blsmsk", bmi1, "blsmsk %[a], %[d]", a ^ (a - 1), logical(a ^ (a - 1), !a), CF | ZF | SF | OF);
	CHECK("pdep", bmi2, "pdep %[m], %[a], %[d]", deposit(a, b), before, STATUS_FLAGS);
	CHECK("pext", bmi2, "pext %[b], %[a], %[d]", gather(a, b), before, STATUS_FLAGS);
	CHECK("rorx", bmi2, "rorx $13, %[m], %[d]", b >> 13 | b << 51, before, STATUS_FLAGS);
	CHECK("shlx", bmi2, "shlx %[a], %[m], %[d]", b << (a & 63), before, STATUS_FLAGS);
	CHECK("shrx", bmi2, "shrx %[b], %[a], %[d]", a >> (b & 63), before, STATUS_FLAGS);
	CHECK("sarx", bmi2, "sarx %[a], %[m], %[d]", (uint64_t)((int64_t)b >> (a & 63)), before, STATUS_FLAGS);
	CHECK("adcx", adx, "mov %[a], %[d]; adcx %[m], %[d]", a + b + (before & CF),
		(a + b < a || a + b + (before & CF) < (before & CF)) ? before | CF : before & ~CF, STATUS_FLAGS);
}

static void check_wide_exchange(void)
{
	static struct {
		uint64_t low, high;
	} __attribute__((aligned(16))) place;

	if (!(cpuid(1, 0).ecx & 1 << 13) || !wanted("cmpxchg16b"))
		return;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t low = random(), high = random(), a = round & 1 ? low : random(), d = high, b = random(), c = random();
		bool same = a == low, was;
		place.low = low;
		place.high = high;
		asm volatile("lock cmpxchg16b %[p]; setz %[w]"
			: [p] "+m"(place), [w] "=r"(was), "+a"(a), "+d"(d) : "b"(b), "c"(c) : "cc", "memory");
		expect("cmpxchg16b", was == same && a == low && d == high);
		expect("cmpxchg16b", place.low == (same ? b : low) && place.high == (same ? c : high));
	}
	print("  cmpxchg16b\n");
}

static uint64_t read_flags(void)
{
	uint64_t flags;
	asm volatile("pushf; pop %0" : "=r"(flags));
	return flags;
}

/* Executes something that ends in an exception, and says in which. */
#define CATCH(text, ...) ({ \
	caught.vector = 0xff; \
	asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %[r]; 2: " text "; 1:" \
		: [r] "=m"(resume) : __VA_ARGS__ : "rax", "rcx", "cc", "memory"); \
	resume = 0; \
	caught.vector; })

static void check_exceptions(void)
{
	struct cpuid basic = cpuid(1, 0), more = cpuid(7, 0);

	if (wanted("int3")) {
		uint64_t behind;
		caught.vector = 0xff;
		resume = 0;
		asm volatile("lea 1f(%%rip), %0; int3; 1:" : "=r"(behind) : : "memory");
		expect("int3", caught.vector == 3 && caught.rip == behind);
		print("  int3\n");
	}
	if (wanted("clac") && more.ebx & 1 << 20) {
		asm volatile("stac" : : : "memory", "cc");
		expect("stac", read_flags() & AC);
		asm volatile("clac" : : : "memory", "cc");
		expect("clac", !(read_flags() & AC));
		print("  stac, clac\n");
	}
	if (wanted("fwait")) {
		uint64_t cr0;
		asm volatile("mov %%cr0, %0" : "=r"(cr0));
		asm volatile("mov %0, %%cr0" : : "r"((cr0 | 0x22) & ~0xcul));	/* MP and NE, not EM and TS */
		asm volatile("fninit; fwait");
		asm volatile("mov %0, %%cr0" : : "r"((cr0 | 0x2a) & ~0x4ul));	/* TS */
		expect("fwait after a task switch", CATCH("fwait") == 7);
		asm volatile("mov %0, %%cr0" : : "r"(cr0));
		print("  fwait\n");
	}
	if (wanted("popcnt") && basic.ecx & 1 << 23) {
		expect("a page that is not there",
			CATCH("popcnt (%[p]), %%rcx", [p] "r"(UNMAPPED + 8)) == 14
			&& caught.error_code == 0 && caught.address == UNMAPPED + 8);
		expect("an address that is not canonical", CATCH("popcnt (%[p]), %%rcx", [p] "r"(1ul << 60)) == 13);
	}
	if (wanted("lfence"))
		asm volatile("lfence; mfence; sfence; prefetcht0 %0" : : "m"(seed) : "memory");
}

static void check_bases(void)
{
	if (!(cpuid(7, 0).ebx & 1) || !wanted("wrgsbase"))
		return;
	uint64_t cr4, base = 0x123456789000, read;
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 | 1 << 16));
	wrmsr(0xc0000102, 0xffff800000001000);
	asm volatile("wrgsbase %1; rdgsbase %0" : "=r"(read) : "r"(base));
	expect("wrgsbase, rdgsbase", read == base && rdmsr(0xc0000101) == base);
	asm volatile("swapgs; rdgsbase %0" : "=r"(read));
	expect("swapgs", read == 0xffff800000001000 && rdmsr(0xc0000102) == base);
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
	print("  wrgsbase, rdgsbase, swapgs\n");
}

static uint64_t vectors[8] __attribute__((aligned(64)));	/* two of 32 bytes */
static uint8_t area[4096] __attribute__((aligned(64)));		/* of XSAVE */

/* Adds the first 16 or 32 bytes to the others, in words of 32 bits, and leaves that in xmm5 or ymm5. */
static void check_sum(const char *name, bool is_wide)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t before[8];
		for (int i = 0; i < 8; i++)
			before[i] = vectors[i] = random();
		if (is_wide)
			asm volatile("vmovdqu %0, %%ymm4; vpaddd %1, %%ymm4, %%ymm5; vmovdqu %%ymm5, %1"
				: : "m"(vectors[0]), "m"(vectors[4]) : "memory");
		else
			asm volatile("movdqu %0, %%xmm5; paddd %1, %%xmm5; movdqa %%xmm5, %1"
				: : "m"(vectors[0]), "m"(vectors[4]) : "memory");
		for (int i = 0; i < (is_wide ? 4 : 2); i++) {
			uint32_t low = (uint32_t)before[i] + (uint32_t)before[4 + i];
			uint32_t high = (uint32_t)(before[i] >> 32) + (uint32_t)(before[4 + i] >> 32);
			expect(name, vectors[4 + i] == ((uint64_t)high << 32 | low));
		}
		expect(name, vectors[0] == before[0] && vectors[7] == (is_wide ? vectors[7] : before[7]));
	}
	print("  %s\n", name);
}

static void check_vectors(void)
{
	struct cpuid basic = cpuid(1, 0);
	uint64_t cr0, cr4;
	uint32_t mxcsr = 0x5f80, read = 0, low, high;

	if (!wanted("paddd") || !(basic.edx & 1 << 26))
		return;
	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	expect("SSE that is not turned on", CATCH("paddd %%xmm1, %%xmm2", "i"(0)) == 6);
	asm volatile("mov %0, %%cr0" : : "r"((cr0 | 0x22) & ~0xcul));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 | 0x600));
	asm volatile("ldmxcsr %1; stmxcsr %0" : "=m"(read) : "m"(mxcsr));
	expect("ldmxcsr, stmxcsr", read == mxcsr);
	mxcsr = 0x1f80;
	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	check_sum("paddd", false);
	expect("an operand that is not aligned",
		CATCH("paddd (%[p]), %%xmm2", [p] "r"((uintptr_t)vectors + 8)) == 13);

	if (basic.ecx & 1 << 26 && basic.ecx & 1 << 28) {
		asm volatile("mov %0, %%cr4" : : "r"(cr4 | 0x40600));
		asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
		asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		expect("xgetbv", low == 7 && high == 0);
		check_sum("vpaddd", true);

		/* What is saved comes back, whatever was done meanwhile. */
		uint64_t saved[2];
		asm volatile("xsave64 %0" : "+m"(area) : "a"(7), "d"(0));
		asm volatile("movdqu %%xmm5, %0; pxor %%xmm5, %%xmm5" : "=m"(saved));
		expect("xsave64", ((uint64_t *)area)[(160 + 5 * 16) / 8] == saved[0]);
		asm volatile("xrstor64 %0" : : "m"(area), "a"(7), "d"(0));
		asm volatile("movdqu %%xmm5, %0" : "=m"(vectors[4]));
		expect("xrstor64", vectors[4] == saved[0] && vectors[5] == saved[1]);
		area[520] = 1;		/* XCOMP_BV, of the standard form */
		expect("a bad header", CATCH("mov $7, %%eax; xor %%edx, %%edx; xrstor64 (%[p])", [p] "r"(area)) == 13);
		print("  xsave64, xrstor64, xgetbv\n");
	}
	asm volatile("mov %0, %%cr0" : : "r"(cr0));
	asm volatile("mov %0, %%cr4" : : "r"(cr4));
}

void kernel_main(const struct boot *boot)
{
	only = last_word(boot->arguments);
	load_interrupt_table();
	check_exceptions();
	check_bits();
	check_wide_exchange();
	check_bases();
	check_vectors();
	print("%s: %u comparisons\n", kernel_name, checked);
	succeed();
}
