// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_OPEN_OBJECT gives no right that the caller's mapping has not: who
 * can only read the object gets a region that it can only read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define BYTES	MB(1)

FIXTURE(object_rights) {
	struct mshare_env env;
	int root;
	int file;	/* a memfd of BYTES, filled with 1 */
	char *plain;	/* its writable mapping */
	char *ro;	/* a mapping of a descriptor opened O_RDONLY */
};

FIXTURE_SETUP(object_rights)
{
	const char *why = mshare_missing();
	char path[64];
	int reader;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->file = memfd(BYTES);
	ASSERT_LE(0, self->file);
	self->plain = mmap(NULL, BYTES, RW, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->plain);
	fill(self->plain, BYTES, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->file);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, reader);
	self->ro = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, reader, 0);
	ASSERT_NE(MAP_FAILED, self->ro);
	close(reader);
}

FIXTURE_TEARDOWN(object_rights)
{
	munmap(self->plain, BYTES);
	munmap(self->ro, BYTES);
	close(self->file);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static int mode_of(int fd)
{
	return fcntl(fd, F_GETFL) & O_ACCMODE;
}

/* Not a byte of it can be written through @fd. */
static bool refuses_writes(int fd)
{
	char *view;
	bool ok;

	if (object_window(fd, RW, NULL) != MAP_FAILED || errno != EACCES)
		return false;
	view = object_window(fd, PROT_READ, NULL);
	if (view == MAP_FAILED)
		return false;
	ok = filled(view, BYTES, 1) && probe_store(view, 9) == SIGSEGV &&
	     mprotect(view, SLOT, RW) == -1 && errno == EACCES &&
	     probe_store(view, 9) == SIGSEGV && *view == 1;
	munmap(view, SLOT);
	return ok;
}

/* A mapping of a file opened O_RDONLY: a region that nobody can write. */
TEST_F(object_rights, read_only_file)
{
	int fd = object_open(self->root, self->ro, BYTES, 0);
	struct mshare_stat st;

	ASSERT_LE(0, fd);
	EXPECT_EQ(O_RDONLY, mode_of(fd));
	EXPECT_TRUE(refuses_writes(fd));
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT | MSHARE_STAT_READONLY, st.flags);
	close(fd);
}

/* Writers have a region of their own beside it, of the same memory. */
TEST_F(object_rights, readers_and_writers)
{
	int reader = object_open(self->root, self->ro, BYTES, 0);
	int writer = object_open(self->root, self->plain, BYTES, 0);
	struct mshare_stat st;
	struct stat a, b;
	char *r, *w;

	ASSERT_LE(0, reader);
	ASSERT_LE(0, writer);
	EXPECT_EQ(O_RDWR, mode_of(writer));
	ASSERT_EQ(0, region_stat(writer, &st));
	EXPECT_EQ(MSHARE_STAT_OBJECT, st.flags);
	ASSERT_EQ(0, fstat(reader, &a));
	ASSERT_EQ(0, fstat(writer, &b));
	EXPECT_NE(a.st_ino, b.st_ino);
	r = object_window(reader, PROT_READ, NULL);
	w = object_window(writer, RW, NULL);
	ASSERT_NE(MAP_FAILED, r);
	ASSERT_NE(MAP_FAILED, w);
	fill(w, BYTES, 30);
	EXPECT_TRUE(filled(r, BYTES, 30));
	munmap(r, SLOT);
	munmap(w, SLOT);
	close(reader);
	close(writer);
}

/* What counts is what the mapping may do, not what it does at the moment. */
TEST_F(object_rights, protection_of_the_moment)
{
	static const int prots[] = { PROT_READ, PROT_NONE };
	unsigned int i;
	char *view;
	int fd;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		ASSERT_EQ(0, mprotect(self->plain, BYTES, prots[i]));
		fd = object_open(self->root, self->plain, BYTES, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(O_RDWR, mode_of(fd));
		view = object_window(fd, RW, NULL);
		ASSERT_NE(MAP_FAILED, view);
		EXPECT_EQ(0, probe_store(view, 1));
		munmap(view, SLOT);
		close(fd);
	}
}

/* F_SEAL_FUTURE_WRITE: mappings made after it may not write. */
TEST_F(object_rights, future_write_seal)
{
	char *p;
	int fd;

	ASSERT_EQ(0, fcntl(self->file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, p);
	fd = object_open(self->root, p, BYTES, 0);
	if (fd >= 0) {
		EXPECT_TRUE(refuses_writes(fd));
		close(fd);
	} else {
		EXPECT_TRUE(errno == EPERM || errno == EACCES);
	}
	EXPECT_EQ(1, *p);
	munmap(p, BYTES);
}

/* F_SEAL_WRITE is refused while a region may write: EBUSY. */
TEST_F(object_rights, write_seal)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, munmap(self->plain, BYTES));
	EXPECT_ERRNO(EBUSY, fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE));
	close(fd);
	EXPECT_EQ(0, fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE));
}

/* Object regions are never executable: EACCES. */
TEST_F(object_rights, no_exec)
{
	int fd = object_open(self->root, self->plain, BYTES, 0);
	char *view;

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EACCES, window(fd, SLOT, PROT_READ | PROT_EXEC, NULL));
	EXPECT_ERRNO(EACCES, window(fd, SLOT, RW | PROT_EXEC, NULL));
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_ERRNO2(EACCES, EINVAL,
		      mprotect(view, SLOT, PROT_READ | PROT_EXEC));
	view[0] = (char)0xc3;	/* ret */
	EXPECT_EQ(SIGSEGV, probe_call(view));
	munmap(view, SLOT);
	close(fd);
}

/* Reopens @fd for writing, the way around its mode. */
static int reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR);
}

struct reader {
	int root;
	int file;
	int shmid;
};

static int escalate_memfd(void *arg)
{
	struct reader *reader = arg;
	char path[64], *p;
	int fd, file;

	become_nobody();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reader->file);
	file = open(path, O_RDONLY);
	CHECK(file >= 0);
	CHECK(open(path, O_RDWR) == -1);
	p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file, 0);
	CHECK(p != MAP_FAILED);
	fd = object_open(reader->root, p, BYTES, 0);
	CHECK(fd >= 0);
	CHECK(refuses_writes(fd));
	CHECK(reopen(fd) == -1);
	return 0;
}

/* Reopening the descriptor through /proc does not make it writable. */
TEST_F(object_rights, reopen_of_file_region)
{
	struct reader reader = { self->root, self->file, -1 };

	ASSERT_EQ(0, fchmod(self->file, 0644));
	EXPECT_EQ(0, child_wait(child_run(escalate_memfd, &reader)));
	EXPECT_TRUE(filled(self->plain, BYTES, 1));
}

static int escalate_sysv(void *arg)
{
	struct reader *reader = arg;
	char *p;
	int fd;

	become_nobody();
	CHECK(shmat(reader->shmid, NULL, 0) == (void *)-1 && errno == EACCES);
	p = shmat(reader->shmid, NULL, SHM_RDONLY);
	CHECK(p != (void *)-1);
	fd = object_open(reader->root, p, BYTES, 0);
	CHECK(fd >= 0);
	CHECK(mode_of(fd) == O_RDONLY);
	CHECK(refuses_writes(fd));
	CHECK(reopen(fd) == -1);
	return 0;
}

/* Here the region is the writers' one, so that it is only the descriptor. */
TEST_F(object_rights, reopen_of_sysv_region)
{
	int fd, shmid = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0644);
	struct reader reader = { self->root, -1, shmid };
	char *p = shmat(shmid, NULL, 0), *view;

	ASSERT_LE(0, shmid);
	EXPECT_NE((void *)-1, p);
	fill(p, BYTES, 1);
	fd = object_open(self->root, p, BYTES, 0);
	EXPECT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	EXPECT_NE(MAP_FAILED, view);
	EXPECT_EQ(0, child_wait(child_run(escalate_sysv, &reader)));
	EXPECT_TRUE(filled(p, BYTES, 1));
	EXPECT_EQ(0, shmctl(shmid, IPC_RMID, NULL));
	munmap(view, SLOT);
	shmdt(p);
	close(fd);
}

static int use_own_object(void *arg)
{
	struct reader *reader = arg;
	char *p, *view;
	int fd;

	become_nobody();
	p = shared_anon(BYTES);
	CHECK(p != MAP_FAILED);
	fd = object_open(reader->root, p, BYTES, 0);
	CHECK(fd >= 0);
	view = object_window(fd, RW, NULL);
	CHECK(view != MAP_FAILED);
	fill(view, BYTES, 1);
	CHECK(filled(p, BYTES, 1));
	return 0;
}

/* One's own memory needs no privilege. */
TEST_F(object_rights, unprivileged)
{
	struct reader reader = { .root = self->root };

	EXPECT_EQ(0, child_wait(child_run(use_own_object, &reader)));
}

TEST_HARNESS_MAIN
