/* SPDX-License-Identifier: PostgreSQL */
/*
 * hugepages.c - mappings and segments of 2 MB pages, whose lengths the kernel rounds up. On msharefs, compare.t reserves
 * some; without any, the calls fail the same with and without the library.
 * Expects: redirected=4 demoted=2
 * Redirects with thp: 0
 */
#include "snippet.h"

#define HUGE	(2 * MEGA)

static void whole(void)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, 2 * HUGE, RW, SHARED | MAP_HUGETLB, -1, 0), NULL);

	if (memory == MAP_FAILED)
		return;
	fill(memory, 2 * HUGE, 1);
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, 2 * HUGE, 1)); fill(memory, 2 * HUGE, 2));
	printf("%zu wrong\n", wrong_pages(memory, 2 * HUGE, 2));
	SHOW(madvise(memory, HUGE, MADV_REMOVE));
	printf("%d %d\n", memory[PAGE], memory[HUGE + PAGE] == (char)((HUGE + PAGE) / PAGE * 7 + 2));
	SHOW(munmap(memory, 2 * HUGE));
}

static void rounded(void)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, 2 * HUGE - MEGA, RW, SHARED | MAP_HUGETLB, -1, 0), NULL);

	if (memory == MAP_FAILED)
		return;
	SHOW_ACCESS(memory + 2 * HUGE - 1);
	memory[0] = 5;
	SHOW(munmap(memory, 2 * HUGE - MEGA));
	SHOW(munmap(memory, PAGE));
	printf("%d\n", memory[0]);
	SHOW(munmap(memory, HUGE));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + HUGE);
	SHOW(munmap(memory + HUGE, HUGE));
}

static void segment(void)
{
	int id = shmget(IPC_PRIVATE, 2 * HUGE - MEGA, IPC_CREAT | SHM_HUGETLB | 0600);
	char *memory;

	if (id < 0) {
		printf("shmget: %s\n", strerrorname_np(errno));
		return;
	}
	memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	SHOW(shmctl(id, IPC_RMID, NULL));
	fill(memory, 2 * HUGE, 3);
	IN_CHILD(printf("%zu wrong, nattch %ld\n", wrong_pages(memory, 2 * HUGE, 3), nattch(id)));
	SHOW(mprotect(memory, 2 * HUGE, PROT_READ));
	SHOW_ACCESS(memory + HUGE);
	printf("nattch %ld\n", nattch(id));
	SHOW(shmdt(memory));
	printf("nattch %ld\n", nattch(id));
}

static void protected(void)
{
	char *memory = SHOW_ADDRESS(mmap(NULL, 2 * HUGE, RW, SHARED | MAP_HUGETLB, -1, 0), NULL);

	if (memory == MAP_FAILED)
		return;
	fill(memory, 2 * HUGE, 4);
	SHOW(mprotect(memory, PAGE, PROT_READ));
	SHOW(mprotect(memory, HUGE, PROT_READ));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + HUGE);
	printf("%zu wrong\n", wrong_pages(memory, 2 * HUGE, 4));
	SHOW(munmap(memory, 2 * HUGE));
}

int main(void)
{
	long before = free_huge_pages();

	whole();
	rounded();
	segment();
	protected();
	printf("pages lost: %ld\n", before - free_huge_pages());
	return 0;
}
