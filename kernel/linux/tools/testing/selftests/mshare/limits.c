// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays: memory and page tables of an owned region are charged to the
 * owner's memory cgroup, those of an object's region to who faults them in.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define BYTES	MB(128)
/* One page of entries for each 2 MB. */
#define TABLES	((long)(BYTES / MB(2) * PAGE_SZ))

enum { MAKER, USER, NR_CGROUPS };

static const char *no_cgroups;

FIXTURE(limits) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(limits)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_cgroups;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

struct party {
	int root;
	struct stage *stage;
	char *plain;	/* an object, or NULL for a region with a name */
};

static int open_region(struct party *party, bool create)
{
	int fd;

	if (party->plain)
		return object_open(party->root, party->plain, BYTES, 0);
	if (!create)
		return openat(party->root, "r", O_RDWR);
	fd = region_create(party->root, "r", SLOT);
	CHECK(!create_anon(fd, 0, BYTES));
	return fd;
}

static int maker(void *arg)
{
	struct party *party = arg;
	int fd;

	CHECK(!cgroup_enter(MAKER));
	fd = open_region(party, true);
	CHECK(fd >= 0);
	stage_set(party->stage, 1);
	CHECK(stage_wait(party->stage, 3));
	return 0;
}

static int user(void *arg)
{
	struct party *party = arg;
	char *p;
	int fd;

	CHECK(!cgroup_enter(USER));
	CHECK(stage_wait(party->stage, 1));
	fd = open_region(party, false);
	CHECK(fd >= 0);
	p = object_window(fd, RW, NULL);
	CHECK(p != MAP_FAILED);
	fill(p, BYTES, 1);
	stage_set(party->stage, 2);
	CHECK(stage_wait(party->stage, 3));
	return 0;
}

struct bill {
	long shmem[NR_CGROUPS];
	long tables[NR_CGROUPS];
};

static void read_bill(struct bill *bill)
{
	int nr;

	for (nr = 0; nr < NR_CGROUPS; nr++) {
		bill->shmem[nr] = cgroup_read(nr, "memory.stat", "shmem");
		bill->tables[nr] = cgroup_read(nr, "memory.stat", "pagetables");
	}
}

/* What each cgroup was charged for @user's touching what @maker made. */
static bool charge(struct party *party, struct bill *bill)
{
	struct bill before;
	pid_t a, b;
	bool ok;
	int nr;

	read_bill(&before);
	a = child_run(maker, party);
	b = child_run(user, party);
	ok = stage_wait(party->stage, 2);
	read_bill(bill);
	stage_set(party->stage, 3);
	ok = !child_wait(a) && ok;
	ok = !child_wait(b) && ok;
	for (nr = 0; nr < NR_CGROUPS; nr++) {
		bill->shmem[nr] -= before.shmem[nr];
		bill->tables[nr] -= before.tables[nr];
	}
	return ok;
}

/* Owned: whoever touches it, the owner's cgroup pays for all of it. */
TEST_F(limits, owned_region)
{
	struct party party = { self->root, self->stage, NULL };
	struct bill bill;

	ASSERT_TRUE(charge(&party, &bill));
	EXPECT_LE((long)(BYTES - MB(1)), bill.shmem[MAKER]);
	EXPECT_GE((long)MB(1), bill.shmem[USER]);
	EXPECT_LE(TABLES, bill.tables[MAKER]);
	EXPECT_GT(TABLES, bill.tables[USER]);
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
}

/* Of an object: who faults it in pays, as for any shared memory. */
TEST_F(limits, object_region)
{
	struct party party = { self->root, self->stage, shared_anon(BYTES) };
	struct bill bill;

	ASSERT_NE(MAP_FAILED, party.plain);
	ASSERT_TRUE(charge(&party, &bill));
	EXPECT_LE((long)(BYTES - MB(1)), bill.shmem[USER]);
	EXPECT_GE((long)MB(1), bill.shmem[MAKER]);
	EXPECT_LE(TABLES, bill.tables[USER]);
	EXPECT_GT(TABLES, bill.tables[MAKER]);
	munmap(party.plain, BYTES);
}

static int populator(void *arg)
{
	struct party *party = arg;

	CHECK(!cgroup_enter(USER));
	CHECK(object_open(party->root, party->plain, BYTES,
			  MSHARE_OBJECT_POPULATE) >= 0);
	stage_set(party->stage, 1);
	CHECK(stage_wait(party->stage, 2));
	return 0;
}

/* MSHARE_OBJECT_POPULATE is a fault like any other. */
TEST_F(limits, populated_object)
{
	struct party party = { self->root, self->stage, shared_anon(BYTES) };
	struct bill before, after;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, party.plain);
	read_bill(&before);
	pid = child_run(populator, &party);
	EXPECT_TRUE(stage_wait(self->stage, 1));
	read_bill(&after);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_LE((long)(BYTES - MB(1)), after.shmem[USER] - before.shmem[USER]);
	EXPECT_LE(TABLES, after.tables[USER] - before.tables[USER]);
	munmap(party.plain, BYTES);
}

static int beyond_limit(void *arg)
{
	struct party *party = arg;
	char *p;
	int fd;

	CHECK(!cgroup_enter(USER));
	fd = open_region(party, !party->plain);
	CHECK(fd >= 0);
	p = object_window(fd, RW, NULL);
	CHECK(p != MAP_FAILED);
	fill(p, BYTES, 1);
	return 0;
}

/* So the limit holds: who takes more than memory.max is killed for it. */
TEST_F(limits, object_beyond_limit)
{
	struct party party = { self->root, self->stage, shared_anon(BYTES) };

	ASSERT_NE(MAP_FAILED, party.plain);
	ASSERT_EQ(0, cgroup_write(USER, "memory.swap.max", "0"));
	ASSERT_EQ(0, cgroup_write(USER, "memory.max", "33554432"));
	EXPECT_EQ(128 + SIGKILL, child_wait(child_run(beyond_limit, &party)));
	EXPECT_EQ(0, cgroup_write(USER, "memory.max", "max"));
	EXPECT_EQ(0, cgroup_write(USER, "memory.swap.max", "max"));
	munmap(party.plain, BYTES);
}

/* And an owned region ends when its owner is killed. */
TEST_F(limits, owned_beyond_limit)
{
	struct party party = { self->root, self->stage, NULL };
	long before = meminfo_settled("Shmem");

	ASSERT_EQ(0, cgroup_write(USER, "memory.swap.max", "0"));
	ASSERT_EQ(0, cgroup_write(USER, "memory.max", "33554432"));
	EXPECT_EQ(128 + SIGKILL, child_wait(child_run(beyond_limit, &party)));
	EXPECT_EQ(0, cgroup_write(USER, "memory.max", "max"));
	EXPECT_EQ(0, cgroup_write(USER, "memory.swap.max", "max"));
	EXPECT_GE(before + 4 * 1024, meminfo_settled("Shmem"));
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
}

int main(int argc, char **argv)
{
	if (!mshare_missing())
		no_cgroups = cgroups_get(NR_CGROUPS);
	return test_harness_run(argc, argv);
}
