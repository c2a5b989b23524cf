/* SPDX-License-Identifier: PostgreSQL */
/*
 * outsider.c - a process without the library on the same segment sees, and writes, the same bytes.
 * Expects: redirected=1 demoted=0
 */
#include "snippet.h"

/* In the other process: its own attach. */
static int outsider(int id)
{
	char *memory = shmat(id, NULL, 0);

	printf("library: %d, nattch %ld\n", dlsym(RTLD_DEFAULT, "mshare_version") != NULL, nattch(id));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	fill(memory, SIZE, 2);
	return 0;
}

int main(int argc, char **argv)
{
	int id = argc > 1 ? atoi(argv[1]) : new_segment(SIZE);
	char *memory, number[20];

	if (argc > 1)
		return outsider(id);
	memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	fill(memory, SIZE, 1);
	snprintf(number, sizeof(number), "%d", id);
	IN_CHILD(unsetenv("LD_PRELOAD"); execl("/proc/self/exe", "outsider", number, NULL));
	printf("nattch %ld, %zu wrong\n", nattch(id), wrong_pages(memory, SIZE, 2));
	SHOW(shmdt(memory));
	SHOW(shmctl(id, IPC_RMID, NULL));
	return 0;
}
