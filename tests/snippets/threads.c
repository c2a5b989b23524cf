/* SPDX-License-Identifier: PostgreSQL */
/*
 * threads.c - many threads map, use, cut and unmap at once, among forks and signals whose handler does too.
 * Not with hugetlb: huge pages that others inherited have no parts of 4 kB
 * Expects: redirected>1 demoted>1
 */
#include <pthread.h>

#include "snippet.h"

#define THREADS	8
#define ROUNDS	60

static void one_round(int round)
{
	char *memory = map_shared(SIZE);

	memory[0] = memory[SIZE - 1] = (char)round;
	if (round % 4 == 0 && munmap(memory + PAGE, PAGE) != 0)
		abort();
	if (memory[0] != (char)round || memory[SIZE - 1] != (char)round || munmap(memory, SIZE) != 0)
		abort();
	/* Not ours, in between: must stay what it is. */
	memory = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory[0] = 1;
	if (munmap(memory, PAGE) != 0)
		abort();
}

static void *work(void *argument)
{
	for (int i = 0; i < ROUNDS; i++)
		one_round((int)(intptr_t)argument + i);
	return NULL;
}

static void on_alarm(int signal)
{
	(void)signal;
	one_round(4);
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	pthread_t threads[THREADS];
	int status, bad = 0;

	sigaction(SIGUSR1, &action, NULL);
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(30);
			one_round(i);
			_exit(0);
		}
		pthread_kill(threads[i % THREADS], SIGUSR1);
		one_round(i);
		waitpid(child, &status, 0);
		bad += status != 0;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("bad children: %d\n", bad);
	return 0;
}
