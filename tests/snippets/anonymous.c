/* SPDX-License-Identifier: PostgreSQL */
/*
 * anonymous.c - a shared anonymous mapping through its whole life, with children.
 * Expects: redirected=1 demoted=0
 */
#include "snippet.h"

int main(void)
{
	char *memory = map_shared(SIZE);

	printf("all zero: %d\n", memory[0] == 0 && memcmp(memory, memory + 1, SIZE - 1) == 0);
	fill(memory, SIZE, 1);
	IN_CHILD(printf("wrong in child: %zu\n", wrong_pages(memory, SIZE, 1)); fill(memory, SIZE, 2));
	printf("wrong in parent: %zu\n", wrong_pages(memory, SIZE, 2));
	IN_CHILD(IN_CHILD(fill(memory, SIZE, 3)); printf("wrong in middle: %zu\n", wrong_pages(memory, SIZE, 3)));
	IN_CHILD(SHOW(munmap(memory, SIZE)); SHOW_ACCESS(memory));
	printf("after a child unmapped: %zu wrong\n", wrong_pages(memory, SIZE, 3));
	SHOW_ACCESS(memory + SIZE - 1);
	SHOW(munmap(memory, SIZE));
	SHOW_ACCESS(memory);
	SHOW(munmap(memory, SIZE));
	return 0;
}
