// SPDX-License-Identifier: GPL-2.0
/*
 * What msharefs is for: one memory at several addresses and in several
 * processes, and one set of page tables for all of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define PROCESSES	64
#define SHARED		MB(256)
/* Page tables of SHARED: one page for each 2 MB, and the levels above. */
#define TABLES_KB	((long)(SHARED / MB(2) + 2) * 4)

FIXTURE(share) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(share)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(share)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* The same region may be mapped at different addresses of one process. */
TEST_F(share, twice_in_one_process)
{
	int fd = region_anon(self->root, MB(4));
	char *a, *b;

	ASSERT_LE(0, fd);
	a = window(fd, SLOT, RW, WINDOW_AT(1));
	b = window(fd, SLOT, RW, WINDOW_AT(9));
	ASSERT_EQ(WINDOW_AT(1), a);
	ASSERT_EQ(WINDOW_AT(9), b);
	fill(a, MB(4), 1);
	EXPECT_TRUE(filled(b, MB(4), 1));
	fill(b, MB(4), 50);
	EXPECT_TRUE(filled(a, MB(4), 50));
	/* One window's end is not the other's. */
	EXPECT_EQ(0, munmap(a, SLOT));
	EXPECT_EQ(SIGSEGV, probe_load(a));
	EXPECT_TRUE(filled(b, MB(4), 50));
	EXPECT_EQ(0, munmap(b, SLOT));
	close(fd);
}

struct other {
	int root;
	struct stage *stage;
};

static int other_process(void *arg)
{
	struct other *other = arg;
	int fd = openat(other->root, "r", O_RDWR);
	struct stat st;
	char *p;

	CHECK(fd >= 0);
	CHECK(!fstat(fd, &st));
	p = window(fd, st.st_size, RW, WINDOW_AT(20));
	CHECK(p == WINDOW_AT(20));
	CHECK(!close(fd));
	CHECK(filled(p, MB(4), 1));
	fill(p, MB(4), 70);
	stage_set(other->stage, 1);
	CHECK(stage_wait(other->stage, 2));
	CHECK(filled(p, MB(4), 90));
	return 0;
}

/* Two processes that know nothing of each other but the region's name. */
TEST_F(share, by_name_in_two_processes)
{
	struct other other = { self->root, self->stage };
	int fd = region_create(self->root, "r", SLOT);
	pid_t pid;
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, MB(4)));
	p = window(fd, SLOT, RW, WINDOW_AT(1));
	ASSERT_EQ(WINDOW_AT(1), p);
	fill(p, MB(4), 1);
	pid = child_run(other_process, &other);
	EXPECT_TRUE(stage_wait(self->stage, 1));
	EXPECT_TRUE(filled(p, MB(4), 70));
	fill(p, MB(4), 90);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	munmap(p, SLOT);
	close(fd);
}

/* What is mapped after the windows were made is seen in all of them. */
TEST_F(share, later_mapping_is_seen)
{
	int fd = region_create(self->root, "r", SLOT);
	char *a = window(fd, SLOT, RW, NULL);
	char *b = window(fd, SLOT, RW, NULL);
	int i;

	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(SIGSEGV, probe_load(b + i * GB(1)));
		ASSERT_EQ(0, create_anon(fd, i * GB(1), PAGE_SZ));
		EXPECT_EQ(0, probe_store(a + i * GB(1), i + 1));
		EXPECT_EQ(i + 1, b[i * GB(1)]);
	}
	munmap(a, SLOT);
	munmap(b, SLOT);
	close(fd);
}

/* A slot that had private page tables before becomes a window all the same. */
TEST_F(share, slot_used_before)
{
	int fd = region_anon(self->root, MB(1));
	char *slot = WINDOW_AT(1), *below, *above, *p;

	ASSERT_LE(0, fd);
	/* The neighbours keep page tables of the levels above alive. */
	below = mmap(slot - PAGE_SZ, PAGE_SZ, RW,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	above = mmap(slot + SLOT, PAGE_SZ, RW,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(0, probe_store(below, 1));
	ASSERT_EQ(0, probe_store(above, 2));
	p = mmap(slot, SLOT, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
		 MAP_NORESERVE, -1, 0);
	ASSERT_EQ(slot, p);
	ASSERT_EQ(0, probe_store(p, 3));
	ASSERT_EQ(0, probe_store(p + SLOT - 1, 4));
	ASSERT_EQ(0, munmap(p, SLOT));

	p = window(fd, SLOT, RW, slot);
	ASSERT_EQ(slot, p);
	fill(p, MB(1), 5);
	EXPECT_TRUE(filled(p, MB(1), 5));
	EXPECT_EQ(1, *below);
	EXPECT_EQ(2, *above);
	/* And back: over the window, as a whole, goes private memory. */
	p = mmap(slot, SLOT, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
		 MAP_NORESERVE, -1, 0);
	ASSERT_EQ(slot, p);
	EXPECT_EQ(0, *p);
	EXPECT_EQ(0, probe_store(p, 6));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(filled(p, MB(1), 5));
	munmap(p, SLOT);
	munmap(slot, SLOT);
	munmap(below, PAGE_SZ);
	munmap(above, PAGE_SZ);
	close(fd);
}

struct crowd {
	char *p;
	struct stage *stage;
	bool write;
};

/* Exits with 0 if touching everything cost no page table of its own. */
static int member(void *arg)
{
	struct crowd *crowd = arg;
	long before, after;

	status_kb(0, "VmPTE");
	stage_add(crowd->stage);
	CHECK(stage_wait(crowd->stage, PROCESSES + 1));
	before = status_kb(0, "VmPTE");
	if (crowd->write)
		fill(crowd->p, SHARED, 1);
	else
		touch(crowd->p, SHARED);
	after = status_kb(0, "VmPTE");
	CHECK(before > 0);
	CHECK(after == before);
	__atomic_add_fetch(&crowd->stage->value[0], 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&crowd->stage->value[1], __ATOMIC_SEQ_CST))
		usleep(1000);
	return 0;
}

static bool all_have_touched(struct stage *stage)
{
	int tries;

	for (tries = 0; tries < 18000; tries++) {
		if (__atomic_load_n(&stage->value[0], __ATOMIC_SEQ_CST) ==
		    PROCESSES)
			return true;
		usleep(10 * 1000);
	}
	return false;
}

/* kB of page tables that PROCESSES need to touch the memory at @p. */
static long cost_of_touching(struct crowd *crowd, int *failed)
{
	pid_t pids[PROCESSES];
	long before, after;
	int i;

	for (i = 0; i < PROCESSES; i++)
		pids[i] = child_run(member, crowd);
	*failed = !stage_wait(crowd->stage, PROCESSES);
	before = meminfo_settled("PageTables");
	stage_add(crowd->stage);
	*failed += !all_have_touched(crowd->stage);
	after = meminfo_settled("PageTables");
	__atomic_store_n(&crowd->stage->value[1], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < PROCESSES; i++)
		*failed += !!child_wait(pids[i]);
	return after - before;
}

/* 64 processes write 256 MB: one set of page tables, where 64 were needed. */
TEST_F_TIMEOUT(share, one_set_of_page_tables, 240)
{
	int failed, fd = region_anon(self->root, SHARED);
	struct crowd crowd = { .stage = self->stage, .write = true };
	struct mshare_stat st;
	long cost;

	ASSERT_LE(0, fd);
	crowd.p = window(fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), crowd.p);
	cost = cost_of_touching(&crowd, &failed);
	EXPECT_EQ(0, failed);
	EXPECT_LE(TABLES_KB - 8, cost);
	EXPECT_GE(TABLES_KB + 256, cost);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(SHARED / PAGE_SZ, st.resident_pages);
	EXPECT_LE(TABLES_KB * 1024UL - 2 * PAGE_SZ, st.page_table_bytes);
	EXPECT_GE(TABLES_KB * 1024UL + 8 * PAGE_SZ, st.page_table_bytes);
	munmap(crowd.p, SLOT);
	close(fd);
}

/* The same through read-only windows of memory that is there already. */
TEST_F_TIMEOUT(share, readers_cost_nothing, 240)
{
	int failed, fd = region_anon(self->root, SHARED);
	struct crowd crowd = { .stage = self->stage };
	char *writer;
	long cost;

	ASSERT_LE(0, fd);
	writer = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, writer);
	fill(writer, SHARED, 1);
	crowd.p = window(fd, SLOT, PROT_READ, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), crowd.p);
	cost = cost_of_touching(&crowd, &failed);
	EXPECT_EQ(0, failed);
	EXPECT_GE(256, cost);
	munmap(writer, SLOT);
	munmap(crowd.p, SLOT);
	close(fd);
}

/* All of it goes when the region goes. */
TEST_F(share, page_tables_are_freed)
{
	long before = meminfo_settled("PageTables"), with;
	int fd = region_anon(self->root, SHARED);
	char *p;

	ASSERT_LE(0, fd);
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, SHARED, 1);
	with = meminfo_value("PageTables");
	munmap(p, SLOT);
	close(fd);
	EXPECT_LE(before + TABLES_KB - 64, with);
	EXPECT_GE(before + 64, meminfo_settled("PageTables"));
}

TEST_HARNESS_MAIN
