// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: pages reclaimed a second, by MADV_PAGEOUT.
 *
 * Clean pages of a file are only unmapped and freed, so that the TLB flushes
 * are a large part of it; shared memory goes to swap, here on a loop device on
 * memory.  In a region that processes have mapped and used lately, and in an
 * ordinary mapping.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "bench.h"

struct reclaim_job {
	struct crew *crew;
	char *memory;
	size_t bytes;
	int advice;		/* that faults all in */
};

static size_t present(const struct reclaim_job *job)
{
	size_t i, pages = job->bytes / PAGE_SZ, found = 0;
	unsigned char *vec = malloc(pages);

	must(vec);
	must(!mincore(job->memory, job->bytes, vec));
	for (i = 0; i < pages; i++)
		found += vec[i] & 1;
	free(vec);
	return found;
}

static double reclaim_round(void *arg)
{
	struct reclaim_job *job = arg;
	size_t before, after;
	double start, seconds;

	must(!madvise(job->memory, job->bytes, job->advice));
	crew_touch(job->crew, job->memory, job->bytes);
	before = present(job);
	start = now();
	must(!madvise(job->memory, job->bytes, MADV_PAGEOUT));
	seconds = now() - start;
	after = present(job);
	/* Or it is no measurement. */
	must(before == job->bytes / PAGE_SZ);
	must(after < before / 4);
	return (before - after) / seconds;
}

static void reclaim_plain(struct reclaim_job *job, const char *metric,
			  int file)
{
	int prot = job->advice == MADV_POPULATE_READ ? PROT_READ : RW;

	job->memory = mmap(NULL, job->bytes, prot, MAP_SHARED, file, 0);
	must(job->memory != MAP_FAILED);
	job->crew = crew_start(0);
	measure(metric, "1/s", "guests", 1, reclaim_round, job);
	crew_end(job->crew);
	munmap(job->memory, job->bytes);
}

static void reclaim_region(struct reclaim_job *job, const char *metric,
			   int file, int root, int guests)
{
	int prot = job->advice == MADV_POPULATE_READ ? PROT_READ : RW;
	int region = region_anon(root, PAGE_SZ);

	must(region >= 0);
	must(!create_mapping(region, 0, job->bytes, 0, prot, REGION_FLAGS,
			     file));
	job->memory = window(region, SLOT, RW, WINDOW_AT(0));
	must(job->memory != MAP_FAILED);
	/* The caller is one of the guests. */
	job->crew = crew_start(guests - 1);
	measure(metric, "1/s", "guests", guests, reclaim_round, job);
	crew_end(job->crew);
	must(!munmap(job->memory, SLOT));
	close(region);
}

static void reclaim_swap(int root, struct reclaim_job *job)
{
	int i, file = memfd_present(job->bytes);

	job->advice = MADV_POPULATE_WRITE;
	reclaim_plain(job, "reclaim_swap_plain", file);
	for (i = 0; root >= 0 && i < options.reclaim_guests.nr; i++)
		reclaim_region(job, "reclaim_swap_region", file, root,
			       options.reclaim_guests.value[i]);
	close(file);
}

/* A file on a disk with nothing left to write. */
static int clean_file(size_t bytes)
{
	int fd = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	char page[PAGE_SZ] = { 1 };
	size_t i;

	must(fd >= 0);
	for (i = 0; i < bytes; i += PAGE_SZ)
		must(write(fd, page, PAGE_SZ) == (ssize_t)PAGE_SZ);
	must(!fsync(fd));
	return fd;
}

static void reclaim_file(int root, struct reclaim_job *job)
{
	int i, file = clean_file(job->bytes);

	job->advice = MADV_POPULATE_READ;
	reclaim_plain(job, "reclaim_file_plain", file);
	for (i = 0; root >= 0 && i < options.reclaim_guests.nr; i++)
		reclaim_region(job, "reclaim_file_region", file, root,
			       options.reclaim_guests.value[i]);
	close(file);
}

void bench_reclaim(int root)
{
	const char *why = ext4_mount("/mnt", options.reclaim_bytes + MB(64));
	struct reclaim_job job = { .bytes = options.reclaim_bytes };

	if (why) {
		printf("# reclaim of a file: not measured: %s\n", why);
	} else {
		reclaim_file(root, &job);
		must(!umount2("/mnt", 0));
	}
	if (meminfo_value("SwapFree") > (long)(job.bytes / 1024))
		reclaim_swap(root, &job);
	else
		printf("# reclaim to swap: not measured: no swap\n");
}
