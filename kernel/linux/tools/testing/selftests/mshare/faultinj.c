// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that fail, one after the other, in every call of the ABI: each
 * call says ENOMEM or does its work, and leaves nothing half done.  Needs
 * CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and their debugfs files.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define DEBUGFS	"/sys/kernel/debug"
/* Enough for two levels of the page cache, few enough to let each one fail. */
#define BYTES	(128 * PAGE_SZ)

static const char *no_injection;

FIXTURE(faultinj) {
	struct mshare_env env;
	int root;
	int nth;	/* /proc/self/fail-nth */
};

FIXTURE_SETUP(faultinj)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_injection;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
}

FIXTURE_TEARDOWN(faultinj)
{
	close(self->nth);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static void fail_nth(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	CHECK(pwrite(fd, text, len, 0) == len);
}

/* True when the allocation that was to fail has been reached. */
static bool failed_one(int fd)
{
	char text[16] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	fail_nth(fd, 0);
	return atoi(text) == 0;
}

/* Regions, from their creation to their use. */
static void use_region(int nth, int root, int n, bool *injected)
{
	int fd = -1, ret = -1;
	char *p = MAP_FAILED;

	fail_nth(nth, n);
	fd = region_create(root, "r", SLOT);
	if (fd >= 0)
		ret = create_anon(fd, 0, BYTES);
	if (!ret)
		p = window(fd, SLOT, RW, WINDOW_AT(0));
	if (p != MAP_FAILED)
		madvise(p, BYTES, MADV_POPULATE_WRITE);
	*injected = failed_one(nth);

	if (p != MAP_FAILED) {
		fill(p, BYTES, 1);
		CHECK(filled(p, BYTES, 1));
		fail_nth(nth, n);
		ret = unmap(fd, PAGE_SZ, PAGE_SZ);
		*injected |= failed_one(nth);
		CHECK(!ret == (probe_load(p + PAGE_SZ) == SIGSEGV));
		CHECK(!munmap(p, SLOT));
	}
	if (fd >= 0)
		close(fd);
	unlinkat(root, "r", 0);
}

/*
 * Proves that create, ftruncate, CREATE_MAPPING, mmap, faults and UNMAP each
 * take the failure of any allocation.
 */
TEST_F_TIMEOUT(faultinj, region, 180)
{
	bool injected = true;
	int n;

	for (n = 1; injected && n < 2000; n++)
		use_region(self->nth, self->root, n, &injected);
	EXPECT_FALSE(injected);
	EXPECT_LT(10, n);
}

static void use_object(int nth, int root, int n, bool *injected)
{
	char *plain = shared_anon(BYTES), *view = MAP_FAILED;
	int fd;

	CHECK(plain != MAP_FAILED);
	fail_nth(nth, n);
	fd = object_open(root, plain, BYTES, MSHARE_OBJECT_POPULATE);
	if (fd >= 0)
		view = object_window(fd, RW, NULL);
	*injected = failed_one(nth);
	if (view != MAP_FAILED) {
		fill(view, BYTES, 1);
		CHECK(filled(plain, BYTES, 1));
		CHECK(!munmap(view, SLOT));
	}
	if (fd >= 0)
		close(fd);
	CHECK(!munmap(plain, BYTES));
	/* Whatever has failed: the object can be had, and is a new one. */
	plain = shared_anon(BYTES);
	fd = object_open_at(root, plain, BYTES, WINDOW_AT(0) + GB(2), 0);
	CHECK(fd >= 0);
	close(fd);
	CHECK(!munmap(plain, BYTES));
}

/*
 * Proves the same of MSHAREFS_OPEN_OBJECT, and that no half of a region is
 * found afterwards.
 */
TEST_F_TIMEOUT(faultinj, object, 180)
{
	bool injected = true;
	int n;

	for (n = 1; injected && n < 4000; n++)
		use_object(self->nth, self->root, n, &injected);
	EXPECT_FALSE(injected);
	EXPECT_LT(10, n);
}

/* Proves that after fork() both have the windows, or there is no child. */
TEST_F_TIMEOUT(faultinj, fork, 240)
{
	int n, region = region_anon(self->root, BYTES);
	char *p = window(region, SLOT, RW, WINDOW_AT(0));
	struct mshare_stat st;
	bool injected = true;
	pid_t pid;

	ASSERT_EQ(WINDOW_AT(0), p);
	fill(p, BYTES, 1);
	for (n = 1; injected && n < 2000; n++) {
		fail_nth(self->nth, n);
		pid = fork();
		if (!pid)
			_exit(!filled(p, BYTES, 1));
		injected = failed_one(self->nth);
		if (pid > 0)
			EXPECT_EQ(0, child_wait(pid));
		ASSERT_EQ(0, region_stat(region, &st));
		EXPECT_EQ(1UL, st.windows);
		EXPECT_EQ(1UL, st.links);
	}
	EXPECT_FALSE(injected);
	EXPECT_TRUE(filled(p, BYTES, 1));
	munmap(p, SLOT);
	close(region);
}

#define OBJECTS	4

/* Owns "r"; of the allocations of its exit the @n-th fails. */
static int owner(int root, struct stage *stage, int n)
{
	int i, nth, fd = region_create(root, "r", SLOT);

	CHECK(fd >= 0);
	for (i = 0; i < OBJECTS; i++)
		CHECK(!create_anon(fd, i * GB(1), PAGE_SZ));
	stage_set(stage, 1);
	CHECK(stage_wait(stage, 2));
	nth = open("/proc/self/fail-nth", O_RDWR);
	CHECK(nth >= 0);
	fail_nth(nth, n);
	_exit(0);
}

/* True when the exit of @pid, which is not reaped yet, came to its n-th. */
static bool exit_failed_one(pid_t pid)
{
	char path[64], text[16] = "1";
	siginfo_t info;
	int fd;

	CHECK(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atoi(text) == 0;
}

/*
 * Proves that the exit of an owner takes everything away from the guests also
 * when there is no memory for munmap(): in v3 it could stop halfway.
 */
TEST_F_TIMEOUT(faultinj, owner_exit, 240)
{
	struct stage *stage = stage_new();
	struct mshare_stat st;
	bool injected = true;
	int i, n, fd;
	pid_t pid;
	char *p;

	ASSERT_NE(NULL, stage);
	for (n = 1; injected && n < 1000; n++) {
		stage_set(stage, 0);
		pid = child_fork();
		if (!pid)
			_exit(owner(self->root, stage, n));
		ASSERT_TRUE(stage_wait(stage, 1));
		fd = openat(self->root, "r", O_RDWR);
		p = window(fd, SLOT, RW, WINDOW_AT(0));
		ASSERT_EQ(WINDOW_AT(0), p);
		for (i = 0; i < OBJECTS; i++)
			ASSERT_EQ(0, probe_store(p + i * GB(1), 1));
		stage_set(stage, 2);
		injected = exit_failed_one(pid);
		EXPECT_EQ(0, child_wait(pid));
		for (i = 0; i < OBJECTS; i++)
			EXPECT_EQ(SIGSEGV, probe_load(p + i * GB(1)))
				TH_LOG("object %d, allocation %d", i, n);
		ASSERT_EQ(0, region_stat(fd, &st));
		EXPECT_EQ(MSHARE_STAT_DEAD, st.flags & MSHARE_STAT_DEAD);
		EXPECT_EQ(0UL, st.resident_pages);
		munmap(p, SLOT);
		close(fd);
		ASSERT_EQ(0, unlinkat(self->root, "r", 0));
	}
	EXPECT_FALSE(injected);
	EXPECT_LT(2, n);
}

/*
 * Proves that a window for which no p4d page can be had is refused, and that a
 * child gets its link later.  Only 5 levels have such pages, and another one is
 * needed beyond what 4 levels can address; v3 did not look whether it got it.
 */
TEST_F_TIMEOUT(faultinj, p4d_page, 240)
{
	int n, region = region_anon(self->root, BYTES);
	char *at = (char *)(1UL << 48), *p;
	bool injected = true;
	pid_t pid;

	p = window(region, SLOT, RW, at);
	if (p == MAP_FAILED)
		SKIP(close(region); return, "4 levels of page tables");
	munmap(p, SLOT);
	for (n = 1; injected && n < 2000; n++) {
		fail_nth(self->nth, n);
		p = window(region, SLOT, RW, at);
		pid = p == at ? fork() : -1;
		if (!pid)
			_exit(probe_load(at));
		injected = failed_one(self->nth);
		if (pid > 0)
			EXPECT_EQ(0, child_wait(pid));
		if (p != at)
			continue;
		EXPECT_EQ(0, probe_store(p, 1));
		EXPECT_EQ(0, munmap(p, SLOT));
	}
	EXPECT_FALSE(injected);
	EXPECT_LT(5, n);
	close(region);
}

/*
 * Proves that mount gives an error, or a filesystem that can be unmounted
 * again.
 */
TEST_F_TIMEOUT(faultinj, mount, 120)
{
	bool injected = true;
	int n, ret;

	for (n = 1; injected && n < 2000; n++) {
		fail_nth(self->nth, n);
		ret = mshare_mount("mode=0700");
		injected = failed_one(self->nth);
		if (!ret)
			EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
	}
	EXPECT_FALSE(injected);
}

static const char *injection_get(void)
{
	static const char * const knobs[][2] = {
		{ DEBUGFS "/failslab/ignore-gfp-wait", "N" },
		{ DEBUGFS "/failslab/verbose", "0" },
		{ DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N" },
		{ DEBUGFS "/fail_page_alloc/ignore-gfp-highmem", "N" },
		{ DEBUGFS "/fail_page_alloc/min-order", "0" },
		{ DEBUGFS "/fail_page_alloc/verbose", "0" },
	};
	const char *why = NULL;
	unsigned int i;

	if (access("/proc/self/fail-nth", F_OK))
		return "no /proc/self/fail-nth: CONFIG_FAULT_INJECTION";
	if (access(DEBUGFS "/failslab", F_OK) &&
	    (unshare(CLONE_NEWNS) ||
	     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	     mount("none", DEBUGFS, "debugfs", 0, NULL)))
		return "debugfs cannot be mounted";
	for (i = 0; !why && i < ARRAY_SIZE(knobs); i++)
		why = knob_set(knobs[i][0], knobs[i][1]);
	return why;
}

/*
 * After a fork() the kernel writes to the rseq area of a thread when it was
 * preempted; an allocation that fails there is SIGSEGV, for any memory.
 */
static void without_rseq(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	without_rseq(argv);
	if (!mshare_missing())
		no_injection = injection_get();
	return test_harness_run(argc, argv);
}
