// SPDX-License-Identifier: GPL-2.0
/*
 * mmu notifiers (KVM, HMM, shared virtual addressing) of a process with a
 * window would hear nothing of what happens in the region: its mm is not the
 * one that changes.  A device would go on using pages that are gone.  So one
 * excludes the other, whichever comes first.  The notifier is that which
 * /dev/hmm_dmirror0 of CONFIG_TEST_HMM registers when it is opened.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define DEVICE	"/dev/hmm_dmirror0"

FIXTURE(notifier) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	struct stage *stage;
};

FIXTURE_SETUP(notifier)
{
	const char *why = mshare_missing();

	if (!why && access(DEVICE, F_OK))
		why = "no " DEVICE ": needs CONFIG_TEST_HMM";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_anon(self->root, MB(1));
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(notifier)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* Proves that no notifier is registered in a process with a window. */
TEST_F(notifier, window_first)
{
	char *p = window(self->fd, SLOT, RW, NULL);
	int dev;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_ERRNO(EOPNOTSUPP, open(DEVICE, O_RDWR));
	EXPECT_EQ(0, probe_store(p, 1));
	/* The last window gone, it may have one. */
	ASSERT_EQ(0, munmap(p, SLOT));
	dev = open(DEVICE, O_RDWR);
	EXPECT_LE(0, dev);
	close(dev);
}

/* Proves that a process with a notifier gets no window. */
TEST_F(notifier, notifier_first)
{
	int dev = open(DEVICE, O_RDWR);

	ASSERT_LE(0, dev);
	EXPECT_EQ(MAP_FAILED, window(self->fd, SLOT, RW, NULL));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(MAP_FAILED, window(self->fd, SLOT, PROT_NONE, NULL));
	EXPECT_EQ(EOPNOTSUPP, errno);
	/* MAP_FIXED: what was there is gone, as after any failing mmap(). */
	EXPECT_EQ(MAP_FAILED, window(self->fd, SLOT, RW, WINDOW_AT(0)));
	close(dev);
}

static int window_of_child(void *arg)
{
	int fd = *(int *)arg;
	char *p = window(fd, SLOT, RW, NULL);

	CHECK(p != MAP_FAILED);
	CHECK(!probe_store(p, 1));
	return 0;
}

/* Proves that a notifier is the parent's alone: the child may have a window. */
TEST_F(notifier, fork)
{
	int dev = open(DEVICE, O_RDWR);

	ASSERT_LE(0, dev);
	EXPECT_EQ(0, child_wait(child_run(window_of_child, &self->fd)));
	close(dev);
}

static int notifier_of_child(void *arg)
{
	char *p = arg;

	CHECK(open(DEVICE, O_RDWR) == -1 && errno == EOPNOTSUPP);
	CHECK(!munmap(p, SLOT));
	CHECK(open(DEVICE, O_RDWR) >= 0);
	return 0;
}

/* Proves that an inherited window counts: the child gets no notifier. */
TEST_F(notifier, fork_with_window)
{
	char *p = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, child_wait(child_run(notifier_of_child, p)));
	/* The child's affair: the parent still has its window. */
	EXPECT_ERRNO(EOPNOTSUPP, open(DEVICE, O_RDWR));
	munmap(p, SLOT);
}

struct race {
	int fd;
	pthread_barrier_t barrier;
	bool has_notifier;
};

static void *open_device(void *arg)
{
	struct race *race = arg;
	int dev;

	pthread_barrier_wait(&race->barrier);
	dev = open(DEVICE, O_RDWR);
	race->has_notifier = dev >= 0;
	pthread_barrier_wait(&race->barrier);
	if (dev >= 0)
		close(dev);
	return NULL;
}

static int one_race(void *arg)
{
	struct race *race = arg;
	pthread_t thread;
	char *p;

	CHECK(!pthread_barrier_init(&race->barrier, NULL, 2));
	CHECK(!pthread_create(&thread, NULL, open_device, race));
	pthread_barrier_wait(&race->barrier);
	p = window(race->fd, SLOT, RW, NULL);
	pthread_barrier_wait(&race->barrier);
	/* Both at once is what must not be; neither may be. */
	CHECK(p == MAP_FAILED || !race->has_notifier);
	CHECK(!pthread_join(thread, NULL));
	return 0;
}

/*
 * Proves that two threads at the same time do not get both, a window and a
 * notifier.
 */
TEST_F_TIMEOUT(notifier, race, 60)
{
	struct race race = { .fd = self->fd };
	int i;

	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, child_wait(child_run(one_race, &race)));
}

TEST_HARNESS_MAIN
