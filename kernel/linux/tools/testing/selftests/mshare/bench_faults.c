// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: faults a second, by 1 to 64 processes.
 *
 * Each process writes to pages of its own in memory that all of them map: in
 * one region, and for comparison in an ordinary MAP_SHARED mapping of the same
 * file.  The pages exist: what counts is the way from the fault to the entry in
 * the page table, not the zeroing of memory.
 */
#include "bench.h"

struct fault_job {
	struct crew *crew;
	int file;
	int region;		/* or -1 */
	size_t share;		/* bytes, for each process */
	int procs;
};

/* Where a process sees the memory. */
static char *memory;

static void fault_map(int nr, void *arg)
{
	struct fault_job *job = arg;

	memory = mmap(NULL, job->share * job->procs, RW, MAP_SHARED, job->file,
		      0);
	CHECK(memory != MAP_FAILED);
}

static void fault_unmap(int nr, void *arg)
{
	struct fault_job *job = arg;

	CHECK(!munmap(memory, job->share * job->procs));
}

static void fault_touch(int nr, void *arg)
{
	struct fault_job *job = arg;

	touch_write(memory + nr * job->share, job->share);
}

static double fault_rate(struct fault_job *job)
{
	double seconds = crew_run(job->crew, fault_touch, job);

	return job->procs * (job->share / PAGE_SZ) / seconds;
}

static double plain_round(void *arg)
{
	struct fault_job *job = arg;
	double rate;

	crew_run(job->crew, fault_map, job);
	rate = fault_rate(job);
	crew_run(job->crew, fault_unmap, job);
	return rate;
}

/* The windows stay, the region is new. */
static double region_round(void *arg)
{
	struct fault_job *job = arg;
	size_t bytes = job->share * job->procs;
	double rate;

	must(!create_mapping(job->region, 0, bytes, 0, RW, REGION_FLAGS,
			     job->file));
	rate = fault_rate(job);
	must(!unmap(job->region, 0, bytes));
	return rate;
}

static struct fault_job *job_new(int procs)
{
	struct fault_job *job = (struct fault_job *)shared_anon(sizeof(*job));

	must(job != MAP_FAILED);
	job->procs = procs;
	job->share = options.fault_bytes / procs / PAGE_SZ * PAGE_SZ;
	job->file = memfd_present(job->share * procs);
	return job;
}

static void faults_plain(int procs)
{
	struct fault_job *job = job_new(procs);

	job->crew = crew_start(procs);
	measure("faults_plain", "1/s", "procs", procs, plain_round, job);
	crew_end(job->crew);
	close(job->file);
	munmap(job, sizeof(*job));
}

static void faults_region(int root, int procs)
{
	struct fault_job *job = job_new(procs);

	/* The page table that windows link must be there before the fork. */
	job->region = region_anon(root, PAGE_SZ);
	must(job->region >= 0);
	memory = window(job->region, SLOT, RW, WINDOW_AT(0));
	must(memory != MAP_FAILED);
	job->crew = crew_start(procs);
	measure("faults_region", "1/s", "procs", procs, region_round, job);
	crew_end(job->crew);
	must(!munmap(memory, SLOT));
	close(job->region);
	close(job->file);
	munmap(job, sizeof(*job));
}

void bench_faults(int root)
{
	int i;

	for (i = 0; i < options.procs.nr; i++) {
		faults_plain(options.procs.value[i]);
		if (root >= 0)
			faults_region(root, options.procs.value[i]);
	}
}
