// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_LOCK: pages locked in memory, and charged to a limit.  In v3 the
 * host mm's own locked_vm counted, which no RLIMIT_MEMLOCK bounds: whoever could
 * make a region could lock all memory.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/shm.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"
#include "mshare_sys.h"

#define BYTES	MB(8)
#define LIMIT	MB(4)
#define SECOND	1000	/* another unprivileged user */

FIXTURE(ioctl_lock) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, BYTES of memory at its start */
	long mlocked;	/* kB, before the test */
	struct stage *stage;
};

FIXTURE_SETUP(ioctl_lock)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	/* What is munlocked counts until its CPU gets round to it: be on one. */
	run_on(sched_getcpu());
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->mlocked = meminfo_settled("Mlocked");
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, fchmod(self->fd, 0666));
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
}

/* kB of locked memory in the system that are the test's. */
static long mlocked(long before)
{
	return meminfo_settled("Mlocked") - before;
}

/* With the region goes the lock. */
FIXTURE_TEARDOWN(ioctl_lock)
{
	unlinkat(self->root, "r", 0);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
	EXPECT_EQ(0, mlocked(self->mlocked));
}

/* All of the range is faulted in, counted as locked, and stays. */
TEST_F(ioctl_lock, lock_and_unlock)
{
	EXPECT_EQ(0, region_lock(self->fd, 0, BYTES, 1));
	EXPECT_EQ((long)(BYTES / PAGE_SZ), resident(self->fd));
	EXPECT_EQ((long)(BYTES / 1024), mlocked(self->mlocked));
	/* Advice to give it up is refused, as for any locked memory. */
	EXPECT_EQ(-1, region_advise(self->fd, 0, BYTES, MADV_DONTNEED));
	EXPECT_EQ(-1, region_advise(self->fd, 0, BYTES, MADV_PAGEOUT));
	EXPECT_EQ((long)(BYTES / PAGE_SZ), resident(self->fd));
	EXPECT_EQ(0, region_lock(self->fd, 0, MB(2), 0));
	EXPECT_EQ((long)((BYTES - MB(2)) / 1024), mlocked(self->mlocked));
	EXPECT_EQ(0, region_lock(self->fd, 0, BYTES, 0));
	EXPECT_EQ(0, mlocked(self->mlocked));
	EXPECT_EQ(0, region_lock(self->fd, 0, BYTES, 0));
}

/* What is unmapped, or replaced, is locked no more. */
TEST_F(ioctl_lock, unmap)
{
	ASSERT_EQ(0, region_lock(self->fd, 0, BYTES, 1));
	ASSERT_EQ(0, unmap(self->fd, 0, MB(2)));
	EXPECT_EQ((long)((BYTES - MB(2)) / 1024), mlocked(self->mlocked));
	ASSERT_EQ(0, create_anon(self->fd, MB(2), MB(2)));
	EXPECT_EQ((long)((BYTES - MB(4)) / 1024), mlocked(self->mlocked));
}

/* Holes: ENOMEM, and nothing is locked that was not before. */
TEST_F(ioctl_lock, holes)
{
	ASSERT_EQ(0, region_lock(self->fd, 0, MB(1), 1));
	EXPECT_ERRNO(ENOMEM, region_lock(self->fd, 0, 2 * BYTES, 1));
	EXPECT_ERRNO(ENOMEM, region_lock(self->fd, GB(1), PAGE_SZ, 1));
	EXPECT_EQ(1024, mlocked(self->mlocked));
	EXPECT_ERRNO(ENOMEM, region_lock(self->fd, 0, 2 * BYTES, 0));
	EXPECT_EQ(1024, mlocked(self->mlocked));
}

/* An unprivileged user with a limit, and a descriptor of his own. */
static int reopen_as(uid_t uid, size_t limit)
{
	struct rlimit rlimit = { limit, limit };
	int fd;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &rlimit));
	if (uid == NOBODY)
		become_nobody();
	else
		CHECK(!setresgid(uid, uid, uid) && !setresuid(uid, uid, uid));
	fd = open(MSHARE_MNT "/r", O_RDWR);
	CHECK(fd >= 0);
	return fd;
}

#define REFUSED(error, call)	((call) == -1 && errno == (error))

/* As much as the limit, in however many calls, and not a page more. */
static int lock_to_limit(void *arg)
{
	int fd = reopen_as(NOBODY, LIMIT);

	CHECK(REFUSED(ENOMEM, region_lock(fd, 0, LIMIT + PAGE_SZ, 1)));
	CHECK(resident(fd) == 0);
	CHECK(!region_lock(fd, 0, LIMIT / 2, 1));
	/* Locked twice, charged once. */
	CHECK(!region_lock(fd, 0, LIMIT / 2, 1));
	CHECK(!region_lock(fd, 0, LIMIT, 1));
	CHECK(REFUSED(ENOMEM, region_lock(fd, LIMIT, PAGE_SZ, 1)));
	CHECK(REFUSED(ENOMEM, region_lock(fd, 0, LIMIT + PAGE_SZ, 1)));
	/* What is given back can be had again. */
	CHECK(!region_lock(fd, 0, PAGE_SZ, 0));
	CHECK(!region_lock(fd, LIMIT, PAGE_SZ, 1));
	CHECK(!unmap(fd, LIMIT, PAGE_SZ));
	CHECK(!region_lock(fd, 0, PAGE_SZ, 1));
	return 0;
}

/*
 * Proves that RLIMIT_MEMLOCK bounds what a user locks, in however many calls,
 * to the page.
 */
TEST_F(ioctl_lock, limit)
{
	EXPECT_EQ(0, child_wait(child_run(lock_to_limit, NULL)));
	EXPECT_EQ((long)(LIMIT / 1024), mlocked(self->mlocked));
}

static int lock_two_regions(void *arg)
{
	int id, own, fd = reopen_as(NOBODY, LIMIT);

	own = region_create(*(int *)arg, "own", SLOT);
	CHECK(own >= 0 && !create_anon(own, 0, LIMIT));
	CHECK(!region_lock(fd, 0, LIMIT - MB(1), 1));
	CHECK(REFUSED(ENOMEM, region_lock(own, 0, MB(2), 1)));
	CHECK(!region_lock(own, 0, MB(1), 1));
	id = shmget(IPC_PRIVATE, PAGE_SZ, 0600 | IPC_CREAT);
	CHECK(id >= 0);
	CHECK(REFUSED(ENOMEM, shmctl(id, SHM_LOCK, NULL)));
	/* Gone with the region. */
	CHECK(!unlinkat(*(int *)arg, "own", 0));
	close(own);
	CHECK(!shmctl(id, SHM_LOCK, NULL));
	CHECK(REFUSED(ENOMEM, region_lock(fd, 0, LIMIT, 1)));
	CHECK(!shmctl(id, IPC_RMID, NULL));
	CHECK(!region_lock(fd, 0, LIMIT, 1));
	CHECK(!region_lock(fd, 0, LIMIT, 0));
	return 0;
}

/*
 * Proves that there is one limit for all of a user's regions, and for SHM_LOCK.
 */
TEST_F(ioctl_lock, limit_is_the_users)
{
	EXPECT_EQ(0, child_wait(child_run(lock_two_regions, &self->root)));
	unlinkat(self->root, "own", 0);
}

static int lock_without_limit(void *arg)
{
	int fd = reopen_as(NOBODY, 0);

	CHECK(REFUSED(EPERM, region_lock(fd, 0, PAGE_SZ, 1)));
	CHECK(resident(fd) == 0);
	return 0;
}

/* Proves that without any limit to use there is EPERM, as from mlock(). */
TEST_F(ioctl_lock, limit_of_zero)
{
	EXPECT_EQ(0, child_wait(child_run(lock_without_limit, NULL)));
	EXPECT_EQ(0, mlocked(self->mlocked));
}

/* CAP_IPC_LOCK is free. */
TEST_F(ioctl_lock, privilege)
{
	struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	EXPECT_EQ(0, region_lock(self->fd, 0, BYTES, 1));
	EXPECT_EQ((long)(BYTES / 1024), mlocked(self->mlocked));
}

static int lock_for_nobody(void *arg)
{
	int fd = reopen_as(NOBODY, LIMIT);

	CHECK(!region_lock(fd, 0, MB(1), 1));
	stage_set(arg, 1);
	CHECK(stage_wait(arg, 2));
	/* Unlocked by the other one: the charge is gone, too. */
	CHECK(!region_lock(fd, 0, LIMIT, 1));
	return 0;
}

static int lock_for_another(void *arg)
{
	int fd = reopen_as(SECOND, LIMIT);

	CHECK(stage_wait(arg, 1));
	/* Who would pay? */
	CHECK(REFUSED(EPERM, region_lock(fd, MB(1), MB(1), 1)));
	/* But not for ever: a writer may unlock. */
	CHECK(!region_lock(fd, 0, BYTES, 0));
	CHECK(!region_lock(fd, MB(1), MB(1), 1));
	CHECK(!region_lock(fd, MB(1), MB(1), 0));
	stage_set(arg, 2);
	return 0;
}

/* Two users of one region. */
TEST_F(ioctl_lock, two_users)
{
	pid_t a = child_run(lock_for_nobody, self->stage);
	pid_t b = child_run(lock_for_another, self->stage);

	EXPECT_EQ(0, child_wait(b));
	EXPECT_EQ(0, child_wait(a));
}

static int owner(void *arg)
{
	struct rlimit rlimit = { LIMIT, LIMIT };
	int fd;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &rlimit));
	become_nobody();
	fd = region_create(*(int *)arg, "owned", SLOT);
	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, LIMIT));
	CHECK(!region_lock(fd, 0, LIMIT, 1));
	return 0;
}

/* With the owner's exit it is unlocked, though the name stays. */
TEST_F(ioctl_lock, owner_exit)
{
	EXPECT_EQ(0, child_wait(child_run(owner, &self->root)));
	EXPECT_EQ(0, mlocked(self->mlocked));
	ASSERT_EQ(0, unlinkat(self->root, "owned", 0));
	/* And the user has his limit back. */
	EXPECT_EQ(0, child_wait(child_run(owner, &self->root)));
	ASSERT_EQ(0, unlinkat(self->root, "owned", 0));
}

/* The regions of objects: the last fd or window gone, the lock is gone. */
TEST_F(ioctl_lock, object_region)
{
	char *plain = shared_anon(BYTES);
	int fd = object_open(self->root, plain, BYTES, 0);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(0, region_lock(fd, st.object_offset, BYTES, 1));
	EXPECT_EQ((long)(BYTES / 1024), mlocked(self->mlocked));
	close(fd);
	EXPECT_EQ(0, mlocked(self->mlocked));
	munmap(plain, BYTES);
}

/* A lock that PROTECT splits, or advice, is counted as before. */
TEST_F(ioctl_lock, survives_splits)
{
	ASSERT_EQ(0, region_lock(self->fd, 0, BYTES, 1));
	ASSERT_EQ(0, region_protect(self->fd, MB(1), MB(1), PROT_READ));
	ASSERT_EQ(0, region_advise(self->fd, MB(3), MB(1), MADV_RANDOM));
	EXPECT_EQ((long)(BYTES / 1024), mlocked(self->mlocked));
	EXPECT_EQ(0, region_lock(self->fd, 0, BYTES, 0));
	EXPECT_EQ(0, mlocked(self->mlocked));
}

TEST_HARNESS_MAIN
