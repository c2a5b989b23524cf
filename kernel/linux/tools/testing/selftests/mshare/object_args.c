// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_OPEN_OBJECT: what it refuses, where it places the object, and what
 * becomes of the object beneath it.
 */
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define BYTES	MB(4)

FIXTURE(object_args) {
	struct mshare_env env;
	int root;
	int file;	/* a memfd of BYTES */
	char *plain;	/* its mapping */
};

FIXTURE_SETUP(object_args)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->file = memfd(BYTES);
	ASSERT_LE(0, self->file);
	self->plain = mmap(NULL, BYTES, RW, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
}

FIXTURE_TEARDOWN(object_args)
{
	munmap(self->plain, BYTES);
	close(self->file);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* Unknown flags and a reserved field that is not zero: EINVAL. */
TEST_F(object_args, flags)
{
	struct mshare_object object = {
		.addr = (uintptr_t)self->plain,
		.size = BYTES,
		.reserved = 1,
	};
	int bit;

	for (bit = 3; bit < 32; bit++)
		EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain,
						 BYTES, 1U << bit));
	EXPECT_ERRNO(EINVAL, ioctl(self->root, MSHAREFS_OPEN_OBJECT, &object));
	EXPECT_ERRNO(EFAULT, ioctl(self->root, MSHAREFS_OPEN_OBJECT, 8));
}

/* CLOEXEC is what it says, and only when asked for. */
TEST_F(object_args, cloexec)
{
	int a = object_open(self->root, self->plain, BYTES, 0);
	int b = object_open(self->root, self->plain, BYTES,
			    MSHARE_OBJECT_CLOEXEC);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(0, fcntl(a, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(b, F_GETFD));
	close(a);
	close(b);
}

/* Address and size are of whole pages, not empty, and do not wrap: EINVAL. */
TEST_F(object_args, ranges)
{
	EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain + 1, PAGE_SZ,
					 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain, 1, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain, BYTES - 1,
					 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain, 0, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, self->plain, -PAGE_SZ,
					 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, (char *)-PAGE_SZ,
					 2 * PAGE_SZ, 0));
}

/* The range must be mapped, all of it, and by one mapping. */
TEST_F(object_args, coverage)
{
	char *p = mmap(NULL, BYTES, RW, MAP_SHARED, self->file, 0);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + BYTES / 2, BYTES / 2));
	EXPECT_EQ(-1, object_open(self->root, p, BYTES, 0));
	EXPECT_EQ(-1, object_open(self->root, p + BYTES / 2, PAGE_SZ, 0));
	EXPECT_EQ(-1, object_open(self->root, p + BYTES / 2 - PAGE_SZ,
				  2 * PAGE_SZ, 0));
	EXPECT_EQ(-1, object_open(self->root, NULL, PAGE_SZ, 0));
	EXPECT_EQ(-1, object_open(self->root, (char *)(1UL << 62), PAGE_SZ,
				  0));
	munmap(p, BYTES / 2);
}

/* The mapping must be MAP_SHARED: EINVAL. */
TEST_F(object_args, private_mappings)
{
	char *file = mmap(NULL, BYTES, RW, MAP_PRIVATE, self->file, 0);
	char *anon = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char stack[2 * PAGE_SZ];
	uintptr_t page = ((uintptr_t)stack + PAGE_SZ) & -PAGE_SZ;

	ASSERT_NE(MAP_FAILED, file);
	ASSERT_NE(MAP_FAILED, anon);
	fill(file, BYTES, 1);
	fill(anon, BYTES, 1);
	EXPECT_ERRNO(EINVAL, object_open(self->root, file, BYTES, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, anon, BYTES, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, (char *)page, PAGE_SZ,
					 0));
	munmap(file, BYTES);
	munmap(anon, BYTES);
}

/* A window is no object: regions do not nest. */
TEST_F(object_args, windows)
{
	int fd = region_anon(self->root, BYTES);
	char *p = window(fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_ERRNO(EINVAL, object_open(self->root, p, BYTES, 0));
	EXPECT_ERRNO(EINVAL, object_open(self->root, p, SLOT, 0));
	munmap(p, SLOT);
	close(fd);
}

/* Nor are a driver's own pages, shared though they are. */
TEST_F(object_args, driver_mappings)
{
	char params[256] = "";
	int ring = syscall(SYS_io_uring_setup, 1, params);
	char *p;

	if (ring < 0)
		SKIP(return, "no io_uring: %s", strerror(errno));
	p = mmap(NULL, PAGE_SZ, RW, MAP_SHARED, ring, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, object_open(self->root, p, PAGE_SZ, 0));
	munmap(p, PAGE_SZ);
	close(ring);
}

/* Only the root directory's descriptor will do: ENOTTY. */
TEST_F(object_args, descriptors)
{
	int region = region_anon(self->root, PAGE_SZ), dir;

	ASSERT_LE(0, region);
	ASSERT_EQ(0, mkdirat(self->root, "d", 0700));
	dir = openat(self->root, "d", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, dir);
	EXPECT_ERRNO(ENOTTY, object_open(region, self->plain, BYTES, 0));
	EXPECT_ERRNO(ENOTTY, object_open(dir, self->plain, BYTES, 0));
	EXPECT_ERRNO(ENOTTY, object_open(self->file, self->plain, BYTES, 0));
	EXPECT_ERRNO(EBADF, object_open(12345, self->plain, BYTES, 0));
	close(dir);
	close(region);
}

/* The size of an object's region is set already. */
TEST_F(object_args, region_keeps_its_size)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EINVAL, ftruncate(fd, SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(fd, 2 * SLOT));
	EXPECT_ERRNO(EINVAL, ftruncate(fd, 0));
	EXPECT_ERRNO(EINVAL, fallocate(fd, 0, 0, SLOT));
	close(fd);
}

static long object_offset(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? -1 : (long)st.object_offset;
}

/* view_addr asks that the object be visible at that very address. */
TEST_F(object_args, view_addr)
{
	static const unsigned long offsets[] = {
		PAGE_SZ, MB(2), GB(5) + MB(6), SLOT - BYTES,
	};
	char *at, *view;
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		at = WINDOW_AT(4) + offsets[i];
		fd = object_open_at(self->root, self->plain, BYTES, at, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ((long)offsets[i], object_offset(fd));
		view = object_window(fd, RW, WINDOW_AT(4));
		ASSERT_EQ(at, view);
		fill(view, BYTES, i + 1);
		EXPECT_TRUE(filled(self->plain, BYTES, i + 1));
		EXPECT_EQ(SIGSEGV, probe_load(view - PAGE_SZ));
		munmap(WINDOW_AT(4), SLOT);
		close(fd);
	}
}

/* An object that would cross the end of the slot gets a region of two. */
TEST_F(object_args, view_addr_near_end_of_slot)
{
	char *at = WINDOW_AT(4) + SLOT - MB(1), *view;
	struct stat st;
	int fd = object_open_at(self->root, self->plain, BYTES, at, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ((off_t)(2 * SLOT), st.st_size);
	view = object_window(fd, RW, WINDOW_AT(4));
	ASSERT_EQ(at, view);
	fill(view, BYTES, 1);
	EXPECT_TRUE(filled(self->plain, BYTES, 1));
	munmap(WINDOW_AT(4), 2 * SLOT);
	close(fd);
}

/* A region that is there keeps its placement: EINVAL for any other. */
TEST_F(object_args, view_addr_of_existing_region)
{
	char *at = WINDOW_AT(4) + GB(1);
	int a = object_open_at(self->root, self->plain, BYTES, at, 0), b;

	ASSERT_LE(0, a);
	EXPECT_ERRNO(EINVAL, object_open_at(self->root, self->plain, BYTES,
					    at + PAGE_SZ, 0));
	EXPECT_ERRNO(EINVAL, object_open_at(self->root, self->plain, BYTES,
					    WINDOW_AT(4), 0));
	/* The same place in another slot, and any place. */
	b = object_open_at(self->root, self->plain, BYTES, at + 3 * SLOT, 0);
	EXPECT_LE(0, b);
	close(b);
	b = object_open(self->root, self->plain, BYTES, 0);
	EXPECT_LE(0, b);
	EXPECT_EQ((long)GB(1), object_offset(b));
	close(b);
	/* Nothing of this has kept the region from being found. */
	EXPECT_EQ((long)GB(1), object_offset(a));
	close(a);
}

/* An address that no page can have: EINVAL. */
TEST_F(object_args, view_addr_unaligned)
{
	EXPECT_ERRNO(EINVAL, object_open_at(self->root, self->plain, BYTES,
					    WINDOW_AT(4) + 1, 0));
	EXPECT_ERRNO(EINVAL, object_open_at(self->root, self->plain, BYTES,
					    WINDOW_AT(4) + PAGE_SZ / 2, 0));
}

/* Without view_addr: the place in the file, modulo 1 GB. */
TEST_F(object_args, default_placement)
{
	static const unsigned long offsets[] = {
		0, PAGE_SZ, MB(5), GB(1), GB(3) + MB(2),
	};
	unsigned int i;
	char *p, *view;
	int fd;

	ASSERT_EQ(0, ftruncate(self->file, GB(4)));
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		p = mmap(NULL, MB(1), RW, MAP_SHARED, self->file, offsets[i]);
		ASSERT_NE(MAP_FAILED, p);
		fd = object_open(self->root, p, MB(1), 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ((long)(offsets[i] % GB(1)), object_offset(fd));
		view = object_window(fd, RW, NULL);
		ASSERT_NE(MAP_FAILED, view);
		fill(p, MB(1), i);
		EXPECT_TRUE(filled(view, MB(1), i));
		munmap(view - offsets[i] % GB(1), SLOT);
		munmap(p, MB(1));
		close(fd);
	}
}

/* The place in the file counts, not where the caller has it mapped. */
TEST_F(object_args, found_through_any_mapping)
{
	char *other = mmap(NULL, BYTES / 2, RW, MAP_SHARED, self->file,
			   BYTES / 4);
	int a = object_open(self->root, self->plain + BYTES / 2, BYTES / 4, 0);
	int b = object_open(self->root, other + BYTES / 4, BYTES / 4, 0);
	struct stat sa, sb;

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, fstat(a, &sa));
	ASSERT_EQ(0, fstat(b, &sb));
	EXPECT_EQ(sa.st_ino, sb.st_ino);
	munmap(other, BYTES / 2);
	close(a);
	close(b);
}

/* Truncated, the object ends earlier: SIGBUS in every window, and no page. */
TEST_F(object_args, truncate_of_the_object)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	ASSERT_EQ(0, ftruncate(self->file, BYTES / 2));
	EXPECT_TRUE(filled(view, BYTES / 2, 1));
	EXPECT_EQ(SIGBUS, probe_load(view + BYTES / 2));
	EXPECT_EQ(SIGBUS, probe_store(view + BYTES - PAGE_SZ, 1));
	ASSERT_EQ(0, ftruncate(self->file, BYTES));
	EXPECT_EQ(0, view[BYTES / 2]);
	munmap(view, SLOT);
	close(fd);
}

/* A hole punched is zeros in every window at once, other processes' too. */
TEST_F(object_args, hole_in_the_object)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	struct stage *stage = stage_new();
	char *view;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_NE(NULL, stage);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	pid = child_fork();
	if (!pid) {
		CHECK(filled(view, BYTES, 1));
		stage_set(stage, 1);
		while (!__atomic_load_n(&stage->value[0], __ATOMIC_SEQ_CST))
			touch(view, BYTES);
		CHECK(view[0] == 1);
		CHECK(!view[PAGE_SZ] && !view[2 * PAGE_SZ]);
		CHECK(view[3 * PAGE_SZ] == 4);
		_exit(0);
	}
	EXPECT_TRUE(stage_wait(stage, 1));
	EXPECT_EQ(0, fallocate(self->file, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, PAGE_SZ, 2 * PAGE_SZ));
	__atomic_store_n(&stage->value[0], 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, view[PAGE_SZ]);
	munmap(view, SLOT);
	close(fd);
}

TEST_HARNESS_MAIN
