/* SPDX-License-Identifier: PostgreSQL */
/*
 * mremap.c - growing, shrinking, moving and doubling a shared mapping.
 * Expects: redirected=6 demoted=6
 */
#include "snippet.h"

static void grow(void)
{
	char *memory = map_shared(SIZE), *moved;

	fill(memory, SIZE, 1);
	moved = SHOW_ADDRESS(mremap(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE), NULL);
	printf("%zu wrong\n", wrong_pages(moved, SIZE, 1));
	/* The object is not longer for it. */
	SHOW_ACCESS(moved + SIZE);
	SHOW(munmap(moved, 2 * SIZE));
}

static void shrink(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(mremap(memory, SIZE, SIZE / 2, 0), memory);
	printf("%zu wrong\n", wrong_pages(memory, SIZE / 2, 1));
	SHOW_ACCESS(memory + SIZE / 2);
	SHOW(munmap(memory, SIZE / 2));
}

static void move(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(mremap(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, PLACE), PLACE);
	SHOW_ACCESS(memory);
	printf("%zu wrong\n", wrong_pages(PLACE, SIZE, 1));
	SHOW(munmap(PLACE, SIZE));
}

/* What is mapped where a mapping is moved to goes away, a view as well. */
static void move_over(void)
{
	char *first = map_shared(SIZE), *second = map_shared(SIZE);

	fill(first, SIZE, 1);
	fill(second, SIZE, 2);
	SHOW_ADDRESS(mremap(first, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, second), second);
	printf("%zu wrong\n", wrong_pages(second, SIZE, 1));
	SHOW_ACCESS(first);
	SHOW(munmap(second, SIZE));
}

static void twice(void)
{
	char *memory = map_shared(SIZE);
	char *other = SHOW_ADDRESS(mremap(memory, 0, SIZE, MREMAP_MAYMOVE), NULL);

	fill(memory, SIZE, 5);
	printf("%zu wrong\n", wrong_pages(other, SIZE, 5));
	SHOW(munmap(memory, SIZE));
	SHOW(munmap(other, SIZE));
}

int main(void)
{
	grow();
	shrink();
	move();
	move_over();
	twice();
	SHOW_ADDRESS(mremap(PLACE, PAGE, 2 * PAGE, 0), NULL);
	return 0;
}
