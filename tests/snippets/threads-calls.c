/* SPDX-License-Identifier: PostgreSQL */
/*
 * threads-calls.c - many threads at once attach and detach one segment, and change mappings of their own as a whole;
 * first among forks, then, without any, with calls that huge pages which others have too do not take.
 * Expects: redirected>1 demoted>1
 */
#include <pthread.h>
#include <stdatomic.h>

#include "snippet.h"

#define THREADS	8
#define ROUNDS	30

static int segment;
static atomic_int bad;

static void check(bool good)
{
	bad += !good;
}

/* Nobody writes to the segment now. */
static void attach_and_detach(int round)
{
	char *memory = shmat(segment, NULL, round % 3 == 0 ? SHM_RDONLY : 0);

	check(memory != (char *)-1 && wrong_pages(memory, SIZE, 1) == 0);
	check(shmdt(memory) == 0);
}

static void change_whole(int round)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, round);
	check(mprotect(memory, SIZE, PROT_READ) == 0);
	check(msync(memory, SIZE, round % 2 ? MS_SYNC : MS_ASYNC) == 0);
	check(wrong_pages(memory, SIZE, round) == 0);
	check(mprotect(memory, SIZE, RW) == 0);
	memory[SIZE - 1] = 1;
	check(munmap(memory, SIZE) == 0);
}

static void lock_and_move(int round)
{
	char *memory = map_shared(SIZE), *moved;

	fill(memory, SIZE, round);
	check(mlock(memory, PAGE) == 0 && munlock(memory, PAGE) == 0);
	check(mprotect(memory + PAGE, PAGE, PROT_READ) == 0 && mprotect(memory + PAGE, PAGE, RW) == 0);
	moved = mremap(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	check(moved != MAP_FAILED);
	check(wrong_pages(moved, SIZE, round) == 0);
	check(munmap(moved, 2 * SIZE) == 0);
}

static void *among_forks(void *first)
{
	for (int i = 0; i < ROUNDS; i++) {
		attach_and_detach((int)(intptr_t)first + i);
		change_whole((int)(intptr_t)first + i);
	}
	return NULL;
}

static void *without_forks(void *first)
{
	for (int i = 0; i < ROUNDS; i++) {
		attach_and_detach((int)(intptr_t)first + i);
		lock_and_move((int)(intptr_t)first + i);
	}
	return NULL;
}

static void start(pthread_t threads[THREADS], void *(*work)(void *))
{
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
			abort();
}

static void end(const pthread_t threads[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void fork_often(void)
{
	int status;

	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(60);
			bad = 0;
			attach_and_detach(i);
			change_whole(i);
			_exit(bad != 0);
		}
		check(waitpid(child, &status, 0) == child && status == 0);
	}
}

int main(void)
{
	pthread_t threads[THREADS];
	char *memory;

	segment = new_segment(SIZE);
	memory = shmat(segment, NULL, 0);
	shmctl(segment, IPC_RMID, NULL);
	fill(memory, SIZE, 1);
	start(threads, among_forks);
	fork_often();
	end(threads);
	printf("among forks: bad %d, nattch %ld\n", bad, nattch(segment));
	start(threads, without_forks);
	end(threads);
	printf("without: bad %d, nattch %ld\n", bad, nattch(segment));
	SHOW(shmdt(memory));
	SHOW(nattch(segment));
	return 0;
}
