// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that go while a CPU holds them lazily: an idle CPU keeps those of
 * the process that it ran last, runs none of it, and may walk them on its own.
 * Whoever frees them, or takes them away from the process, has to interrupt it
 * nevertheless (freed_tables of the mmu_gather).  v3 did not at munmap() of a
 * window, and at the end of a region flushed nobody.
 *
 * The oracle is the count of TLB shootdowns in /proc/interrupts.  A hypervisor
 * may see to idle CPUs without an interrupt: the same is done with plain memory
 * first, and if that does not interrupt either, nothing can be told.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define ROUNDS	20
/* Now and then the CPU has something else to do, or others flush it. */
#define SURE	(ROUNDS * 3 / 4)	/* with plain memory */
#define MOST	(ROUNDS / 2 + 1)
#define BYTES	MB(4)
#define HERE	0
#define IDLE	1	/* the CPU that is to be lazy */

/* TLB shootdowns that @cpu has been interrupted for, or -1. */
static long shootdowns(int cpu)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[4096], *at;
	long count = -1;

	if (!f)
		return -1;
	while (count < 0 && fgets(line, sizeof(line), f)) {
		at = strstr(line, "TLB:");
		if (!at)
			continue;
		for (at += 4; cpu >= 0; cpu--)
			count = strtol(at, &at, 10);
	}
	fclose(f);
	return count;
}

/* Who touches memory on the CPU IDLE, and leaves that to idle. */
struct sleeper {
	int go[2], done[2];	/* pipes */
	int root;
	int fd;			/* a region, or -1 to open it by name */
	char *p;		/* what to touch, or NULL for a window */
};

static void touch_and_sleep(struct sleeper *s)
{
	char *p = NULL, byte;

	run_on(IDLE);
	while (read(s->go[0], &byte, 1) == 1) {
		if (p)
			CHECK(!munmap(p, SLOT));
		if (!s->p) {
			int fd = openat(s->root, "r", O_RDWR | O_CLOEXEC);

			p = window(fd, SLOT, RW, NULL);
			CHECK(p != MAP_FAILED);
			CHECK(!close(fd));
		}
		fill(p ?: s->p, BYTES, 1);
		CHECK(write(s->done[1], &byte, 1) == 1);
	}
}

static void *sleeping_thread(void *arg)
{
	touch_and_sleep(arg);
	return NULL;
}

static int sleeping_process(void *arg)
{
	struct sleeper *s = arg;

	close(s->go[1]);
	touch_and_sleep(s);
	return 0;
}

static void sleeper_open(struct sleeper *s)
{
	CHECK(!pipe2(s->go, O_CLOEXEC) && !pipe2(s->done, O_CLOEXEC));
}

static void sleeper_close(struct sleeper *s)
{
	close(s->go[0]);
	close(s->done[0]);
	close(s->done[1]);
}

/* Returns when the memory has been touched and its CPU has become idle. */
static void let_touch(struct sleeper *s)
{
	char byte = 0;

	CHECK(write(s->go[1], &byte, 1) == 1);
	CHECK(read(s->done[0], &byte, 1) == 1);
	usleep(20 * 1000);
}

FIXTURE(lazy_tlb) {
	struct mshare_env env;
	int root;
	struct sleeper sleeper;
};

/* In how many rounds munmap() of what a sleeping thread has used interrupts. */
static int interrupts_of_munmap(struct sleeper *s, int fd)
{
	pthread_t thread;
	int round, count = 0;

	CHECK(!pthread_create(&thread, NULL, sleeping_thread, s));
	for (round = 0; round < ROUNDS; round++) {
		size_t size = fd < 0 ? BYTES : SLOT;
		long before;

		s->p = fd >= 0 ? window(fd, SLOT, RW, WINDOW_AT(3)) :
		       mmap(WINDOW_AT(3), BYTES, RW, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(s->p == WINDOW_AT(3));
		let_touch(s);
		before = shootdowns(IDLE);
		CHECK(!munmap(s->p, size));
		count += shootdowns(IDLE) > before;
	}
	close(s->go[1]);
	CHECK(!pthread_join(thread, NULL));
	return count;
}

FIXTURE_SETUP(lazy_tlb)
{
	const char *why = mshare_missing();

	if (!why && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		why = "one processor only";
	if (!why && shootdowns(IDLE) < 0)
		why = "no TLB shootdowns in /proc/interrupts";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	run_on(HERE);
	sleeper_open(&self->sleeper);
	if (interrupts_of_munmap(&self->sleeper, -1) < SURE)
		SKIP(return, "lazy CPUs are not interrupted here");
	sleeper_close(&self->sleeper);
	self->sleeper.p = NULL;
	self->sleeper.root = self->root;
	sleeper_open(&self->sleeper);
}

FIXTURE_TEARDOWN(lazy_tlb)
{
	sleeper_close(&self->sleeper);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/*
 * Proves that munmap() of a window interrupts CPUs that hold the window lazily:
 * mshare_unlink() says that page tables are freed, for munmap() frees none.
 */
TEST_F(lazy_tlb, munmap)
{
	int fd = region_anon(self->root, BYTES);

	ASSERT_LE(0, fd);
	EXPECT_LE(MOST, interrupts_of_munmap(&self->sleeper, fd));
	close(fd);
}

/*
 * Proves that MSHAREFS_UNMAP, which frees tables of the region, interrupts CPUs
 * that hold a guest lazily: the flush of a host mm passes freed_tables on.
 */
TEST_F(lazy_tlb, unmap)
{
	int round, count = 0, fd = region_create(self->root, "r", SLOT);
	pid_t pid = child_run(sleeping_process, &self->sleeper);

	ASSERT_LE(0, fd);
	for (round = 0; round < ROUNDS; round++) {
		long before;

		ASSERT_EQ(0, create_anon(fd, 0, BYTES));
		let_touch(&self->sleeper);
		before = shootdowns(IDLE);
		ASSERT_EQ(0, unmap(fd, 0, BYTES));
		count += shootdowns(IDLE) > before;
	}
	EXPECT_LE(MOST, count);
	close(self->sleeper.go[1]);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
	close(fd);
}

struct owner {
	int root;
	struct stage *stage;
};

static int owner(void *arg)
{
	struct owner *owner = arg;
	int fd = region_create(owner->root, "r", SLOT);

	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, BYTES));
	stage_set(owner->stage, 1);
	CHECK(stage_wait(owner->stage, 2));
	return 0;
}

/* Proves the same of a region's teardown, at the exit of its owner. */
TEST_F(lazy_tlb, owner_exit)
{
	struct owner args = { self->root, stage_new() };
	pid_t pid = child_run(sleeping_process, &self->sleeper), owner_pid;
	int round, count = 0;

	ASSERT_NE(NULL, args.stage);
	for (round = 0; round < ROUNDS; round++) {
		long before;

		stage_set(args.stage, 0);
		owner_pid = child_run(owner, &args);
		ASSERT_TRUE(stage_wait(args.stage, 1));
		let_touch(&self->sleeper);
		before = shootdowns(IDLE);
		stage_set(args.stage, 2);
		ASSERT_EQ(0, child_wait(owner_pid));
		count += shootdowns(IDLE) > before;
		ASSERT_EQ(0, unlinkat(self->root, "r", 0));
	}
	EXPECT_LE(MOST, count);
	close(self->sleeper.go[1]);
	EXPECT_EQ(0, child_wait(pid));
}

TEST_HARNESS_MAIN
