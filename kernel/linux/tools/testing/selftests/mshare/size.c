// SPDX-License-Identifier: GPL-2.0
/*
 * The size of a region: set once, by ftruncate or fallocate, to a multiple of
 * what one p4d entry maps; and what a region without a size refuses.
 */
#include <linux/falloc.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(size) {
	struct mshare_env env;
	int root;
	int fd;		/* a region without a size */
};

FIXTURE_SETUP(size)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(size)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static unsigned long size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? ~0UL : (unsigned long)st.st_size;
}

/* True when the region can be mapped and holds memory. */
static bool usable(int fd, size_t size)
{
	char *p = window(fd, size, RW, NULL);
	bool ok;

	if (p == MAP_FAILED)
		return false;
	ok = !create_anon(fd, size - PAGE_SZ, PAGE_SZ) &&
	     !probe_store(p + size - PAGE_SZ, 1);
	munmap(p, size);
	return ok;
}

/* ftruncate sets the size, and fstat tells it. */
TEST_F(size, ftruncate_sets)
{
	EXPECT_EQ(0UL, size_of(self->fd));
	ASSERT_EQ(0, ftruncate(self->fd, SLOT));
	EXPECT_EQ(SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/* So does truncate by name. */
TEST_F(size, truncate_sets)
{
	ASSERT_EQ(0, truncate(MSHARE_MNT "/r", SLOT));
	EXPECT_EQ(SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/* And fallocate with mode 0 and offset 0. */
TEST_F(size, fallocate_sets)
{
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, 2 * SLOT));
	EXPECT_EQ(2 * SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, 2 * SLOT));
}

/* A size of several slots works to its end. */
TEST_F(size, several_slots)
{
	const size_t size = 5 * SLOT;
	int slot;
	char *p;

	ASSERT_EQ(0, ftruncate(self->fd, size));
	p = window(self->fd, size, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, create_anon(self->fd, SLOT - MB(1), MB(2)));
	EXPECT_EQ(0, probe_store(p + SLOT - PAGE_SZ, 1));
	EXPECT_EQ(0, probe_store(p + SLOT, 2));
	for (slot = 2; slot < 5; slot++) {
		ASSERT_EQ(0, create_anon(self->fd, slot * SLOT, PAGE_SZ));
		EXPECT_EQ(0, probe_store(p + slot * SLOT, slot + 1));
	}
	EXPECT_EQ(1, p[SLOT - PAGE_SZ]);
	for (slot = 1; slot < 5; slot++)
		EXPECT_EQ(slot + 1, p[slot * SLOT]);
	munmap(p, size);
}

static const unsigned long bad_sizes[] = {
	1, PAGE_SZ, GB(1), SLOT / 2, SLOT - 1, SLOT - PAGE_SZ,
	SLOT + 1, SLOT + PAGE_SZ, SLOT + SLOT / 2,
};

/* Anything but a multiple of 512 GB: EINVAL, and the region stays usable. */
TEST_F(size, ftruncate_refuses)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_sizes); i++)
		EXPECT_ERRNO(EINVAL, ftruncate(self->fd, bad_sizes[i]));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, -1));
	EXPECT_EQ(0UL, size_of(self->fd));
	EXPECT_EQ(0, ftruncate(self->fd, SLOT));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/*
 * Proves that ftruncate() to 0 is refused; in v3 it left a region that nothing
 * could use.
 */
TEST_F(size, ftruncate_to_0_does_no_harm)
{
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 0));
	EXPECT_EQ(0, ftruncate(self->fd, SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 0));
	EXPECT_EQ(SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/* fallocate: the same sizes, and no other mode or offset. */
TEST_F(size, fallocate_refuses)
{
	static const int modes[] = {
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_sizes); i++)
		EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, 0, bad_sizes[i]));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, 0, 0));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, SLOT, SLOT));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, PAGE_SZ, SLOT));
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		EXPECT_ERRNO2(EINVAL, EOPNOTSUPP,
			      fallocate(self->fd, modes[i], 0, SLOT));
	EXPECT_EQ(0UL, size_of(self->fd));
	EXPECT_EQ(0, fallocate(self->fd, 0, 0, SLOT));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/* The size is set once: not even the same one may be set again. */
TEST_F(size, only_once)
{
	ASSERT_EQ(0, ftruncate(self->fd, 2 * SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 2 * SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 3 * SLOT));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, 0, 2 * SLOT));
	EXPECT_ERRNO(EINVAL, fallocate(self->fd, 0, 0, 4 * SLOT));
	EXPECT_EQ(2 * SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, 2 * SLOT));
}

/* A refused change of the size leaves windows and contents alone. */
TEST_F(size, refusal_leaves_windows)
{
	char *p;

	ASSERT_EQ(0, ftruncate(self->fd, SLOT));
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	p = window(self->fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 0));
	EXPECT_ERRNO(EINVAL, ftruncate(self->fd, 2 * SLOT));
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(p, SLOT);
}

/* open(O_TRUNC) is a truncation to 0: it must not cost the region its size. */
TEST_F(size, o_trunc_keeps_size)
{
	int again;

	ASSERT_EQ(0, ftruncate(self->fd, SLOT));
	again = openat(self->root, "r", O_RDWR | O_TRUNC);
	if (again >= 0)
		close(again);
	EXPECT_EQ(SLOT, size_of(self->fd));
	EXPECT_TRUE(usable(self->fd, SLOT));
}

/* A descriptor that may not write cannot set the size. */
TEST_F(size, needs_write_access)
{
	int fd = openat(self->root, "r", O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EINVAL, ftruncate(fd, SLOT));
	EXPECT_ERRNO(EBADF, fallocate(fd, 0, 0, SLOT));
	EXPECT_EQ(0UL, size_of(fd));
	close(fd);
}

/* mmap before the size is set: EINVAL. */
TEST_F(size, no_mmap_without)
{
	EXPECT_ERRNO(EINVAL, window(self->fd, SLOT, RW, NULL));
	EXPECT_ERRNO(EINVAL, window(self->fd, SLOT, RW, WINDOW_AT(0)));
	EXPECT_ERRNO(EINVAL, window(self->fd, PAGE_SZ, RW, NULL));
}

/* CREATE_MAPPING and UNMAP before the size is set: EINVAL. */
TEST_F(size, no_mapping_without)
{
	EXPECT_ERRNO(EINVAL, create_anon(self->fd, 0, PAGE_SZ));
	EXPECT_ERRNO(EINVAL, unmap(self->fd, 0, PAGE_SZ));
}

/* STAT works on any region: this one holds nothing and costs nothing. */
TEST_F(size, stat_without)
{
	struct mshare_stat st;

	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(0UL, st.region_bytes);
	EXPECT_EQ(0UL, st.mapped_bytes);
	EXPECT_EQ(0UL, st.windows);
	EXPECT_EQ(0UL, st.resident_pages);
	EXPECT_EQ(0U, st.page_size);
}

/* chmod and chown of a region do not go through the rules for the size. */
TEST_F(size, other_attributes_are_free)
{
	struct stat st;

	EXPECT_EQ(0, fchmod(self->fd, 0640));
	ASSERT_EQ(0, ftruncate(self->fd, SLOT));
	EXPECT_EQ(0, fchmod(self->fd, 0644));
	EXPECT_EQ(0, fchown(self->fd, 1, 2));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(S_IFREG | 0644U, st.st_mode);
	EXPECT_EQ(1U, st.st_uid);
	EXPECT_EQ(2U, st.st_gid);
}

TEST_HARNESS_MAIN
