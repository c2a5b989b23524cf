/* SPDX-License-Identifier: PostgreSQL */
/*
 * busy-slot.c - shared memory wanted at an address near which something lives: it has to stay what it is.
 * Expects: redirected=1 demoted=0
 * Redirects with hugetlb: 0
 * Redirects with thp: 2
 */
#include "snippet.h"

int main(void)
{
	char *neighbour = mmap(PLACE + 300 * GIGA, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	char *memory;

	printf("neighbour: %d\n", neighbour == PLACE + 300 * GIGA);
	neighbour[0] = 42;
	memory = SHOW_ADDRESS(mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED_NOREPLACE, -1, 0), PLACE);
	fill(memory, SIZE, 1);
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, SIZE, 1)); fill(memory, SIZE, 2));
	printf("%zu wrong, neighbour %d\n", wrong_pages(memory, SIZE, 2), neighbour[0]);
	SHOW(munmap(memory, SIZE));
	SHOW(munmap(neighbour, PAGE));
	/* Now that it is free, and only a hint. */
	memory = SHOW_ADDRESS(mmap(PLACE + MEGA, SIZE, RW, SHARED, -1, 0), PLACE + MEGA);
	fill(memory, SIZE, 3);
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, SIZE, 3)));
	SHOW(munmap(memory, SIZE));
	return 0;
}
