// SPDX-License-Identifier: GPL-2.0
/*
 * SysV segments as objects: the region maps what the segment consists of, not
 * the segment, so that shm_nattch counts real attaches only.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define BYTES	MB(4)

FIXTURE(object_sysv) {
	struct mshare_env env;
	int root;
	int id;
	char *plain;	/* the attached segment */
	struct stage *stage;
};

FIXTURE_SETUP(object_sysv)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	/* A segment that a killed test leaves is gone with its namespace. */
	ASSERT_EQ(0, unshare(CLONE_NEWIPC));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->id = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	ASSERT_LE(0, self->id);
	self->plain = shmat(self->id, NULL, 0);
	ASSERT_NE((void *)-1, self->plain);
}

FIXTURE_TEARDOWN(object_sysv)
{
	shmdt(self->plain);
	shmctl(self->id, IPC_RMID, NULL);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static long nattch(int id)
{
	struct shmid_ds ds;

	return shmctl(id, IPC_STAT, &ds) ? -1 : (long)ds.shm_nattch;
}

/* Segment and window are the same memory; the region is like any other. */
TEST_F(object_sysv, coherent)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	struct mshare_stat st;
	char *view;

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
	fill(self->plain, BYTES, 1);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_TRUE(filled(view, BYTES, 1));
	fill(view, BYTES, 40);
	EXPECT_TRUE(filled(self->plain, BYTES, 40));
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT, st.flags);
	EXPECT_EQ(BYTES, st.mapped_bytes);
	munmap(view, SLOT);
	close(fd);
}

struct attacher {
	int root;
	int id;
	char *view;
	struct stage *stage;
};

static int attach_and_open(void *arg)
{
	struct attacher *a = arg;
	char *p = shmat(a->id, NULL, 0), *view;
	int fd;

	CHECK(p != (void *)-1);
	CHECK(nattch(a->id) == 3);
	fd = object_open(a->root, p, BYTES, 0);
	CHECK(fd >= 0);
	view = object_window(fd, RW, NULL);
	CHECK(view != MAP_FAILED);
	CHECK(nattch(a->id) == 3);
	CHECK(!shmdt(p));
	CHECK(nattch(a->id) == 2);
	CHECK(filled(view, BYTES, 1));
	return 0;
}

/* A segment of more than 2 GB, which open() would refuse without O_LARGEFILE */
TEST_F(object_sysv, large)
{
	int id = shmget(IPC_PRIVATE, GB(5), IPC_CREAT | SHM_NORESERVE | 0600);
	char *plain, *view;
	int fd;

	ASSERT_LE(0, id);
	plain = shmat(id, NULL, 0);
	ASSERT_NE((char *)-1, plain);
	fd = object_open(self->root, plain, GB(5), 0);
	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view + GB(4), BYTES, 1);
	EXPECT_TRUE(filled(plain + GB(4), BYTES, 1));
	munmap(view, SLOT);
	close(fd);
	EXPECT_EQ(0, shmdt(plain));
	EXPECT_EQ(0, shmctl(id, IPC_RMID, NULL));
}

/* shm_nattch is what it would be without regions and windows, all along. */
TEST_F(object_sysv, nattch_is_exact)
{
	struct attacher attacher = { self->root, self->id, NULL, self->stage };
	int fd, again;
	char *view;

	ASSERT_EQ(1, nattch(self->id));
	fd = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, nattch(self->id));
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	EXPECT_EQ(1, nattch(self->id));
	again = object_open(self->root, self->plain, BYTES, 0);
	EXPECT_EQ(1, nattch(self->id));
	/* The child's inherited attach makes two, its own one three. */
	EXPECT_EQ(0, child_wait(child_run(attach_and_open, &attacher)));
	EXPECT_EQ(1, nattch(self->id));
	close(again);
	close(fd);
	munmap(view, SLOT);
	EXPECT_EQ(1, nattch(self->id));
	EXPECT_EQ(0, shmdt(self->plain));
	EXPECT_EQ(0, nattch(self->id));
}

/* Nobody attached, the window keeps the memory and not the attach count. */
TEST_F(object_sysv, detached)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	ASSERT_EQ(0, shmdt(self->plain));
	EXPECT_EQ(0, nattch(self->id));
	EXPECT_TRUE(filled(view, BYTES, 1));
	self->plain = shmat(self->id, NULL, 0);
	EXPECT_TRUE(filled(self->plain, BYTES, 1));
	munmap(view, SLOT);
	close(fd);
}

/* IPC_RMID takes effect with the last real detach; the memory stays a while. */
TEST_F(object_sysv, removed)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(view, BYTES, 1);
	ASSERT_EQ(0, shmctl(self->id, IPC_RMID, NULL));
	EXPECT_EQ(1, nattch(self->id));
	ASSERT_EQ(0, shmdt(self->plain));
	EXPECT_EQ(-1, nattch(self->id));
	EXPECT_TRUE(filled(view, BYTES, 1));
	munmap(view, SLOT);
	close(fd);
}

/* SHM_RDONLY: the writers' region, but a descriptor that cannot write. */
TEST_F(object_sysv, read_only_attach)
{
	char *p = shmat(self->id, NULL, SHM_RDONLY), *view;
	int reader, writer;
	struct stat a, b;

	ASSERT_NE((void *)-1, p);
	writer = object_open(self->root, self->plain, BYTES, 0);
	reader = object_open(self->root, p, BYTES, 0);
	ASSERT_LE(0, writer);
	ASSERT_LE(0, reader);
	ASSERT_EQ(0, fstat(writer, &a));
	ASSERT_EQ(0, fstat(reader, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(O_RDONLY, fcntl(reader, F_GETFL) & O_ACCMODE);
	EXPECT_ERRNO(EACCES, window(reader, SLOT, RW, NULL));
	view = object_window(reader, PROT_READ, NULL);
	ASSERT_NE(MAP_FAILED, view);
	fill(self->plain, BYTES, 1);
	EXPECT_TRUE(filled(view, BYTES, 1));
	EXPECT_EQ(SIGSEGV, probe_store(view, 9));
	EXPECT_ERRNO(EACCES, mprotect(view, SLOT, RW));
	EXPECT_EQ(1, *view);
	munmap(view, SLOT);
	close(reader);
	close(writer);
	shmdt(p);
}

/* Made by a reader first, the region still serves writers. */
TEST_F(object_sysv, read_only_attach_first)
{
	char *p = shmat(self->id, NULL, SHM_RDONLY), *view;
	int reader, writer;

	ASSERT_NE((void *)-1, p);
	reader = object_open(self->root, p, BYTES, 0);
	ASSERT_LE(0, reader);
	writer = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, writer);
	view = object_window(writer, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_EQ(0, probe_store(view, 7));
	EXPECT_EQ(7, *p);
	munmap(view, SLOT);
	close(reader);
	close(writer);
	shmdt(p);
}

static int use_inherited(void *arg)
{
	struct attacher *a = arg;

	CHECK(nattch(a->id) == 2);
	CHECK(filled(a->view, BYTES, 1));
	fill(a->view, BYTES, 60);
	return 0;
}

/* fork: one more real attach, one more window, as after any shmat. */
TEST_F(object_sysv, fork)
{
	struct attacher attacher = { self->root, self->id, NULL, self->stage };
	int fd = object_open(self->root, self->plain, BYTES, 0);

	ASSERT_LE(0, fd);
	attacher.view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, attacher.view);
	fill(attacher.view, BYTES, 1);
	EXPECT_EQ(0, child_wait(child_run(use_inherited, &attacher)));
	EXPECT_EQ(1, nattch(self->id));
	EXPECT_TRUE(filled(self->plain, BYTES, 60));
	munmap(attacher.view, SLOT);
	close(fd);
}

/* A part of a segment, and a range that is longer than it. */
TEST_F(object_sysv, ranges)
{
	int fd = object_open(self->root, self->plain + MB(1), MB(1), 0);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MB(1), st.mapped_bytes);
	EXPECT_EQ(MB(1), st.object_offset);
	close(fd);
	EXPECT_EQ(-1, object_open(self->root, self->plain, BYTES + PAGE_SZ,
				  0));
	EXPECT_EQ(1, nattch(self->id));
}

/* What the shadow of a view is made: PROT_NONE, not dumped, moved about. */
TEST_F(object_sysv, moved_and_protected_attach)
{
	char *to = mmap(NULL, BYTES, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int a, b;
	struct stat sa, sb;

	ASSERT_NE(MAP_FAILED, to);
	a = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, a);
	ASSERT_EQ(0, mprotect(self->plain, BYTES, PROT_NONE));
	ASSERT_EQ(0, madvise(self->plain, BYTES, MADV_DONTDUMP));
	ASSERT_EQ(to, mremap(self->plain, BYTES, BYTES,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	self->plain = to;
	b = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, b);
	ASSERT_EQ(0, fstat(a, &sa));
	ASSERT_EQ(0, fstat(b, &sb));
	EXPECT_EQ(sa.st_ino, sb.st_ino);
	EXPECT_EQ(1, nattch(self->id));
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
