/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv-parts.c - holes and protections within an attached segment, each part of which counts as an attach.
 * Differs with hugetlb: ^(mprotect|munmap|memory \+|nattch|child)
 * Expects: redirected=2 demoted=2
 */
#include "snippet.h"

int main(void)
{
	int id = new_segment(SIZE);
	char *memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);

	fill(memory, SIZE, 1);
	SHOW(mprotect(memory + PAGE, PAGE, PROT_NONE));
	printf("nattch %ld\n", nattch(id));
	SHOW_ACCESS(memory + PAGE);
	SHOW(munmap(memory + MEGA, PAGE));
	printf("nattch %ld\n", nattch(id));
	SHOW(shmdt(memory));
	printf("nattch %ld\n", nattch(id));
	SHOW_ACCESS(memory);

	memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	SHOW(munmap(memory, PAGE));
	SHOW_ACCESS(memory + PAGE);
	SHOW(shmdt(memory + PAGE));
	SHOW(shmdt(memory));
	printf("nattch %ld\n", nattch(id));
	SHOW(shmctl(id, IPC_RMID, NULL));
	return 0;
}
