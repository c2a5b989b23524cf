/* SPDX-License-Identifier: PostgreSQL */
/*
 * cost-measures.c - what preload-cost measures: calls, fork, the start of a program, memory of the process.
 *
 * Whatever fails ends the worker by abort(): a figure of calls that fail is none.
 */
#include "cost.h"

#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL
/* As small as PostgreSQL's own, and far below what the library takes. */
#define SEGMENT		56
/* Far from all else: beside other memory the kernel joins mappings, or does not, by where libraries happen to lie. */
#define PLACE		((void *)0x200000000000UL)

extern char **environ;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void need(int good)
{
	if (!good)
		abort();
}

static void *private_page(void)
{
	void *page = mmap(PLACE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(page != MAP_FAILED);
	return page;
}

/* Both calls are the library's: half of the pair is what falls to one. */
static double map_and_unmap(int count)
{
	double start = now();

	for (int i = 0; i < count; i++)
		need(munmap(private_page(), PAGE) == 0);
	return (now() - start) / count / 2;
}

static double protect(int count)
{
	char *page = private_page();
	double start;

	*page = 1;
	start = now();
	for (int i = 0; i < count; i++)
		need(mprotect(page, PAGE, PROT_READ | (i & 1 ? PROT_WRITE : 0)) == 0);
	start = now() - start;
	munmap(page, PAGE);
	return start / count;
}

static double advise(int count)
{
	char *page = private_page();
	double start;

	*page = 1;
	start = now();
	for (int i = 0; i < count; i++)
		need(madvise(page, PAGE, MADV_NORMAL) == 0);
	start = now() - start;
	munmap(page, PAGE);
	return start / count;
}

/*
 * The library has nothing to do with the removal: what is added to the pair is what shmget() adds.  No segment outlives the
 * loop's body but by SIGKILL: the worker has the other signals blocked.
 */
static double get_segments(int count)
{
	double start = now();

	for (int i = 0; i < count; i++)
		need(shmctl(shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600), IPC_RMID, NULL) == 0);
	return (now() - start) / count;
}

/*
 * Times attaching and detaching apart, of a segment that is removed and so ends with the process.  In batches: reading the
 * clock takes as long as what may be added.
 */
static double attach_segment(int count, double *detaching)
{
	enum { BATCH = 50 };
	int id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);
	void *first = shmat(id, NULL, 0), *memory[BATCH];
	double attaching = 0;

	need(shmctl(id, IPC_RMID, NULL) == 0 && first != (void *)-1);
	*detaching = 0;
	for (int done = 0; done < count; done += BATCH) {
		double start = now(), middle;

		for (int i = 0; i < BATCH; i++)
			need((memory[i] = shmat(id, NULL, 0)) != (void *)-1);
		middle = now();
		for (int i = 0; i < BATCH; i++)
			need(shmdt(memory[i]) == 0);
		*detaching += (now() - middle) / count;
		attaching += (middle - start) / count;
	}
	need(shmdt(first) == 0);
	return attaching;
}

static double attach(int count)
{
	double detaching;

	return attach_segment(count, &detaching);
}

static double detach(int count)
{
	double detaching;

	attach_segment(count, &detaching);
	return detaching;
}

/* Sizes up to 1 MB, so that malloc asks the kernel now and then. */
static double allocate(int count)
{
	static void *blocks[256];
	uint32_t random = 12345;
	double start = now();

	for (int i = 0; i < count; i++) {
		void **block = &blocks[(random = random * 1664525 + 1013904223) >> 24];

		free(*block);
		*block = malloc((size_t)1 << (random >> 8) % 21);
		need(*block != NULL);
		memset(*block, 1, 16);
	}
	return (now() - start) / count / 2;
}

static double fork_and_wait(int count)
{
	double start = now();

	for (int i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		need(child > 0 && waitpid(child, NULL, 0) == child);
	}
	return (now() - start) / count;
}

static double start_true(int count)
{
	char *arguments[] = { "/bin/true", NULL };
	double start = now();

	for (int i = 0; i < count; i++) {
		pid_t child;
		int status;

		need(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0);
		need(waitpid(child, &status, 0) == child && status == 0);
	}
	return (now() - start) / count;
}

/* The sum of the lines of a file in /proc that begin so, in kB. */
static double kilobytes(const char *path, const char *const *names)
{
	char line[256];
	double sum = 0;
	FILE *file = fopen(path, "r");

	need(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		for (size_t i = 0; names[i] != NULL; i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				sum += strtod(line + strlen(names[i]), NULL);
	fclose(file);
	return sum;
}

static double page_tables(int count)
{
	static const char *const names[] = { "VmPTE:", NULL };

	(void)count;
	return kilobytes("/proc/self/status", names);
}

/* All but shared memory, a library's text at the part that falls to this process. */
static double memory(int count)
{
	static const char *const names[] = { "Pss_Anon:", "Pss_File:", NULL };

	(void)count;
	return kilobytes("/proc/self/smaps_rollup", names);
}

const struct cost_measure cost_measures[] = {
	{ "page tables", "kB", COST_BARE, page_tables, 1, 8, COST_ADDED },
	{ "memory", "kB", COST_BARE, memory, 1, 100, COST_ADDED },
	{ "mmap, munmap of 4 kB", "ns", COST_BARE, map_and_unmap, 50, 50, COST_ADDED },
	{ "mprotect", "ns", COST_BARE, protect, 100, 50, COST_ADDED },
	{ "madvise", "ns", COST_BARE, advise, 200, 50, COST_ADDED },
	{ "shmget, removal", "ns", COST_BARE, get_segments, 10, 50, COST_ADDED },
	{ "shmat", "ns", COST_BARE, attach, 50, 50, COST_ADDED },
	{ "shmdt", "ns", COST_BARE, detach, 50, 50, COST_ADDED },
	{ "fork, exit, wait", "ns", COST_BARE, fork_and_wait, 1, 5, COST_PERCENT },
	{ "start of /bin/true", "ns", COST_BARE, start_true, 1, 1000000, COST_ADDED },
	{ "malloc, free", "ns", COST_BARE, allocate, 500, 50, COST_ADDED },
	{ "page tables, attached", "kB", COST_ATTACHED, page_tables, 1, 8, COST_ADDED },
	{ "memory, attached", "kB", COST_ATTACHED, memory, 1, 100, COST_ADDED },
	{ "mmap, munmap, attached", "ns", COST_ATTACHED, map_and_unmap, 50, 50, COST_ADDED },
	{ "mprotect, attached", "ns", COST_ATTACHED, protect, 100, 50, COST_ADDED },
	{ "madvise, attached", "ns", COST_ATTACHED, advise, 200, 50, COST_ADDED },
	{ "fork, attached", "ns", COST_ATTACHED, fork_and_wait, 1, 5, COST_PERCENT },
	{ "malloc of --malloc", "ns", COST_MALLOC, allocate, 500, 50, COST_ADDED },
};

const size_t cost_measure_count = sizeof(cost_measures) / sizeof(cost_measures[0]);
