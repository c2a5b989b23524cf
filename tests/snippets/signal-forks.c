/* SPDX-License-Identifier: PostgreSQL */
/*
 * signal-forks.c - a handler forks, in ways that tell no library of it, at any moment of the program's calls; parent and
 * child both go on making them.
 * Expects: redirected>1 demoted=0
 */
#include <sched.h>
#include <sys/syscall.h>

#include "snippet.h"

static volatile sig_atomic_t handled;
static volatile sig_atomic_t bad;
static int segment;

/* On all of a mapping, as huge pages that a child has too take no other calls. */
static void one_round(int round)
{
	char *memory = mmap(NULL, SIZE, RW, SHARED, -1, 0), *attached = shmat(segment, NULL, 0);

	if (memory == MAP_FAILED || attached == (char *)-1) {
		bad++;
		return;
	}
	memory[0] = memory[SIZE - 1] = (char)round;
	bad += mprotect(memory, SIZE, PROT_READ) != 0 || msync(memory, SIZE, MS_ASYNC) != 0;
	bad += memory[0] != (char)round || memory[SIZE - 1] != (char)round || *attached != 1;
	bad += munmap(memory, SIZE) != 0 || shmdt(attached) != 0;
}

static int in_child(void *round)
{
	bad = 0;
	one_round((int)(intptr_t)round);
	_exit(bad != 0);
}

static void on_timer(int signal)
{
	static char stack[256 << 10];
	int saved = errno, status, round = handled++;
	pid_t child;

	(void)signal;
	if (round % 3 == 0)
		child = _Fork();
	else if (round % 3 == 1)
		child = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
	else
		child = clone(in_child, stack + sizeof(stack), SIGCHLD, (void *)(intptr_t)round);
	if (child == 0)
		in_child((void *)(intptr_t)round);
	one_round(round);
	bad += waitpid(child, &status, 0) != child || status != 0;
	errno = saved;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	char *memory;

	segment = new_segment(SIZE);
	memory = shmat(segment, NULL, 0);
	*memory = 1;
	shmctl(segment, IPC_RMID, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; handled < 60; i++) {
		signal_soon(i);
		one_round(i);
	}
	signal(SIGALRM, SIG_IGN);
	printf("bad: %d, nattch %ld\n", bad, nattch(segment));
	SHOW(shmdt(memory));
	SHOW(nattch(segment));
	return 0;
}
