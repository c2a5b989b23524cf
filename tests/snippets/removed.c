/* SPDX-License-Identifier: PostgreSQL */
/*
 * removed.c - what MADV_REMOVE emptied is there again when it is used, though somebody took every huge page meanwhile.
 * Expects: redirected=1 demoted=0
 */
#include <sys/syscall.h>

#include "snippet.h"

#define HUGE	(2 * MEGA)

/* Until there are none; the kernel's own call, which no library sees. They are given back at the end of the process. */
static void take_huge_pages(void)
{
	long page;

	do {
		page = syscall(SYS_mmap, NULL, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0L);
	} while (page != -1);
}

static void show_bytes(const char *memory)
{
	printf("%d %d %d %d\n", memory[PAGE - 1] != 0, memory[PAGE], memory[2 * PAGE - 1], memory[2 * PAGE] != 0);
}

int main(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 1);
	/* Others may have it from now on. */
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, SIZE, 1)));
	SHOW(madvise(memory + PAGE, PAGE, MADV_REMOVE));
	show_bytes(memory);
	SHOW(madvise(memory + 1, PAGE, MADV_REMOVE));
	SHOW(mprotect(memory, SIZE, PROT_READ));
	SHOW(madvise(memory + HUGE, HUGE, MADV_REMOVE));
	SHOW_ACCESS(memory + HUGE);
	SHOW(mprotect(memory, SIZE, PROT_NONE));
	SHOW(madvise(memory, HUGE, MADV_REMOVE));
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, SIZE, RW));
	take_huge_pages();
	for (size_t at = 0; at < SIZE; at += MEGA) {
		SHOW_ACCESS(memory + at);
		printf("%d\n", memory[at]);
	}
	IN_CHILD(printf("all zero: %d\n", memory[0] == 0 && memcmp(memory, memory + 1, SIZE - 1) == 0));
	return 0;
}
