// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_OPEN_OBJECT: the region of an object that the caller has mapped is
 * found or made, shows the object's own memory, and is gone with its last user.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define BYTES	MB(4)

FIXTURE(object) {
	struct mshare_env env;
	int root;
	char *plain;	/* the object, mapped as ever */
	struct stage *stage;
};

/* What can be an object. SysV segments and huge pages have their own tests. */
FIXTURE_VARIANT(object) {
	int (*file)(void);	/* NULL: anonymous memory */
};

static int make_memfd(void)
{
	return memfd(BYTES);
}

static int unlinked_in(const char *dir)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s/mshare-test-XXXXXX", dir);
	fd = mkstemp(name);
	if (fd >= 0 && (unlink(name) || ftruncate(fd, BYTES)))
		return -1;
	return fd;
}

static int make_tmpfs_file(void)
{
	return unlinked_in("/dev/shm");
}

static int make_regular_file(void)
{
	return unlinked_in("/var/tmp");
}

FIXTURE_VARIANT_ADD(object, anonymous)
{
};

FIXTURE_VARIANT_ADD(object, memfd)
{
	.file = make_memfd,
};

FIXTURE_VARIANT_ADD(object, tmpfs)
{
	.file = make_tmpfs_file,
};

FIXTURE_VARIANT_ADD(object, regular_file)
{
	.file = make_regular_file,
};

FIXTURE_SETUP(object)
{
	const char *why = mshare_missing();
	int file;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	if (!variant->file) {
		self->plain = shared_anon(BYTES);
	} else {
		file = variant->file();
		ASSERT_LE(0, file);
		self->plain = mmap(NULL, BYTES, RW, MAP_SHARED, file, 0);
		close(file);
	}
	ASSERT_NE(MAP_FAILED, self->plain);
}

FIXTURE_TEARDOWN(object)
{
	munmap(self->plain, BYTES);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* Window and plain mapping show the same memory, both ways. */
TEST_F(object, coherent)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	fill(self->plain, BYTES, 1);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_TRUE(filled(view, BYTES, 1));
	fill(view, BYTES, 50);
	EXPECT_TRUE(filled(self->plain, BYTES, 50));
	EXPECT_EQ(SIGSEGV, probe_load(view + BYTES));
	EXPECT_EQ(0, munmap(view, SLOT));
	EXPECT_TRUE(filled(self->plain, BYTES, 50));
	close(fd);
}

/* The region's size is the slots that fit, and STAT says what is in it. */
TEST_F(object, size_and_stat)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	struct mshare_stat st;
	struct stat file;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &file));
	EXPECT_EQ((off_t)SLOT, file.st_size);
	EXPECT_EQ(0U, file.st_nlink);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT, st.flags);
	EXPECT_EQ(SLOT, st.region_bytes);
	EXPECT_EQ(BYTES, st.mapped_bytes);
	EXPECT_EQ(0UL, st.object_offset);
	EXPECT_EQ(PAGE_SZ, st.page_size);
	EXPECT_EQ(0UL, st.windows);
	EXPECT_EQ(0UL, st.links);
	EXPECT_EQ(0UL, st.resident_pages);
	close(fd);
}

/* Asked again, the same region is found: by the process that has it open. */
TEST_F(object, found_again)
{
	int a = object_open(self->root, self->plain, BYTES, 0);
	int b = object_open(self->root, self->plain, BYTES, 0);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_NE(a, b);
	EXPECT_EQ(inode_of(a), inode_of(b));
	close(a);
	close(b);
}

struct finder {
	int root;
	char *plain;
	struct stage *stage;
};

static int find_in_child(void *arg)
{
	struct finder *finder = arg;
	int fd = object_open(finder->root, finder->plain, BYTES, 0);
	struct mshare_stat st;
	char *view;

	CHECK(fd >= 0);
	finder->stage->value[0] = inode_of(fd);
	view = object_window(fd, RW, WINDOW_AT(9));
	CHECK(view == WINDOW_AT(9));
	CHECK(!region_stat(fd, &st));
	CHECK(st.windows == 3);
	CHECK(!close(fd));
	CHECK(filled(view, BYTES, 1));
	fill(view, BYTES, 70);
	return 0;
}

/* By another process, which has the object mapped for itself. */
TEST_F(object, found_by_another_process)
{
	struct finder finder = { self->root, self->plain, self->stage };
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, WINDOW_AT(2));
	ASSERT_EQ(WINDOW_AT(2), view);
	fill(view, BYTES, 1);
	EXPECT_EQ(0, child_wait(child_run(find_in_child, &finder)));
	EXPECT_EQ((long)inode_of(fd), self->stage->value[0]);
	EXPECT_TRUE(filled(view, BYTES, 70));
	close(fd);
	/* And it is found as long as there is a window, without descriptors. */
	fd = object_open(self->root, self->plain, BYTES, 0);
	EXPECT_EQ(self->stage->value[0], (long)inode_of(fd));
	munmap(view, SLOT);
	close(fd);
}

/* A different length, or a different place in the object, is another region */
TEST_F(object, identity)
{
	int all = object_open(self->root, self->plain, BYTES, 0);
	int half = object_open(self->root, self->plain, BYTES / 2, 0);
	int rest = object_open(self->root, self->plain + BYTES / 2, BYTES / 2,
			       0);
	char *a, *b, *c;

	ASSERT_LE(0, all);
	ASSERT_LE(0, half);
	ASSERT_LE(0, rest);
	EXPECT_NE(inode_of(all), inode_of(half));
	EXPECT_NE(inode_of(all), inode_of(rest));
	EXPECT_NE(inode_of(half), inode_of(rest));
	a = object_window(all, RW, NULL);
	b = object_window(half, RW, NULL);
	c = object_window(rest, RW, NULL);
	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	ASSERT_NE(MAP_FAILED, c);
	fill(a, BYTES, 1);
	EXPECT_TRUE(filled(b, BYTES / 2, 1));
	EXPECT_TRUE(filled(c, BYTES / 2, (char)(1 + BYTES / 2 / PAGE_SZ)));
	EXPECT_EQ(SIGSEGV, probe_load(b + BYTES / 2));
	munmap(a, SLOT);
	munmap(b, SLOT);
	munmap(c - BYTES / 2, SLOT);
	close(all);
	close(half);
	close(rest);
}

/* The last user gone, the region is gone: the next one is another. */
TEST_F(object, gone_with_last_user)
{
	char *view, *at = WINDOW_AT(3) + GB(5);
	int fd = object_open(self->root, self->plain, BYTES, 0);

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	close(fd);
	EXPECT_EQ(0, munmap(view, SLOT));
	/* An existing region would refuse this placement. */
	fd = object_open_at(self->root, self->plain, BYTES, at, 0);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(filled(self->plain, BYTES, 1));
	close(fd);
}

static int make_and_exit(void *arg)
{
	struct finder *finder = arg;
	int fd = object_open(finder->root, finder->plain, BYTES, 0);
	char *view;

	CHECK(fd >= 0);
	view = object_window(fd, RW, NULL);
	CHECK(view != MAP_FAILED);
	fill(view, BYTES, 1);
	stage_set(finder->stage, 1);
	CHECK(stage_wait(finder->stage, 2));
	return 0;
}

/* Object regions have no owner: their maker's end is nobody else's. */
TEST_F(object, outlives_its_maker)
{
	struct finder finder = { self->root, self->plain, self->stage };
	pid_t pid = child_run(make_and_exit, &finder);
	char *view;
	int fd;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	touch(view, PAGE_SZ);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_TRUE(filled(view, BYTES, 1));
	EXPECT_EQ(0, probe_store(view, 1));
	munmap(view, SLOT);
	close(fd);
}

struct locker {
	int root, file;
	struct stage *stage;
};

/* With an open file description of its own */
static int lock_and_exit(void *arg)
{
	struct locker *locker = arg;
	struct finder finder = { locker->root, NULL, locker->stage };
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", locker->file);
	file = open(path, O_RDWR);
	CHECK(file >= 0);
	CHECK(!flock(file, LOCK_EX));
	finder.plain = mmap(NULL, BYTES, RW, MAP_SHARED, file, 0);
	CHECK(finder.plain != MAP_FAILED);
	return make_and_exit(&finder);
}

/* A lock is gone with who took it, though others have the region still. */
TEST_F(object, locks_end_with_their_owner)
{
	struct locker locker = { self->root, -1, self->stage };
	char *plain, *view;
	pid_t pid;
	int fd;

	if (!variant->file)
		return;
	locker.file = variant->file();
	ASSERT_LE(0, locker.file);
	pid = child_run(lock_and_exit, &locker);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	plain = mmap(NULL, BYTES, RW, MAP_SHARED, locker.file, 0);
	ASSERT_NE(MAP_FAILED, plain);
	fd = object_open(self->root, plain, BYTES, 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_EQ(-1, flock(locker.file, LOCK_EX | LOCK_NB));
	EXPECT_EQ(EWOULDBLOCK, errno);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, flock(locker.file, LOCK_EX | LOCK_NB));
	EXPECT_TRUE(filled(view, BYTES, 1));
	munmap(view, SLOT);
	munmap(plain, BYTES);
	close(fd);
	close(locker.file);
}

/* The region keeps the object, when its plain mappings and files are gone. */
TEST_F(object, keeps_the_object)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	fill(self->plain, BYTES, 1);
	ASSERT_EQ(0, munmap(self->plain, BYTES));
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_TRUE(filled(view, BYTES, 1));
	munmap(view, SLOT);
	close(fd);
}

/* POPULATE: all of it is there before the call returns, for every window. */
TEST_F(object, populate)
{
	int fd = object_open(self->root, self->plain, BYTES,
			     MSHARE_OBJECT_POPULATE);
	struct mshare_stat st;
	char *view;
	long before;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(BYTES / PAGE_SZ, st.resident_pages);
	EXPECT_LE(BYTES / MB(2) * PAGE_SZ, st.page_table_bytes);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	touch(view, PAGE_SZ);
	before = minor_faults();
	touch(view, BYTES);
	EXPECT_EQ(before, minor_faults());
	munmap(view, SLOT);
	close(fd);
}

/* Without it nothing is faulted in, and a found region can be populated. */
TEST_F(object, populate_found_region)
{
	int a = object_open(self->root, self->plain, BYTES, 0);
	struct mshare_stat st;
	int b;

	ASSERT_LE(0, a);
	ASSERT_EQ(0, region_stat(a, &st));
	EXPECT_EQ(0UL, st.resident_pages);
	b = object_open(self->root, self->plain, BYTES, MSHARE_OBJECT_POPULATE);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, region_stat(a, &st));
	EXPECT_EQ(BYTES / PAGE_SZ, st.resident_pages);
	close(a);
	close(b);
}

/* umount: EBUSY while a descriptor or a window is there. */
TEST_F(object, keeps_mount_busy)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	close(self->root);
	EXPECT_ERRNO(EBUSY, umount2(MSHARE_MNT, 0));
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	close(fd);
	EXPECT_ERRNO(EBUSY, umount2(MSHARE_MNT, 0));
	munmap(view, SLOT);
	/* The fixture unmounts for good. */
	self->env.root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY);
}

/* Each mount has regions of its own. */
TEST_F(object, identity_includes_mount)
{
	int a = object_open(self->root, self->plain, BYTES, 0), b, root;
	char *p, *q;

	ASSERT_LE(0, a);
	ASSERT_EQ(0, mshare_mount(NULL));
	root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, root);
	b = object_open_at(root, self->plain, BYTES, WINDOW_AT(5) + GB(3), 0);
	ASSERT_LE(0, b);
	p = object_window(a, RW, NULL);
	q = object_window(b, RW, WINDOW_AT(5));
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(WINDOW_AT(5) + GB(3), q);
	fill(p, BYTES, 1);
	EXPECT_TRUE(filled(q, BYTES, 1));
	munmap(p, SLOT);
	munmap(WINDOW_AT(5), SLOT);
	close(b);
	close(root);
	EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
	close(a);
}

TEST_HARNESS_MAIN
