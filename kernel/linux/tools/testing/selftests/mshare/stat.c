// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_STAT and fdinfo: what a region holds, what it costs and who uses it,
 * checked against what the test knows and what /proc says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(stat) {
	struct mshare_env env;
	int root;
	int fd;		/* a region of two slots, empty */
};

FIXTURE_SETUP(stat)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", 2 * SLOT);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(stat)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* An empty region. */
TEST_F(stat, empty)
{
	struct mshare_stat st;

	memset(&st, 0xff, sizeof(st));
	st.size = sizeof(st);
	ASSERT_EQ(0, ioctl(self->fd, MSHAREFS_STAT, &st));
	EXPECT_EQ(sizeof(st), st.size);
	EXPECT_EQ(0U, st.flags);
	EXPECT_EQ(2 * SLOT, st.region_bytes);
	EXPECT_EQ(0UL, st.mapped_bytes);
	EXPECT_EQ(0UL, st.object_offset);
	EXPECT_EQ(0UL, st.resident_pages);
	EXPECT_EQ(0UL, st.windows);
	EXPECT_EQ(0UL, st.links);
	EXPECT_EQ(0U, st.page_size);
	EXPECT_EQ(0U, st.reserved);
}

/* mapped_bytes and page_size are of the objects, mapped or not yet touched. */
TEST_F(stat, mapped_bytes)
{
	struct mshare_stat st;

	ASSERT_EQ(0, create_anon(self->fd, GB(1), MB(3)));
	ASSERT_EQ(0, create_anon(self->fd, SLOT, MB(5)));
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MB(8), st.mapped_bytes);
	EXPECT_EQ(0UL, st.resident_pages);
	EXPECT_EQ(PAGE_SZ, st.page_size);
	ASSERT_EQ(0, unmap(self->fd, GB(1), MB(1)));
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MB(7), st.mapped_bytes);
}

/* resident_pages counts what the page tables map, through any window. */
TEST_F(stat, resident_pages)
{
	struct mshare_stat st;
	char *p, *q;

	ASSERT_EQ(0, create_anon(self->fd, 0, MB(16)));
	p = window(self->fd, 2 * SLOT, RW, NULL);
	q = window(self->fd, 2 * SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	p[0] = 1;
	ASSERT_EQ(0, region_stat(self->fd, &st));
	/* The kernel may map some neighbours with it (fault-around). */
	EXPECT_LE(1UL, st.resident_pages);
	EXPECT_GE(16UL, st.resident_pages);
	fill(p, MB(8), 1);
	fill(q, MB(16), 1);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MB(16) / PAGE_SZ, st.resident_pages);
	munmap(p, 2 * SLOT);
	munmap(q, 2 * SLOT);
	/* They stay when no window is left: the region has them. */
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(MB(16) / PAGE_SZ, st.resident_pages);
	ASSERT_EQ(0, unmap(self->fd, 0, 2 * SLOT));
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(0UL, st.resident_pages);
}

/* page_table_bytes is what PageTables of /proc/meminfo has grown by. */
TEST_F(stat, page_table_bytes)
{
	struct mshare_stat before, after;
	long system = meminfo_settled("PageTables"), grown;
	char *p;

	ASSERT_EQ(0, create_anon(self->fd, 0, MB(512)));
	p = window(self->fd, 2 * SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, region_stat(self->fd, &before));
	fill(p, MB(512), 1);
	ASSERT_EQ(0, region_stat(self->fd, &after));
	grown = (after.page_table_bytes - before.page_table_bytes) / 1024;
	/* 256 tables of 4 KB pages, and one or two of each level above. */
	EXPECT_LE(256 * 4, grown);
	EXPECT_GE(256 * 4 + 32, grown);
	system = meminfo_settled("PageTables") - system;
	EXPECT_LE(grown - 64, system);
	EXPECT_GE(grown + 64, system);
	munmap(p, 2 * SLOT);
}

/* windows: mappings; links: slots of them that use the region's tables. */
TEST_F(stat, windows_and_links)
{
	struct mshare_stat st;
	char *p, *q;

	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	ASSERT_EQ(0, create_anon(self->fd, SLOT, PAGE_SZ));
	p = window(self->fd, 2 * SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	/* mmap links, and an access has nothing to add. */
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(1UL, st.windows);
	EXPECT_EQ(2UL, st.links);
	touch(p, PAGE_SZ);
	touch(p + SLOT, PAGE_SZ);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(2UL, st.links);
	q = window(self->fd, 2 * SLOT, PROT_READ, NULL);
	ASSERT_NE(MAP_FAILED, q);
	touch(q, PAGE_SZ);
	touch(q + SLOT, PAGE_SZ);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(2UL, st.windows);
	EXPECT_EQ(4UL, st.links);
	munmap(p, 2 * SLOT);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(1UL, st.windows);
	EXPECT_EQ(2UL, st.links);
	munmap(q, 2 * SLOT);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(0UL, st.windows);
	EXPECT_EQ(0UL, st.links);
}

/* A descriptor that may only read will do. */
TEST_F(stat, read_only_descriptor)
{
	int fd = openat(self->root, "r", O_RDONLY);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MB(1), st.mapped_bytes);
	close(fd);
}

/* A caller that knows less gets less, and not a byte more. */
TEST_F(stat, shorter_struct)
{
	struct mshare_stat st;
	unsigned char *bytes = (unsigned char *)&st;
	size_t i;

	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	memset(&st, 0xa5, sizeof(st));
	st.size = offsetof(struct mshare_stat, object_offset);
	ASSERT_EQ(0, ioctl(self->fd, MSHAREFS_STAT, &st));
	EXPECT_EQ(offsetof(struct mshare_stat, object_offset), st.size);
	EXPECT_EQ(0U, st.flags);
	EXPECT_EQ(2 * SLOT, st.region_bytes);
	EXPECT_EQ(MB(1), st.mapped_bytes);
	for (i = offsetof(struct mshare_stat, object_offset); i < sizeof(st);
	     i++)
		EXPECT_EQ(0xa5, bytes[i]);

	memset(&st, 0xa5, sizeof(st));
	st.size = 8;
	ASSERT_EQ(0, ioctl(self->fd, MSHAREFS_STAT, &st));
	EXPECT_EQ(8U, st.size);
	EXPECT_EQ(0U, st.flags);
	for (i = 8; i < sizeof(st); i++)
		EXPECT_EQ(0xa5, bytes[i]);
}

/* One that knows more is told how much of it this kernel knows. */
TEST_F(stat, longer_struct)
{
	struct {
		struct mshare_stat st;
		__u64 more[16];
	} longer;

	memset(&longer, 0, sizeof(longer));
	longer.st.size = sizeof(longer);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	ASSERT_EQ(0, ioctl(self->fd, MSHAREFS_STAT, &longer));
	EXPECT_EQ(sizeof(longer.st), longer.st.size);
	EXPECT_EQ(MB(1), longer.st.mapped_bytes);
	EXPECT_EQ(PAGE_SZ, longer.st.page_size);
	EXPECT_EQ(0UL, longer.more[0]);
}

/* Sizes too small for size and flags, and bad addresses. */
TEST_F(stat, refused)
{
	struct mshare_stat st;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		st.size = i;
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_STAT, &st));
	}
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MSHAREFS_STAT, 8));
	EXPECT_ERRNO(ENOTTY, region_stat(self->root, &st));
}

/* The end of the struct may be where the caller's memory ends. */
TEST_F(stat, at_end_of_memory)
{
	char *p = mmap(NULL, 2 * PAGE_SZ, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	struct mshare_stat *st = (void *)(p + PAGE_SZ - sizeof(*st));

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + PAGE_SZ, PAGE_SZ));
	EXPECT_EQ(0, region_stat(self->fd, st));
	st->size = 4096;
	EXPECT_EQ(0, ioctl(self->fd, MSHAREFS_STAT, st));
	EXPECT_EQ(sizeof(*st), st->size);
	munmap(p, PAGE_SZ);
}

static bool fdinfo_has(int fd, const char *text)
{
	char path[64], all[4096];
	ssize_t len;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	len = read(info, all, sizeof(all) - 1);
	close(info);
	all[len > 0 ? len : 0] = 0;
	return strstr(all, text);
}

/* fdinfo says the same: look for numbers that nothing else can be. */
TEST_F(stat, fdinfo)
{
	char *p;
	int i;

	ASSERT_EQ(0, create_anon(self->fd, 0, 13 * PAGE_SZ));
	for (i = 0; i < 37; i++) {
		p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(2 * i));
		ASSERT_EQ(WINDOW_AT(2 * i), p);
	}
	touch(p, 13 * PAGE_SZ);
	EXPECT_TRUE(fdinfo_has(self->fd, "\t53248\n"));
	EXPECT_TRUE(fdinfo_has(self->fd, "\t37\n"));
	EXPECT_TRUE(fdinfo_has(self->fd, "\t1099511627776\n"));
	EXPECT_EQ(0, munmap(WINDOW_AT(0), 37 * 2 * SLOT));
}

TEST_HARNESS_MAIN
