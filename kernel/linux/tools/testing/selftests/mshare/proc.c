// SPDX-License-Identifier: GPL-2.0
/*
 * /proc of a process that has windows: every file that walks page tables can
 * be read, in every state of a window, and shows the window for what it is.
 */
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#ifndef PAGEMAP_SCAN
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN		_IOWR('f', 16, struct pm_scan_arg)
#define PM_SCAN_WP_MATCHING	0x01
#define PM_SCAN_CHECK_WPASYNC	0x02
#define PAGE_IS_PRESENT		0x08
#define PAGE_IS_WRITTEN		0x02
#endif

FIXTURE(proc) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	char *p;	/* its window */
};

FIXTURE_SETUP(proc)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "named", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(proc)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* The number of bytes that can be read, or -1. */
static long read_all(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY);
	ssize_t len = -1;
	long sum = 0;

	if (fd < 0)
		return -1;
	while ((len = read(fd, buf, sizeof(buf))) > 0)
		sum += len;
	close(fd);
	return len ? -1 : sum;
}

static const char * const files[] = {
	"/proc/self/maps", "/proc/self/smaps", "/proc/self/smaps_rollup",
	"/proc/self/numa_maps", "/proc/self/status", "/proc/self/statm",
	"/proc/self/stat", "/proc/self/oom_score",
};

static void read_files(struct __test_metadata *_metadata)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (access(files[i], R_OK))
			continue;
		EXPECT_LT(0, read_all(files[i]))
			TH_LOG("%s: %s", files[i], strerror(errno));
	}
}

/*
 * Proves that the files which walk page tables can be read with a window that
 * is unlinked, linked, read-only, PROT_NONE, or over nothing.
 */
TEST_F(proc, files_in_every_state)
{
	read_files(_metadata);
	fill(self->p, MB(1), 1);
	read_files(_metadata);
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_READ));
	read_files(_metadata);
	touch(self->p, MB(1));
	read_files(_metadata);
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_NONE));
	read_files(_metadata);
	ASSERT_EQ(0, mprotect(self->p, SLOT, RW));
	ASSERT_EQ(0, unmap(self->fd, 0, SLOT));
	read_files(_metadata);
}

/* maps shows the window with the region's name. */
TEST_F(proc, window_has_its_name)
{
	char line[512], start[32];
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false;

	ASSERT_NE(NULL, f);
	snprintf(start, sizeof(start), "%lx-%lx rw-s",
		 (unsigned long)self->p, (unsigned long)self->p + SLOT);
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, start, strlen(start));
	fclose(f);
	ASSERT_TRUE(found);
	EXPECT_NE(NULL, strstr(line, MSHARE_MNT "/named\n"));
}

/*
 * Proves that VmFlags knows all flags of a window, its own ("pt") among them:
 * v3 printed "??".
 */
TEST_F(proc, vm_flags)
{
	char value[512];

	ASSERT_TRUE(smaps_line(self->p, "VmFlags", value,
			       sizeof(value)));
	EXPECT_EQ(NULL, strstr(value, "??"))
		TH_LOG("%s", value);
	EXPECT_NE(NULL, strstr(value, " pt"))
		TH_LOG("%s", value);
	EXPECT_NE(NULL, strstr(value, " mw"))
		TH_LOG("%s", value);
	EXPECT_NE(NULL, strstr(value, " sh "))
		TH_LOG("%s", value);
}

/*
 * Proves that a window is marked to be left out of core files; see coredump.c.
 */
TEST_F(proc, not_in_core_dump)
{
	char value[512];

	ASSERT_TRUE(smaps_line(self->p, "VmFlags", value,
			       sizeof(value)));
	EXPECT_NE(NULL, strstr(value, " dd"))
		TH_LOG("%s", value);
}

/* The size of the window is the region's. */
TEST_F(proc, smaps_size)
{
	char value[512];

	ASSERT_TRUE(smaps_line(self->p, "Size", value, sizeof(value)));
	EXPECT_EQ((long)(SLOT / 1024), strtol(value, NULL, 10));
}

/*
 * Proves that VmPTE of a guest does not count the page tables that it shares.
 */
TEST_F(proc, status)
{
	long before;

	/* Once, so that what it needs is there. */
	status_kb(0, "VmPTE");
	before = status_kb(0, "VmPTE");
	ASSERT_EQ(0, create_anon(self->fd, GB(1), MB(64)));
	fill(self->p + GB(1), MB(64), 1);
	EXPECT_EQ(before, status_kb(0, "VmPTE"));
	EXPECT_LE((long)(SLOT / 1024), status_kb(0, "VmSize"));
}

/*
 * Proves that pagemap can be read in a window, also over long ranges of
 * nothing; what it says is in smaps.c.
 */
TEST_F(proc, pagemap)
{
	__u64 entries[256];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t at = (uintptr_t)self->p / PAGE_SZ * 8;

	ASSERT_LE(0, fd);
	fill(self->p, MB(1), 1);
	EXPECT_EQ((ssize_t)sizeof(entries),
		  pread(fd, entries, sizeof(entries), at));
	EXPECT_EQ((ssize_t)sizeof(entries),
		  pread(fd, entries, sizeof(entries), at + GB(1) / PAGE_SZ * 8));
	EXPECT_EQ((ssize_t)sizeof(entries),
		  pread(fd, entries, sizeof(entries), at + SLOT / PAGE_SZ * 8 -
			(off_t)sizeof(entries)));
	close(fd);
}

static long pagemap_scan(int fd, char *p, size_t size, __u64 flags,
			 __u64 mask)
{
	struct page_region found[16];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = flags,
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + size,
		.vec = (uintptr_t)found,
		.vec_len = ARRAY_SIZE(found),
		.category_mask = mask,
		.return_mask = mask,
	};

	return ioctl(fd, PAGEMAP_SCAN, &arg);
}

/*
 * Proves that PAGEMAP_SCAN, which can write to page tables, does not walk those
 * of a window: it finds a hole, and write-protects nothing.
 */
TEST_F(proc, pagemap_scan)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	ASSERT_LE(0, fd);
	fill(self->p, MB(1), 1);
	if (pagemap_scan(fd, self->p, MB(1), 0, PAGE_IS_PRESENT) < 0 &&
	    errno == ENOTTY)
		SKIP(close(fd); return, "no PAGEMAP_SCAN");
	/* A window is a hole to it. */
	EXPECT_EQ(0, pagemap_scan(fd, self->p, SLOT, 0, PAGE_IS_PRESENT));
	pagemap_scan(fd, self->p, MB(1), PM_SCAN_WP_MATCHING, PAGE_IS_WRITTEN);
	pagemap_scan(fd, self->p, MB(1),
		     PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		     PAGE_IS_WRITTEN);
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	close(fd);
}

/*
 * Proves that clear_refs edits no entry of a window: those that it had
 * write-protected would take a fault.
 */
TEST_F(proc, clear_refs)
{
	static const char * const how[] = { "1", "2", "3", "4", "5" };
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	unsigned int i;
	long before;

	ASSERT_LE(0, fd);
	fill(self->p, MB(1), 1);
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		EXPECT_EQ(1, write(fd, how[i], 1))
			TH_LOG("%s: %s", how[i], strerror(errno));
		/* Entries that it has write-protected would fault now. */
		before = minor_faults();
		fill(self->p, MB(1), 1);
		EXPECT_GT(before + (long)(MB(1) / PAGE_SZ / 2), minor_faults());
		EXPECT_TRUE(filled(self->p, MB(1), 1));
	}
	close(fd);
}

/*
 * Proves that smaps of a process may be read while its window comes and goes.
 */
TEST_F_TIMEOUT(proc, other_process, 60)
{
	char path[64];
	pid_t pid;
	int i;

	fill(self->p, MB(1), 1);
	for (i = 0; i < 50; i++) {
		pid = child_fork();
		if (!pid) {
			fill(self->p, MB(1), 1);
			munmap(self->p, SLOT);
			_exit(0);
		}
		snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
		read_all(path);
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
		read_all(path);
		EXPECT_EQ(0, child_wait(pid));
	}
}

TEST_HARNESS_MAIN
