/* SPDX-License-Identifier: PostgreSQL */
/*
 * inherited.c - what a child has too stays the memory of both, whatever one of them does to its mapping.
 * Expects: redirected=1 demoted=1
 */
#include "snippet.h"

static char *memory;

static void in_turn(int hear, int tell)
{
	char turn;

	for (int round = 0; round < 2; round++) {
		if (read(hear, &turn, 1) != 1)
			_exit(9);
		printf("child: %d, %zu wrong of the rest\n", memory[0], wrong_pages(memory + 2 * MEGA, 2 * MEGA, 1));
		fflush(stdout);
		memory[0] = (char)(20 + round);
		if (write(tell, &turn, 1) != 1)
			_exit(9);
	}
}

/* The parent writes, the child reads and writes, the parent reads. */
static void both(int tell, int hear, char value)
{
	char turn = 0;

	fflush(stdout);
	memory[0] = value;
	if (write(tell, &turn, 1) != 1 || read(hear, &turn, 1) != 1)
		printf("no child any more\n");
	printf("parent: %d\n", memory[0]);
}

int main(void)
{
	int down[2], up[2], status = -1;
	pid_t child;

	memory = map_shared(SIZE);
	fill(memory, SIZE, 1);
	if (pipe(down) != 0 || pipe(up) != 0)
		return 1;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		in_turn(down[0], up[1]);
		_exit(0);
	}
	SHOW(mprotect(memory, 2 * MEGA, PROT_READ));
	SHOW_ACCESS(memory);
	SHOW(mprotect(memory, 2 * MEGA, RW));
	both(down[1], up[0], 10);
	SHOW(munmap(memory + 2 * MEGA, 2 * MEGA));
	both(down[1], up[0], 11);
	printf("%d, ended with %d\n", waitpid(child, &status, 0) == child, status);
	return 0;
}
