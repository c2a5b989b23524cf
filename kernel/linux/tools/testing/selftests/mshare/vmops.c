// SPDX-License-Identifier: GPL-2.0
/*
 * System calls that walk, lock, place or mark page tables, on windows: they
 * work or are refused, and never touch the shared page tables unlocked.  That
 * they do not warn is seen by the fixture, in the kernel log.
 */
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM 0x1000
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED 0x2000
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC 0x8000
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

FIXTURE(vmops) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	char *p;	/* its window, nothing touched yet */
};

FIXTURE_SETUP(vmops)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

/* Whatever a test tried: the window is as good as ever, and goes as a whole. */
FIXTURE_TEARDOWN(vmops)
{
	struct mshare_stat st;

	fill(self->p, MB(1), 1);
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + GB(1)));
	EXPECT_EQ(0, munmap(self->p, SLOT));
	EXPECT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(0UL, st.windows);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* 0 or an errno that says "not possible here": no signal, no surprise. */
static bool clean(int ret)
{
	return !ret || errno == EINVAL || errno == ENOMEM || errno == EAGAIN ||
	       errno == EPERM;
}

/*
 * Proves that mlock() of a part of a window faults the object in and locks
 * nothing of it: neither VmLck grows, nor is the window split.
 */
TEST_F(vmops, mlock)
{
	long before = status_kb(0, "VmLck");
	struct mshare_stat st;

	EXPECT_EQ(0, mlock(self->p, PAGE_SZ));
	EXPECT_EQ(0, mlock(self->p + PAGE_SZ, 2 * PAGE_SZ));
	EXPECT_EQ(0, mlock(self->p, MB(1)));
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MB(1) / PAGE_SZ, st.resident_pages);
	EXPECT_EQ(before, status_kb(0, "VmLck"));
	/* Where there are holes, some of it works, or none. */
	EXPECT_TRUE(clean(mlock(self->p + GB(1), MB(1))));
	EXPECT_TRUE(clean(mlock(self->p, SLOT)));
	EXPECT_TRUE(clean(mlock2(self->p, MB(1), MLOCK_ONFAULT)));
	fill(self->p, MB(1), 1);
	EXPECT_TRUE(clean(munlock(self->p, MB(1))));
	EXPECT_TRUE(clean(munlock(self->p, SLOT)));
	EXPECT_EQ(before, status_kb(0, "VmLck"));
}

static int lock_beyond_limit(void *arg)
{
	struct rlimit limit = { KB(64), KB(64) };
	char *p = arg;

	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit));
	become_nobody();
	CHECK(mlock(p, MB(1)) == -1);
	CHECK(mlock(p, SLOT) == -1);
	return 0;
}

/*
 * Proves that RLIMIT_MEMLOCK bounds what may be asked to be locked through a
 * window, as through any mapping.
 */
TEST_F(vmops, mlock_limit)
{
	EXPECT_EQ(0, child_wait(child_run(lock_beyond_limit, self->p)));
}

/*
 * Proves that mlockall() copes with windows that are there, that come, and that
 * children have, and counts none as locked.
 */
TEST_F(vmops, mlockall)
{
	char *later;
	pid_t pid;

	EXPECT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	later = window(self->fd, SLOT, RW, NULL);
	EXPECT_NE(MAP_FAILED, later);
	EXPECT_EQ(0, probe_store(later, 1));
	pid = child_fork();
	if (!pid)
		_exit(probe_store(self->p, 2));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, munlockall());
	EXPECT_EQ(2, *later);
	EXPECT_EQ(0, munmap(later, SLOT));
	EXPECT_EQ(0, status_kb(0, "VmLck"));
}

/*
 * Proves that a region made under mlockall(MCL_FUTURE) is not locked by that:
 * v3's host mm had the creator's def_flags.
 */
TEST_F(vmops, mlockall_is_not_inherited_by_regions)
{
	long before = meminfo_value("Mlocked");
	int fd;
	char *p;

	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	fd = region_anon(self->root, MB(32));
	ASSERT_EQ(0, munlockall());
	ASSERT_LE(0, fd);
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(32), 1);
	EXPECT_GT(before + 16 * 1024, meminfo_settled("Mlocked"));
	munmap(p, SLOT);
	close(fd);
}

/*
 * Proves that MAP_POPULATE and MAP_LOCKED give a good window or a clean error,
 * and no warning: v3's handle_mm_fault() warned for user space to see.
 */
TEST_F(vmops, mmap_populate_and_locked)
{
	static const int flags[] = {
		MAP_POPULATE, MAP_LOCKED, MAP_LOCKED | MAP_POPULATE,
		MAP_POPULATE | MAP_NONBLOCK,
	};
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		p = mmap(NULL, SLOT, RW, MAP_SHARED | flags[i], self->fd, 0);
		EXPECT_TRUE(clean(p == MAP_FAILED ? -1 : 0));
		if (p == MAP_FAILED)
			continue;
		EXPECT_EQ(0, probe_store(p, 1));
		EXPECT_EQ(0, munmap(p, SLOT));
	}
	EXPECT_EQ(0, status_kb(0, "VmLck"));
}

static bool numa(void)
{
	return !access("/proc/self/numa_maps", F_OK);
}

/*
 * Proves that mbind() is EINVAL: of a part it would split the window, and of
 * all of it set a policy that nothing looks at.  Nor does MPOL_MF_MOVE walk the
 * tables.
 */
TEST_F(vmops, mbind)
{
	unsigned long node = 1;

	if (!numa())
		SKIP(return, "no CONFIG_NUMA");
	fill(self->p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, syscall(SYS_mbind, self->p, PAGE_SZ, MPOL_BIND,
				     &node, 64UL, 0));
	EXPECT_ERRNO(EINVAL, syscall(SYS_mbind, self->p + GB(1), GB(1),
				     MPOL_BIND, &node, 64UL,
				     MPOL_MF_MOVE | MPOL_MF_STRICT));
	EXPECT_ERRNO(EINVAL, syscall(SYS_mbind, self->p, SLOT, MPOL_BIND, &node,
				     64UL, 0));
	EXPECT_ERRNO(EINVAL, syscall(SYS_mbind, self->p, SLOT, MPOL_BIND, &node,
				     64UL, MPOL_MF_MOVE | MPOL_MF_STRICT));
}

/*
 * Proves that move_pages() tells the node of a page in a window, an error where
 * there is none, and moves none astray.
 */
TEST_F(vmops, move_pages)
{
	int status[3] = { -1000, -1000, -1000 }, node[3] = { 0, 0, 0 };
	void *pages[3] = { self->p, self->p + PAGE_SZ, self->p + GB(1) };

	if (!numa())
		SKIP(return, "no CONFIG_NUMA");
	ASSERT_EQ(0, probe_store(self->p, 1));
	ASSERT_EQ(0, syscall(SYS_move_pages, 0, 3UL, pages, NULL, status, 0));
	EXPECT_LE(0, status[0]);
	EXPECT_GT(0, status[2]);
	syscall(SYS_move_pages, 0, 3UL, pages, node, status, MPOL_MF_MOVE);
	EXPECT_EQ(1, *self->p);
}

/*
 * Proves that get_mempolicy() by address faults the page in, or says that it
 * cannot.
 */
TEST_F(vmops, get_mempolicy)
{
	int node = -1;

	if (!numa())
		SKIP(return, "no CONFIG_NUMA");
	if (syscall(SYS_get_mempolicy, &node, NULL, 0UL, self->p,
		    MPOL_F_NODE | MPOL_F_ADDR)) {
		EXPECT_TRUE(errno == EFAULT || errno == EINVAL);
	} else {
		EXPECT_LE(0, node);
	}
	syscall(SYS_get_mempolicy, &node, NULL, 0UL, self->p + GB(1),
		MPOL_F_NODE | MPOL_F_ADDR);
}

static int uffd_open(unsigned long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int uffd_register(int uffd, char *p, size_t size, int mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)p, size },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg);
}

/*
 * Proves that userfaultfd is refused in every mode: its marks would be in the
 * page tables of all.
 */
TEST_F(vmops, userfaultfd)
{
	static const unsigned long features[] = {
		0,
		UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
		UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED |
		UFFD_FEATURE_WP_ASYNC,
		UFFD_FEATURE_MINOR_SHMEM,
	};
	static const int modes[] = {
		UFFDIO_REGISTER_MODE_MISSING, UFFDIO_REGISTER_MODE_WP,
		UFFDIO_REGISTER_MODE_MINOR,
		UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	int uffd, tried = 0;
	unsigned int i, j;

	fill(self->p, MB(1), 1);
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		uffd = uffd_open(features[i]);
		if (uffd < 0)
			continue;
		tried++;
		for (j = 0; j < ARRAY_SIZE(modes); j++) {
			EXPECT_ERRNO(EINVAL, uffd_register(uffd, self->p, SLOT,
							   modes[j]));
			EXPECT_ERRNO(EINVAL, uffd_register(uffd, self->p,
							   PAGE_SZ, modes[j]));
		}
		close(uffd);
	}
	if (!tried)
		SKIP(return, "no userfaultfd");
}

/* Proves that mseal() of a part is refused, which would split the window. */
TEST_F(vmops, mseal)
{
	if (syscall(SYS_mseal, NULL, 0UL, 0UL))
		SKIP(return, "no mseal");
	EXPECT_EQ(-1, syscall(SYS_mseal, self->p, PAGE_SZ, 0UL));
	EXPECT_EQ(-1, syscall(SYS_mseal, self->p + GB(1), GB(1), 0UL));
}

/*
 * Proves that a window gets no name by prctl(): a part of it would be split off
 * for that.
 */
TEST_F(vmops, anonymous_name)
{
	EXPECT_EQ(-1, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, self->p, PAGE_SZ,
			    "part"));
	EXPECT_EQ(-1, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, self->p, SLOT,
			    "all"));
}

/* Does smaps say "mergeable" of the mapping at @p? */
static bool mergeable(const char *p)
{
	char flags[256];

	return smaps_line(p, "VmFlags", flags, sizeof(flags)) &&
	       strstr(flags, " mg");
}

/* Pages of this process that KSM has merged. */
static long merged(void)
{
	FILE *f = fopen("/proc/self/ksm_merging_pages", "r");
	long pages = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%ld", &pages) != 1)
		pages = -1;
	fclose(f);
	return pages;
}

/*
 * Proves that KSM leaves windows alone, those that are there and those that
 * come: none is marked as mergeable, and with private memory of the same
 * contents merged, a store to a window takes no fault.
 */
TEST_F(vmops, memory_merge)
{
	char *own = mmap(NULL, MB(1), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long before, pages = MB(1) / PAGE_SZ;
	char *later;
	int tries;

	ASSERT_NE(MAP_FAILED, own);
	memset(own, 0x5a, MB(1));
	memset(self->p, 0x5a, MB(1));
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		SKIP(return, "no KSM");
	later = window(self->fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, later);
	EXPECT_TRUE(mergeable(own));
	EXPECT_FALSE(mergeable(self->p));
	EXPECT_FALSE(mergeable(later));
	for (tries = 0; tries < 600 && merged() < pages / 2; tries++)
		usleep(50 * 1000);
	EXPECT_LE(pages / 2, merged());
	before = minor_faults();
	memset(self->p, 0xa5, MB(1));
	EXPECT_GT(before + pages / 4, minor_faults());
	EXPECT_EQ(0x5a, own[0]);
	EXPECT_EQ(0, prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0));
	munmap(later, SLOT);
	munmap(own, MB(1));
}

int main(int argc, char **argv)
{
	if (!mshare_missing()) {
		knob_set("/sys/kernel/mm/ksm/pages_to_scan", "2000");
		knob_set("/sys/kernel/mm/ksm/sleep_millisecs", "10");
		knob_set("/sys/kernel/mm/ksm/run", "1");
	}
	return test_harness_run(argc, argv);
}
