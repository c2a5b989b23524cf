/* SPDX-License-Identifier: PostgreSQL */
/*
 * forks.c - forks while a thread maps shared memory under a lock that another library (forklock.c) takes for each fork.
 *
 * With two locks taken in different orders, it never ends.
 */
#include "snippet.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define FORKS	300

static void (*take)(void), (*give)(void);
static atomic_bool over;
static atomic_ulong mapped;

static void *map_under_lock(void *unused)
{
	while (!over) {
		char *memory;

		take();
		memory = map_shared(SIZE);
		if (munmap(memory, SIZE) == 0)
			mapped++;
		give();
		sched_yield();
	}
	return unused;
}

int main(void)
{
	pthread_t thread;
	int ended = 0;

	take = (void (*)(void))dlsym(RTLD_DEFAULT, "forklock_take");
	give = (void (*)(void))dlsym(RTLD_DEFAULT, "forklock_give");
	if (take == NULL || give == NULL || pthread_create(&thread, NULL, map_under_lock, NULL) != 0)
		return 2;
	for (int i = 0; i < FORKS; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(7);
		if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7)
			ended++;
	}
	over = true;
	pthread_join(thread, NULL);
	printf("%d children, mapped meanwhile: %s\n", ended, mapped > 0 ? "yes" : "no");
	return 0;
}
