// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: what it costs to unmap much memory from a region that many
 * processes have mapped, and have used lately.
 *
 * The pages belong to a file and stay: the cost is that of the page tables and
 * of the TLB flushes.
 */
#include "bench.h"

struct unmap_job {
	struct crew *crew;
	int file;
	int region;
	char *window;
	size_t bytes;
};

static double unmap_round(void *arg)
{
	struct unmap_job *job = arg;
	double start;

	must(!create_mapping(job->region, 0, job->bytes, 0, RW, REGION_FLAGS,
			     job->file));
	must(!madvise(job->window, job->bytes, MADV_POPULATE_WRITE));
	crew_touch(job->crew, job->window, job->bytes);
	start = now();
	must(!unmap(job->region, 0, job->bytes));
	return (now() - start) * 1e3;
}

static void unmap_region(int root, struct unmap_job *job, int guests)
{
	job->region = region_anon(root, PAGE_SZ);
	must(job->region >= 0);
	job->window = window(job->region, SLOT, RW, WINDOW_AT(0));
	must(job->window != MAP_FAILED);
	/* The caller is one of the guests. */
	job->crew = crew_start(guests - 1);
	measure("unmap_region", "ms", "guests", guests, unmap_round, job);
	crew_end(job->crew);
	must(!munmap(job->window, SLOT));
	close(job->region);
}

static double munmap_round(void *arg)
{
	struct unmap_job *job = arg;
	char *p = mmap(NULL, job->bytes, RW, MAP_SHARED, job->file, 0);
	double start;

	must(p != MAP_FAILED);
	must(!madvise(p, job->bytes, MADV_POPULATE_WRITE));
	start = now();
	must(!munmap(p, job->bytes));
	return (now() - start) * 1e3;
}

void bench_unmap(int root)
{
	struct unmap_job job = {
		.bytes = options.unmap_bytes,
		.file = memfd_present(options.unmap_bytes),
	};
	int i;

	measure("unmap_plain", "ms", "guests", 1, munmap_round, &job);
	for (i = 0; root >= 0 && i < options.unmap_guests.nr; i++)
		unmap_region(root, &job, options.unmap_guests.value[i]);
	close(job.file);
}
