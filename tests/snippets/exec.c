/* SPDX-License-Identifier: PostgreSQL */
/*
 * exec.c - children that exec, by fork, vfork and system, leave the segment; their parent keeps it.
 * Expects: redirected=1 demoted=0
 */
#include "snippet.h"

static void by_fork(void)
{
	if (fork() == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
}

static void by_vfork(void)
{
	if (vfork() == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
}

int main(void)
{
	int id = new_segment(SIZE), status;
	char *memory = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);

	fill(memory, SIZE, 1);
	by_fork();
	SHOW(wait(&status) > 0 ? status : -1);
	by_vfork();
	SHOW(wait(&status) > 0 ? status : -1);
	SHOW(system("exit 3"));
	if (_Fork() == 0)
		_exit(memory[PAGE] == (char)8 ? 0 : 1);
	SHOW(wait(&status) > 0 ? status : -1);
	printf("nattch %ld, %zu wrong\n", nattch(id), wrong_pages(memory, SIZE, 1));
	IN_CHILD(raise(SIGKILL));
	printf("nattch %ld\n", nattch(id));
	SHOW(shmdt(memory));
	SHOW(shmctl(id, IPC_RMID, NULL));
	return 0;
}
