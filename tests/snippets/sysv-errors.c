/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv-errors.c - what shmat and shmdt refuse.
 * Expects: redirected=0 demoted=0
 */
#include "snippet.h"

int main(void)
{
	int id = new_segment(SIZE);
	int forbidden = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0000);
	char *memory;

	SHOW_ADDRESS(shmat(-1, NULL, 0), NULL);
	SHOW_ADDRESS(shmat(0x7fffffff, NULL, 0), NULL);
	SHOW_ADDRESS(shmat(id, (char *)PAGE + 1, 0), NULL);
	SHOW_ADDRESS(shmat(id, (char *)-PAGE, 0), NULL);
	SHOW(shmdt(NULL));
	SHOW(shmdt(&memory));
	SHOW(shmdt((char *)PAGE));
	/* Executable memory no view has: an ordinary attach. */
	memory = shmat(id, NULL, SHM_EXEC);
	printf("executable: %d, nattch %ld\n", memory != (char *)-1, nattch(id));
	SHOW(shmdt(memory));
	IN_CHILD(if (setuid(65534) == 0) SHOW_ADDRESS(shmat(forbidden, NULL, 0), NULL));
	IN_CHILD(if (setuid(65534) == 0) SHOW_ADDRESS(shmat(forbidden, NULL, SHM_RDONLY), NULL));
	SHOW(shmctl(id, IPC_RMID, NULL));
	SHOW(shmctl(forbidden, IPC_RMID, NULL));
	return 0;
}
