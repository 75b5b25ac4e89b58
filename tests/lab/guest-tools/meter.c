/*
 * meter: how much a disk or a network carries, as one line "meter: RATE UNIT" on standard output.
 *
 *   meter disk FILE read|write sequential|random BLOCK THREADS SECONDS   O_DIRECT; MiB/s or requests/s
 *   meter serve PORT                                                     the other end of those below, for good
 *   meter send|receive|ask ADDRESS PORT SECONDS                          a TCP stream; round trips of one byte
 *
 * Static and small: it runs in guests that have nothing else, and on the host beside them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, STREAM_CHUNK = 64 << 10 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "meter: ");
	perror(what);
	exit(1);
}

static struct job {
	const char *path;
	bool write, random;
	size_t block;
	uint64_t blocks;
	int threads;
	double end;
} job;

struct worker { pthread_t thread; int index; uint64_t requests; };

/* Each thread of a sequential run has a share of its own: blocks INDEX, INDEX + THREADS, ... */
static void *work(void *argument)
{
	struct worker *worker = argument;
	uint64_t state = 0x9e3779b97f4a7c15u * (worker->index + 1), next = worker->index;
	void *buffer;
	int file = open(job.path, (job.write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	if (file < 0 || posix_memalign(&buffer, 4096, job.block))
		die(job.path);
	memset(buffer, worker->index + 1, job.block);
	while (now() < job.end) {
		if (job.random) {
			state ^= state << 13, state ^= state >> 7, state ^= state << 17;
			next = state % job.blocks;
		}
		off_t at = (off_t)(next % job.blocks * job.block);
		ssize_t done = job.write ? pwrite(file, buffer, job.block, at) : pread(file, buffer, job.block, at);
		if (done != (ssize_t)job.block)
			die("a request");
		worker->requests++;
		next += job.threads;
	}
	close(file);
	return NULL;
}

static int disk(char **argv)
{
	job = (struct job){ .path = argv[0], .write = !strcmp(argv[1], "write"), .random = !strcmp(argv[2], "random"),
		.block = strtoul(argv[3], NULL, 0), .threads = atoi(argv[4]) };
	struct stat status;
	uint64_t size = 0;
	int file = open(job.path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &status))
		die(job.path);
	size = status.st_size;
	if (S_ISBLK(status.st_mode) && ioctl(file, BLKGETSIZE64, &size))
		die(job.path);
	close(file);
	if (job.block == 0 || (job.blocks = size / job.block) == 0 || job.threads < 1 || job.threads > MAX_THREADS)
		return 2;

	static struct worker workers[MAX_THREADS];
	double begin = now();
	uint64_t requests = 0;
	job.end = begin + atof(argv[5]);
	for (int i = 0; i < job.threads; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("a thread");
	}
	for (int i = 0; i < job.threads; i++) {
		pthread_join(workers[i].thread, NULL);
		requests += workers[i].requests;
	}
	double seconds = now() - begin;
	if (job.random)
		printf("meter: %.1f requests/s\n", requests / seconds);
	else
		printf("meter: %.2f MiB/s\n", requests * (double)job.block / seconds / (1 << 20));
	return 0;
}

/* What the client's first byte asks for: s, it sends and wants the number of bytes; r, it receives; a, it asks. */
static void *answer(void *argument)
{
	static const char filler[STREAM_CHUNK];
	static __thread char buffer[STREAM_CHUNK];
	int connection = (int)(intptr_t)argument, one = 1;
	char mode = 0;
	ssize_t n;
	uint64_t total = 0;
	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (read(connection, &mode, 1) == 1) {
		if (mode == 'r')
			while (write(connection, filler, sizeof filler) > 0) ;
		else if (mode == 'a')
			while ((n = read(connection, buffer, sizeof buffer)) > 0 && write(connection, buffer, n) == n) ;
		else if (mode == 's') {
			while ((n = read(connection, buffer, sizeof buffer)) > 0)
				total += n;
			if (write(connection, &total, sizeof total) < 0)
				perror("meter");
		}
	}
	close(connection);
	return NULL;
}

static int serve(char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[0])) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8))
		die("listening");
	while (true) {
		int connection = accept(listener, NULL, NULL);
		pthread_t thread;
		if (connection < 0 || pthread_create(&thread, NULL, answer, (void *)(intptr_t)connection))
			die("a connection");
		pthread_detach(thread);
	}
}

static int talk(const char *mode, char **argv)
{
	static char buffer[STREAM_CHUNK];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
	double seconds = atof(argv[2]);
	int one = 1, connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (inet_pton(AF_INET, argv[0], &address.sin_addr) != 1 ||
	    connect(connection, (struct sockaddr *)&address, sizeof address) || write(connection, mode, 1) != 1)
		die(argv[0]);

	double begin = now(), end = begin + seconds;
	uint64_t total = 0;
	ssize_t n;
	if (*mode == 'a') {
		for (; now() < end; total++)
			if (write(connection, "?", 1) != 1 || read(connection, buffer, 1) != 1)
				die("a round trip");
		printf("meter: %.1f round trips/s\n", total / (now() - begin));
		return 0;
	}
	if (*mode == 'r') {
		for (; now() < end; total += n)
			if ((n = read(connection, buffer, sizeof buffer)) <= 0)
				die("the stream");
	} else {
		while (now() < end)
			if (write(connection, buffer, sizeof buffer) < 0)
				die("the stream");
		shutdown(connection, SHUT_WR);
		/* Counted when the last byte is there, not when it was queued. */
		if (recv(connection, &total, sizeof total, MSG_WAITALL) != sizeof total)
			die("the other end's count");
	}
	printf("meter: %.2f MiB/s\n", total / (now() - begin) / (1 << 20));
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	int status = 2;
	if (argc == 8 && !strcmp(argv[1], "disk"))
		status = disk(argv + 2);
	else if (argc == 3 && !strcmp(argv[1], "serve"))
		status = serve(argv + 2);
	else if (argc == 5 && (!strcmp(argv[1], "send") || !strcmp(argv[1], "receive") || !strcmp(argv[1], "ask")))
		status = talk(argv[1], argv + 2);
	if (status == 2)
		fprintf(stderr, "usage: meter disk FILE read|write sequential|random BLOCK THREADS SECONDS\n"
			"       meter serve PORT | send|receive|ask ADDRESS PORT SECONDS\n");
	return status;
}
