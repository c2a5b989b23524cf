/* SPDX-License-Identifier: PostgreSQL */
/*
 * partial-munmap.c - unmapping the head, the middle and the tail of a shared mapping, and across two.
 * Expects: redirected=4 demoted=4
 * Redirects with hugetlb: 3
 */
#include "snippet.h"

static void cut(size_t from, size_t length)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW(munmap(memory + from, length));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + from);
	SHOW_ACCESS(memory + from + length - 1);
	SHOW_ACCESS(memory + SIZE - 1);
	if (from > 0)
		printf("head: %zu wrong\n", wrong_pages(memory, from, 1));
	IN_CHILD(SHOW_ACCESS(memory); SHOW_ACCESS(memory + from));
	SHOW(munmap(memory, SIZE));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + SIZE - 1);
}

/* A page that is not shared and the head of a view right above it, in one call. */
static void across(void)
{
	char *memory = mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED_NOREPLACE, -1, 0);
	char *below = mmap(PLACE - PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	printf("placed: %d %d\n", memory == PLACE, below == PLACE - PAGE);
	fill(memory, SIZE, 1);
	SHOW(munmap(below, 2 * PAGE));
	SHOW_ACCESS(below);
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + PAGE);
	SHOW(munmap(memory, SIZE));
}

int main(void)
{
	cut(0, PAGE);
	cut(SIZE / 2, 2 * PAGE);
	cut(SIZE - MEGA, MEGA);
	across();
	return 0;
}
