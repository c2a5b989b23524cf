/* SPDX-License-Identifier: PostgreSQL */
/*
 * errors.c - what mmap and munmap refuse, and that success leaves errno alone.
 * Expects: redirected=1 demoted=0
 */
#include "snippet.h"

int main(void)
{
	char *memory;

	SHOW_ADDRESS(mmap(NULL, 0, RW, SHARED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, SHARED, -1, 1), NULL);
	SHOW_ADDRESS(mmap(NULL, 1UL << 47, RW, SHARED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, -1UL, RW, SHARED, -1, 0), NULL);
	SHOW_ADDRESS(mmap((char *)1, SIZE, RW, SHARED | MAP_FIXED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED, 77, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, MAP_ANONYMOUS, -1, 0), NULL);
	SHOW_ADDRESS(mmap(NULL, SIZE, RW, SHARED | MAP_HUGETLB | (int)(63U << 26), -1, 0), NULL);
	errno = E2BIG;
	memory = map_shared(SIZE);
	printf("errno after mmap: %s\n", strerrorname_np(errno));
	memory[0] = 1;
	printf("errno after munmap: %d %s\n", munmap(memory, SIZE), strerrorname_np(errno));
	SHOW(munmap(memory, 0));
	SHOW(munmap(memory + 1, SIZE));
	SHOW(munmap((char *)-PAGE, SIZE));
	SHOW(munmap(memory, -1UL));
	return 0;
}
