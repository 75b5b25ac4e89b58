/* Calls that a twin cannot go on without: it says what failed, and ends with minivmm's status for it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static int must(const char *what, int result)
{
	if (result < 0) {
		perror(what);
		exit(4);
	}
	return result;
}

__attribute__((unused)) static void *must_map(size_t size, int flags, int fd)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p == MAP_FAILED)
		must("mmap", -1);
	return p;
}
