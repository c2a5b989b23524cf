// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: what everybody pays, with no region anywhere.
 *
 * For comparing kernels with and without CONFIG_MSHARE: it runs on both.
 */
#include "bench.h"

#define BYTES	MB(64)
#define FORKS	200
#define MAPS	5000

static double fork_round(void *unused)
{
	double start = now();
	pid_t pid;
	int i;

	for (i = 0; i < FORKS; i++) {
		pid = fork();
		must(pid >= 0);
		if (!pid)
			_exit(0);
		must(child_wait(pid) == 0);
	}
	return FORKS / (now() - start);
}

static double fault_rate(char *p)
{
	double start = now(), seconds;

	touch_write(p, BYTES);
	seconds = now() - start;
	must(!munmap(p, BYTES));
	return BYTES / PAGE_SZ / seconds;
}

/* Of 4 KB each, whatever the system likes better. */
static char *private_memory(void)
{
	char *p = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED);
	madvise(p, BYTES, MADV_NOHUGEPAGE);
	return p;
}

static double private_round(void *unused)
{
	return fault_rate(private_memory());
}

static double shared_round(void *arg)
{
	char *p = mmap(NULL, BYTES, RW, MAP_SHARED, *(int *)arg, 0);

	must(p != MAP_FAILED);
	return fault_rate(p);
}

static double mmap_round(void *arg)
{
	double start = now();
	char *p;
	int i;

	for (i = 0; i < MAPS; i++) {
		p = mmap(NULL, PAGE_SZ, RW, MAP_SHARED, *(int *)arg, 0);
		must(p != MAP_FAILED);
		store(p, 1);
		must(!munmap(p, PAGE_SZ));
	}
	return MAPS / (now() - start);
}

void bench_plain(void)
{
	int file = memfd_present(BYTES);
	char *p;

	measure("plain_faults_private", "1/s", "procs", 1, private_round, NULL);
	measure("plain_faults_shared", "1/s", "procs", 1, shared_round, &file);
	measure("plain_mmap_munmap", "1/s", "procs", 1, mmap_round, &file);
	measure("plain_fork_exit", "1/s", "mb", 0, fork_round, NULL);
	/* With page tables to copy. */
	p = private_memory();
	touch_write(p, BYTES);
	measure("plain_fork_exit", "1/s", "mb", BYTES / MB(1), fork_round,
		NULL);
	munmap(p, BYTES);
	close(file);
}
