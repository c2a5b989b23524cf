// SPDX-License-Identifier: GPL-2.0
/*
 * Running out of memory with regions: whose fault it is, and whom it hits.
 * A region's memory is in no process's RSS.  Without mshare_owned_pages() the
 * OOM killer would kill everybody else before the one who has it all.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"
#include "mshare_sys.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease	448
#endif

#define BYTES	MB(256)

static const char *no_cgroups;

FIXTURE(oom) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(oom)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(oom)
{
	unlinkat(self->root, "r", 0);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static long badness_of(pid_t pid)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	return atol(text);
}

/* What oom_score grows by for @bytes: thousandths of all memory, times 2/3. */
static long score_of(size_t bytes)
{
	return bytes / 1024 * 1000 /
	       (meminfo_value("MemTotal") + meminfo_value("SwapTotal")) * 2 / 3;
}

struct party {
	int root;
	struct stage *stage;
};

static int owner(void *arg)
{
	struct party *party = arg;
	int fd = region_create(party->root, "r", SLOT);

	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, BYTES));
	stage_set(party->stage, 1);
	CHECK(stage_wait(party->stage, 2));
	CHECK(!region_populate(fd, 0, BYTES));
	stage_set(party->stage, 3);
	CHECK(stage_wait(party->stage, 4));
	return 0;
}

static int guest(void *arg)
{
	struct party *party = arg;
	char *p;
	int fd;

	CHECK(stage_wait(party->stage, 1));
	fd = openat(party->root, "r", O_RDWR);
	CHECK(fd >= 0);
	p = window(fd, SLOT, RW, NULL);
	CHECK(p != MAP_FAILED);
	stage_set(party->stage, 2);
	CHECK(stage_wait(party->stage, 4));
	return 0;
}

/*
 * Proves that a region's pages count in the badness of its owner, and of no
 * guest.
 */
TEST_F(oom, badness)
{
	struct party party = { self->root, self->stage };
	pid_t a = child_run(owner, &party), b;
	long before, guest_before;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	before = badness_of(a);
	ASSERT_LT(0, before);
	b = child_run(guest, &party);
	guest_before = badness_of(b);
	ASSERT_TRUE(stage_wait(self->stage, 3));
	EXPECT_LE(before + score_of(BYTES) - 2, badness_of(a));
	EXPECT_GE(guest_before + 5, badness_of(b));
	stage_set(self->stage, 4);
	EXPECT_EQ(0, child_wait(a));
	EXPECT_EQ(0, child_wait(b));
}

/* Takes memory until it is killed for it, by the window. */
static int greedy(void *arg)
{
	struct party *party = arg;
	char *plain = shared_anon(BYTES), *p;
	int fd;

	CHECK(!cgroup_enter(0));
	fd = object_open(party->root, plain, BYTES, 0);
	CHECK(fd >= 0);
	p = object_window(fd, RW, NULL);
	CHECK(p != MAP_FAILED);
	fill(p, BYTES, 1);
	return 0;
}

static int bystander(void *arg)
{
	struct party *party = arg;

	CHECK(!cgroup_enter(1));
	stage_set(party->stage, 1);
	CHECK(stage_wait(party->stage, 2));
	return 0;
}

/*
 * Proves that the cgroup that faults is charged, so that its limit is hit and
 * one is killed in it: neither the maker's, nor the root's.
 */
TEST_F(oom, kills_in_the_cgroup_that_faults)
{
	struct party party = { self->root, self->stage };
	long kills[2];
	pid_t other;

	if (no_cgroups)
		SKIP(return, "%s", no_cgroups);
	ASSERT_EQ(0, cgroup_write(0, "memory.swap.max", "0"));
	ASSERT_EQ(0, cgroup_write(0, "memory.max", "33554432"));
	kills[0] = cgroup_read(0, "memory.events", "oom_kill");
	kills[1] = cgroup_read(1, "memory.events", "oom_kill");
	other = child_run(bystander, &party);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	EXPECT_EQ(128 + SIGKILL, child_wait(child_run(greedy, &party)));
	EXPECT_EQ(kills[0] + 1, cgroup_read(0, "memory.events", "oom_kill"));
	EXPECT_EQ(kills[1], cgroup_read(1, "memory.events", "oom_kill"));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(other));
	EXPECT_EQ(0, cgroup_write(0, "memory.max", "max"));
	EXPECT_EQ(0, cgroup_write(0, "memory.swap.max", "max"));
}

/* POPULATE by another is a charge to the owner, like everything in there. */
static int make_and_wait(void *arg)
{
	struct party *party = arg;
	int fd;

	CHECK(!cgroup_enter(1));
	fd = region_create(party->root, "r", SLOT);
	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, MB(64)));
	stage_set(party->stage, 1);
	CHECK(stage_wait(party->stage, 2));
	return 0;
}

static int populate_and_wait(void *arg)
{
	struct party *party = arg;
	int fd;

	CHECK(!cgroup_enter(0));
	fd = openat(party->root, "r", O_RDWR);
	CHECK(fd >= 0);
	CHECK(!region_populate(fd, 0, MB(32)));
	CHECK(!region_lock(fd, MB(32), MB(32), 1));
	return 0;
}

TEST_F(oom, ioctls_charge_the_owner)
{
	struct party party = { self->root, self->stage };
	long before[2];
	pid_t pid;
	int i;

	if (no_cgroups)
		SKIP(return, "%s", no_cgroups);
	pid = child_run(make_and_wait, &party);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	for (i = 0; i < 2; i++)
		before[i] = cgroup_read(i, "memory.stat", "shmem");
	EXPECT_EQ(0, child_wait(child_run(populate_and_wait, &party)));
	EXPECT_LE(before[1] + (long)MB(63),
		  cgroup_read(1, "memory.stat", "shmem"));
	EXPECT_GE(before[0] + (long)MB(1),
		  cgroup_read(0, "memory.stat", "shmem"));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
}

static int reader(void *arg)
{
	struct party *party = arg;
	int fd = openat(party->root, "r", O_RDONLY);
	char *p;

	CHECK(fd >= 0);
	p = window(fd, SLOT, PROT_READ, NULL);
	CHECK(p != MAP_FAILED);
	touch(p, MB(1));
	stage_set(party->stage, 1);
	pause();
	return 0;
}

/* Kills @pid, and lets it die no further than to where it still has its mm. */
static int kill_and_hold(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) ||
	    kill(pid, SIGKILL) || waitpid(pid, &status, 0) != pid)
		return -1;
	return status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8) ? 0 : -1;
}

/* What the OOM reaper does when one that it has killed does not get to it. */
static int reap(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0), ret, err;

	if (fd < 0)
		return -1;
	ret = syscall(SYS_process_mrelease, fd, 0);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static long links(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? -1 : (long)st.links;
}

/*
 * Proves that the OOM reaper takes nobody's pages but its victim's.  A window
 * of a file that is open for reading only is one of those that it empties: not
 * VM_SHARED.  It comes by a way of its own, past the usual munmap.
 */
TEST_F(oom, reaper_leaves_the_region_alone)
{
	struct party party = { self->root, self->stage };
	int fd = region_create(self->root, "r", SLOT);
	pid_t pid;
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, MB(1)));
	pid = child_run(reader, &party);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(1), 1);
	ASSERT_EQ(2, links(fd));
	ASSERT_EQ(0, kill_and_hold(pid));
	ASSERT_EQ(0, reap(pid))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(1, links(fd));
	EXPECT_EQ(1024, smaps_kb(p, "Rss"));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(0, ptrace(PTRACE_CONT, pid, NULL, NULL));
	EXPECT_EQ(128 + SIGKILL, child_wait(pid));
	munmap(p, SLOT);
	close(fd);
}

int main(int argc, char **argv)
{
	if (!mshare_missing())
		no_cgroups = cgroups_get(2);
	return test_harness_run(argc, argv);
}
