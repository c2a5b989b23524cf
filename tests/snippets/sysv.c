/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv.c - the life of a segment: attaches are counted as ever, and removal waits for the last.
 * Differs with hugetlb: nattch 0, by us
 * Expects: redirected=3 demoted=0
 */
#include "snippet.h"

static void show_mode(int id)
{
	struct shmid_ds segment;

	if (shmctl(id, IPC_STAT, &segment) == 0)
		printf("mode %o, size %zu, nattch %lu, by us %d\n", segment.shm_perm.mode, segment.shm_segsz,
		       segment.shm_nattch, segment.shm_lpid == getpid());
	else
		printf("no segment: %s\n", strerrorname_np(errno));
}

int main(void)
{
	int id = new_segment(SIZE + 100);
	char *memory, *again;

	show_mode(id);
	memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	show_mode(id);
	fill(memory, SIZE, 1);
	SHOW_ACCESS(memory + SIZE + PAGE - 1);
	again = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	show_mode(id);
	printf("twice: %zu wrong\n", wrong_pages(again, SIZE, 1));
	IN_CHILD(show_mode(id); fill(again, SIZE, 2); SHOW(shmdt(again)); show_mode(id); SHOW_ACCESS(again));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 2));
	show_mode(id);
	SHOW(shmdt(again));
	SHOW(shmdt(again));
	SHOW(shmdt(memory + PAGE));
	SHOW(shmdt(memory + 1));
	show_mode(id);
	SHOW(shmctl(id, IPC_RMID, NULL));
	show_mode(id);
	/* Linux lets one attach what is to be removed. */
	again = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	show_mode(id);
	printf("%zu wrong\n", wrong_pages(again, SIZE, 2));
	SHOW(shmdt(again));
	/* munmap detaches as well. */
	SHOW(munmap(memory, SIZE + PAGE));
	show_mode(id);
	SHOW_ACCESS(memory);
	SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	return 0;
}
