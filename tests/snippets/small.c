/* SPDX-License-Identifier: PostgreSQL */
/*
 * small.c - below the limit, private, executable or locked: none of ours.
 * Expects: redirected=0 demoted=0
 */
#include "snippet.h"

static void try(size_t size, int prot, int flags, int fd)
{
	char *memory = mmap(NULL, size, prot, flags, fd, 0);

	printf("%d\n", memory != MAP_FAILED);
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, PAGE, PROT_READ));
	SHOW(madvise(memory, size, MADV_DONTNEED));
	SHOW(munmap(memory, size));
}

int main(void)
{
	int fd = memfd_create("small", 0);

	SHOW(ftruncate(fd, SIZE));
	try(MEGA - 1, RW, SHARED, -1);
	try(SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	try(SIZE, RW, MAP_PRIVATE, fd);
	try(MEGA / 2, RW, MAP_SHARED, fd);
	try(SIZE, RW | PROT_EXEC, SHARED, -1);
	try(SIZE, RW, SHARED | MAP_LOCKED, -1);
	return 0;
}
