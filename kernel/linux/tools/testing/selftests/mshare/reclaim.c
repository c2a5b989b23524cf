// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim of what regions map: by MADV_PAGEOUT, by pressure, by writeback; no
 * page and no write is lost, whichever process made it.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define BYTES	MB(32)
/* Small: twice that goes through swap four times, on debug kernels too. */
#define CGROUP_BYTES	MB(16)

static const char *no_swap, *no_cgroup;

FIXTURE(reclaim) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, BYTES of memory at its start */
	char *p;	/* its window, fill()ed with 1 */
	struct stage *stage;
};

FIXTURE_SETUP(reclaim)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_swap;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_anon(self->root, BYTES);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, BYTES, 1);
}

FIXTURE_TEARDOWN(reclaim)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static unsigned long resident(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? ~0UL : st.resident_pages;
}

/* Proves that MADV_PAGEOUT over a window reclaims the region's pages. */
TEST_F(reclaim, pageout)
{
	long swap = meminfo_value("SwapFree");

	EXPECT_EQ(BYTES / PAGE_SZ, resident(self->fd));
	ASSERT_EQ(0, madvise(self->p, BYTES, MADV_PAGEOUT));
	EXPECT_GE(BYTES / PAGE_SZ / 8, resident(self->fd));
	EXPECT_GE(swap - (long)(BYTES / 1024 * 3 / 4), meminfo_value("SwapFree"));
	EXPECT_TRUE(filled(self->p, BYTES, 1));
	EXPECT_EQ(BYTES / PAGE_SZ, resident(self->fd));
}

/*
 * Proves that it may be over the whole window, of which the object is the
 * smallest part.
 */
TEST_F(reclaim, pageout_of_whole_window)
{
	ASSERT_EQ(0, madvise(self->p, SLOT, MADV_PAGEOUT));
	EXPECT_GE(BYTES / PAGE_SZ / 8, resident(self->fd));
	EXPECT_TRUE(filled(self->p, BYTES, 1));
}

/* Proves that the rest stays when it is over a part. */
TEST_F(reclaim, pageout_of_a_part)
{
	ASSERT_EQ(0, madvise(self->p + BYTES / 2, BYTES / 2, MADV_PAGEOUT));
	EXPECT_LE(BYTES / PAGE_SZ / 2, resident(self->fd));
	EXPECT_GE(BYTES / PAGE_SZ * 5 / 8, resident(self->fd));
	EXPECT_TRUE(filled(self->p, BYTES, 1));
}

/* Proves that it works through a window that has never been accessed. */
TEST_F(reclaim, pageout_by_unlinked_window)
{
	char *other = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, madvise(other, BYTES, MADV_PAGEOUT));
	EXPECT_GE(BYTES / PAGE_SZ / 8, resident(self->fd));
	EXPECT_TRUE(filled(other, BYTES, 1));
	munmap(other, SLOT);
}

static int pageout_as_reader(void *arg)
{
	int fd = *(int *)arg;
	char *p = window(fd, SLOT, PROT_READ, NULL);

	become_nobody();
	CHECK(p != MAP_FAILED);
	CHECK(!madvise(p, BYTES, MADV_PAGEOUT));
	return 0;
}

/*
 * Proves that who may but read what belongs to others does not push it out: no
 * error, no effect, as with a plain mapping of a file.
 */
TEST_F(reclaim, pageout_by_reader)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, child_wait(child_run(pageout_as_reader, &fd)));
	EXPECT_EQ(BYTES / PAGE_SZ, resident(self->fd));
	close(fd);
}

static int verify_at_step_1(void *arg)
{
	void **args = arg;

	CHECK(filled(args[1], BYTES, 1));
	stage_add(args[0]);
	CHECK(stage_wait(args[2], 1));
	CHECK(filled(args[1], BYTES, 1));
	return 0;
}

/* Proves that what was swapped out comes back for all guests. */
TEST_F(reclaim, swap_in_by_all_guests)
{
	struct stage *go = stage_new();
	void *args[] = { self->stage, self->p, go };
	pid_t pid[4];
	int i;

	ASSERT_NE(NULL, go);
	for (i = 0; i < 4; i++)
		pid[i] = child_run(verify_at_step_1, args);
	EXPECT_TRUE(stage_wait(self->stage, 4));
	ASSERT_EQ(0, madvise(self->p, BYTES, MADV_PAGEOUT));
	EXPECT_GE(BYTES / PAGE_SZ / 8, resident(self->fd));
	stage_set(go, 1);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
}

#define WRITERS	3
#define COUNTED	MB(1)

/* Counts in a word of its own of each page, up to value[0]. */
static long count_in_pages(char *p, int nr, struct stage *stage)
{
	long *word, rounds = 0;
	size_t i;

	while (!__atomic_load_n(&stage->value[0], __ATOMIC_SEQ_CST)) {
		for (i = 0; i < COUNTED; i += PAGE_SZ) {
			word = (long *)(p + i) + 1 + nr;
			if (load(word) != rounds)
				return -1;
			store(word, rounds + 1);
		}
		rounds++;
	}
	for (i = 0; i < COUNTED; i += PAGE_SZ)
		if (((long *)(p + i))[1 + nr] != rounds)
			return -1;
	return rounds;
}

/*
 * Proves that no write is lost, whoever made it, when MADV_PAGEOUT takes pages
 * away: it flushes the TLBs of all guests.
 */
TEST_F_TIMEOUT(reclaim, no_write_is_lost, 120)
{
	time_t end = time(NULL) + 10;
	pid_t pid[WRITERS];
	int i;

	for (i = 0; i < WRITERS; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			_exit(count_in_pages(self->p, i, self->stage) <= 0);
	}
	while (time(NULL) < end)
		EXPECT_EQ(0, madvise(self->p, COUNTED, MADV_PAGEOUT));
	__atomic_store_n(&self->stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < WRITERS; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
}

/* Counts like them in a cgroup, which is charged for the pages. */
static int count_in_cgroup(char *p, int nr, struct stage *stage)
{
	CHECK(!cgroup_enter(0));
	return count_in_pages(p, nr, stage) <= 0;
}

/* Pages that the cgroup has lost. */
static long pages_stolen(void)
{
	return cgroup_read(0, "memory.stat", "pgsteal");
}

/*
 * Proves that reclaim flushes the TLBs of all guests, at the end of a batch of
 * pages, before it writes them out: else what a guest wrote last is lost.  For
 * MADV_PAGEOUT this could be missing, it flushes on its own in the end.
 */
TEST_F_TIMEOUT(reclaim, no_write_is_lost_by_others, 120)
{
	char *plain = shared_anon(COUNTED), *view;
	int i, fd = object_open(self->root, plain, COUNTED, 0);
	long stolen;
	pid_t pid[WRITERS];
	double end;

	if (no_cgroup)
		SKIP(return, "%s", no_cgroup);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	stolen = pages_stolen();
	for (i = 0; i < WRITERS; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			_exit(count_in_cgroup(view, i, self->stage));
	}
	/* It is no error that there is less to be had. */
	for (end = now() + 10; now() < end ||
	     (now() < end + 50 && pages_stolen() <= stolen + 100);)
		cgroup_write(0, "memory.reclaim", "1M");
	__atomic_store_n(&self->stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < WRITERS; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	EXPECT_LT(stolen + 100, pages_stolen());
	munmap(view, SLOT);
	munmap(plain, COUNTED);
	close(fd);
}

/*
 * Proves that no write is lost when pages are moved elsewhere, for compaction.
 */
TEST_F_TIMEOUT(reclaim, no_write_is_lost_by_compaction, 120)
{
	time_t end = time(NULL) + 5;
	pid_t pid[WRITERS];
	int i, compact = open("/proc/sys/vm/compact_memory", O_WRONLY);

	if (compact < 0)
		SKIP(return, "no compaction");
	for (i = 0; i < WRITERS; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			_exit(count_in_pages(self->p, i, self->stage) <= 0);
	}
	while (time(NULL) < end)
		EXPECT_EQ(1, pwrite(compact, "1", 1, 0));
	__atomic_store_n(&self->stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < WRITERS; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	close(compact);
}

/*
 * Proves that objects are reclaimed as well, when nobody else maps the pages.
 */
TEST_F(reclaim, pageout_of_object)
{
	char *plain = shared_anon(BYTES), *view;
	int fd = object_open(self->root, plain, BYTES, 0);

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	ASSERT_EQ(0, madvise(view, BYTES, MADV_PAGEOUT));
	EXPECT_GE(BYTES / PAGE_SZ / 8, resident(fd));
	EXPECT_TRUE(filled(plain, BYTES, 1));
	EXPECT_TRUE(filled(view, BYTES, 1));
	munmap(view, SLOT);
	munmap(plain, BYTES);
	close(fd);
}

static int overcommit_cgroup(void *arg)
{
	int root = *(int *)arg, fd, i;
	char *p;

	CHECK(!cgroup_enter(0));
	fd = region_anon(root, 2 * CGROUP_BYTES);
	CHECK(fd >= 0);
	p = window(fd, SLOT, RW, NULL);
	CHECK(p != MAP_FAILED);
	for (i = 1; i < 3; i++) {
		fill(p, 2 * CGROUP_BYTES, i);
		CHECK(filled(p, 2 * CGROUP_BYTES, i));
	}
	CHECK(resident(fd) < CGROUP_BYTES * 5 / 4 / PAGE_SZ);
	return 0;
}

/*
 * Proves that a region twice as large as its cgroup may be goes through swap
 * under pressure.
 */
TEST_F_TIMEOUT(reclaim, pressure, 300)
{
	char limit[24];

	if (no_cgroup)
		SKIP(return, "%s", no_cgroup);
	snprintf(limit, sizeof(limit), "%lu", CGROUP_BYTES);
	ASSERT_EQ(0, cgroup_write(0, "memory.max", limit));
	EXPECT_EQ(0, child_wait(child_run(overcommit_cgroup, &self->root)));
	EXPECT_EQ(0, cgroup_write(0, "memory.max", "max"));
}

/*
 * Proves that writeback takes write access away in all guests: what windows
 * write gets to the disk, at the first fsync() and at each one after it.
 */
TEST_F_TIMEOUT(reclaim, writeback, 120)
{
	const char *why = ext4_mount("/mnt", MB(64));
	char *back = shared_anon(MB(4)), *view;
	int file, direct, round;

	if (why)
		SKIP(return, "%s", why);
	file = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	direct = open("/mnt/file", O_RDONLY | O_DIRECT);
	ASSERT_LE(0, file);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, ftruncate(file, MB(4)));
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), MB(4), 0, RW, REGION_FLAGS,
				    file));
	view = self->p + GB(1);
	for (round = 1; round < 10; round++) {
		/* Each fsync takes write access away, in all guests. */
		fill(view, MB(4), round);
		ASSERT_EQ(0, fsync(file));
		ASSERT_EQ((ssize_t)MB(4), pread(direct, back, MB(4), 0));
		EXPECT_TRUE(filled(back, MB(4), round));
		ASSERT_EQ(0, madvise(view, MB(4), MADV_PAGEOUT));
		EXPECT_GE(MB(4) / PAGE_SZ / 8,
			  resident(self->fd) - BYTES / PAGE_SZ);
		EXPECT_TRUE(filled(view, MB(4), round));
	}
	ASSERT_EQ(0, unmap(self->fd, GB(1), MB(4)));
	close(direct);
	close(file);
	EXPECT_EQ(0, umount2("/mnt", 0));
	munmap(back, MB(4));
}

int main(int argc, char **argv)
{
	if (!mshare_missing()) {
		no_cgroup = cgroups_get(1);
		no_swap = swap_get(MB(256));
	}
	return test_harness_run(argc, argv);
}
