/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv-readonly.c - SHM_RDONLY: reads what others write, and cannot write by any way.
 * Expects: redirected=2 demoted=0
 */
#include "snippet.h"

int main(void)
{
	int id = new_segment(SIZE);
	char *writer = SHOW_ADDRESS(shmat(id, NULL, 0), NULL);
	char *reader = SHOW_ADDRESS(shmat(id, NULL, SHM_RDONLY), NULL);
	int zero = open("/dev/zero", O_RDONLY);

	printf("nattch %ld\n", nattch(id));
	fill(writer, SIZE, 1);
	printf("%zu wrong\n", wrong_pages(reader, SIZE, 1));
	SHOW_ACCESS(reader);
	SHOW_ACCESS(reader + SIZE / 2);
	IN_CHILD(SHOW_ACCESS(reader));
	SHOW(read(zero, reader, PAGE));
	SHOW(mprotect(reader, SIZE, RW));
	SHOW(mprotect(reader, SIZE, PROT_NONE));
	SHOW_ACCESS(reader);
	SHOW(mprotect(reader, SIZE, PROT_READ));
	printf("%zu wrong\n", wrong_pages(reader, SIZE, 1));
	SHOW(shmdt(reader));
	SHOW(shmdt(writer));
	SHOW(shmctl(id, IPC_RMID, NULL));
	return 0;
}
