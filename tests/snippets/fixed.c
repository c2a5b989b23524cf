/* SPDX-License-Identifier: PostgreSQL */
/*
 * fixed.c - mappings at a wanted address: of shared memory, over it, and beside it.
 * Expects: redirected=4 demoted=4
 * Redirects with hugetlb: 0
 */
#include "snippet.h"

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)

static char *place(void)
{
	return SHOW_ADDRESS(mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED, -1, 0), PLACE);
}

static void refused_over_it(void)
{
	char *memory = place();

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(mmap(memory + PAGE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), NULL);
	SHOW_ADDRESS(mmap(memory - PAGE, 2 * PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), NULL);
	SHOW_ADDRESS(mmap(memory + 1, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), NULL);
	SHOW_ADDRESS(mmap(memory, PAGE, RW, MAP_PRIVATE | MAP_FIXED, 77, 0), NULL);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(munmap(memory, SIZE));
}

static void a_page_over_it(void)
{
	char *memory = place();

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(mmap(memory + PAGE, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), memory + PAGE);
	printf("new page: %d\n", memory[PAGE]);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	IN_CHILD(fill(memory, SIZE, 2));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 2));
	SHOW(munmap(memory, SIZE));
}

static void all_of_it(void)
{
	char *memory = place();

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(mmap(memory, SIZE, RW, PRIVATE | MAP_FIXED, -1, 0), memory);
	printf("%d\n", memory[PAGE]);
	SHOW(munmap(memory, SIZE));
}

/* Free address space for all that the program knows. */
static void beside_it(void)
{
	char *memory = place();

	fill(memory, SIZE, 1);
	SHOW(munmap(memory + 2 * SIZE, SIZE));
	SHOW_ADDRESS(mmap(memory + SIZE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), memory + SIZE);
	SHOW_ADDRESS(mmap(memory + 100 * GIGA, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0), memory + 100 * GIGA);
	SHOW_ACCESS(memory + SIZE);
	SHOW_ACCESS(memory + 100 * GIGA);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(munmap(memory, SIZE));
	SHOW(munmap(memory + SIZE, PAGE));
	SHOW(munmap(memory + 100 * GIGA, PAGE));
}

int main(void)
{
	refused_over_it();
	a_page_over_it();
	all_of_it();
	beside_it();
	return 0;
}
