// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_UNMAP, and MSHAREFS_CREATE_MAPPING over what is mapped: what takes
 * effect in all processes at once, and what is left in peace.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(unmap) {
	struct mshare_env env;
	int root;
	int fd;		/* a region of two slots */
	char *p;	/* its window */
	struct stage *stage;
};

FIXTURE_SETUP(unmap)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", 2 * SLOT);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(unmap)
{
	munmap(self->p, 2 * SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static unsigned long mapped_bytes(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? ~0UL : st.mapped_bytes;
}

/* What is unmapped is gone from the window, and only that. */
TEST_F(unmap, part_of_an_object)
{
	ASSERT_EQ(0, create_anon(self->fd, MB(1), MB(4)));
	fill(self->p + MB(1), MB(4), 1);
	ASSERT_EQ(0, unmap(self->fd, MB(2), MB(1)));
	EXPECT_EQ(MB(3), mapped_bytes(self->fd));
	EXPECT_TRUE(filled(self->p + MB(1), MB(1), 1));
	EXPECT_EQ(0, probe_load(self->p + MB(2) - PAGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(2)));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(3) - PAGE_SZ, 1));
	EXPECT_EQ(0, probe_load(self->p + MB(3)));
	EXPECT_EQ(0, probe_load(self->p + MB(5) - PAGE_SZ));
}

/* One call may unmap several objects and what lies between them. */
TEST_F(unmap, several_objects)
{
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	ASSERT_EQ(0, create_anon(self->fd, GB(3), MB(1)));
	ASSERT_EQ(0, create_anon(self->fd, SLOT + MB(1), MB(1)));
	touch(self->p, MB(1));
	touch(self->p + GB(3), MB(1));
	touch(self->p + SLOT + MB(1), MB(1));
	ASSERT_EQ(0, unmap(self->fd, 0, 2 * SLOT));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	EXPECT_EQ(SIGSEGV, probe_load(self->p));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + GB(3)));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + SLOT + MB(1)));
}

/* Like munmap, it does not mind that nothing is mapped there. */
TEST_F(unmap, nothing_there)
{
	EXPECT_EQ(0, unmap(self->fd, GB(1), GB(1)));
	EXPECT_EQ(0, unmap(self->fd, 0, 2 * SLOT));
}

/* The range must be of whole pages, not empty, inside the region. */
TEST_F(unmap, ranges)
{
	static const struct {
		unsigned long offset, size;
	} bad[] = {
		{ 0, 0 }, { 1, PAGE_SZ }, { 0, 1 }, { 0, PAGE_SZ + 1 },
		{ PAGE_SZ / 2, PAGE_SZ }, { 2 * SLOT, PAGE_SZ },
		{ 2 * SLOT - PAGE_SZ, 2 * PAGE_SZ },
		{ 0, 2 * SLOT + PAGE_SZ }, { -PAGE_SZ, PAGE_SZ },
		{ -PAGE_SZ, 2 * PAGE_SZ }, { PAGE_SZ, -PAGE_SZ },
		{ SLOT, -SLOT },
	};
	unsigned int i;

	ASSERT_EQ(0, create_anon(self->fd, 0, 2 * PAGE_SZ));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EINVAL, unmap(self->fd, bad[i].offset,
					   bad[i].size));
	EXPECT_EQ(2 * PAGE_SZ, mapped_bytes(self->fd));
}

/*
 * Proves that UNMAP needs a descriptor opened for writing (EBADF): v3 did not
 * ask.
 */
TEST_F(unmap, needs_write_access)
{
	int fd = openat(self->root, "r", O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	EXPECT_ERRNO(EBADF, unmap(fd, 0, PAGE_SZ));
	EXPECT_EQ(0, probe_load(self->p));
	close(fd);
}

/*
 * Proves that munmap in a host mm keeps the tables that windows are linked to:
 * what is mapped after all was unmapped is found by windows that were linked
 * before, each time.
 */
TEST_F(unmap, windows_outlive_page_tables)
{
	char *other = window(self->fd, 2 * SLOT, RW, WINDOW_AT(8));
	int i;

	ASSERT_EQ(WINDOW_AT(8), other);
	for (i = 1; i < 200; i++) {
		ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
		ASSERT_EQ(0, create_anon(self->fd, SLOT, PAGE_SZ));
		ASSERT_EQ(0, probe_store(self->p, i & 127));
		ASSERT_EQ(0, probe_store(other + SLOT, i & 127));
		ASSERT_EQ(i & 127, *other);
		ASSERT_EQ(i & 127, self->p[SLOT]);
		ASSERT_EQ(0, unmap(self->fd, 0, 2 * SLOT));
		ASSERT_EQ(SIGSEGV, probe_load(self->p));
		ASSERT_EQ(SIGSEGV, probe_load(other));
	}
	munmap(other, 2 * SLOT);
}

/* With the last object go the pages, and all tables but the shared level. */
TEST_F(unmap, frees_pages_and_page_tables)
{
	struct mshare_stat before, full, after;

	ASSERT_EQ(0, region_stat(self->fd, &before));
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(64)));
	fill(self->p, MB(64), 1);
	ASSERT_EQ(0, region_stat(self->fd, &full));
	ASSERT_EQ(0, unmap(self->fd, 0, MB(64)));
	ASSERT_EQ(0, region_stat(self->fd, &after));
	EXPECT_EQ(MB(64) / PAGE_SZ, full.resident_pages);
	EXPECT_LE(32 * PAGE_SZ, full.page_table_bytes);
	EXPECT_EQ(0UL, after.resident_pages);
	EXPECT_GE(before.page_table_bytes + 3 * PAGE_SZ,
		  after.page_table_bytes);
}

/* Reads the first byte of the window until that kills it. */
static int reader(struct stage *stage, const char *p)
{
	touch(p, PAGE_SZ);
	stage_add(stage);
	for (;;)
		load(p);
	return 0;
}

/*
 * Proves that unmapping flushes all guests at once: processes that read without
 * pause, and so have the translation in their TLB, get SIGSEGV.
 */
TEST_F(unmap, at_once_in_all_processes)
{
	pid_t pids[4];
	int i;

	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	for (i = 0; i < 4; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			_exit(reader(self->stage, self->p));
	}
	EXPECT_TRUE(stage_wait(self->stage, 4));
	usleep(100 * 1000);
	EXPECT_EQ(0, unmap(self->fd, 0, PAGE_SZ));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(128 + SIGSEGV, child_wait(pids[i]));
}

/* Sees 1, reads on until value[1] is set, and then has to see 2. */
static int watcher(struct stage *stage, char *p)
{
	CHECK(load(p) == 1);
	stage_add(stage);
	while (!__atomic_load_n(&stage->value[1], __ATOMIC_SEQ_CST))
		load(p);
	CHECK(load(p) == 2);
	return 0;
}

/* Proves the same of replacing: after the call nobody sees the old page. */
TEST_F(unmap, replaced_at_once_in_all_processes)
{
	int i, file = memfd(PAGE_SZ);
	char byte = 2;
	pid_t pids[4];

	ASSERT_LE(0, file);
	ASSERT_EQ(1, pwrite(file, &byte, 1, 0));
	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	*self->p = 1;
	for (i = 0; i < 4; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			_exit(watcher(self->stage, self->p));
	}
	EXPECT_TRUE(stage_wait(self->stage, 4));
	/*
	 * Without a moment at which the old mapping is gone and the new one
	 * not yet there: that would be SIGSEGV for the watchers.
	 */
	EXPECT_EQ(0, create_mapping(self->fd, 0, PAGE_SZ, 0, RW, REGION_FLAGS,
				    file));
	__atomic_store_n(&self->stage->value[1], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, child_wait(pids[i]));
	close(file);
}

struct race {
	int fd;
	char *p;
	struct stage *stage;
};

/* Writes where there may be nothing, from windows that come and go. */
static int racer(void *arg)
{
	struct race *race = arg;
	unsigned long n = 0;
	char *p;

	while (!__atomic_load_n(&race->stage->value[0], __ATOMIC_SEQ_CST)) {
		probe_store(race->p + (n % 16) * PAGE_SZ, 1);
		probe_store(race->p + SLOT, 1);
		if (n++ % 64)
			continue;
		p = window(race->fd, 2 * SLOT, RW, NULL);
		CHECK(p != MAP_FAILED);
		probe_store(p, 1);
		probe_store(p + SLOT, 1);
		CHECK(!munmap(p, 2 * SLOT));
	}
	return 0;
}

/*
 * Proves that no page table is freed while an entry of a guest or a TLB still
 * leads to it (v3 dropped the share count first).  The kernel log tells.
 */
TEST_F_TIMEOUT(unmap, races_with_accesses, 120)
{
	struct race race = { self->fd, self->p, self->stage };
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++)
		pids[i] = child_run(racer, &race);
	for (i = 0; i < 1000; i++) {
		EXPECT_EQ(0, create_anon(self->fd, 0, 16 * PAGE_SZ));
		EXPECT_EQ(0, create_anon(self->fd, SLOT, PAGE_SZ));
		sched_yield();
		EXPECT_EQ(0, unmap(self->fd, 0, 2 * SLOT));
	}
	__atomic_store_n(&self->stage->value[0], 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, child_wait(pids[i]));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
}

static int unmap_in_child(void *arg)
{
	struct race *race = arg;

	CHECK(!create_anon(race->fd, GB(1), PAGE_SZ));
	CHECK(!unmap(race->fd, 0, PAGE_SZ));
	return 0;
}

/* Whoever has a descriptor for writing may map and unmap, owner or not. */
TEST_F(unmap, by_another_process)
{
	struct race race = { self->fd, self->p, self->stage };

	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	EXPECT_EQ(0, probe_load(self->p));
	EXPECT_EQ(0, child_wait(child_run(unmap_in_child, &race)));
	EXPECT_EQ(SIGSEGV, probe_load(self->p));
	EXPECT_EQ(0, probe_store(self->p + GB(1), 1));
}

TEST_HARNESS_MAIN
