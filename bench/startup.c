/*
 * startup: how long commands take to a guest's first exit and to their end, and what memory they have at most.
 *
 *   startup ROUNDS NAME COMMAND [ARG ...] [-- NAME COMMAND ...] ...
 *
 * Commands run in interleaved rounds, so that a drift of the machine hits all alike. The first byte that a command
 * prints stands for its first exit; peak memory is what wait4 reports.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 8

struct sample { double first, end, peak; };
struct command { char *name, **argv; struct sample *samples; };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static struct sample run(char **argv)
{
	int out[2];
	if (pipe2(out, O_CLOEXEC)) { perror("pipe"); exit(1); }
	struct sample s = { 0 };
	double start = now();
	pid_t child = vfork();
	if (child == 0) {
		dup2(out[1], 1);
		execv(argv[0], argv);
		_exit(127);
	}
	close(out[1]);
	char text[4096];
	while (read(out[0], text, sizeof text) > 0)
		if (s.first == 0)
			s.first = now() - start;
	close(out[0]);
	int status;
	struct rusage usage;
	wait4(child, &status, 0, &usage);
	s.end = now() - start;
	s.peak = usage.ru_maxrss / 1024.0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127 || s.first == 0) {
		fprintf(stderr, "startup: %s did not run\n", argv[0]);
		exit(1);
	}
	return s;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(const char *what, struct command *c, int rounds, size_t field)
{
	double *v = malloc(rounds * sizeof *v);
	for (int i = 0; i < rounds; i++)
		v[i] = *(double *)((char *)&c->samples[i] + field);
	qsort(v, rounds, sizeof *v, ascending);
	printf("  %-34s %8.2f %8.2f %8.2f %8.2f\n", what, v[0], v[rounds / 4], v[rounds / 2], v[3 * rounds / 4]);
	free(v);
}

int main(int argc, char **argv)
{
	if (argc < 4) { fprintf(stderr, "usage: startup ROUNDS NAME COMMAND [ARG ...] [-- NAME COMMAND ...]\n"); return 2; }
	int rounds = atoi(argv[1]), n = 0;
	struct command commands[MAX_COMMANDS];
	for (int i = 2; i < argc && n < MAX_COMMANDS; i++) {
		commands[n] = (struct command){ argv[i], argv + i + 1, calloc(rounds, sizeof(struct sample)) };
		n++;
		while (i < argc && strcmp(argv[i], "--"))
			i++;
		if (i < argc)
			argv[i] = NULL;
	}
	for (int r = -1; r < rounds; r++)	/* the first round warms the page cache and does not count */
		for (int c = 0; c < n; c++) {
			struct sample s = run(commands[c].argv);
			if (r >= 0)
				commands[c].samples[r] = s;
		}
	printf("%d interleaved rounds                   min  lower q.  median  upper q.\n", rounds);
	for (int c = 0; c < n; c++) {
		printf("%s\n", commands[c].name);
		print("to the first byte printed, ms", &commands[c], rounds, offsetof(struct sample, first));
		print("to the end, ms", &commands[c], rounds, offsetof(struct sample, end));
		print("peak memory, guest's included, MiB", &commands[c], rounds, offsetof(struct sample, peak));
	}
	return 0;
}
