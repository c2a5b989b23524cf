// SPDX-License-Identifier: GPL-2.0
/*
 * msharefs as a filesystem: mount options, names, rights on names, and the
 * file that tells the alignment.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(fs) {
	struct mshare_env env;
	int root;
};

FIXTURE_SETUP(fs)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
}

FIXTURE_TEARDOWN(fs)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

static ssize_t read_info(char *text, size_t size)
{
	int fd = open(MSHARE_MNT "/mshare_info", O_RDONLY);
	ssize_t len = read(fd, text, size - 1);

	close(fd);
	text[len > 0 ? len : 0] = 0;
	return len;
}

/* mshare_info reads back P4D_SIZE in decimal: 512 GB with 4 and 5 levels. */
TEST_F(fs, info_is_p4d_size)
{
	char text[64], *end;
	struct stat st;

	ASSERT_LT(0, read_info(text, sizeof(text)));
	EXPECT_EQ(SLOT, strtoul(text, &end, 10));
	EXPECT_TRUE(!strcmp(end, "") || !strcmp(end, "\n"));
	ASSERT_EQ(0, fstatat(self->root, "mshare_info", &st, 0));
	EXPECT_EQ(S_IFREG | 0444U, st.st_mode);
}

/* Mode 0444 is meant: not even root can change what mshare_info says. */
TEST_F(fs, info_is_read_only)
{
	char before[64], after[64];
	int fd;

	ASSERT_LT(0, read_info(before, sizeof(before)));
	fd = open(MSHARE_MNT "/mshare_info", O_RDWR);
	if (fd >= 0) {
		EXPECT_EQ(-1, write(fd, "1", 1));
		EXPECT_EQ(-1, ftruncate(fd, SLOT));
		close(fd);
	}
	EXPECT_EQ(-1, truncate(MSHARE_MNT "/mshare_info", 0));
	ASSERT_LT(0, read_info(after, sizeof(after)));
	EXPECT_STREQ(before, after);
}

/* mshare_info is no region: it takes none of their ioctls. */
TEST_F(fs, info_is_no_region)
{
	struct mshare_stat st;
	int fd = open(MSHARE_MNT "/mshare_info", O_RDWR);
	char *object = shared_anon(PAGE_SZ);

	if (fd < 0)
		fd = open(MSHARE_MNT "/mshare_info", O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, object);
	EXPECT_ERRNO(ENOTTY, region_stat(fd, &st));
	EXPECT_ERRNO(ENOTTY, create_anon(fd, 0, PAGE_SZ));
	EXPECT_ERRNO(ENOTTY, unmap(fd, 0, PAGE_SZ));
	EXPECT_ERRNO(ENOTTY, object_open(fd, object, PAGE_SZ, 0));
	EXPECT_EQ(MAP_FAILED, window(fd, SLOT, PROT_READ, NULL));
	close(fd);
}

/* mshare_info can be neither unlinked nor renamed: EPERM. */
TEST_F(fs, info_stays)
{
	int fd;

	EXPECT_ERRNO(EPERM, unlinkat(self->root, "mshare_info", 0));
	EXPECT_ERRNO(EPERM, renameat(self->root, "mshare_info",
				     self->root, "other"));
	fd = region_create(self->root, "r", 0);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EPERM, renameat(self->root, "r",
				     self->root, "mshare_info"));
	EXPECT_ERRNO2(EPERM, EINVAL,
		      renameat2(self->root, "r", self->root, "mshare_info",
				RENAME_EXCHANGE));
	ASSERT_EQ(0, mkdirat(self->root, "d", 0700));
	EXPECT_ERRNO(EPERM, renameat(self->root, "mshare_info",
				     self->root, "d/mshare_info"));
	EXPECT_EQ(0, faccessat(self->root, "mshare_info", R_OK, 0));
	EXPECT_EQ(0, faccessat(self->root, "r", R_OK, 0));
	close(fd);
}

/* Only the root's mshare_info is special, not every file of that name. */
TEST_F(fs, info_elsewhere_is_a_region)
{
	struct mshare_stat st;
	int fd;

	ASSERT_EQ(0, mkdirat(self->root, "d", 0700));
	fd = region_create(self->root, "d/mshare_info", SLOT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(0, renameat(self->root, "d/mshare_info", self->root, "d/x"));
	EXPECT_EQ(0, unlinkat(self->root, "d/x", 0));
	close(fd);
}

/*
 * Proves that the root's mode is 1777 by default, like /dev/shm: v3 had no
 * sticky bit.
 */
TEST_F(fs, root_is_sticky_by_default)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->root, &st));
	EXPECT_EQ(S_IFDIR | 01777U, st.st_mode);
	EXPECT_EQ(0U, st.st_uid);
	EXPECT_EQ(0U, st.st_gid);
}

/* Mount options mode= (octal), uid= and gid=. */
TEST_F(fs, mount_options)
{
	static const struct {
		const char *options;
		mode_t mode;
		uid_t uid;
		gid_t gid;
	} cases[] = {
		{ "mode=0700", 0700, 0, 0 },
		{ "mode=755", 0755, 0, 0 },
		{ "uid=1000", 01777, 1000, 0 },
		{ "gid=1001", 01777, 0, 1001 },
		{ "mode=2770,uid=7,gid=8", 02770, 7, 8 },
	};
	struct stat st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, mshare_mount(cases[i].options))
			TH_LOG("%s", cases[i].options);
		ASSERT_EQ(0, stat(MSHARE_MNT, &st));
		EXPECT_EQ(S_IFDIR | cases[i].mode, st.st_mode)
			TH_LOG("%s", cases[i].options);
		EXPECT_EQ(cases[i].uid, st.st_uid);
		EXPECT_EQ(cases[i].gid, st.st_gid);
		EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
	}
}

/* A value that makes no sense is refused, not ignored. */
TEST_F(fs, mount_options_refused)
{
	static const char * const cases[] = {
		"mode=8", "mode=rwx", "mode=", "mode", "uid=root", "uid=-1",
		"uid=", "gid=x", "gid=-1", "gid", "size=1g", "nosuch",
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ret = mshare_mount(cases[i]);
		EXPECT_EQ(-1, ret)
			TH_LOG("'%s' was accepted", cases[i]);
		if (!ret)
			umount2(MSHARE_MNT, 0);
		else
			EXPECT_EQ(EINVAL, errno);
	}
}

/* Each mount is its own filesystem: a name in one is not in the other. */
TEST_F(fs, mounts_are_separate)
{
	int fd = region_create(self->root, "r", SLOT);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mshare_mount(NULL));
	EXPECT_ERRNO(ENOENT, access(MSHARE_MNT "/r", F_OK));
	EXPECT_EQ(0, access(MSHARE_MNT "/mshare_info", F_OK));
	EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
	EXPECT_EQ(0, access(MSHARE_MNT "/r", F_OK));
	close(fd);
}

/* mkdir, rmdir */
TEST_F(fs, directories)
{
	struct stat st;
	int fd;

	ASSERT_EQ(0, mkdirat(self->root, "d", 0750));
	ASSERT_EQ(0, fstatat(self->root, "d", &st, 0));
	EXPECT_EQ(S_IFDIR | 0750U, st.st_mode);
	EXPECT_EQ(2U, st.st_nlink);
	EXPECT_ERRNO(EEXIST, mkdirat(self->root, "d", 0700));

	ASSERT_EQ(0, mkdirat(self->root, "d/e", 0700));
	ASSERT_EQ(0, fstatat(self->root, "d", &st, 0));
	EXPECT_EQ(3U, st.st_nlink);
	EXPECT_ERRNO(ENOTEMPTY, unlinkat(self->root, "d", AT_REMOVEDIR));
	EXPECT_EQ(0, unlinkat(self->root, "d/e", AT_REMOVEDIR));

	fd = region_create(self->root, "d/r", SLOT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, create_anon(fd, 0, PAGE_SZ));
	EXPECT_ERRNO(ENOTEMPTY, unlinkat(self->root, "d", AT_REMOVEDIR));
	EXPECT_EQ(0, unlinkat(self->root, "d/r", 0));
	EXPECT_EQ(0, unlinkat(self->root, "d", AT_REMOVEDIR));
	EXPECT_ERRNO(ENOENT, faccessat(self->root, "d", F_OK, 0));
	close(fd);
}

/* readdir lists the names that there are. */
TEST_F(fs, readdir_lists_names)
{
	int names = 0, fd = region_create(self->root, "r", SLOT);
	struct dirent *entry;
	DIR *dir;

	ASSERT_LE(0, fd);
	close(fd);
	dir = opendir(MSHARE_MNT);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, "r"))
			names += 1;
		else if (!strcmp(entry->d_name, "mshare_info"))
			names += 10;
		else if (!strcmp(entry->d_name, "mshare_regions"))
			names += 1000;
		else if (entry->d_name[0] != '.')
			names += 100;
	}
	closedir(dir);
	EXPECT_EQ(1011, names);
}

/* rename keeps the region, what is mapped in it and its windows. */
TEST_F(fs, rename_keeps_region)
{
	int again, fd = region_create(self->root, "a", SLOT);
	struct stat before, after;
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, PAGE_SZ));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	*p = 42;
	ASSERT_EQ(0, mkdirat(self->root, "d", 0700));
	EXPECT_EQ(0, renameat(self->root, "a", self->root, "d/b"));
	EXPECT_ERRNO(ENOENT, faccessat(self->root, "a", F_OK, 0));

	again = openat(self->root, "d/b", O_RDWR);
	ASSERT_LE(0, again);
	ASSERT_EQ(0, fstat(fd, &before));
	ASSERT_EQ(0, fstat(again, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(42, *p);
	munmap(p, SLOT);
	close(again);
	close(fd);
}

/* rename over a region removes that region's name; NOREPLACE does not. */
TEST_F(fs, rename_over_region)
{
	int a = region_create(self->root, "a", SLOT);
	int b = region_create(self->root, "b", 2 * SLOT);
	struct stat st;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_ERRNO2(EEXIST, EINVAL, renameat2(self->root, "a", self->root,
						"b", RENAME_NOREPLACE));
	EXPECT_EQ(0, renameat(self->root, "a", self->root, "b"));
	ASSERT_EQ(0, fstatat(self->root, "b", &st, 0));
	EXPECT_EQ(SLOT, (unsigned long)st.st_size);
	ASSERT_EQ(0, fstat(b, &st));
	EXPECT_EQ(0U, st.st_nlink);
	close(a);
	close(b);
}

/* link: two names of one region. */
TEST_F(fs, link_names_region_twice)
{
	int again, fd = region_create(self->root, "a", SLOT);
	struct stat st;
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, PAGE_SZ));
	ASSERT_EQ(0, linkat(self->root, "a", self->root, "b", 0));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(2U, st.st_nlink);
	EXPECT_EQ(0, unlinkat(self->root, "a", 0));
	again = openat(self->root, "b", O_RDWR);
	ASSERT_LE(0, again);
	p = window(again, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, probe_store(p, 1));
	munmap(p, SLOT);
	close(again);
	close(fd);
}

/* An unlinked region lives until its last window is gone, and no longer. */
TEST_F(fs, unlinked_region_lives_in_window)
{
	int fd = region_create(self->root, "a", SLOT);
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, MB(1)));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(1), 1);
	EXPECT_EQ(0, unlinkat(self->root, "a", 0));
	EXPECT_ERRNO(ENOENT, faccessat(self->root, "a", F_OK, 0));
	EXPECT_EQ(0, close(fd));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_ERRNO(EBUSY, umount2(MSHARE_MNT, 0));
	EXPECT_EQ(0, munmap(p, SLOT));
}

/* A region that has only a name is in nobody's way: umount frees it. */
TEST_F(fs, umount_frees_named_regions)
{
	long before = meminfo_settled("Shmem");
	int fd = region_create(self->root, "a", SLOT);
	char *p;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, MB(32)));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(32), 1);
	munmap(p, SLOT);
	close(fd);
	EXPECT_LE(before + 30 * 1024, meminfo_value("Shmem"));
	close(self->root);
	EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
	EXPECT_GE(before + 4 * 1024, meminfo_settled("Shmem"));

	ASSERT_EQ(0, mshare_mount(NULL));
	self->env.root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY);
}

/* read and write of a region file are not permitted. */
TEST_F(fs, region_has_no_read_nor_write)
{
	int fd = region_create(self->root, "a", SLOT);
	char byte = 1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, PAGE_SZ));
	EXPECT_ERRNO2(EINVAL, EPERM, read(fd, &byte, 1));
	EXPECT_ERRNO2(EINVAL, EPERM, write(fd, &byte, 1));
	EXPECT_ERRNO2(EINVAL, EPERM, pread(fd, &byte, 1, 0));
	EXPECT_ERRNO2(EINVAL, EPERM, pwrite(fd, &byte, 1, 0));
	close(fd);
}

static int remove_as_nobody(void *arg)
{
	int root = *(int *)arg;

	become_nobody();
	CHECK(unlinkat(root, "r", 0) == -1 && errno == EPERM);
	CHECK(renameat(root, "r", root, "mine") == -1 && errno == EPERM);
	CHECK(unlinkat(root, "d", AT_REMOVEDIR) == -1 && errno == EPERM);
	return 0;
}

/*
 * Proves that the sticky bit does its work: another user's region cannot be
 * unlinked.
 */
TEST_F(fs, sticky_bit_protects)
{
	int fd = region_create(self->root, "r", SLOT);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fchmod(fd, 0666));
	ASSERT_EQ(0, mkdirat(self->root, "d", 0777));
	EXPECT_EQ(0, child_wait(child_run(remove_as_nobody, &self->root)));
	EXPECT_EQ(0, faccessat(self->root, "r", F_OK, 0));
	close(fd);
}

static int live_as_nobody(void *arg)
{
	int fd, root = *(int *)arg;
	struct stat st;
	char *p;

	become_nobody();
	umask(0);
	fd = region_create(root, "mine", SLOT);
	CHECK(fd >= 0);
	CHECK(!fstat(fd, &st));
	CHECK(st.st_uid == NOBODY && st.st_gid == NOBODY);
	CHECK(st.st_mode == (S_IFREG | 0600));
	CHECK(!create_anon(fd, 0, PAGE_SZ));
	p = window(fd, SLOT, RW, NULL);
	CHECK(p != MAP_FAILED);
	CHECK(!probe_store(p, 1));
	CHECK(!unlinkat(root, "mine", 0));
	CHECK(!mkdirat(root, "d", 0700));
	CHECK(!unlinkat(root, "d", AT_REMOVEDIR));
	return 0;
}

/* Mode 1777 is for everybody: regions need no privilege. */
TEST_F(fs, unprivileged_user_has_regions)
{
	EXPECT_EQ(0, child_wait(child_run(live_as_nobody, &self->root)));
}

static int open_as_nobody(void *arg)
{
	int root = *(int *)arg;

	become_nobody();
	CHECK(openat(root, "r600", O_RDONLY) == -1 && errno == EACCES);
	CHECK(openat(root, "r600", O_RDWR) == -1 && errno == EACCES);
	CHECK(openat(root, "r644", O_RDONLY) >= 0);
	CHECK(openat(root, "r644", O_RDWR) == -1 && errno == EACCES);
	CHECK(openat(root, "mshare_info", O_RDONLY) >= 0);
	CHECK(openat(root, "mshare_info", O_WRONLY) == -1 && errno == EACCES);
	return 0;
}

/* The file's mode decides who may open a region, and for what. */
TEST_F(fs, mode_of_region_is_obeyed)
{
	int a = region_create(self->root, "r600", SLOT);
	int b = region_create(self->root, "r644", SLOT);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, fchmod(a, 0600));
	ASSERT_EQ(0, fchmod(b, 0644));
	EXPECT_EQ(0, child_wait(child_run(open_as_nobody, &self->root)));
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
