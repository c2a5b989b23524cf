// SPDX-License-Identifier: GPL-2.0
/*
 * Windows across fork, vfork, exec, exit and SIGKILL: a child has its parent's
 * windows linked, takes no fault to see what is there, and leaves nothing.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define FILLED	MB(16)

FIXTURE(fork) {
	struct mshare_env env;
	int root;
	int fd;		/* a region of two slots, each with FILLED at its start */
	char *p;	/* its window, all pages present */
	struct stage *stage;
};

FIXTURE_SETUP(fork)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_create(self->root, "r", 2 * SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, FILLED));
	ASSERT_EQ(0, create_anon(self->fd, SLOT, FILLED));
	self->p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, FILLED, 1);
	fill(self->p + SLOT, FILLED, 2);
}

FIXTURE_TEARDOWN(fork)
{
	munmap(self->p, 2 * SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static struct mshare_stat stat_of(int fd)
{
	struct mshare_stat st;

	if (region_stat(fd, &st))
		memset(&st, 0xff, sizeof(st));
	return st;
}

struct guest {
	char *p;
	struct stage *stage;
};

static int count_faults(void *arg)
{
	static char here[PAGE_SZ];
	struct guest *guest = arg;
	long before;

	/* Once, so that code, data and stack are there. */
	fill(here, PAGE_SZ, 1);
	touch(here, PAGE_SZ);
	CHECK(minor_faults() >= 0);
	before = minor_faults();
	touch(guest->p, FILLED);
	touch(guest->p + SLOT, FILLED);
	CHECK(minor_faults() == before);
	fill(guest->p, FILLED, 1);
	fill(guest->p + SLOT, FILLED, 2);
	CHECK(minor_faults() == before);
	return 0;
}

/*
 * Proves that fork() links the window: the child takes no fault to read or
 * write what its parent had faulted in.
 */
TEST_F(fork, child_takes_no_fault)
{
	struct guest guest = { self->p, self->stage };

	EXPECT_EQ(0, child_wait(child_run(count_faults, &guest)));
}

static int grandchild_counts_faults(void *arg)
{
	return child_wait(child_run(count_faults, arg));
}

/* Proves that a child's child takes none either. */
TEST_F(fork, grandchild_takes_no_fault)
{
	struct guest guest = { self->p, self->stage };

	EXPECT_EQ(0, child_wait(child_run(grandchild_counts_faults, &guest)));
}

static int wait_for_end(void *arg)
{
	struct guest *guest = arg;

	stage_add(guest->stage);
	stage_wait(guest->stage, 100);
	return 0;
}

/*
 * Proves that the window is linked by fork() itself, before the child does
 * anything, and unlinked by its exit.
 */
TEST_F(fork, windows_and_links_are_inherited)
{
	struct guest guest = { self->p, self->stage };
	struct mshare_stat st = stat_of(self->fd);
	pid_t pid[3];
	int i;

	EXPECT_EQ(1UL, st.windows);
	EXPECT_EQ(2UL, st.links);
	for (i = 0; i < 3; i++)
		pid[i] = child_run(wait_for_end, &guest);
	EXPECT_TRUE(stage_wait(self->stage, 3));
	st = stat_of(self->fd);
	EXPECT_EQ(4UL, st.windows);
	EXPECT_EQ(8UL, st.links);
	stage_set(self->stage, 100);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
	st = stat_of(self->fd);
	EXPECT_EQ(1UL, st.windows);
	EXPECT_EQ(2UL, st.links);
}

static int write_in_child(void *arg)
{
	struct guest *guest = arg;

	CHECK(filled(guest->p, FILLED, 1));
	fill(guest->p, FILLED, 90);
	return 0;
}

/* It is the same memory: no copy on write. */
TEST_F(fork, child_writes_for_all)
{
	struct guest guest = { self->p, self->stage };

	EXPECT_EQ(0, child_wait(child_run(write_in_child, &guest)));
	EXPECT_TRUE(filled(self->p, FILLED, 90));
}

static int write_to_read_only(void *arg)
{
	struct guest *guest = arg;

	CHECK(probe_store(guest->p, 99) == SIGSEGV);
	CHECK(!probe_load(guest->p));
	CHECK(probe_store(guest->p, 99) == SIGSEGV);
	return 0;
}

/*
 * Proves that the child's link has the rights of the parent's window, and no
 * more.
 */
TEST_F(fork, read_only_stays_read_only)
{
	struct guest guest = { .stage = self->stage };

	guest.p = window(self->fd, 2 * SLOT, PROT_READ, WINDOW_AT(10));
	ASSERT_EQ(WINDOW_AT(10), guest.p);
	touch(guest.p, FILLED);
	EXPECT_EQ(0, child_wait(child_run(write_to_read_only, &guest)));
	ASSERT_EQ(0, mprotect(guest.p, 2 * SLOT, PROT_NONE));
	EXPECT_EQ(128 + SIGSEGV,
		  child_wait(child_run(count_faults, &guest)));
	EXPECT_EQ(1, *self->p);
	munmap(guest.p, 2 * SLOT);
}

/* Proves that a window which the parent has not touched comes over as well. */
TEST_F(fork, untouched_window)
{
	char *q = window(self->fd, 2 * SLOT, RW, WINDOW_AT(10));
	pid_t pid;

	ASSERT_EQ(WINDOW_AT(10), q);
	pid = child_fork();
	if (!pid)
		_exit(!filled(q, FILLED, 1));
	EXPECT_EQ(0, child_wait(pid));
	munmap(q, 2 * SLOT);
}

static int unmap_own_window(void *arg)
{
	struct guest *guest = arg;

	CHECK(!munmap(guest->p, 2 * SLOT));
	CHECK(probe_load(guest->p) == SIGSEGV);
	return 0;
}

/*
 * Proves that munmap() in the child is the child's affair, and so is it in the
 * parent.
 */
TEST_F(fork, munmap_is_local)
{
	struct guest guest = { self->p, self->stage };
	char *q = window(self->fd, 2 * SLOT, RW, WINDOW_AT(10));
	pid_t pid;

	ASSERT_EQ(WINDOW_AT(10), q);
	EXPECT_EQ(0, child_wait(child_run(unmap_own_window, &guest)));
	EXPECT_TRUE(filled(self->p, FILLED, 1));
	pid = child_fork();
	if (!pid) {
		stage_wait(self->stage, 1);
		_exit(!filled(q, FILLED, 1));
	}
	ASSERT_EQ(0, munmap(q, 2 * SLOT));
	stage_set(self->stage, 1);
	EXPECT_EQ(0, child_wait(pid));
}

/* Proves that SIGKILL, wherever it hits, leaves no window behind. */
TEST_F(fork, sigkill)
{
	pid_t pid;
	int i;

	for (i = 0; i < 50; i++) {
		pid = child_fork();
		if (!pid)
			for (;;)
				fill(self->p, FILLED, 1);
		usleep(i * 100);
		child_kill(pid);
	}
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2UL, stat_of(self->fd).links);
	EXPECT_TRUE(filled(self->p, FILLED, 1));
}

static void *touch_for_ever(void *arg)
{
	struct guest *guest = arg;

	stage_add(guest->stage);
	for (;;)
		touch(guest->p, FILLED);
	return NULL;
}

static int exit_with_threads(void *arg)
{
	struct guest *guest = arg;
	pthread_t thread;
	int i;

	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&thread, NULL, touch_for_ever, guest));
	CHECK(stage_wait(guest->stage, 4));
	/* exit_group(), with all of them in the window. */
	_exit(0);
}

/*
 * Proves that exit_group() unlinks the window once, when the last of the
 * threads that use it is gone.
 */
TEST_F(fork, exit_group)
{
	struct guest guest = { self->p, self->stage };
	int i;

	for (i = 0; i < 10; i++) {
		stage_set(self->stage, 0);
		EXPECT_EQ(0, child_wait(child_run(exit_with_threads, &guest)));
	}
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2UL, stat_of(self->fd).links);
	EXPECT_TRUE(filled(self->p, FILLED, 1));
}

/* Proves that execve() unlinks the windows: the new program has none. */
TEST_F(fork, exec)
{
	int pipes[2], end[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, pipe(end));
	pid = child_fork();
	if (!pid) {
		touch(self->p, FILLED);
		dup2(end[0], 0);
		dup2(pipes[1], 1);
		close(pipes[1]);
		close(end[1]);
		execlp("sh", "sh", "-c", "echo x; read y", NULL);
		_exit(1);
	}
	close(pipes[1]);
	EXPECT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2UL, stat_of(self->fd).links);
	EXPECT_EQ(1, write(end[1], "\n", 1));
	EXPECT_EQ(0, child_wait(pid));
	close(end[0]);
	close(end[1]);
	close(pipes[0]);
}

/*
 * Proves that a vfork() child borrows the window, and its end unlinks nothing.
 */
TEST_F(fork, vfork)
{
	long faults;
	pid_t pid;
	int i;

	for (i = 0; i < 20; i++) {
		pid = vfork();
		if (!pid) {
			self->p[PAGE_SZ * i] = 77;
			_exit(0);
		}
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, child_wait(pid));
		EXPECT_EQ(77, self->p[PAGE_SZ * i]);
	}
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2UL, stat_of(self->fd).links);
	minor_faults();
	faults = minor_faults();
	touch(self->p, FILLED);
	EXPECT_EQ(faults, minor_faults());

	pid = vfork();
	if (!pid) {
		execlp("true", "true", NULL);
		_exit(1);
	}
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2, self->p[SLOT]);
}

/*
 * Proves that a child keeps its window when its parent, who mapped it, is gone.
 */
TEST_F(fork, child_outlives_parent)
{
	struct guest guest = { self->p, self->stage };
	pid_t pid = fork();

	if (!pid) {
		/* Not child_fork(): this one is not to die with its parent. */
		if (!fork()) {
			stage_wait(self->stage, 1);
			if (filled(self->p, FILLED, 1))
				guest.stage->value[0] = 1;
			stage_set(self->stage, 2);
			_exit(0);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
	stage_set(self->stage, 1);
	EXPECT_TRUE(stage_wait(self->stage, 2));
	EXPECT_EQ(1, self->stage->value[0]);
}

/*
 * Proves that no page table is left behind, however many children come and go.
 */
TEST_F_TIMEOUT(fork, thousands_of_forks, 240)
{
	long before = meminfo_settled("PageTables");
	pid_t pid;
	int i, failed = 0;

	for (i = 0; i < 2000; i++) {
		pid = child_fork();
		if (!pid) {
			touch(self->p, MB(1));
			self->p[SLOT] = 2;
			if (i % 3 == 1)
				munmap(self->p, 2 * SLOT);
			if (i % 3 == 2)
				raise(SIGKILL);
			_exit(0);
		}
		failed += child_wait(pid) != (i % 3 == 2 ? 128 + SIGKILL : 0);
	}
	EXPECT_EQ(0, failed);
	EXPECT_EQ(1UL, stat_of(self->fd).windows);
	EXPECT_EQ(2UL, stat_of(self->fd).links);
	EXPECT_GE(before + 256, meminfo_settled("PageTables"));
	EXPECT_TRUE(filled(self->p, FILLED, 1));
}

static int fork_and_touch(void *arg)
{
	struct guest *guest = arg;
	pid_t pid;
	int i;

	for (i = 0; i < 100; i++) {
		pid = child_fork();
		if (!pid) {
			touch(guest->p, MB(1));
			_exit(0);
		}
		CHECK(!child_wait(pid));
	}
	return 0;
}

/*
 * Proves that many processes may fork while page tables come and go beneath
 * them.
 */
TEST_F_TIMEOUT(fork, races_with_unmap, 120)
{
	struct guest guest = { self->p, self->stage };
	pid_t pid[4];
	int i;

	for (i = 0; i < 4; i++)
		pid[i] = child_run(fork_and_touch, &guest);
	for (i = 0; i < 500; i++) {
		EXPECT_EQ(0, unmap(self->fd, SLOT, SLOT));
		EXPECT_EQ(0, create_anon(self->fd, SLOT, FILLED));
		EXPECT_EQ(0, probe_store(self->p + SLOT, 2));
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, child_wait(pid[i]));
}

TEST_HARNESS_MAIN
