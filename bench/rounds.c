/*
 * rounds: measure commands that run virtual machines in interleaved rounds, so that a drift of the host hits all alike,
 * and compare each with the first one, round by round.
 *
 *   rounds start  ROUNDS           COMMANDS   to the first byte printed and to the end
 *   rounds slope  ROUNDS LOW HIGH  COMMANDS   time to the end by a count that takes the place of {} in the arguments
 *   rounds memory ROUNDS RAM_MIB   COMMANDS   what one machine that has printed holds beyond its guest's RAM
 *   rounds many   ROUNDS RAM_MIB N COMMANDS   N machines one after another, then N at once
 *
 * COMMANDS are NAME COMMAND [ARG ...] [-- NAME COMMAND ...] ... Guests of the first two end by themselves and print
 * "...: ok" last; those of the other two stay, and are killed. All children die with this program, and it dies with
 * its parent, so that nothing is left whichever way a comparison ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_COMMANDS = 8, MAX_METRICS = 4, MAX_MACHINES = 500, MAX_ARGUMENTS = 64 };
enum { SECONDS_TO_HANG = 60, SETTLE_MS = 500 };

struct command { char *name, **argv; double *samples[MAX_METRICS]; };
struct child { pid_t pid; int out; };

static int rounds, ram_kib, low, high, machines;
static const char *current;	/* the command that runs now, for messages */

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static _Noreturn void die(const char *why)
{
	fprintf(stderr, "rounds: %s: %s\n", current, why);
	exit(1);
}

static void hung(int signal)
{
	(void)signal;
	static const char text[] = "rounds: a command hangs\n";
	_exit(write(2, text, sizeof text - 1) < 0 ? 2 : 1);
}

static struct child start(char **argv)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC))
		die("no pipe");
	pid_t pid = vfork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);	/* some monitors change a terminal that they find */
		dup2(out[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	if (pid < 0)
		die("no process");
	return (struct child){ pid, out[0] };
}

static void stop(struct child c)
{
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	close(c.out);
}

/* The first byte printed stands for the guest's first exit: that is what the exit is for. */
static void wait_for_output(struct child c)
{
	char text[4096];
	if (read(c.out, text, sizeof text) <= 0)
		die("ended without a word");
}

/* Runs to the end. An error of the monitor's own has a status beyond 1, or no guest's "ok". */
static void run(char **argv, double *to_first, double *to_end, double *peak_mib)
{
	double begin = now();
	struct child c = start(argv);
	char text[16384];
	size_t used = 0;
	for (ssize_t n; used < sizeof text && (n = read(c.out, text + used, sizeof text - used)) > 0; used += n)
		if (used == 0)
			*to_first = now() - begin;
	int status;
	struct rusage usage;
	wait4(c.pid, &status, 0, &usage);
	*to_end = now() - begin;
	*peak_mib = usage.ru_maxrss / 1024.0;
	close(c.out);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1 || used < 5 || memcmp(text + used - 5, ": ok\n", 5))
		die("did not run to a good end");
}

static void measure_start(char **argv, double *v)
{
	run(argv, &v[0], &v[1], &v[2]);
}

static double end_with_count(char **argv, int count)
{
	char *with[MAX_ARGUMENTS], text[256], *place;
	int i = 0;
	for (; argv[i] && i < MAX_ARGUMENTS - 1; i++) {
		with[i] = argv[i];
		if ((place = strstr(argv[i], "{}"))) {
			snprintf(text, sizeof text, "%.*s%d%s", (int)(place - argv[i]), argv[i], count, place + 2);
			with[i] = text;
		}
	}
	with[i] = NULL;
	double first, end, peak;
	run(with, &first, &end, &peak);
	return end;
}

static void measure_slope(char **argv, double *v)
{
	double few = end_with_count(argv, low);
	v[0] = (end_with_count(argv, high) - few) * 1e3 / (high - low);
}

/* All mappings but the guest's RAM, which is the one of just its size; in MiB. */
struct beyond { double peak, resident, share, written; };

static struct beyond beyond_ram(pid_t pid)
{
	char path[64], line[512];
	long kib, guest_resident = 0, other_resident = 0, mappings = 0, high_water = 0;
	bool guest = false;
	struct beyond b = { 0 };

	snprintf(path, sizeof path, "/proc/%d/smaps", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "Size: %ld", &kib) == 1)
			mappings += guest = kib == ram_kib;
		else if (sscanf(line, "Rss: %ld", &kib) == 1)
			*(guest ? &guest_resident : &other_resident) += kib;
		else if (sscanf(line, "Pss: %ld", &kib) == 1 && !guest)
			b.share += kib / 1024.0;
		else if (sscanf(line, "Private_Dirty: %ld", &kib) == 1 && !guest)
			b.written += kib / 1024.0;
	}
	if (!f || mappings != 1)
		die("no mapping, or more than one, has the size of the guest's RAM");
	fclose(f);

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmHWM: %ld", &high_water);
	if (!f || !high_water)
		die("no VmHWM");
	fclose(f);
	b.resident = other_resident / 1024.0;
	b.peak = (high_water - guest_resident) / 1024.0;
	return b;
}

static void measure_memory(char **argv, double *v)
{
	struct child c = start(argv);
	wait_for_output(c);
	usleep(SETTLE_MS * 1000);
	struct beyond b = beyond_ram(c.pid);
	v[0] = b.peak;
	v[1] = b.resident;
	v[2] = b.written;
	stop(c);
}

static void measure_many(char **argv, double *v)
{
	static struct child children[MAX_MACHINES];
	double begin = now();
	for (int i = 0; i < machines; i++) {
		children[i] = start(argv);
		wait_for_output(children[i]);
	}
	v[0] = machines * 1e3 / (now() - begin);
	for (int i = 0; i < machines; i++)
		stop(children[i]);

	begin = now();
	for (int i = 0; i < machines; i++)
		children[i] = start(argv);
	for (int i = 0; i < machines; i++)
		wait_for_output(children[i]);
	v[1] = now() - begin;

	usleep(SETTLE_MS * 1000);
	v[2] = v[3] = 0;
	for (int i = 0; i < machines; i++) {
		struct beyond b = beyond_ram(children[i].pid);
		v[2] += b.share / machines;
		v[3] += b.written / machines;
	}
	for (int i = 0; i < machines; i++)
		stop(children[i]);
}

static const struct mode {
	const char *name;
	int *parameters[2];
	void (*measure)(char **argv, double *values);
	const char *metrics[MAX_METRICS];
} modes[] = {
	{ "start", { 0 }, measure_start,
		{ "to the first byte printed, ms", "to the end, ms", "peak, guest's included, MiB" } },
	{ "slope", { &low, &high }, measure_slope, { "each, us" } },
	{ "memory", { &ram_kib }, measure_memory,
		{ "at its peak, MiB", "resident, MiB", "written, private, MiB" } },
	{ "many", { &ram_kib, &machines }, measure_many,
		{ "one by one, machines a second", "at once, ms until all are up", "Pss of each beyond RAM, MiB",
		  "written by each beyond RAM, MiB" } },
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print_quartiles(const double *samples, const double *reference, bool least)
{
	double v[rounds];
	for (int i = 0; i < rounds; i++)
		v[i] = samples[i] / (reference ? reference[i] : 1);
	qsort(v, rounds, sizeof *v, ascending);
	if (least)
		printf(" %8.2f", v[0]);
	printf(" %8.2f %8.2f %8.2f", v[rounds / 4], v[rounds / 2], v[3 * rounds / 4]);
}

static void print_metric(const char *metric, int m, struct command *commands, int n)
{
	printf("%-32s %8s %8s %8s %8s   ratio to %s:\n", metric, "min", "lower q.", "median", "upper q.", commands[0].name);
	for (int c = 0; c < n; c++) {
		printf("  %-30s", commands[c].name);
		print_quartiles(commands[c].samples[m], NULL, true);
		if (c > 0) {
			printf("  ");
			print_quartiles(commands[c].samples[m], commands[0].samples[m], false);
		}
		printf("\n");
	}
}

static int parse_commands(char **argv, struct command *commands)
{
	int n = 0;
	for (; *argv && n < MAX_COMMANDS; n++) {
		commands[n] = (struct command){ .name = argv[0], .argv = argv + 1 };
		for (int m = 0; m < MAX_METRICS; m++)
			commands[n].samples[m] = calloc(rounds, sizeof(double));
		while (*argv && strcmp(*argv, "--"))
			argv++;
		if (*argv)
			*argv++ = NULL;
	}
	return n;
}

static int usage(void)
{
	fprintf(stderr, "usage: rounds start|slope|memory|many ROUNDS [PARAMETER ...] NAME COMMAND [ARG ...] [-- NAME ...]\n");
	return 2;
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, hung);
	const struct mode *mode = modes;
	while (mode < modes + sizeof modes / sizeof *modes && argc > 1 && strcmp(mode->name, argv[1]))
		mode++;
	if (argc < 3 || mode == modes + sizeof modes / sizeof *modes || (rounds = atoi(argv[2])) < 1)
		return usage();
	int next = 3;
	for (int i = 0; i < 2 && mode->parameters[i]; i++)
		if (next == argc || (*mode->parameters[i] = atoi(argv[next++])) < 1)
			return usage();
	ram_kib *= 1024;
	struct command commands[MAX_COMMANDS];
	int n = parse_commands(argv + next, commands);
	if (n == 0 || machines > MAX_MACHINES || high < low)
		return usage();

	for (int r = -1; r < rounds; r++)	/* the first round warms the page cache and does not count */
		for (int c = 0; c < n; c++) {
			double values[MAX_METRICS];
			current = commands[c].name;
			alarm(SECONDS_TO_HANG);
			mode->measure(commands[c].argv, values);
			for (int m = 0; r >= 0 && m < MAX_METRICS && mode->metrics[m]; m++)
				commands[c].samples[m][r] = values[m];
		}
	for (int m = 0; m < MAX_METRICS && mode->metrics[m]; m++)
		print_metric(mode->metrics[m], m, commands, n);
	return 0;
}
