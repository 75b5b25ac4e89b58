/*
 * The clock of exit_twin and what it tells: readings of the time stamp counter, all kept; percentiles by nearest rank.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct samples { uint64_t *ticks; size_t count, room; bool sorted; };
struct tsc_clock { uint64_t ticks; struct timespec time; };

/* Once everything before it is done (SDM vol. 2, RDTSC: LFENCE first). */
static inline uint64_t tsc(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static struct tsc_clock start_clock(void)
{
	struct tsc_clock c = { .ticks = tsc() };
	clock_gettime(CLOCK_MONOTONIC, &c.time);
	return c;
}

/* From start_clock until now: the longer, the better. */
static double nanoseconds_per_tick(struct tsc_clock start)
{
	struct tsc_clock now = start_clock();
	double ns = (now.time.tv_sec - start.time.tv_sec) * 1e9 + (now.time.tv_nsec - start.time.tv_nsec);
	return ns / (now.ticks - start.ticks);
}

/* Durations below zero, from clocks of two CPUs that disagree, count as none at all. */
static void record(struct samples *s, uint64_t ticks)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 4096;
		s->ticks = realloc(s->ticks, s->room * sizeof *s->ticks);
		if (!s->ticks)
			abort();
	}
	s->ticks[s->count++] = (int64_t)ticks < 0 ? 0 : ticks;
	s->sorted = false;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The smallest sample that `percent` of all do not exceed; there is at least one. */
static uint64_t percentile(struct samples *s, double percent)
{
	if (!s->sorted)
		qsort(s->ticks, s->count, sizeof *s->ticks, ascending);
	s->sorted = true;
	double rank = percent / 100 * s->count;
	size_t whole = (size_t)rank;
	size_t at = whole < rank ? whole + 1 : whole;
	return s->ticks[at ? at - 1 : 0];
}

static void print_samples(const char *name, struct samples *s, double ns_per_tick)
{
	double sum = 0;
	for (size_t i = 0; i < s->count; i++)
		sum += s->ticks[i];
	printf("\"%s\":{\"count\":%zu,\"min\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f,"
		"\"mean\":%.1f}", name, s->count, percentile(s, 0) * ns_per_tick, percentile(s, 50) * ns_per_tick,
		percentile(s, 90) * ns_per_tick, percentile(s, 99) * ns_per_tick, percentile(s, 99.9) * ns_per_tick,
		percentile(s, 100) * ns_per_tick, sum / s->count * ns_per_tick);
}
