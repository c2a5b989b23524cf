// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages of hugetlbfs in regions: mapped by MAP_HUGETLB, from a memfd, and
 * as objects that the program has mapped.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#define MAP_HUGE_SIZE(shift)	((shift) << MAP_HUGE_SHIFT)

#define HUGE_FLAGS	(ANON_FLAGS | MAP_HUGETLB)
#define POOL		16

static const char *no_pool;

FIXTURE(hugetlb) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, empty */
	char *p;	/* its window */
	long free;	/* pages of the pool: all of them at the end as well */
	long reserved;
};

FIXTURE_SETUP(hugetlb)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_pool;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	self->root = self->env.root;
	self->free = meminfo_value("HugePages_Free");
	self->reserved = meminfo_value("HugePages_Rsvd");
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(hugetlb)
{
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
	EXPECT_EQ(self->free, meminfo_settled("HugePages_Free"));
	EXPECT_EQ(self->reserved, meminfo_value("HugePages_Rsvd"));
}

static unsigned int page_size(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? 0 : st.page_size;
}

/* MAP_HUGETLB: reserved when mapped, taken when touched, given back after. */
TEST_F(hugetlb, anonymous)
{
	struct mshare_stat st;

	ASSERT_EQ(0, create_mapping(self->fd, GB(1), 4 * HUGE_SZ, 0, RW,
				    HUGE_FLAGS, -1));
	EXPECT_EQ(self->reserved + 4, meminfo_value("HugePages_Rsvd"));
	EXPECT_EQ(HUGE_SZ, page_size(self->fd));
	fill(self->p + GB(1), 4 * HUGE_SZ, 1);
	EXPECT_TRUE(filled(self->p + GB(1), 4 * HUGE_SZ, 1));
	EXPECT_EQ(self->free - 4, meminfo_value("HugePages_Free"));
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(4 * HUGE_SZ, st.mapped_bytes);
	EXPECT_EQ(4 * HUGE_SZ / PAGE_SZ, st.resident_pages);
	ASSERT_EQ(0, unmap(self->fd, GB(1), 4 * HUGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + GB(1)));
	EXPECT_EQ(self->free, meminfo_value("HugePages_Free"));
}

static int owner_of_pool(void *root)
{
	size_t bytes = meminfo_value("HugePages_Free") * HUGE_SZ;
	int fd = region_create(*(int *)root, "pool", SLOT);
	char *p = window(fd, SLOT, RW, NULL);

	CHECK(create_mapping(fd, 0, bytes, 0, RW, HUGE_FLAGS, -1) == 0);
	fill(p, bytes, 1);
	return 0;
}

/* Who has waited for an owner finds all of the pool free for the next one. */
TEST_F(hugetlb, free_after_owner)
{
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, child_wait(child_run(owner_of_pool, &self->root)));
		ASSERT_EQ(self->free, meminfo_value("HugePages_Free"));
		ASSERT_EQ(0, unlinkat(self->root, "pool", 0));
	}
}

/* The size may be said. Sizes that do not exist are refused. */
TEST_F(hugetlb, sizes)
{
	ASSERT_EQ(0, create_mapping(self->fd, 0, HUGE_SZ, 0, RW,
				    HUGE_FLAGS | MAP_HUGE_SIZE(21), -1));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, GB(1), MB(16), 0, RW,
					    HUGE_FLAGS | MAP_HUGE_SIZE(24),
					    -1));
}

/* Huge pages lie at their own boundaries: EINVAL. */
TEST_F(hugetlb, alignment)
{
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, PAGE_SZ, HUGE_SZ, 0, RW,
					    HUGE_FLAGS, -1));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, MB(1), HUGE_SZ, 0, RW,
					    HUGE_FLAGS, -1));
	ASSERT_EQ(0, create_mapping(self->fd, 0, 2 * HUGE_SZ, 0, RW,
				    HUGE_FLAGS, -1));
	EXPECT_ERRNO(EINVAL, unmap(self->fd, 0, PAGE_SZ));
	EXPECT_ERRNO(EINVAL, unmap(self->fd, MB(1), HUGE_SZ));
	EXPECT_EQ(0, probe_store(self->p, 1));
}

/* More than the pool has: ENOMEM, and nothing stays reserved. */
TEST_F(hugetlb, beyond_pool)
{
	int i;

	for (i = 0; i < 10; i++)
		EXPECT_ERRNO(ENOMEM,
			     create_mapping(self->fd, 0, GB(64), 0, RW,
					    HUGE_FLAGS, -1));
	EXPECT_EQ(self->reserved, meminfo_value("HugePages_Rsvd"));
}

/* A memfd of huge pages is mapped like any other file. */
TEST_F(hugetlb, memfd)
{
	int file = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	char *plain;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, 4 * HUGE_SZ));
	ASSERT_EQ(0, create_mapping(self->fd, 0, 2 * HUGE_SZ, 2 * HUGE_SZ, RW,
				    REGION_FLAGS, file));
	plain = mmap(NULL, 4 * HUGE_SZ, RW, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, plain);
	fill(plain + 2 * HUGE_SZ, 2 * HUGE_SZ, 1);
	EXPECT_TRUE(filled(self->p, 2 * HUGE_SZ, 1));
	munmap(plain, 4 * HUGE_SZ);
	close(file);
}

/* Children share them, and take no fault for them. */
TEST_F(hugetlb, fork)
{
	long before;
	pid_t pid;

	ASSERT_EQ(0, create_mapping(self->fd, 0, 4 * HUGE_SZ, 0, RW,
				    HUGE_FLAGS, -1));
	fill(self->p, 4 * HUGE_SZ, 1);
	pid = child_fork();
	if (!pid) {
		minor_faults();
		before = minor_faults();
		touch(self->p, 4 * HUGE_SZ);
		CHECK(minor_faults() == before);
		CHECK(filled(self->p, 4 * HUGE_SZ, 1));
		self->p[0] = 99;
		_exit(0);
	}
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(99, self->p[0]);
}

/* Objects that the program has mapped with MAP_HUGETLB. */
TEST_F(hugetlb, object)
{
	char *plain = mmap(NULL, 4 * HUGE_SZ, RW, MAP_SHARED | MAP_ANONYMOUS |
			   MAP_HUGETLB, -1, 0);
	struct mshare_stat st;
	char *view;
	int fd;

	ASSERT_NE(MAP_FAILED, plain);
	EXPECT_ERRNO(EINVAL, object_open(self->root, plain, PAGE_SZ, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, plain + PAGE_SZ, HUGE_SZ,
					 0));
	EXPECT_ERRNO(EINVAL, object_open_at(self->root, plain, 4 * HUGE_SZ,
					    WINDOW_AT(3) + PAGE_SZ, 0));
	fd = object_open(self->root, plain, 4 * HUGE_SZ,
			 MSHARE_OBJECT_POPULATE);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(HUGE_SZ, st.page_size);
	EXPECT_EQ(4 * HUGE_SZ / PAGE_SZ, st.resident_pages);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, 4 * HUGE_SZ, 1);
	EXPECT_TRUE(filled(plain, 4 * HUGE_SZ, 1));
	/* One page for both: nothing was taken twice. */
	EXPECT_EQ(self->free - 4, meminfo_value("HugePages_Free"));
	munmap(plain, 4 * HUGE_SZ);
	EXPECT_TRUE(filled(view, 4 * HUGE_SZ, 1));
	munmap(view, SLOT);
	close(fd);
}

/* And segments made with SHM_HUGETLB. */
TEST_F(hugetlb, sysv_object)
{
	int id = shmget(IPC_PRIVATE, 4 * HUGE_SZ,
			IPC_CREAT | SHM_HUGETLB | 0600);
	char *plain = shmat(id, NULL, 0), *view;
	struct shmid_ds ds;
	int fd;

	ASSERT_LE(0, id);
	ASSERT_NE((void *)-1, plain);
	fd = object_open(self->root, plain, 4 * HUGE_SZ, 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, 4 * HUGE_SZ, 1);
	EXPECT_TRUE(filled(plain, 4 * HUGE_SZ, 1));
	ASSERT_EQ(0, shmctl(id, IPC_STAT, &ds));
	EXPECT_EQ(1UL, ds.shm_nattch);
	EXPECT_EQ(0, shmdt(plain));
	EXPECT_EQ(0, shmctl(id, IPC_RMID, NULL));
	EXPECT_TRUE(filled(view, 4 * HUGE_SZ, 1));
	munmap(view, SLOT);
	close(fd);
}

/* 1 GB-aligned, 1 GB long: hugetlb shares tables itself there; both at once. */
TEST_F(hugetlb, beside_pmd_sharing)
{
	char *plain = mmap(WINDOW_AT(9), GB(1), RW, MAP_SHARED | MAP_ANONYMOUS |
			   MAP_HUGETLB | MAP_NORESERVE | MAP_FIXED, -1, 0);
	char *view;
	pid_t pid;
	int i, fd;

	ASSERT_EQ(WINDOW_AT(9), plain);
	fill(plain, 2 * HUGE_SZ, 1);
	fd = object_open(self->root, plain, GB(1), 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	for (i = 0; i < 8; i++) {
		pid = child_fork();
		if (!pid) {
			CHECK(filled(plain, 2 * HUGE_SZ, 1));
			CHECK(filled(view, 2 * HUGE_SZ, 1));
			CHECK(!munmap(i & 1 ? plain : view,
				      i & 1 ? GB(1) : SLOT));
			_exit(0);
		}
		EXPECT_EQ(0, child_wait(pid));
	}
	munmap(plain, GB(1));
	EXPECT_TRUE(filled(view, 2 * HUGE_SZ, 1));
	munmap(view, SLOT);
	close(fd);
}

static int owner(void *arg)
{
	int root = *(int *)arg;
	int fd = region_create(root, "owned", SLOT);
	char *p = window(fd, SLOT, RW, NULL);

	CHECK(p != MAP_FAILED);
	CHECK(!create_mapping(fd, 0, 4 * HUGE_SZ, 0, RW, HUGE_FLAGS, -1));
	CHECK(!probe_store(p, 1));
	return 0;
}

/*
 * The way back from a window: a mapping that was kept aside moves there, of any
 * length.  Empty, so that it takes no huge page.
 */
TEST_F(hugetlb, aside_of_4_gb_moves)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB;
	char *aside = mmap(NULL, GB(4), RW, flags | MAP_NORESERVE, -1, 0);
	char *at = WINDOW_AT(20);

	ASSERT_NE(MAP_FAILED, aside);
	EXPECT_EQ(at, mremap(aside, GB(4), GB(4),
			     MREMAP_MAYMOVE | MREMAP_FIXED, at));
	EXPECT_EQ(0, munmap(at, GB(4)));
}

/* The owner's exit gives pages and reservations back. */
TEST_F(hugetlb, owner_exit)
{
	int fd;

	EXPECT_EQ(0, child_wait(child_run(owner, &self->root)));
	EXPECT_EQ(self->free, meminfo_settled("HugePages_Free"));
	EXPECT_EQ(self->reserved, meminfo_value("HugePages_Rsvd"));
	fd = openat(self->root, "owned", O_RDWR);
	EXPECT_ERRNO(EOWNERDEAD, create_mapping(fd, 0, HUGE_SZ, 0, RW,
						HUGE_FLAGS, -1));
	close(fd);
}

int main(int argc, char **argv)
{
	no_pool = hugepages_get(POOL);
	return test_harness_run(argc, argv);
}
