// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of 1 GB in regions: one entry in the very page of the region's tables
 * that all processes are linked to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#define GIGANTIC_FLAGS	(ANON_FLAGS | MAP_HUGETLB | (30 << MAP_HUGE_SHIFT))
#define POOL		"/sys/kernel/mm/hugepages/hugepages-1048576kB/"

static const char *no_page;

FIXTURE(gigantic) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, empty */
	char *p;	/* its window */
};

static long pool(const char *file)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), POOL "%s", file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atol(text);
}

FIXTURE_SETUP(gigantic)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_page;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(gigantic)
{
	int tries;

	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
	for (tries = 0; tries < 50 && pool("free_hugepages") < 1; tries++)
		usleep(20 * 1000);
	EXPECT_EQ(1, pool("free_hugepages"));
	EXPECT_EQ(0, pool("resv_hugepages"));
}

static int reads_without_fault(void *arg)
{
	char *p = arg;
	long before;

	/* All that is called below has been: its text is there. */
	CHECK(minor_faults() >= 0);
	before = minor_faults();
	CHECK(load(p) == 1 && load(p + GB(1) - 1) == 2);
	store(p + MB(512), 3);
	return minor_faults() != before;
}

/* One entry serves everybody; no page table below it is needed. */
TEST_F(gigantic, one_entry_for_all)
{
	struct mshare_stat before, st;

	ASSERT_EQ(0, region_stat(self->fd, &before));
	ASSERT_EQ(0, create_mapping(self->fd, GB(4), GB(1), 0, RW,
				    GIGANTIC_FLAGS, -1));
	EXPECT_EQ(1, pool("resv_hugepages"));
	EXPECT_EQ(0, probe_store(self->p + GB(4), 1));
	EXPECT_EQ(0, probe_store(self->p + GB(5) - 1, 2));
	EXPECT_EQ(0, pool("free_hugepages"));
	EXPECT_EQ(0, child_wait(child_run(reads_without_fault,
					  self->p + GB(4))));
	EXPECT_EQ(3, self->p[GB(4) + MB(512)]);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(GB(1), st.page_size);
	EXPECT_EQ(GB(1) / PAGE_SZ, st.resident_pages);
	/* The slot's PUD page, and with 5 levels that of the p4d. */
	EXPECT_GE(before.page_table_bytes + 2 * PAGE_SZ, st.page_table_bytes);
}

/* The unmapped entry leaves all TLBs, and the table stays for what comes. */
TEST_F(gigantic, unmap)
{
	ASSERT_EQ(0, create_mapping(self->fd, 0, GB(1), 0, RW, GIGANTIC_FLAGS,
				    -1));
	EXPECT_EQ(0, probe_store(self->p + MB(3), 1));
	ASSERT_EQ(0, unmap(self->fd, 0, GB(1)));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(3)));
	EXPECT_EQ(1, pool("free_hugepages"));
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(3)));
}

/* Whole pages at their own boundaries. */
TEST_F(gigantic, alignment)
{
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, MB(2), GB(1), 0, RW,
					    GIGANTIC_FLAGS, -1));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, MB(512), 0, RW,
					    GIGANTIC_FLAGS, -1));
	ASSERT_EQ(0, create_mapping(self->fd, 0, GB(1), 0, RW, GIGANTIC_FLAGS,
				    -1));
	EXPECT_ERRNO(EINVAL, unmap(self->fd, 0, MB(512)));
	EXPECT_ERRNO(ENOMEM, create_mapping(self->fd, GB(1), GB(1), 0, RW,
					    GIGANTIC_FLAGS, -1));
}

/* A window that may not write: the entry is a leaf, the RW bit is above it. */
TEST_F(gigantic, read_only_window)
{
	char *reader = window(self->fd, SLOT, PROT_READ, NULL);
	int zero = open("/dev/zero", O_RDONLY);

	ASSERT_NE(MAP_FAILED, reader);
	ASSERT_EQ(0, create_mapping(self->fd, 0, GB(1), 0, RW, GIGANTIC_FLAGS,
				    -1));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(0, probe_load(reader));
	EXPECT_EQ(SIGSEGV, probe_store(reader, 2));
	EXPECT_ERRNO(EFAULT, read(zero, reader, PAGE_SZ));
	EXPECT_EQ(1, load(reader));
	munmap(reader, SLOT);
	close(zero);
}

/* An object that the program has mapped with pages of 1 GB. */
TEST_F(gigantic, object)
{
	char *plain = mmap(NULL, GB(1), RW, MAP_SHARED | MAP_ANONYMOUS |
			   MAP_HUGETLB | (30 << MAP_HUGE_SHIFT), -1, 0);
	char *view;
	int fd;

	ASSERT_NE(MAP_FAILED, plain);
	fd = object_open(self->root, plain, GB(1), 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_EQ(0, probe_store(view + MB(700), 1));
	EXPECT_EQ(1, load(plain + MB(700)));
	munmap((void *)((uintptr_t)view & ~(SLOT - 1)), SLOT);
	munmap(plain, GB(1));
	close(fd);
}

int main(int argc, char **argv)
{
	if (pool("free_hugepages") < 1) {
		no_page = knob_set(POOL "nr_hugepages", "1");
		if (!no_page && pool("free_hugepages") < 1)
			no_page = "boot with hugepagesz=1G hugepages=1";
	}
	return test_harness_run(argc, argv);
}
