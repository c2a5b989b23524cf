// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_POPULATE: what is mapped is faulted in once, for all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

FIXTURE(ioctl_populate) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
};

FIXTURE_SETUP(ioctl_populate)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
}

FIXTURE_TEARDOWN(ioctl_populate)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static int touch_without_fault(void *arg)
{
	char *p = arg;
	long before;

	minor_faults();
	before = minor_faults();
	touch(p, MB(1));
	return minor_faults() != before;
}

/* No window is needed; and no process takes a fault afterwards. */
TEST_F(ioctl_populate, once_for_all)
{
	char *p;

	ASSERT_EQ(0, resident(self->fd));
	EXPECT_EQ(0, region_populate(self->fd, 0, MB(1)));
	EXPECT_EQ((long)(MB(1) / PAGE_SZ), resident(self->fd));
	p = window(self->fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, touch_without_fault(p));
	EXPECT_EQ(0, child_wait(child_run(touch_without_fault, p)));
	munmap(p, SLOT);
}

/* The range, and nothing but the range. */
TEST_F(ioctl_populate, part)
{
	EXPECT_EQ(0, region_populate(self->fd, KB(64), KB(128)));
	EXPECT_EQ((long)(KB(128) / PAGE_SZ), resident(self->fd));
	EXPECT_EQ(0, region_populate(self->fd, 0, KB(256)));
	EXPECT_EQ((long)(KB(256) / PAGE_SZ), resident(self->fd));
}

/* Several objects in one call, of which one may not be written. */
TEST_F(ioctl_populate, several_objects)
{
	ASSERT_EQ(0, create_mapping(self->fd, MB(1), MB(1), 0, PROT_READ,
				    ANON_FLAGS, -1));
	EXPECT_EQ(0, region_populate(self->fd, 0, MB(2)));
	EXPECT_EQ((long)(MB(2) / PAGE_SZ), resident(self->fd));
}

/* Holes: ENOMEM, wherever they are. */
TEST_F(ioctl_populate, holes)
{
	ASSERT_EQ(0, create_anon(self->fd, MB(2), MB(1)));
	EXPECT_ERRNO(ENOMEM, region_populate(self->fd, 0, MB(3)));
	EXPECT_ERRNO(ENOMEM, region_populate(self->fd, MB(1), MB(1)));
	EXPECT_ERRNO(ENOMEM, region_populate(self->fd, GB(1), PAGE_SZ));
	EXPECT_ERRNO(ENOMEM, region_populate(self->fd, 0, SLOT));
}

/* What is there keeps its contents. */
TEST_F(ioctl_populate, keeps_contents)
{
	char *p = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(1), 1);
	EXPECT_EQ(0, region_advise(self->fd, 0, MB(1), MADV_DONTNEED));
	EXPECT_EQ(0, resident(self->fd));
	EXPECT_EQ(0, region_populate(self->fd, 0, MB(1)));
	EXPECT_EQ((long)(MB(1) / PAGE_SZ), resident(self->fd));
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(p, SLOT);
}

/* A file's page beyond its end cannot be had: an error, not a signal. */
TEST_F(ioctl_populate, beyond_end_of_file)
{
	int file = memfd(PAGE_SZ);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), MB(1), 0, RW,
				    REGION_FLAGS, file));
	EXPECT_EQ(-1, region_populate(self->fd, GB(1), MB(1)));
	EXPECT_EQ(0, region_populate(self->fd, GB(1), PAGE_SZ));
	close(file);
}

/* Where PROTECT has taken all rights away there is nothing to fault in. */
TEST_F(ioctl_populate, prot_none)
{
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_NONE));
	EXPECT_EQ(-1, region_populate(self->fd, 0, MB(1)));
	EXPECT_EQ(0, resident(self->fd));
}

/* The regions of objects, which may have been made without it. */
TEST_F(ioctl_populate, object_region)
{
	char *plain = shared_anon(MB(1));
	int fd = object_open(self->root, plain, MB(1), 0);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(0, region_populate(fd, st.object_offset, MB(1)));
	EXPECT_EQ((long)(MB(1) / PAGE_SZ), resident(fd));
	munmap(plain, MB(1));
	close(fd);
}

TEST_HARNESS_MAIN
