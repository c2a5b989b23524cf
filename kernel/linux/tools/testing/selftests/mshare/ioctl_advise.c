// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_ADVISE: madvise() for what is mapped.  madvise() on a window refuses
 * most of it, since one process would change what others use; who has the
 * region open for writing may.
 */
#include <stdio.h>
#include <stdlib.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"
#include "mshare_sys.h"

#define BYTES	MB(8)
#define PAGES	((long)(BYTES / PAGE_SZ))

static const char *no_swap, *no_thp;

FIXTURE(ioctl_advise) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, BYTES of memory at its start */
	char *p;	/* its window */
};

FIXTURE_SETUP(ioctl_advise)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(ioctl_advise)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* What is accepted costs no contents, whether pages are there or not. */
TEST_F(ioctl_advise, accepted)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_WILLNEED, MADV_DONTNEED, MADV_NOHUGEPAGE, MADV_HUGEPAGE,
		MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(advice); i++)
		EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, advice[i]))
			TH_LOG("advice %d: %s", advice[i], strerror(errno));
	fill(self->p, BYTES, 1);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, advice[i]))
			TH_LOG("advice %d: %s", advice[i], strerror(errno));
		EXPECT_EQ(0, region_advise(self->fd, KB(64), MB(1), advice[i]));
		EXPECT_TRUE(filled(self->p, BYTES, 1));
	}
}

/* The entries are forgotten for all; the memory is not, nor are its contents. */
TEST_F(ioctl_advise, dontneed)
{
	char *other = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, other);
	fill(self->p, BYTES, 1);
	EXPECT_EQ(PAGES, resident(self->fd));
	EXPECT_EQ(0, region_advise(self->fd, 0, MB(1), MADV_DONTNEED));
	EXPECT_EQ(PAGES - (long)(MB(1) / PAGE_SZ), resident(self->fd));
	EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_DONTNEED));
	EXPECT_EQ(0, resident(self->fd));
	EXPECT_TRUE(filled(other, BYTES, 1));
	munmap(other, SLOT);
}

/* Writes of others go on meanwhile: none may hit a page that was let go. */
static int count(void *arg)
{
	volatile int *word = arg;
	int nr;

	for (nr = 0; *word == nr; nr++)
		*word = nr + 1;
	return 1;
}

TEST_F_TIMEOUT(ioctl_advise, dontneed_beneath_writers, 60)
{
	pid_t pid = child_run(count, self->p + BYTES - PAGE_SZ);
	int i;

	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_DONTNEED));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	child_kill(pid);
}

/* A hole in the object, so zeros for everyone, and memory given back. */
TEST_F(ioctl_advise, remove)
{
	long before;

	fill(self->p, BYTES, 1);
	before = meminfo_settled("Shmem");
	EXPECT_EQ(0, region_advise(self->fd, 0, MB(4), MADV_REMOVE));
	EXPECT_EQ(0, self->p[0]);
	EXPECT_EQ(0, self->p[MB(4) - PAGE_SZ]);
	EXPECT_GE(before - 3 * 1024, meminfo_settled("Shmem"));
	/* fill() begins anew every 256 pages. */
	EXPECT_TRUE(filled(self->p + MB(4), MB(4), 1));
}

/* An object that may only be read is not emptied either. */
TEST_F(ioctl_advise, remove_needs_a_writable_object)
{
	char path[64];
	int rw = memfd(PAGE_SZ), ro;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", rw);
	ro = open(path, O_RDONLY);
	ASSERT_LE(0, ro);
	ASSERT_EQ(1, pwrite(rw, "x", 1, 0));
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), PAGE_SZ, 0, PROT_READ,
				    REGION_FLAGS, ro));
	EXPECT_ERRNO(EACCES, region_advise(self->fd, GB(1), PAGE_SZ,
					   MADV_REMOVE));
	EXPECT_EQ('x', self->p[GB(1)]);
	/* Nor does this fault in what could be written. */
	EXPECT_EQ(-1, region_advise(self->fd, GB(1), PAGE_SZ,
				    MADV_POPULATE_WRITE));
	close(ro);
	close(rw);
}

/* POPULATE_READ and _WRITE: no window is needed. */
TEST_F(ioctl_advise, populate)
{
	EXPECT_EQ(0, region_advise(self->fd, 0, MB(1), MADV_POPULATE_READ));
	EXPECT_EQ((long)(MB(1) / PAGE_SZ), resident(self->fd));
	EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_POPULATE_WRITE));
	EXPECT_EQ(PAGES, resident(self->fd));
}

/* PAGEOUT reclaims, and what comes back is what was there. */
TEST_F(ioctl_advise, pageout)
{
	if (no_swap)
		SKIP(return, "%s", no_swap);
	fill(self->p, BYTES, 1);
	EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_PAGEOUT));
	EXPECT_GT(PAGES / 4, resident(self->fd));
	/* WILLNEED reads it in; for the entries it takes a fault. */
	EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_WILLNEED));
	EXPECT_TRUE(filled(self->p, BYTES, 1));
	EXPECT_EQ(PAGES, resident(self->fd));
}

/* Where shmem_enabled says "advise", HUGEPAGE and NOHUGEPAGE are that. */
TEST_F(ioctl_advise, hugepage)
{
	long before = meminfo_settled("ShmemPmdMapped");

	if (no_thp)
		SKIP(return, "%s", no_thp);
	EXPECT_EQ(0, region_advise(self->fd, 0, BYTES, MADV_HUGEPAGE));
	EXPECT_EQ(0, region_advise(self->fd, MB(4), MB(4), MADV_NOHUGEPAGE));
	fill(self->p, BYTES, 1);
	EXPECT_EQ(before + 4 * 1024, meminfo_value("ShmemPmdMapped"));
}

/* COLLAPSE puts together what came in small pages. */
TEST_F(ioctl_advise, collapse)
{
	long before = meminfo_settled("ShmemPmdMapped");
	int tries;

	if (no_thp)
		SKIP(return, "%s", no_thp);
	fill(self->p, BYTES, 1);
	EXPECT_EQ(before, meminfo_value("ShmemPmdMapped"));
	for (tries = 0; tries < 100; tries++)
		if (!region_advise(self->fd, 0, BYTES, MADV_COLLAPSE) ||
		    errno != EAGAIN)
			break;
	EXPECT_TRUE(filled(self->p, BYTES, 1));
	EXPECT_EQ(before + (long)BYTES / 1024, meminfo_value("ShmemPmdMapped"));
}

/* Holes: ENOMEM, after all that is mapped has been advised. */
TEST_F(ioctl_advise, holes)
{
	ASSERT_EQ(0, create_anon(self->fd, 2 * BYTES, BYTES));
	fill(self->p, BYTES, 1);
	fill(self->p + 2 * BYTES, BYTES, 1);
	EXPECT_EQ(2 * PAGES, resident(self->fd));
	EXPECT_ERRNO(ENOMEM, region_advise(self->fd, 0, 3 * BYTES,
					   MADV_DONTNEED));
	EXPECT_EQ(0, resident(self->fd));
	EXPECT_ERRNO(ENOMEM, region_advise(self->fd, GB(1), BYTES,
					   MADV_DONTNEED));
	EXPECT_ERRNO(ENOMEM, region_advise(self->fd, 0, SLOT, MADV_COLD));
}

/* The regions of objects as well, for the object's plain mappings. */
TEST_F(ioctl_advise, object_region)
{
	char *plain = shared_anon(BYTES);
	int fd = object_open(self->root, plain, BYTES, MSHARE_OBJECT_POPULATE);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	fill(plain, BYTES, 1);
	EXPECT_EQ(PAGES, resident(fd));
	EXPECT_EQ(0, region_advise(fd, st.object_offset, BYTES,
				   MADV_DONTNEED));
	EXPECT_EQ(0, resident(fd));
	EXPECT_TRUE(filled(plain, BYTES, 1));
	EXPECT_EQ(0, region_advise(fd, st.object_offset, BYTES, MADV_REMOVE));
	EXPECT_EQ(0, plain[0]);
	munmap(plain, BYTES);
	close(fd);
}

int main(int argc, char **argv)
{
	if (!mshare_missing()) {
		no_swap = swap_get(MB(64));
		no_thp = knob_set("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
				  "advise");
	}
	return test_harness_run(argc, argv);
}
