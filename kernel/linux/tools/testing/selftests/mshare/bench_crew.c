// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: processes that work in step, and the clock.
 */
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"

/* In memory that the crew shares. */
struct crew {
	int nr;
	int step;	/* futex: a new one starts the work */
	int done;	/* futex: members that are through */
	crew_fn fn;
	void *arg;
	char *memory;	/* of crew_touch() */
	size_t bytes;
	double end[MAX_CREW];
	pid_t pid[MAX_CREW];
};

static void futex_wake(int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Until *@word is not @value any more, or for a second. */
static void futex_wait(int *word, int value)
{
	struct timespec second = { 1, 0 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &second, NULL, 0);
}

static void crew_member(struct crew *crew, int nr)
{
	int step = 0;

	for (;;) {
		while (__atomic_load_n(&crew->step, __ATOMIC_ACQUIRE) == step)
			futex_wait(&crew->step, step);
		step++;
		if (!crew->fn)
			_exit(0);
		crew->fn(nr, crew->arg);
		crew->end[nr] = now();
		if (__atomic_add_fetch(&crew->done, 1, __ATOMIC_ACQ_REL) ==
		    crew->nr)
			futex_wake(&crew->done);
	}
}

struct crew *crew_start(int nr)
{
	struct crew *crew = (struct crew *)shared_anon(sizeof(*crew));
	pid_t pid;
	int i;

	must(crew != MAP_FAILED);
	must(nr <= MAX_CREW);
	crew->nr = nr;
	for (i = 0; i < nr; i++) {
		pid = child_fork();
		must(pid >= 0);
		if (!pid)
			crew_member(crew, i);
		crew->pid[i] = pid;
	}
	return crew;
}

static void crew_go(struct crew *crew, crew_fn fn, void *arg)
{
	crew->fn = fn;
	crew->arg = arg;
	crew->done = 0;
	__atomic_add_fetch(&crew->step, 1, __ATOMIC_RELEASE);
	futex_wake(&crew->step);
}

double crew_run(struct crew *crew, crew_fn fn, void *arg)
{
	double start = now(), end = 0;
	int i, done;

	crew_go(crew, fn, arg);
	for (;;) {
		done = __atomic_load_n(&crew->done, __ATOMIC_ACQUIRE);
		if (done == crew->nr)
			break;
		futex_wait(&crew->done, done);
		/* Nobody has been told to go yet. */
		must(waitpid(-1, NULL, WNOHANG) == 0);
	}
	for (i = 0; i < crew->nr; i++)
		if (crew->end[i] > end)
			end = crew->end[i];
	return end - start;
}

static void touch_one(int nr, void *arg)
{
	struct crew *crew = arg;

	load(crew->memory + nr * PAGE_SZ % crew->bytes);
}

void crew_touch(struct crew *crew, char *memory, size_t bytes)
{
	crew->memory = memory;
	crew->bytes = bytes;
	crew_run(crew, touch_one, crew);
}

void crew_end(struct crew *crew)
{
	int i;

	crew_go(crew, NULL, NULL);
	for (i = 0; i < crew->nr; i++)
		must(child_wait(crew->pid[i]) == 0);
	munmap(crew, sizeof(*crew));
}

int memfd_present(size_t bytes)
{
	int fd = memfd(bytes);

	must(fd >= 0);
	must(!fallocate(fd, 0, 0, bytes));
	return fd;
}

void touch_write(char *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE_SZ)
		store(&p[i], 1);
}
