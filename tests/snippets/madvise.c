/* SPDX-License-Identifier: PostgreSQL */
/*
 * madvise.c - advice on shared memory that leaves a view a view.
 * Expects: redirected=1 demoted=0
 */
#include "snippet.h"

int main(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW(madvise(memory, SIZE, MADV_DONTNEED));
	SHOW(madvise(memory + PAGE, PAGE, MADV_DONTNEED));
	printf("DONTNEED is none for the object: %zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(madvise(memory, SIZE, MADV_FREE));
	SHOW(madvise(memory, SIZE, MADV_NORMAL));
	SHOW(madvise(memory, SIZE, MADV_RANDOM));
	SHOW(madvise(memory, SIZE, MADV_WILLNEED));
	SHOW(madvise(memory + PAGE, MEGA, MADV_COLD));
	SHOW(madvise(memory + PAGE, MEGA, MADV_PAGEOUT));
	SHOW(madvise(memory, SIZE, MADV_POPULATE_READ));
	SHOW(madvise(memory, SIZE, MADV_POPULATE_WRITE));
	SHOW(madvise(memory, SIZE, MADV_DONTDUMP));
	SHOW(madvise(memory, SIZE, MADV_WIPEONFORK));
	SHOW(posix_madvise(memory, SIZE, POSIX_MADV_DONTNEED));
	SHOW(posix_madvise(memory, SIZE, POSIX_MADV_WILLNEED));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(madvise(memory + 1, PAGE, MADV_DONTNEED));
	SHOW(posix_madvise(memory + 1, PAGE, POSIX_MADV_WILLNEED));
	SHOW(madvise(memory, 0, MADV_DONTNEED));
	IN_CHILD(SHOW(madvise(memory + PAGE, 2 * PAGE, MADV_REMOVE)));
	printf("removed: %d %d, beside: %d\n", memory[PAGE], memory[2 * PAGE], memory[3 * PAGE] == (char)(3 * 7 + 1));
	SHOW(munmap(memory, SIZE));
	return 0;
}
