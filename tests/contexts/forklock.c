/* SPDX-License-Identifier: PostgreSQL */
/*
 * forklock.c - a library for forks.c: it has a lock, and holds it over fork() by handlers of its own.
 *
 * Preloaded behind the library, its constructor runs before the library's, as do those of whatever a program is linked
 * with.
 */
#include "forklock.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void forklock_take(void)
{
	pthread_mutex_lock(&mutex);
}

void forklock_give(void)
{
	pthread_mutex_unlock(&mutex);
}

__attribute__((constructor)) static void hold_over_fork(void)
{
	pthread_atfork(forklock_take, forklock_give, forklock_give);
}
