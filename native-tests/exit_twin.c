/*
 * exit_twin: what a vCPU's exits cost under a plain C program: the same guest as `minivmm bench exits`, byte for byte
 * (`minivmm bench exits --write-guest IMAGE`), the same machine, the same readings of the same clocks. What MiniVmm's
 * figures are measured against (bench/compare-exits); it trusts the image.
 *
 *   exit_twin IMAGE [--only KIND,...] [--count N] [--warmup N] [--rounds N] [--pin CPU[,CPU]|none] [--json]
 *
 * The image's header is described at ExitGuest.WriteHeader, the loops at ExitLoop.All.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "exit_machine.h"
#include "exit_samples.h"

enum { KICK = SIGURG, STRING = 16, PARTNER_SHARE = 10, SECONDS_TO_HANG = 60 };

enum clock { HOST, GUEST, PARTNER, CALL };
enum partner { NOBODY, READER, INTERRUPTER, KICKER, PROCESSOR };

static struct kind {
	const char *name;
	enum clock clock;
	enum partner partner;
	int most_exits;		/* that one turn may make */
	bool skipped;		/* not asked for, or this KVM does not have it */
	struct samples latency, kvm_run, own;
} kinds[] = {
	{ .name = "immediate-exit", .clock = CALL, .most_exits = 1 },
	{ .name = "pio-out", .clock = HOST, .most_exits = 1 },
	{ .name = "pio-in", .clock = HOST, .most_exits = 1 },
	{ .name = "rep-outs", .clock = HOST, .most_exits = STRING },
	{ .name = "mmio-write", .clock = HOST, .most_exits = 1 },
	{ .name = "mmio-read", .clock = HOST, .most_exits = 1 },
	{ .name = "ioeventfd-pio", .clock = GUEST, .most_exits = 1 },
	{ .name = "ioeventfd-pio-woken", .clock = GUEST, .partner = READER, .most_exits = 1 },
	{ .name = "ioeventfd-mmio", .clock = GUEST, .most_exits = 1 },
	{ .name = "ioeventfd-mmio-woken", .clock = GUEST, .partner = READER, .most_exits = 1 },
	{ .name = "coalesced-pio", .clock = GUEST, .most_exits = 1 },
	{ .name = "coalesced-mmio", .clock = GUEST, .most_exits = 1 },
	{ .name = "cpuid", .clock = GUEST, .most_exits = 1 },
	{ .name = "rdmsr", .clock = GUEST, .most_exits = 1 },
	{ .name = "hypercall", .clock = GUEST, .most_exits = 1 },
	{ .name = "hlt-irqfd", .clock = PARTNER, .partner = INTERRUPTER, .most_exits = 1 },
	{ .name = "ipi", .clock = GUEST, .partner = PROCESSOR, .most_exits = 1 },
	{ .name = "kick", .clock = PARTNER, .partner = KICKER, .most_exits = 1 },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct times { uint64_t in, out, decoded, served; };

/* An exit as the run loop sees it. */
struct io { enum { NOTHING, PORT_OUT, PORT_IN, MEMORY_WRITE, MEMORY_READ, UNHANDLED } what;
	uint64_t address; uint8_t *data; uint32_t size, count; };

static struct times *times, *last_times;
static uint64_t *stamps, entries, partner_delay;
static int count = 20000, warmup = 200, rounds = 10, pin[2] = { -1, -1 };
static struct kind *current;	/* measured now, for messages */
static uint8_t last;	/* the device: it keeps the last byte it was given */

static void pin_this_thread(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must("--pin", sched_setaffinity(0, sizeof set, &set));
}

/* ---- the run loop ---- */

static struct io decode(struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return (struct io){ run->io.direction == KVM_EXIT_IO_OUT ? PORT_OUT : PORT_IN, run->io.port,
			(uint8_t *)run + run->io.data_offset, run->io.size, run->io.count };
	case KVM_EXIT_MMIO:
		return (struct io){ run->mmio.is_write ? MEMORY_WRITE : MEMORY_READ, run->mmio.phys_addr,
			run->mmio.data, run->mmio.len, 1 };
	case KVM_EXIT_INTR:
		return (struct io){ .what = NOTHING };
	default:
		return (struct io){ .what = UNHANDLED };
	}
}

static void port_out(struct vcpu *v, uint64_t port, const uint8_t *data)
{
	switch (port) {
	case PORT_DATA ... PORT_END - 1:
		last = *data;
		break;
	case PORT_END:
		v->stop = true;
		break;
	}
}

static void serve(struct vcpu *v, struct io *io)
{
	switch (io->what) {
	case PORT_OUT:
		for (uint32_t i = 0; i < io->count; i++)
			port_out(v, io->address, io->data + i * io->size);
		break;
	case PORT_IN:
		memset(io->data, io->address >= PORT_DATA && io->address < PORT_END ? last : 0xff, io->size * io->count);
		break;
	case MEMORY_WRITE:
		last = *io->data;
		break;
	case MEMORY_READ:
		memset(io->data, last, io->size);
		break;
	case NOTHING:
		break;
	case UNHANDLED:
		fprintf(stderr, "exit_twin: unexpected exit %u\n", v->run->exit_reason);
		exit(6);
	}
}

static void drain_ring(struct vcpu *v)
{
	enum { CAPACITY = (PAGE - sizeof *ring) / sizeof(struct kvm_coalesced_mmio) };
	while (ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
		struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->first];
		if (entry->pio)
			port_out(v, entry->phys_addr, entry->data);
		else
			last = *entry->data;
		__atomic_store_n(&ring->first, (ring->first + 1) % CAPACITY, __ATOMIC_RELEASE);
	}
}

static void take_kick(struct vcpu *v)
{
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

static bool stopping(struct vcpu *v)
{
	return __atomic_load_n(&v->stop, __ATOMIC_ACQUIRE);
}

/* Returns the number of exits: times[] has one entry each. */
static int run_timed(struct vcpu *v)
{
	struct times *t = times;
	for (uint64_t entered = 0; !stopping(v);) {
		__atomic_store_n(&entries, ++entered, __ATOMIC_RELEASE);
		t->in = tsc();
		int result = ioctl(v->fd, KVM_RUN, 0);
		t->out = t->decoded = tsc();
		if (result < 0) {
			if (errno != EINTR)
				must("KVM_RUN", -1);
			take_kick(v);
		} else {
			struct io io = decode(v->run);
			t->decoded = tsc();
			if (ring)
				drain_ring(v);
			serve(v, &io);
		}
		t->served = tsc();
		if (t < last_times)
			t++;
	}
	return t - times;
}

/* ---- partners ---- */

static void do_nothing(int signal)
{
	(void)signal;
}

static void allow_kicks(struct vcpu *v)
{
	must("sigaction", sigaction(KICK, &(struct sigaction){ .sa_handler = do_nothing, .sa_flags = SA_RESTART }, NULL));
	__atomic_store_n(&v->thread, gettid(), __ATOMIC_RELEASE);
}

static pid_t process;
static cpu_set_t all_cpus;

static void kick(struct vcpu *v)
{
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	tgkill(process, __atomic_load_n(&v->thread, __ATOMIC_ACQUIRE), KICK);
}

static void ring_bell(int fd)
{
	must("write eventfd", write(fd, &(uint64_t){ 1 }, 8));
}

struct partner_thread {
	pthread_t thread;
	struct kind *kind;
	int turns;
	bool stop;
	pthread_barrier_t ready;
};

static void read_doorbell(struct partner_thread *p)
{
	uint64_t value;
	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE))
		must("read eventfd", read(woken_doorbell, &value, 8));
}

/* Waits until the vCPU has gone in and had time to halt or to get busy, notes the time, and acts: once for each turn. */
static void prod(struct partner_thread *p)
{
	for (int turn = 0; turn < p->turns; turn++) {
		while (__atomic_load_n(&entries, __ATOMIC_ACQUIRE) <= (uint64_t)turn) {
			if (stopping(&boot))
				return;
			sched_yield();
		}
		volatile uint32_t *beat = (uint32_t *)(ram + FLAG);
		uint32_t before = *beat;
		while (p->kind->partner == KICKER && *beat == before) {	/* a signal before the guest runs would be lost */
			if (stopping(&boot))
				return;
			sched_yield();
		}
		for (uint64_t due = tsc() + partner_delay; tsc() < due;)
			if (stopping(&boot))
				return;
		if (p->kind->partner == KICKER && turn == p->turns - 1)
			__atomic_store_n(&boot.stop, true, __ATOMIC_RELEASE);
		stamps[turn] = tsc();
		if (p->kind->partner == KICKER)
			tgkill(process, boot.thread, KICK);	/* by the signal alone, as minivmm does here */
		else
			ring_bell(interrupt);
	}
}

static void answer_ipis(void)
{
	while (!stopping(&second))
		if (ioctl(second.fd, KVM_RUN, 0) == 0) {
			struct io io = decode(second.run);
			serve(&second, &io);
		} else if (errno == EINTR) {
			take_kick(&second);
		} else if (errno != EAGAIN) {
			must("KVM_RUN of the second vCPU", -1);
		}
}

static void *partner_main(void *argument)
{
	struct partner_thread *p = argument;
	if (pin[1] >= 0)
		pin_this_thread(pin[1]);
	else
		sched_setaffinity(0, sizeof all_cpus, &all_cpus);	/* not the vCPU's CPU, which it inherits */
	if (p->kind->partner == PROCESSOR)
		allow_kicks(&second);
	pthread_barrier_wait(&p->ready);
	if (p->kind->partner == READER)
		read_doorbell(p);
	else if (p->kind->partner == PROCESSOR)
		answer_ipis();
	else
		prod(p);
	return NULL;
}

static void start_partner(struct partner_thread *p)
{
	pthread_barrier_init(&p->ready, NULL, 2);
	must("pthread_create", -pthread_create(&p->thread, NULL, partner_main, p));
	pthread_barrier_wait(&p->ready);
	if (p->kind->partner == PROCESSOR)
		while (!__atomic_load_n((uint32_t *)(ram + FLAG), __ATOMIC_ACQUIRE))
			sched_yield();
}

static void end_partner(struct partner_thread *p)
{
	__atomic_store_n(&p->stop, true, __ATOMIC_RELEASE);
	if (p->kind->partner == READER)
		ring_bell(woken_doorbell);
	if (p->kind->partner == PROCESSOR) {
		__atomic_store_n(&second.stop, true, __ATOMIC_RELEASE);
		kick(&second);
	}
	pthread_join(p->thread, NULL);
	pthread_barrier_destroy(&p->ready);
}

/* ---- the measurement ---- */

static int share(const struct kind *k, int n)
{
	int divisor = k->partner == INTERRUPTER || k->partner == KICKER ? PARTNER_SHARE : k->most_exits;
	return (n + divisor - 1) / divisor;
}

static int turns_of(const struct kind *k)
{
	return share(k, count / rounds) + share(k, warmup);
}

/* KVM_RUN told to return before it enters the guest. */
static void measure_calls(struct kind *k)
{
	boot.run->immediate_exit = 1;
	for (int i = 0; i < turns_of(k); i++) {
		uint64_t in = tsc();
		int result = ioctl(boot.fd, KVM_RUN, 0);
		uint64_t out = tsc();
		if (result == 0 || errno != EINTR) {
			fprintf(stderr, "exit_twin: KVM_RUN did not return at once\n");
			exit(6);
		}
		if (i >= share(k, warmup))
			record(&k->latency, out - in);
	}
	boot.run->immediate_exit = 0;
}

static void prepare_second(void)
{
	if (second.fd < 0)
		create_vcpu(&second, 1);
	*(volatile uint32_t *)(ram + FLAG) = 0;
	enter(&second, "ipi-receiver", false, 0, SECOND_STACK);
	must("KVM_SET_MP_STATE", ioctl(second.fd, KVM_SET_MP_STATE, &(struct kvm_mp_state){ KVM_MP_STATE_RUNNABLE }));
}

static void measure_run(struct kind *k)
{
	int turns = turns_of(k), exits;
	entries = 0;
	enter(&boot, k->name, k->clock == GUEST, turns, header->stack);
	struct partner_thread partner = { .kind = k, .turns = turns };
	if (k->partner == PROCESSOR)
		prepare_second();
	if (k->partner)
		start_partner(&partner);
	exits = run_timed(&boot);
	if (k->partner)
		end_partner(&partner);

	if (k->clock == GUEST) {
		const uint32_t *samples = (const uint32_t *)(ram + header->samples);
		for (int i = share(k, warmup); i < turns; i++)
			record(&k->latency, samples[i]);
		return;
	}
	int first = share(k, warmup) * k->most_exits;
	if (k->clock == PARTNER) {
		for (int i = first; i < turns && i < exits; i++)
			record(&k->latency, times[i].out - stamps[i]);
		return;
	}
	for (int i = first; i < exits - 1; i++) {	/* the last one ended the loop */
		record(&k->latency, times[i + 1].in - times[i].in);
		record(&k->kvm_run, times[i].out - times[i].in);
		record(&k->own, times[i + 1].in - times[i].out);
	}
}

static void hung(int signal)
{
	(void)signal;
	fprintf(stderr, "exit_twin: %s: the guest did not end within %d s\n", current->name, SECONDS_TO_HANG);
	_exit(6);
}

static void measure(void)
{
	int most = count / rounds + warmup + 2 * STRING;
	times = must_map(most * sizeof *times, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
	stamps = must_map(most * sizeof *stamps, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
	last_times = times + most - 1;
	signal(SIGALRM, hung);
	for (int round = 0; round < rounds; round++)
		for (struct kind *k = kinds; k < kinds + KINDS; k++) {
			if (k->skipped)
				continue;
			current = k;
			alarm(SECONDS_TO_HANG);
			if (k->clock == CALL)
				measure_calls(k);
			else
				measure_run(k);
		}
	alarm(0);
}

/* ---- in and out ---- */

static const char *const clock_names[] = { "host", "guest", "partner", "call" };

static void print_table(double ns_per_tick)
{
	printf("%-22s%-9s%9s%9s%9s%9s%9s%9s%9s%9s\n", "exit, us", "clock", "samples", "min", "p50", "p90", "p99", "p99.9",
		"max", "own, ns");
	for (struct kind *k = kinds; k < kinds + KINDS; k++) {
		struct samples *s = &k->latency;
		if (!s->count)
			continue;
		double us = ns_per_tick / 1e3;
		printf("%-22s%-9s%9zu%9.2f%9.2f%9.2f%9.2f%9.2f%9.2f", k->name, clock_names[k->clock], s->count,
			percentile(s, 0) * us, percentile(s, 50) * us, percentile(s, 90) * us, percentile(s, 99) * us,
			percentile(s, 99.9) * us, percentile(s, 100) * us);
		if (k->own.count)
			printf("%9.0f", percentile(&k->own, 50) * ns_per_tick);
		printf("\n");
	}
}

static void print_json(double ns_per_tick)
{
	const char *between = "";
	printf("{\"loops\":[");
	for (struct kind *k = kinds; k < kinds + KINDS; k++) {
		if (!k->latency.count)
			continue;
		printf("%s\n{\"name\":\"%s\",\"clock\":\"%s\",", between, k->name, clock_names[k->clock]);
		print_samples("latency", &k->latency, ns_per_tick);
		if (k->own.count) {
			printf(",\"split\":{");
			print_samples("kvmRun", &k->kvm_run, ns_per_tick);
			printf(",");
			print_samples("own", &k->own, ns_per_tick);
			printf("}");
		}
		printf("}");
		between = ",";
	}
	printf("\n]}\n");
}

static void cannot(const char *kind)
{
	for (struct kind *k = kinds; k < kinds + KINDS; k++)
		k->skipped |= !strcmp(k->name, kind);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: exit_twin IMAGE [--only KIND,...] [--count N] [--warmup N] [--rounds N] "
		"[--pin CPU[,CPU]|none] [--json]\n");
	exit(2);
}

static void keep_only(char *list)
{
	for (int i = 0; i < KINDS; i++)
		kinds[i].skipped = true;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		int i = 0;
		while (i < KINDS && strcmp(kinds[i].name, name))
			i++;
		if (i == KINDS)
			usage();
		kinds[i].skipped = false;
	}
}

/* The last two CPUs that this process may use. */
static void choose_cpus(void)
{
	cpu_set_t allowed;
	must("sched_getaffinity", sched_getaffinity(0, sizeof allowed, &allowed));
	for (int cpu = CPU_SETSIZE, n = 0; cpu-- > 0 && n < 2;)
		if (CPU_ISSET(cpu, &allowed))
			pin[n++] = cpu;
}

int main(int argc, char **argv)
{
	process = getpid();
	sched_getaffinity(0, sizeof all_cpus, &all_cpus);
	bool json = false;
	choose_cpus();
	if (argc < 2)
		usage();
	for (int i = 2; i < argc; i++) {
		char *value = argv[i + 1];
		if (!strcmp(argv[i], "--json"))
			json = true;
		else if (!value)
			usage();
		else if (i++, !strcmp(argv[i - 1], "--only"))
			keep_only(value);
		else if (!strcmp(argv[i - 1], "--count"))
			count = atoi(value);
		else if (!strcmp(argv[i - 1], "--warmup"))
			warmup = atoi(value);
		else if (!strcmp(argv[i - 1], "--rounds"))
			rounds = atoi(value);
		else if (!strcmp(argv[i - 1], "--pin")) {
			pin[0] = pin[1] = -1;
			if (strcmp(value, "none") && sscanf(value, "%d,%d", &pin[0], &pin[1]) < 1)
				usage();
		} else
			usage();
	}
	struct tsc_clock clock = start_clock();
	if (pin[0] >= 0)
		pin_this_thread(pin[0]);
	create_machine(argv[1]);
	allow_kicks(&boot);
	int most_turns = (header->ram_size - header->samples) / 4;
	if (rounds < 1 || count < rounds || warmup < 0 || count > most_turns / 2 || warmup > most_turns / 2)
		usage();
	partner_delay = 50e-6 * 1e9 / (usleep(50000), nanoseconds_per_tick(clock));
	measure();
	(json ? print_json : print_table)(nanoseconds_per_tick(clock));
	return 0;
}
