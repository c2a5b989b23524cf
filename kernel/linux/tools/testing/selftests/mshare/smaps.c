// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory a process uses, by its windows: what smaps, pagemap and
 * numa_maps say against what is known to be in the region.  In v3 they walked
 * the shared tables without the host mm's lock; to leave windows out instead
 * would hide a server's memory from whoever looks for it.
 */
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

#define BYTES	MB(4)
#define PAGES	((long)(BYTES / PAGE_SZ))
#define KBYTES	((long)(BYTES / 1024))

FIXTURE(smaps) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, BYTES of memory at its start, filled */
	char *p;	/* its window */
	struct stage *stage;
};

FIXTURE_SETUP(smaps)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_anon(self->root, BYTES);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, GB(1), BYTES));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, BYTES, 1);
}

FIXTURE_TEARDOWN(smaps)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static long rollup(const char *key)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	size_t len = strlen(key);
	char line[512];
	long kb = -1;

	if (!f)
		return -1;
	while (kb < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, len) && line[len] == ':')
			kb = atol(line + len + 1);
	fclose(f);
	return kb;
}

/*
 * Proves that Rss and Pss of a window are what its region holds, at each
 * moment.
 */
TEST_F(smaps, one_window)
{
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Rss"));
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Pss"));
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Private_Dirty"));
	EXPECT_EQ(0, smaps_kb(self->p, "Shared_Dirty"));
	EXPECT_EQ(0, smaps_kb(self->p, "Locked"));
	/* More of the region, and less. */
	fill(self->p + GB(1), MB(1), 1);
	EXPECT_EQ(KBYTES + 1024, smaps_kb(self->p, "Rss"));
	ASSERT_EQ(0, unmap(self->fd, 0, BYTES));
	EXPECT_EQ(1024, smaps_kb(self->p, "Rss"));
	EXPECT_EQ(1024, smaps_kb(self->p, "Pss"));
}

static int wait_for_end(void *arg)
{
	struct stage *stage = arg;

	stage_add(stage);
	while (stage->value[0] == 0)
		usleep(1000);
	return 0;
}

/*
 * Proves that with 3 processes each pays a third, or the sum over all of a
 * server's would be a multiple of what there is.
 */
TEST_F(smaps, pss_is_divided)
{
	pid_t a = child_run(wait_for_end, self->stage);
	pid_t b = child_run(wait_for_end, self->stage);

	EXPECT_TRUE(stage_wait(self->stage, 2));
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Rss"));
	EXPECT_EQ(KBYTES / 3, smaps_kb(self->p, "Pss"));
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Shared_Dirty"));
	EXPECT_EQ(0, smaps_kb(self->p, "Private_Dirty"));
	self->stage->value[0] = 1;
	EXPECT_EQ(0, child_wait(a));
	EXPECT_EQ(0, child_wait(b));
}

/*
 * Proves that two windows of one process have two parts, and together the
 * whole.
 */
TEST_F(smaps, two_windows)
{
	char *q = window(self->fd, SLOT, PROT_READ, WINDOW_AT(2));

	ASSERT_EQ(WINDOW_AT(2), q);
	EXPECT_EQ(KBYTES, smaps_kb(q, "Rss"));
	EXPECT_EQ(KBYTES / 2, smaps_kb(self->p, "Pss"));
	EXPECT_EQ(KBYTES / 2, smaps_kb(q, "Pss"));
	munmap(q, SLOT);
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Pss"));
}

/*
 * Proves that smaps_rollup counts windows: the sums of the process are those of
 * its mappings.
 */
TEST_F(smaps, rollup)
{
	long rss = rollup("Rss"), pss = rollup("Pss"), q;

	ASSERT_LT(KBYTES, rss);
	ASSERT_LT(KBYTES, pss);
	fill(self->p + GB(1), BYTES, 1);
	q = rollup("Rss");
	/* The heap and the stack may have grown as well. */
	EXPECT_LE(rss + KBYTES, q);
	EXPECT_GE(rss + KBYTES + 512, q);
	EXPECT_LE(pss + KBYTES, rollup("Pss"));
}

/* Proves that Locked is the host vma's: what MSHAREFS_LOCK has locked. */
TEST_F(smaps, locked)
{
	ASSERT_EQ(0, region_lock(self->fd, 0, MB(1), 1));
	EXPECT_EQ(1024, smaps_kb(self->p, "Locked"));
	EXPECT_EQ(KBYTES, smaps_kb(self->p, "Rss"));
	ASSERT_EQ(0, region_lock(self->fd, 0, MB(1), 0));
	EXPECT_EQ(0, smaps_kb(self->p, "Locked"));
}

/*
 * Proves that nobody else counts it: not VmRSS, nor VmPTE, of which it is no
 * part.
 */
TEST_F(smaps, status)
{
	long rss = status_kb(0, "VmRSS"), pte = status_kb(0, "VmPTE");

	fill(self->p + GB(1), BYTES, 1);
	EXPECT_GT(rss + KBYTES / 2, status_kb(0, "VmRSS"));
	EXPECT_EQ(pte, status_kb(0, "VmPTE"));
}

#define PRESENT	0x8000000000000000ULL
#define FRAME	0x007fffffffffffffULL

static int pagemap_read(const char *p, __u64 *entries, size_t count)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t len = count * 8;

	if (fd < 0)
		return -1;
	if (pread(fd, entries, len, (uintptr_t)p / PAGE_SZ * 8) != len)
		len = -1;
	close(fd);
	return len < 0 ? -1 : 0;
}

/*
 * Proves that pagemap tells page by page what is in the region, as in a plain
 * mapping.
 */
TEST_F(smaps, pagemap)
{
	__u64 entries[32], plain[32];
	int i, file = memfd(32 * PAGE_SZ);
	char *q;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, create_mapping(self->fd, GB(2), 32 * PAGE_SZ, 0, RW,
				    REGION_FLAGS, file));
	q = mmap(NULL, 32 * PAGE_SZ, RW, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, q);
	for (i = 0; i < 32; i += 3) {
		store(&self->p[GB(2) + i * PAGE_SZ], 1);
		load(&q[i * PAGE_SZ]);
	}
	ASSERT_EQ(0, pagemap_read(self->p + GB(2), entries, 32));
	ASSERT_EQ(0, pagemap_read(q, plain, 32));
	for (i = 0; i < 32; i++) {
		EXPECT_EQ(i % 3 == 0, !!(entries[i] & PRESENT))
			TH_LOG("page %d", i);
		if (i % 3 == 0)
			EXPECT_EQ(plain[i] & FRAME, entries[i] & FRAME);
	}
	/* Around the object there is nothing. */
	ASSERT_EQ(0, pagemap_read(self->p + GB(2) + 32 * PAGE_SZ, entries, 32));
	for (i = 0; i < 32; i++)
		EXPECT_EQ(0ULL, entries[i] & PRESENT);
	munmap(q, 32 * PAGE_SZ);
	close(file);
}

/* Pages on all nodes of the mapping at @p in numa_maps. */
static long numa_pages(const char *p)
{
	FILE *f = fopen("/proc/self/numa_maps", "r");
	char line[1024], start[32], *at;
	long pages = 0;

	if (!f)
		return -1;
	snprintf(start, sizeof(start), "%lx ", (unsigned long)p);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, start, strlen(start)))
			continue;
		for (at = line; (at = strstr(at, " N")); at++)
			if (at[2] >= '0' && at[2] <= '9')
				pages += strtol(strchr(at, '=') + 1, NULL, 10);
	}
	fclose(f);
	return pages;
}

/* Proves that numa_maps counts the pages that the region holds. */
TEST_F(smaps, numa_maps)
{
	if (access("/proc/self/numa_maps", F_OK))
		SKIP(return, "no CONFIG_NUMA");
	EXPECT_EQ(PAGES, numa_pages(self->p));
	ASSERT_EQ(0, unmap(self->fd, 0, MB(1)));
	EXPECT_EQ(PAGES - (long)(MB(1) / PAGE_SZ), numa_pages(self->p));
}

/*
 * Proves that walkers hold the lock of the host mm: its tables come and go
 * beneath them, and what they say has to make sense.
 */
TEST_F(smaps, reads_while_the_region_changes)
{
	pid_t pid = child_fork();
	int i;

	if (!pid) {
		for (;;) {
			unmap(self->fd, 0, BYTES);
			create_anon(self->fd, 0, BYTES);
			region_populate(self->fd, 0, BYTES);
		}
	}
	for (i = 0; i < 200; i++) {
		long rss = smaps_kb(self->p, "Rss");
		__u64 entry;

		EXPECT_LE(0, rss);
		EXPECT_GE(KBYTES, rss);
		EXPECT_LT(0, rollup("Rss"));
		EXPECT_EQ(0, pagemap_read(self->p, &entry, 1));
	}
	child_kill(pid);
}

TEST_HARNESS_MAIN
