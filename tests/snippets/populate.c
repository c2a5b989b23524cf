/* SPDX-License-Identifier: PostgreSQL */
/*
 * populate.c - MAP_POPULATE makes everything resident at once, MAP_NORESERVE nothing.
 * Differs with hugetlb: ^resident:
 * Expects: redirected=2 demoted=0
 */
#include "snippet.h"

static size_t resident(char *memory)
{
	static unsigned char vec[SIZE / PAGE];
	size_t pages = 0;

	SHOW(mincore(memory, SIZE, vec));
	for (size_t i = 0; i < SIZE / PAGE; i++)
		pages += vec[i] & 1;
	return pages;
}

int main(void)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, SIZE, RW, SHARED | MAP_POPULATE, -1, 0), NULL);

	printf("resident: %zu\n", resident(memory));
	SHOW(munmap(memory, SIZE));
	memory = SHOW_ADDRESS(mmap(NULL, SIZE, RW, SHARED | MAP_NORESERVE, -1, 0), NULL);
	printf("resident: %zu\n", resident(memory));
	SHOW(munmap(memory, SIZE));
	return 0;
}
