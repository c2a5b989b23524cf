// SPDX-License-Identifier: GPL-2.0
/*
 * Transparent huge pages in regions: one entry for 2 MB instead of a table of
 * 512, split and put together beneath all windows at once.
 */
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define BYTES	MB(32)

static const char *no_thp;

FIXTURE(thp) {
	struct mshare_env env;
	int root;
	int file;	/* a memfd of BYTES */
	char *plain;	/* its mapping */
	int fd;		/* its region, with huge pages */
	char *view;	/* the object in a window of it */
};

FIXTURE_SETUP(thp)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_thp;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->file = memfd(BYTES);
	ASSERT_LE(0, self->file);
	self->plain = mmap(NULL, BYTES, RW, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
	self->fd = object_open(self->root, self->plain, BYTES,
			       MSHARE_OBJECT_HUGEPAGE);
	ASSERT_LE(0, self->fd);
	self->view = object_window(self->fd, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->view);
}

FIXTURE_TEARDOWN(thp)
{
	munmap(self->view, SLOT);
	munmap(self->plain, BYTES);
	close(self->fd);
	close(self->file);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* HUGEPAGE is told by STAT, of the region that was made with it. */
TEST_F(thp, stat_tells)
{
	char *other = shared_anon(BYTES);
	int fd = object_open(self->root, other, BYTES, 0);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT | MSHARE_STAT_HUGEPAGE, st.flags);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT, st.flags);
	munmap(other, BYTES);
	close(fd);
}

/* Where shmem_enabled says "advise", it is advice enough. */
TEST_F(thp, huge_entries)
{
	long before = meminfo_settled("ShmemPmdMapped");
	struct mshare_stat st;

	fill(self->view, BYTES, 1);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(BYTES / PAGE_SZ, st.resident_pages);
	/* Not one table of 4 KB entries, were it only for memory's sake. */
	EXPECT_GT(8 * PAGE_SZ, st.page_table_bytes);
	EXPECT_LE(before + (long)(BYTES / 1024), meminfo_value("ShmemPmdMapped"));
	EXPECT_TRUE(filled(self->plain, BYTES, 1));
}

/* A fault for each 2 MB, in the first process only. */
TEST_F(thp, faults)
{
	long before;
	pid_t pid;

	touch(self->view, PAGE_SZ);
	before = minor_faults();
	touch(self->view, BYTES);
	EXPECT_GE(before + (long)(BYTES / HUGE_SZ), minor_faults());
	pid = child_fork();
	if (!pid) {
		minor_faults();
		before = minor_faults();
		touch(self->view, BYTES);
		_exit(minor_faults() != before);
	}
	EXPECT_EQ(0, child_wait(pid));
}

/*
 * Proves that a huge page is split beneath all guests: the hole is zeros for
 * everyone, and the rest of it stays.
 */
TEST_F(thp, split_by_hole)
{
	struct stage *stage = stage_new();
	pid_t pid;

	ASSERT_NE(NULL, stage);
	fill(self->view, BYTES, 1);
	pid = child_fork();
	if (!pid) {
		CHECK(filled(self->view, BYTES, 1));
		stage_set(stage, 1);
		CHECK(stage_wait(stage, 2));
		CHECK(!self->view[PAGE_SZ]);
		CHECK(self->view[0] == 1 && self->view[2 * PAGE_SZ] == 3);
		self->view[PAGE_SZ] = 2;
		CHECK(filled(self->view, BYTES, 1));
		_exit(0);
	}
	EXPECT_TRUE(stage_wait(stage, 1));
	EXPECT_EQ(0, fallocate(self->file, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, PAGE_SZ, PAGE_SZ));
	EXPECT_EQ(0, self->view[PAGE_SZ]);
	stage_set(stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_TRUE(filled(self->view, BYTES, 1));
}

#define COUNTED	MB(4)

/* Counts in each page, in a word of its own, until value[0] is set. */
static int count_in_pages(char *p, int nr, struct stage *stage)
{
	long *word, rounds = 0;
	size_t i;

	stage_add(stage);
	while (!__atomic_load_n(&stage->value[0], __ATOMIC_SEQ_CST)) {
		for (i = 0; i < COUNTED; i += PAGE_SZ) {
			word = (long *)(p + i) + 1 + nr;
			CHECK(load(word) == rounds);
			store(word, rounds + 1);
		}
		rounds++;
		usleep(1000);
	}
	return 0;
}

/* It fails with EAGAIN while somebody is in the middle of a fault. */
static int collapse(char *p, size_t bytes)
{
	int tries, ret = -1;

	for (tries = 0; ret && tries < 500; tries++) {
		ret = madvise(p, bytes, MADV_COLLAPSE);
		if (ret && errno != EAGAIN)
			break;
		usleep(2000);
	}
	return ret;
}

/*
 * Proves that small pages are put together to huge ones beneath processes that
 * write: the tables that become free have left all guests' TLBs.
 */
TEST_F_TIMEOUT(thp, collapse_beneath_writers, 120)
{
	char *small = mmap(WINDOW_AT(30), COUNTED, RW, MAP_SHARED |
			   MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int i, fd = object_open(self->root, small, COUNTED, 0);
	struct mshare_stat before, after;
	struct stage *stage = stage_new();
	pid_t pid[3];
	char *view;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, stage);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, COUNTED, 1);
	/* The caller of MADV_COLLAPSE must have the pages mapped. */
	touch(small, COUNTED);
	ASSERT_EQ(0, region_stat(fd, &before));
	for (i = 0; i < 3; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			_exit(count_in_pages(view, i, stage));
	}
	EXPECT_TRUE(stage_wait(stage, 3));
	usleep(100 * 1000);
	EXPECT_EQ(0, collapse(small, COUNTED))
		TH_LOG("MADV_COLLAPSE: %s", strerror(errno));
	usleep(500 * 1000);
	__atomic_store_n(&stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	EXPECT_TRUE(filled(small, COUNTED, 1));
	EXPECT_TRUE(filled(view, COUNTED, 1));
	/* The region's tables of small pages went with it. */
	ASSERT_EQ(0, region_stat(fd, &after));
	EXPECT_GT(before.page_table_bytes, after.page_table_bytes);
	munmap(view, SLOT);
	munmap(small, COUNTED);
	close(fd);
}

#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define GUESTS		100

/* Until khugepaged has put @bytes together that @before did not count. */
static bool collapsed(long before, size_t bytes)
{
	int tries;

	for (tries = 0; tries < 1800; tries++) {
		if (meminfo_value("ShmemHugePages") >=
		    before + (long)(bytes / 1024))
			return true;
		usleep(100 * 1000);
	}
	return false;
}

/*
 * Proves that khugepaged finds a region by its host mm, on which no task runs,
 * and that the tables which it frees, those of a hundred guests, are nobody's
 * any more.
 */
TEST_F_TIMEOUT(thp, khugepaged_with_100_guests, 360)
{
	char *small = mmap(WINDOW_AT(30), COUNTED, RW, MAP_SHARED |
			   MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct stage *stage = stage_new();
	struct mshare_stat st;
	pid_t pid[GUESTS];
	char *view;
	long huge;
	int i, fd;

	ASSERT_NE(MAP_FAILED, small);
	ASSERT_NE(NULL, stage);
	/* In small pages, as nobody has asked for huge ones yet. */
	fill(small, COUNTED, 1);
	huge = meminfo_settled("ShmemHugePages");
	fd = object_open(self->root, small, COUNTED,
			 MSHARE_OBJECT_HUGEPAGE | MSHARE_OBJECT_POPULATE);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	munmap(small, COUNTED);
	for (i = 0; i < GUESTS; i++) {
		pid[i] = child_fork();
		if (!pid[i]) {
			/* As khugepaged is: a crowd above it starves it. */
			setpriority(PRIO_PROCESS, 0, 19);
			_exit(count_in_pages(view, i, stage));
		}
	}
	EXPECT_TRUE(stage_wait(stage, GUESTS));
	EXPECT_TRUE(collapsed(huge, COUNTED));
	usleep(500 * 1000);
	__atomic_store_n(&stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < GUESTS; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	EXPECT_TRUE(filled(view, COUNTED, 1));
	/* A PUD page, a PMD page, and no table of small pages. */
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(2 * PAGE_SZ, st.page_table_bytes);
	munmap(view, SLOT);
	close(fd);
}

/* Proves that advice may begin or end within a huge page. */
TEST_F(thp, parts_of_huge_pages)
{
	fill(self->view, BYTES, 1);
	EXPECT_EQ(0, madvise(self->view + MB(1), MB(2), MADV_PAGEOUT));
	EXPECT_EQ(0, madvise(self->view + MB(5), PAGE_SZ, MADV_COLD));
	EXPECT_TRUE(filled(self->view, BYTES, 1));
}

int main(int argc, char **argv)
{
	no_thp = knob_set("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			  "advise");
	if (!no_thp) {
		knob_set(KHUGEPAGED "scan_sleep_millisecs", "10");
		knob_set(KHUGEPAGED "pages_to_scan", "4096");
		/* Where there is no huge page at once, not a minute later. */
		knob_set(KHUGEPAGED "alloc_sleep_millisecs", "100");
	}
	return test_harness_run(argc, argv);
}
