/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv-fixed.c - attaching at a wanted address: rounded, taken, and replacing what is there.
 * Not with hugetlb: segments of huge pages cannot be attached at these addresses
 * Expects: redirected=3 demoted=2
 * Redirects with thp: 1
 */
#include "snippet.h"

int main(void)
{
	int id = new_segment(SIZE);
	char *memory = SHOW_ADDRESS(shmat(id, PLACE, 0), PLACE);

	fill(memory, SIZE, 1);
	SHOW_ADDRESS(shmat(id, PLACE, 0), NULL);
	SHOW_ADDRESS(shmat(id, PLACE + PAGE, 0), NULL);
	SHOW_ADDRESS(shmat(id, PLACE + 8 * SIZE + 1, 0), NULL);
	SHOW_ADDRESS(shmat(id, NULL, SHM_REMAP), NULL);
	SHOW_ADDRESS(shmat(id, (char *)1, SHM_RND), NULL);
	printf("nattch %ld\n", nattch(id));
	SHOW(shmdt(memory));

	memory = SHOW_ADDRESS(shmat(id, PLACE + 2 * PAGE + 5, SHM_RND), PLACE + 2 * PAGE);
	printf("nattch %ld, %zu wrong\n", nattch(id), wrong_pages(memory, SIZE, 1));
	/* In free address space, for all that the program knows. */
	SHOW_ADDRESS(shmat(id, PLACE + 8 * SIZE, 0), PLACE + 8 * SIZE);
	printf("nattch %ld, %zu wrong\n", nattch(id), wrong_pages(PLACE + 8 * SIZE, SIZE, 1));
	SHOW(shmdt(PLACE + 8 * SIZE));
	SHOW(shmdt(memory));

	memory = mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED_NOREPLACE, -1, 0);
	memory[0] = 99;
	SHOW_ADDRESS(shmat(id, PLACE, SHM_REMAP), PLACE);
	printf("nattch %ld, %zu wrong\n", nattch(id), wrong_pages(memory, SIZE, 1));
	SHOW(shmdt(PLACE));
	SHOW(shmctl(id, IPC_RMID, NULL));
	return 0;
}
