/* SPDX-License-Identifier: PostgreSQL */
/*
 * mprotect.c - protection of all of a shared mapping, then of one page of it.
 * Expects: redirected=2 demoted=2
 */
#include "snippet.h"

static void whole(void)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, SIZE, PROT_NONE, SHARED, -1, 0), NULL);

	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, RW));
	fill(memory, SIZE, 1);
	SHOW(mprotect(memory, SIZE, PROT_READ));
	SHOW_ACCESS(memory + SIZE - 1);
	IN_CHILD(SHOW_ACCESS(memory); SHOW(mprotect(memory, SIZE, RW)); SHOW_ACCESS(memory));
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, PROT_NONE));
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, PROT_WRITE));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(mprotect(memory, 0, PROT_NONE));
	SHOW(mprotect(memory + 1, PAGE, PROT_NONE));
	SHOW(mprotect(memory, SIZE, 0x7f));
	SHOW(munmap(memory, SIZE));
}

static void one_page(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	SHOW(mprotect(memory, SIZE, PROT_READ));
	SHOW(mprotect(memory + PAGE, PAGE, PROT_NONE));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + PAGE);
	SHOW_ACCESS(memory + 2 * PAGE);
	SHOW(mprotect(memory, SIZE, RW));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(mprotect(memory, SIZE, RW | PROT_EXEC));
	SHOW(munmap(memory, SIZE));
}

int main(void)
{
	whole();
	one_page();
	return 0;
}
