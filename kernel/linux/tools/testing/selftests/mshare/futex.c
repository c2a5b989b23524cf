// SPDX-License-Identifier: GPL-2.0
/*
 * Futexes in windows: the key is the object's, so that waiters and wakers find
 * each other through any window and any plain mapping of it.
 */
#include <linux/futex.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(futex) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of a memfd at its start */
	char *plain;	/* a plain mapping of the memfd */
	char *p;	/* a window of this process */
	char *q;	/* another one */
	struct stage *stage;
};

FIXTURE_SETUP(futex)
{
	const char *why = mshare_missing();
	int file;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	file = memfd(MB(1));
	ASSERT_LE(0, file);
	ASSERT_EQ(0, create_mapping(self->fd, 0, MB(1), 0, RW, REGION_FLAGS,
				    file));
	self->plain = mmap(NULL, MB(1), RW, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
	close(file);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	self->q = window(self->fd, SLOT, RW, WINDOW_AT(3));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	ASSERT_EQ(WINDOW_AT(3), self->q);
}

FIXTURE_TEARDOWN(futex)
{
	munmap(self->plain, MB(1));
	munmap(self->p, SLOT);
	munmap(self->q, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static long futex(const void *word, int op, unsigned int value, long ms)
{
	struct timespec timeout = { ms / 1000, ms % 1000 * 1000000 };

	return syscall(SYS_futex, word, op, value, ms ? &timeout : NULL, NULL,
		       0);
}

struct wait {
	char *word;
	struct stage *stage;
};

static int waiter(void *arg)
{
	struct wait *wait = arg;

	stage_add(wait->stage);
	CHECK(!futex(wait->word, FUTEX_WAIT, 0, 20000));
	return 0;
}

/* Wakes one waiter at @word, who may still be on its way: 1 if it was woken. */
static long wake_one(const char *word)
{
	long woken = 0;
	int tries;

	for (tries = 0; !woken && tries < 2000; tries++) {
		woken = futex(word, FUTEX_WAKE, 1, 0);
		usleep(1000);
	}
	return woken;
}

/* True when who waits at @wait_at in another process is woken by @wake_at. */
static bool wakes(struct stage *stage, char *wait_at, char *wake_at)
{
	struct wait wait = { wait_at, stage };
	int step = stage->step + 1;
	pid_t pid = child_run(waiter, &wait);
	long woken;

	stage_wait(stage, step);
	woken = wake_one(wake_at);
	if (woken != 1)
		child_kill(pid);
	return woken == 1 && !child_wait(pid);
}

/*
 * Proves that processes meet at a futex through different windows, on a page
 * that is there and one that is not.
 */
TEST_F(futex, between_windows)
{
	ASSERT_EQ(0, probe_store(self->p, 0));
	EXPECT_TRUE(wakes(self->stage, self->q, self->p));
	EXPECT_TRUE(wakes(self->stage, self->p, self->q));
	EXPECT_TRUE(wakes(self->stage, self->q + PAGE_SZ, self->p + PAGE_SZ));
}

/*
 * Proves that they meet through a window and a plain mapping of the same memfd.
 */
TEST_F(futex, window_and_plain_mapping)
{
	EXPECT_TRUE(wakes(self->stage, self->plain + 8, self->p + 8));
	EXPECT_TRUE(wakes(self->stage, self->p + 8, self->plain + 8));
	EXPECT_TRUE(wakes(self->stage, self->plain + 3 * PAGE_SZ,
			  self->q + 3 * PAGE_SZ));
}

/* The words of two pages are two futexes. */
TEST_F(futex, distinct_words)
{
	struct wait wait = { self->q, self->stage };
	pid_t pid = child_run(waiter, &wait);

	EXPECT_TRUE(stage_wait(self->stage, 1));
	usleep(50 * 1000);
	EXPECT_EQ(0, futex(self->p + 4, FUTEX_WAKE, 1, 0));
	EXPECT_EQ(0, futex(self->p + PAGE_SZ, FUTEX_WAKE, 1, 0));
	EXPECT_EQ(1, wake_one(self->p));
	EXPECT_EQ(0, child_wait(pid));
}

/*
 * Proves that a futex on a page that is not there faults it in, and does not
 * warn: in v3 this did.
 */
TEST_F(futex, absent_page)
{
	EXPECT_EQ(0, futex(self->p + 16 * PAGE_SZ, FUTEX_WAKE, 1, 0));
	EXPECT_ERRNO(EAGAIN, futex(self->p + 17 * PAGE_SZ, FUTEX_WAIT, 1, 0));
	EXPECT_ERRNO(ETIMEDOUT, futex(self->p + 18 * PAGE_SZ, FUTEX_WAIT, 0,
				      20));
}

/* Proves that outside the object there is EFAULT, and no warning. */
TEST_F(futex, outside)
{
	EXPECT_ERRNO(EFAULT, futex(self->p + GB(1), FUTEX_WAKE, 1, 0));
	EXPECT_ERRNO(EFAULT, futex(self->p + GB(1), FUTEX_WAIT, 0, 20));
}

/*
 * Proves that operations which write fail in a read-only window, and do not
 * loop.
 */
TEST_F(futex, read_only_window)
{
	ASSERT_EQ(0, probe_store(self->p, 0));
	ASSERT_EQ(0, mprotect(self->q, SLOT, PROT_READ));
	EXPECT_ERRNO(EAGAIN, futex(self->q, FUTEX_WAIT, 1, 0));
	EXPECT_TRUE(wakes(self->stage, self->q, self->p));
	EXPECT_ERRNO(EFAULT,
		     syscall(SYS_futex, self->p, FUTEX_WAKE_OP, 1, 1L, self->q,
			     FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)));
	EXPECT_ERRNO(EFAULT, futex(self->q, FUTEX_LOCK_PI, 0, 0));
	EXPECT_EQ(0, *self->p);
}

/* Proves that in a PROT_NONE window all fail with EFAULT. */
TEST_F(futex, prot_none_window)
{
	ASSERT_EQ(0, probe_store(self->p, 0));
	ASSERT_EQ(0, mprotect(self->q, SLOT, PROT_NONE));
	EXPECT_ERRNO(EFAULT, futex(self->q, FUTEX_WAIT, 0, 20));
	EXPECT_ERRNO(EFAULT, futex(self->q, FUTEX_LOCK_PI, 0, 0));
}

/*
 * Proves that operations which write work where the window may write, with the
 * page there or not.
 */
TEST_F(futex, kernel_writes_word)
{
	__u32 *word = (__u32 *)(self->p + 20 * PAGE_SZ);

	EXPECT_EQ(0, syscall(SYS_futex, self->p, FUTEX_WAKE_OP, 1, 1L, word,
			     FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 0)));
	EXPECT_EQ(7U, *word);
	word += PAGE_SZ / sizeof(*word);
	EXPECT_EQ(0, futex(word, FUTEX_LOCK_PI, 0, 0));
	EXPECT_EQ((__u32)getpid(), *word);
	EXPECT_EQ(0, futex(word, FUTEX_UNLOCK_PI, 0, 0));
	EXPECT_EQ(0U, *word);
}

/* Requeue from the word of one window to another word, seen by a third. */
TEST_F(futex, requeue)
{
	struct wait wait = { self->q, self->stage };
	pid_t pid = child_run(waiter, &wait);
	long moved = 0;
	int tries;

	EXPECT_TRUE(stage_wait(self->stage, 1));
	for (tries = 0; !moved && tries < 2000; tries++) {
		moved = syscall(SYS_futex, self->p, FUTEX_CMP_REQUEUE, 0, 1L,
				self->p + PAGE_SZ, 0);
		usleep(1000);
	}
	EXPECT_EQ(1, moved);
	EXPECT_EQ(0, futex(self->p, FUTEX_WAKE, 1, 0));
	EXPECT_EQ(1, futex(self->plain + PAGE_SZ, FUTEX_WAKE, 1, 0));
	EXPECT_EQ(0, child_wait(pid));
}

/* What PostgreSQL does: semaphores in the shared memory, handed to and fro. */
TEST_F(futex, semaphores)
{
	sem_t *ping = (sem_t *)self->p, *pong = ping + 1;
	sem_t *child_ping = (sem_t *)self->q, *child_pong = child_ping + 1;
	pid_t pid;
	int i;

	ASSERT_EQ(0, sem_init(ping, 1, 0));
	ASSERT_EQ(0, sem_init(pong, 1, 0));
	pid = child_fork();
	if (!pid) {
		for (i = 0; i < 1000; i++) {
			CHECK(!sem_wait(child_ping));
			CHECK(!sem_post(child_pong));
		}
		_exit(0);
	}
	for (i = 0; i < 1000; i++) {
		EXPECT_EQ(0, sem_post(ping));
		EXPECT_EQ(0, sem_wait(pong));
	}
	EXPECT_EQ(0, child_wait(pid));
}

TEST_HARNESS_MAIN
