// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_regions: what there is in a mount, for whoever runs the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

#define BYTES	MB(1)
#define FILE_NAME	"mshare_regions"
#define OBJECT	"object:/memfd:mshare-test\\040(deleted)"

FIXTURE(regions_file) {
	struct mshare_env env;
	int root;
	int fd;		/* the region "r", BYTES of memory at its start */
};

FIXTURE_SETUP(regions_file)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
}

FIXTURE_TEARDOWN(regions_file)
{
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

struct line {
	unsigned long long bytes, mapped, resident, page_tables, windows, links;
	char flags[16];
	char name[256];
};

/* The line of the region @name, or the number of lines if that is NULL. */
static int find(int root, const char *name, struct line *found)
{
	int fd = openat(root, FILE_NAME, O_RDONLY), lines = 0;
	char text[1024];
	struct line line;
	FILE *f;

	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f)
		return -1;
	if (!fgets(text, sizeof(text), f) ||
	    strcmp(text, "bytes mapped resident page_tables windows links flags name\n"))
		lines = -1;
	while (lines >= 0 && fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%llu %llu %llu %llu %llu %llu %15s %255s\n",
			   &line.bytes, &line.mapped, &line.resident,
			   &line.page_tables, &line.windows, &line.links,
			   line.flags, line.name) != 8) {
			lines = -1;
		} else if (name && !strcmp(line.name, name)) {
			*found = line;
			lines = -2;
		} else {
			lines++;
		}
	}
	fclose(f);
	if (lines == -2)
		return 0;
	return name ? -1 : lines;
}

/* The same figures that MSHAREFS_STAT has. */
TEST_F(regions_file, figures)
{
	char *p = window(self->fd, SLOT, RW, NULL);
	struct mshare_stat st;
	struct line line;

	ASSERT_NE(MAP_FAILED, p);
	fill(p, BYTES / 2, 1);
	ASSERT_EQ(0, region_stat(self->fd, &st));
	ASSERT_EQ(0, find(self->root, "/r", &line));
	EXPECT_EQ(SLOT, line.bytes);
	EXPECT_EQ(BYTES, line.mapped);
	EXPECT_EQ(BYTES / 2, line.resident);
	EXPECT_EQ(st.page_table_bytes, line.page_tables);
	EXPECT_EQ(1, line.windows);
	EXPECT_EQ(1, line.links);
	EXPECT_STREQ("-", line.flags);
	munmap(p, SLOT);
}

static int make_and_exit(void *arg)
{
	CHECK(region_create(*(int *)arg, "dead", SLOT) >= 0);
	return 0;
}

/* Flags: of objects, dead, read-only, huge. */
TEST_F(regions_file, flags)
{
	char path[64], *plain, *reader;
	int object, ro, read_only, file = memfd(BYTES);
	struct line line;

	ASSERT_EQ(0, child_wait(child_run(make_and_exit, &self->root)));
	ASSERT_EQ(0, find(self->root, "/dead", &line));
	EXPECT_STREQ("d", line.flags);
	EXPECT_EQ(0, unlinkat(self->root, "dead", 0));

	plain = mmap(NULL, BYTES, RW, MAP_SHARED, file, 0);
	object = object_open(self->root, plain, BYTES, MSHARE_OBJECT_HUGEPAGE);
	ASSERT_LE(0, object);
	ASSERT_EQ(0, find(self->root, OBJECT, &line));
	EXPECT_STREQ("oh", line.flags);
	EXPECT_EQ(BYTES, line.mapped);
	close(object);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	ro = open(path, O_RDONLY);
	reader = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, ro, 0);
	read_only = object_open(self->root, reader, BYTES, 0);
	ASSERT_LE(0, read_only);
	ASSERT_EQ(0, find(self->root, OBJECT, &line));
	EXPECT_STREQ("or", line.flags);
	munmap(plain, BYTES);
	munmap(reader, BYTES);
	close(read_only);
	close(ro);
	close(file);
}

/* Names: with their folders, as they are now, and without white space. */
TEST_F(regions_file, names)
{
	struct line line;

	ASSERT_EQ(0, mkdirat(self->root, "a b", 0700));
	ASSERT_EQ(0, renameat(self->root, "r", self->root, "a b/c\nd"));
	EXPECT_EQ(0, find(self->root, "/a\\040b/c\\012d", &line));
	ASSERT_EQ(0, unlinkat(self->root, "a b/c\nd", 0));
	EXPECT_EQ(0, find(self->root, "unlinked", &line));
	EXPECT_EQ(0, unlinkat(self->root, "a b", AT_REMOVEDIR));
	close(self->fd);
	EXPECT_EQ(0, find(self->root, NULL, NULL));
	self->fd = -1;
}

/* Of this mount alone, and all of them however many. */
TEST_F(regions_file, all_of_the_mount)
{
	int fd[400], i, root;
	char name[16];

	for (i = 0; i < (int)ARRAY_SIZE(fd); i++) {
		snprintf(name, sizeof(name), "r%d", i);
		fd[i] = region_create(self->root, name, 0);
		ASSERT_LE(0, fd[i]);
	}
	EXPECT_EQ(401, find(self->root, NULL, NULL));
	ASSERT_EQ(0, mount("msharefs", "/mnt", "msharefs", 0, NULL));
	root = open("/mnt", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(0, find(root, NULL, NULL));
	close(root);
	EXPECT_EQ(0, umount("/mnt"));
	for (i = 0; i < (int)ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/* Mode 0400: it tells what others have open. */
static int read_as_nobody(void *arg)
{
	become_nobody();
	CHECK(openat(*(int *)arg, FILE_NAME, O_RDONLY) == -1);
	CHECK(errno == EACCES);
	return 0;
}

TEST_F(regions_file, for_the_owner_of_the_mount)
{
	struct stat st;

	ASSERT_EQ(0, fstatat(self->root, FILE_NAME, &st, 0));
	EXPECT_EQ(0100400U, st.st_mode);
	EXPECT_EQ(0, child_wait(child_run(read_as_nobody, &self->root)));
}

/* uid= and gid= are its owner's: a monitor that is not root's can have it. */
static int read_mount_of_nobody(void *arg)
{
	become_nobody();
	CHECK(find(*(int *)arg, NULL, NULL) == 0);
	return 0;
}

TEST_F(regions_file, mount_options)
{
	int root;

	ASSERT_EQ(0, mount("msharefs", "/mnt", "msharefs", 0,
			   "uid=65534,gid=65534"));
	root = open("/mnt", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(0, child_wait(child_run(read_mount_of_nobody, &root)));
	close(root);
	EXPECT_EQ(0, umount("/mnt"));
}

/* Not even root changes or removes it; and it is no region. */
TEST_F(regions_file, stays)
{
	int fd = openat(self->root, FILE_NAME, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EPERM, unlinkat(self->root, FILE_NAME, 0));
	EXPECT_ERRNO(EPERM, renameat(self->root, FILE_NAME, self->root, "x"));
	EXPECT_ERRNO(EPERM, renameat(self->root, "r", self->root, FILE_NAME));
	EXPECT_ERRNO(EPERM, fchmodat(self->root, FILE_NAME, 0666, 0));
	EXPECT_ERRNO(EPERM, fchownat(self->root, FILE_NAME, 1, 1, 0));
	EXPECT_EQ(-1, openat(self->root, FILE_NAME, O_CREAT | O_EXCL, 0600));
	EXPECT_ERRNO(ENOTTY, create_anon(fd, 0, PAGE_SZ));
	EXPECT_EQ(MAP_FAILED, window(fd, SLOT, PROT_READ, NULL));
	close(fd);
}

/* Read while regions come and go: every line is whole. */
TEST_F_TIMEOUT(regions_file, races, 60)
{
	pid_t pid = child_fork();
	int i;

	if (!pid) {
		for (;;) {
			int fd = region_create(self->root, "x", SLOT);

			create_anon(fd, 0, BYTES);
			renameat(self->root, "x", self->root, "y");
			close(fd);
			unlinkat(self->root, "y", 0);
		}
	}
	for (i = 0; i < 1000; i++)
		ASSERT_LE(1, find(self->root, NULL, NULL));
	child_kill(pid);
	unlinkat(self->root, "x", 0);
	unlinkat(self->root, "y", 0);
}

TEST_HARNESS_MAIN
