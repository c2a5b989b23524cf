/* SPDX-License-Identifier: PostgreSQL */
/*
 * signals.c - a handler makes every kind of call at any moment, also in the middle of the same calls of the program; forks
 * are the matter of signal-forks.c.
 * Expects: redirected>1 demoted>1
 */
#include "snippet.h"

static volatile sig_atomic_t handled;
static volatile sig_atomic_t bad;

static int segment;

static void with_segment(void)
{
	char *memory = shmat(segment, NULL, 0);

	bad += memory == (char *)-1 || *memory != 1 || msync(memory, SIZE, MS_ASYNC) != 0 || shmdt(memory) != 0;
}

/* It is the same memory wherever it is. */
static void moved(int round)
{
	char *memory = mmap(NULL, SIZE, RW, SHARED, -1, 0), *grown;

	if (memory == MAP_FAILED) {
		bad++;
		return;
	}
	memory[SIZE - 1] = (char)round;
	bad += mlock(memory, PAGE) != 0 || munlock(memory, PAGE) != 0 || msync(memory, SIZE, MS_SYNC) != 0;
	grown = mremap(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	bad += grown == MAP_FAILED || grown[SIZE - 1] != (char)round || munmap(grown, 2 * SIZE) != 0;
}

/* A view of the handler's own, cut or not, in between what is ordinary. */
static void one_round(int round)
{
	char *page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *memory = mmap(NULL, SIZE, RW, SHARED, -1, 0);

	if (page == MAP_FAILED || memory == MAP_FAILED) {
		bad++;
		return;
	}
	*page = 1;
	memory[0] = memory[SIZE - 1] = (char)round;
	bad += mprotect(memory, SIZE, PROT_READ) != 0;
	bad += madvise(memory, SIZE, MADV_WILLNEED) != 0;
	if (round % 4 == 0)
		bad += munmap(memory + PAGE, PAGE) != 0;
	bad += memory[0] != (char)round || memory[SIZE - 1] != (char)round;
	bad += munmap(memory, SIZE) != 0 || munmap(page, PAGE) != 0;
}

static void on_timer(int signal)
{
	int saved = errno;

	(void)signal;
	one_round(handled);
	with_segment();
	moved(handled++);
	errno = saved;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART };
	char *memory;
	int status;

	segment = new_segment(SIZE);
	memory = shmat(segment, NULL, 0);
	*memory = 1;
	shmctl(segment, IPC_RMID, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; handled < 60; i++) {
		signal_soon(i);
		one_round(i);
		with_segment();
		if (i % 4 == 0)
			moved(i);
		if (i % 8 == 0) {
			if (fork() == 0) {
				one_round(i);
				_exit(bad != 0);
			}
			bad += wait(&status) <= 0 || status != 0;
		}
	}
	signal(SIGALRM, SIG_IGN);
	printf("bad: %d, nattch %ld\n", bad, nattch(segment));
	SHOW(shmdt(memory));
	return 0;
}
