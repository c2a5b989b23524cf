// SPDX-License-Identifier: GPL-2.0
/*
 * Windows as address ranges: where and how a region may be mapped, and what
 * may be done to a part of a window (nothing).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

FIXTURE(window) {
	struct mshare_env env;
	int root;
	int fd;		/* a region of two slots, 1 MB of memory at its start */
};

FIXTURE_SETUP(window)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", 2 * SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
}

FIXTURE_TEARDOWN(window)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static bool aligned(const void *p)
{
	return !((uintptr_t)p & (SLOT - 1));
}

static char *anywhere(size_t size)
{
	return mmap(NULL, size, RW,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static unsigned long windows(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? ~0UL : st.windows;
}

/* Without MAP_FIXED the kernel picks an aligned address, each time. */
TEST_F(window, kernel_picks_aligned_address)
{
	char *p[8], *hint = WINDOW_AT(3) + GB(1) + PAGE_SZ;
	int i, j;

	for (i = 0; i < 8; i++) {
		p[i] = mmap(i < 4 ? NULL : hint, 2 * SLOT, RW, MAP_SHARED,
			    self->fd, 0);
		ASSERT_NE(MAP_FAILED, p[i]);
		EXPECT_TRUE(aligned(p[i]));
		EXPECT_EQ(0, probe_store(p[i], i));
		for (j = 0; j < i; j++)
			EXPECT_NE(p[j], p[i]);
	}
	EXPECT_EQ(8UL, windows(self->fd));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, munmap(p[i], 2 * SLOT));
}

/* What was there before stays: the slots chosen are free ones. */
TEST_F(window, kernel_picks_free_slots)
{
	char *own = mmap(WINDOW_AT(1) + GB(7), PAGE_SZ, RW, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	char *p;

	ASSERT_NE(MAP_FAILED, own);
	*own = 77;
	p = mmap(WINDOW_AT(1), 2 * SLOT, RW, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(aligned(p));
	EXPECT_TRUE(own < p || own >= p + 2 * SLOT);
	fill(p, MB(1), 1);
	EXPECT_EQ(77, *own);
	munmap(p, 2 * SLOT);
	munmap(own, PAGE_SZ);
}

/* MAP_FIXED at a 512 GB boundary: there. Elsewhere: EINVAL. */
TEST_F(window, fixed_address)
{
	static const unsigned long off[] = {
		PAGE_SZ, MB(2), GB(1), SLOT / 2, SLOT - PAGE_SZ,
	};
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		EXPECT_ERRNO(EINVAL, window(self->fd, 2 * SLOT, RW,
					    WINDOW_AT(1) + off[i]));
		EXPECT_ERRNO(EINVAL,
			     mmap(WINDOW_AT(1) + off[i], 2 * SLOT, RW,
				  MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd,
				  0));
	}
	p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));
	ASSERT_EQ(WINDOW_AT(1), p);
	EXPECT_ERRNO(EEXIST, mmap(p + SLOT, 2 * SLOT, RW,
				  MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd,
				  0));
	EXPECT_EQ(0, probe_store(p, 1));
	EXPECT_EQ(0, munmap(p, 2 * SLOT));
}

/*
 * Proves that a window may lie where the process has no p4d page yet: beyond
 * the addresses of 4 levels, for with these a p4d is no page of its own.
 */
TEST_F(window, beyond_four_levels)
{
	char *at = (char *)(1UL << 48), *p;
	pid_t pid;
	int i;

	for (i = 0; i < 3; i++) {
		p = window(self->fd, 2 * SLOT, RW, at);
		if (p == MAP_FAILED)
			SKIP(return, "4 levels of page tables");
		ASSERT_EQ(at, p);
		fill(p, MB(1), i);
		pid = child_fork();
		if (!pid)
			_exit(!filled(p, MB(1), i));
		EXPECT_EQ(0, child_wait(pid));
		EXPECT_EQ(0, munmap(p, 2 * SLOT));
		EXPECT_EQ(SIGSEGV, probe_load(p));
	}
}

/* The length must be the region's size: neither a part, nor more. */
TEST_F(window, length)
{
	static const unsigned long bad[] = {
		PAGE_SZ, MB(1), SLOT, 2 * SLOT - PAGE_SZ,
		2 * SLOT + PAGE_SZ, 3 * SLOT, 4 * SLOT,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_ERRNO(EINVAL, window(self->fd, bad[i], RW, NULL));
		EXPECT_ERRNO(EINVAL, window(self->fd, bad[i], RW,
					    WINDOW_AT(0)));
	}
	EXPECT_EQ(0UL, windows(self->fd));
}

/*
 * Proves that the offset must be 0: in v3 any vm_pgoff was taken, and ignored.
 */
TEST_F(window, offset)
{
	static const unsigned long bad[] = { PAGE_SZ, GB(1), SLOT, 2 * SLOT };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EINVAL, mmap(NULL, 2 * SLOT, RW, MAP_SHARED,
					  self->fd, bad[i]));
	EXPECT_ERRNO(EINVAL, mmap(WINDOW_AT(0), SLOT, RW, REGION_FLAGS,
				  self->fd, SLOT));
	EXPECT_EQ(0UL, windows(self->fd));
}

/* MAP_PRIVATE cannot be: there is no page table for private pages. */
TEST_F(window, private)
{
	EXPECT_ERRNO(EINVAL, mmap(NULL, 2 * SLOT, RW, MAP_PRIVATE, self->fd,
				  0));
	EXPECT_ERRNO(EINVAL, mmap(NULL, 2 * SLOT, PROT_READ, MAP_PRIVATE,
				  self->fd, 0));
	EXPECT_ERRNO(EINVAL, mmap(WINDOW_AT(0), 2 * SLOT, RW,
				  MAP_PRIVATE | MAP_FIXED, self->fd, 0));
}

/*
 * Proves that munmap() of a part is EINVAL, and the window is whole as before.
 */
TEST_F(window, partial_munmap)
{
	char *p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));

	ASSERT_EQ(WINDOW_AT(1), p);
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, munmap(p, PAGE_SZ));
	EXPECT_ERRNO(EINVAL, munmap(p, MB(1)));
	EXPECT_ERRNO(EINVAL, munmap(p, SLOT));
	EXPECT_ERRNO(EINVAL, munmap(p + SLOT, SLOT));
	EXPECT_ERRNO(EINVAL, munmap(p + GB(1), GB(1)));
	EXPECT_ERRNO(EINVAL, munmap(p - SLOT, SLOT + PAGE_SZ));
	EXPECT_ERRNO(EINVAL, munmap(p + SLOT, 2 * SLOT));
	EXPECT_EQ(1UL, windows(self->fd));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(0, munmap(p, 2 * SLOT));
	EXPECT_EQ(0UL, windows(self->fd));
}

/* munmap of more than the window takes it and its neighbours. */
TEST_F(window, munmap_of_more)
{
	char *a = window(self->fd, 2 * SLOT, RW, WINDOW_AT(2));
	char *b = window(self->fd, 2 * SLOT, RW, WINDOW_AT(4));
	char *own = mmap(WINDOW_AT(2) - GB(1), PAGE_SZ, RW, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ASSERT_EQ(WINDOW_AT(2), a);
	ASSERT_EQ(WINDOW_AT(4), b);
	ASSERT_NE(MAP_FAILED, own);
	*own = 1;
	fill(a, MB(1), 1);
	touch(b, MB(1));
	EXPECT_EQ(0, munmap(WINDOW_AT(1), 6 * SLOT));
	EXPECT_EQ(SIGSEGV, probe_load(a));
	EXPECT_EQ(SIGSEGV, probe_load(b));
	EXPECT_EQ(SIGSEGV, probe_load(own));
	EXPECT_EQ(0UL, windows(self->fd));
}

/* MAP_FIXED over a part of a window: EINVAL; over all of it: replaced. */
TEST_F(window, map_fixed_over_it)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
			  MAP_NORESERVE;
	char *p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));
	int other = region_anon(self->root, PAGE_SZ);

	ASSERT_EQ(WINDOW_AT(1), p);
	ASSERT_LE(0, other);
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, mmap(p, PAGE_SZ, RW, flags, -1, 0));
	EXPECT_ERRNO(EINVAL, mmap(p + GB(5), GB(1), RW, flags, -1, 0));
	EXPECT_ERRNO(EINVAL, mmap(p - SLOT, SLOT + PAGE_SZ, RW, flags, -1, 0));
	EXPECT_ERRNO(EINVAL, mmap(p + SLOT, 2 * SLOT, RW, flags, -1, 0));
	EXPECT_ERRNO(EINVAL, window(other, SLOT, RW, p));
	EXPECT_ERRNO(EINVAL, window(other, SLOT, RW, p + SLOT));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(p, mmap(p, 2 * SLOT, RW, flags, -1, 0));
	EXPECT_EQ(0, *p);
	EXPECT_EQ(0UL, windows(self->fd));
	munmap(p, 2 * SLOT);
	close(other);
}

/* Something else moved on top of a part of a window: EINVAL as well. */
TEST_F(window, mremap_onto_it)
{
	char *p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));
	char *own = anywhere(MB(1));

	ASSERT_EQ(WINDOW_AT(1), p);
	ASSERT_NE(MAP_FAILED, own);
	*own = 5;
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, mremap(own, MB(1), MB(1),
				    MREMAP_MAYMOVE | MREMAP_FIXED, p));
	EXPECT_ERRNO(EINVAL, mremap(own, MB(1), MB(1),
				    MREMAP_MAYMOVE | MREMAP_FIXED,
				    p + GB(9)));
	EXPECT_EQ(0, probe_load(own));
	EXPECT_EQ(5, *own);
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(own, MB(1));
	munmap(p, 2 * SLOT);
}

/*
 * Proves that mremap() of a window is EINVAL, also to the same length, which v3
 * allowed: move_page_tables() would move entries out of the page tables that
 * all share.
 */
TEST_F(window, mremap)
{
	char *p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));
	char *to = WINDOW_AT(10);

	ASSERT_EQ(WINDOW_AT(1), p);
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, 3 * SLOT, 0));
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, 3 * SLOT, MREMAP_MAYMOVE));
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, SLOT, 0));
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, 2 * SLOT, MREMAP_MAYMOVE |
				    MREMAP_FIXED, to));
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, 2 * SLOT, MREMAP_MAYMOVE |
				    MREMAP_FIXED, to + PAGE_SZ));
	EXPECT_ERRNO(EINVAL, mremap(p, 2 * SLOT, 2 * SLOT, MREMAP_MAYMOVE |
				    MREMAP_DONTUNMAP, NULL));
	EXPECT_ERRNO(EINVAL, mremap(p, MB(1), MB(1), MREMAP_MAYMOVE |
				    MREMAP_FIXED, to));
	EXPECT_ERRNO(EINVAL, mremap(p, 0, 2 * SLOT, MREMAP_MAYMOVE, NULL));
	EXPECT_ERRNO(EINVAL, mremap(p, 0, MB(1), MREMAP_MAYMOVE, NULL));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(1UL, windows(self->fd));
	EXPECT_EQ(0, munmap(p, 2 * SLOT));
}

/*
 * Proves that remap_file_pages() is EINVAL, whose offsets mean nothing to a
 * region.
 */
TEST_F(window, remap_file_pages)
{
	char *p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(1));

	ASSERT_EQ(WINDOW_AT(1), p);
	fill(p, MB(1), 1);
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, PAGE_SZ, 0, 1, 0));
	EXPECT_ERRNO(EINVAL, remap_file_pages(p, 2 * SLOT, 0, 0, 0));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(0, munmap(p, 2 * SLOT));
}

/* A window costs address space like any mapping: RLIMIT_AS bounds it. */
TEST_F(window, address_space_limit)
{
	struct rlimit limit, small;

	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &limit));
	small = limit;
	small.rlim_cur = SLOT;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &small));
	EXPECT_ERRNO(ENOMEM, window(self->fd, 2 * SLOT, RW, NULL));
	EXPECT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(0UL, windows(self->fd));
}

TEST_HARNESS_MAIN
