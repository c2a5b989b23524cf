/* SPDX-License-Identifier: PostgreSQL */
/*
 * advice-demotes.c - advice that needs a mapping of this process' own.
 * Expects: redirected=5 demoted=5
 * Redirects with hugetlb: 4
 */
#include "snippet.h"

static void dont_fork(void)
{
	char *memory = map_shared(SIZE);

	SHOW(madvise(memory, SIZE, MADV_DONTFORK));
	IN_CHILD(SHOW_ACCESS(memory));
	SHOW(madvise(memory, SIZE, MADV_DOFORK));
	IN_CHILD(SHOW_ACCESS(memory));
	SHOW(munmap(memory, SIZE));
}

/* What was said of all of it holds for what becomes of it. */
static void kept(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 2);
	SHOW(madvise(memory, SIZE, MADV_DONTFORK));
	SHOW(mprotect(memory, PAGE, PROT_READ));
	SHOW_ACCESS(memory);
	IN_CHILD(SHOW_ACCESS(memory); SHOW_ACCESS(memory + MEGA));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 2));
	SHOW(munmap(memory, SIZE));
}

/* Half of it: the kernel would split the vma. */
static void half(int advice)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW(madvise(memory, SIZE / 2, advice));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(munmap(memory, SIZE));
}

static void beyond_the_end(void)
{
	char *memory = SHOW_ADDRESS(mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED_NOREPLACE, -1, 0), PLACE);

	SHOW(madvise(memory, 2 * SIZE, MADV_WILLNEED));
	SHOW(munmap(memory, SIZE));
}

int main(void)
{
	dont_fork();
	kept();
	half(MADV_RANDOM);
	half(MADV_DONTDUMP);
	beyond_the_end();
	return 0;
}
