// SPDX-License-Identifier: GPL-2.0
/*
 * What an unprivileged user must not do to a region of somebody else, here of
 * root's: change it, its name or its mappings, and write to its memory by any
 * path, having a descriptor for reading only.  What he may not take, locked
 * memory beyond his limit and memory beyond his cgroup's, is in ioctl_lock.c
 * and limits.c.
 */
#include <linux/fs.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"
#include "mshare_ring.h"
#include "mshare_sys.h"

#define BYTES	MB(1)

FIXTURE(permissions) {
	struct mshare_env env;
	int root;
	int fd;		/* root's region "r", mode 0644, BYTES of memory */
	int reader;	/* the same, opened O_RDONLY */
	char *p;	/* root's window, filled */
	struct stage *stage;
};

FIXTURE_SETUP(permissions)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, fchmod(self->fd, 0644));
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
	self->reader = openat(self->root, "r", O_RDONLY);
	ASSERT_LE(0, self->reader);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, BYTES, 1);
}

/* Whatever was tried: the region is as root left it. */
FIXTURE_TEARDOWN(permissions)
{
	struct mshare_stat st;
	struct stat file;

	EXPECT_TRUE(filled(self->p, BYTES, 1));
	EXPECT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(BYTES, st.mapped_bytes);
	EXPECT_EQ(SLOT, st.region_bytes);
	EXPECT_EQ(0, fstatat(self->root, "r", &file, 0));
	EXPECT_EQ(0U, file.st_uid);
	EXPECT_EQ(0100644U, file.st_mode);
	munmap(self->p, SLOT);
	close(self->reader);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* -1 and this errno, for CHECK() */
#define REFUSED(error, call)	((call) == -1 && errno == (error))

/* Names: the sticky bit of the root, which v3 lacked, and the file's mode. */
static int change_names(void *arg)
{
	int root = *(int *)arg, own;

	become_nobody();
	CHECK(REFUSED(EPERM, unlinkat(root, "r", 0)));
	CHECK(REFUSED(EPERM, renameat(root, "r", root, "mine")));
	own = region_create(root, "own", SLOT);
	CHECK(own >= 0);
	CHECK(REFUSED(EPERM, renameat(root, "own", root, "r")));
	CHECK(REFUSED(EPERM, renameat2(root, "own", root, "r",
				       RENAME_EXCHANGE)));
	CHECK(REFUSED(EPERM, fchmodat(root, "r", 0666, 0)));
	CHECK(REFUSED(EPERM, fchownat(root, "r", NOBODY, NOBODY, 0)));
	CHECK(REFUSED(EACCES, openat(root, "r", O_RDWR)));
	CHECK(REFUSED(EACCES, openat(root, "r", O_WRONLY | O_TRUNC)));
	CHECK(REFUSED(EACCES, openat(root, "closed", O_RDONLY)));
	CHECK(REFUSED(EACCES, truncate(MSHARE_MNT "/r", SLOT)));
	CHECK(REFUSED(EACCES, unlinkat(root, "dir/r", 0)));
	CHECK(REFUSED(EACCES, openat(root, "dir/new", O_RDWR | O_CREAT, 0600)));
	CHECK(!unlinkat(root, "own", 0));
	return 0;
}

TEST_F(permissions, names)
{
	int fd = region_create(self->root, "closed", SLOT);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mkdirat(self->root, "dir", 0755));
	close(region_create(self->root, "dir/r", SLOT));
	EXPECT_EQ(0, child_wait(child_run(change_names, &self->root)));
	unlinkat(self->root, "dir/r", 0);
	unlinkat(self->root, "dir", AT_REMOVEDIR);
	unlinkat(self->root, "closed", 0);
	close(fd);
}

/* The region: FMODE_WRITE, which v3 did not ask for. */
static int change_region(void *arg)
{
	int fd = *(int *)arg;
	char path[64];

	become_nobody();
	CHECK(REFUSED(EBADF, create_anon(fd, 0, BYTES)));
	CHECK(REFUSED(EBADF, create_anon(fd, GB(1), BYTES)));
	CHECK(REFUSED(EBADF, unmap(fd, 0, BYTES)));
	CHECK(REFUSED(EBADF, region_protect(fd, 0, BYTES, PROT_NONE)));
	CHECK(REFUSED(EBADF, region_protect(fd, 0, BYTES, RW)));
	CHECK(REFUSED(EBADF, region_advise(fd, 0, BYTES, MADV_REMOVE)));
	CHECK(REFUSED(EBADF, region_advise(fd, 0, BYTES, MADV_PAGEOUT)));
	CHECK(REFUSED(EBADF, region_lock(fd, 0, BYTES, 1)));
	CHECK(REFUSED(EBADF, region_lock(fd, 0, BYTES, 0)));
	CHECK(REFUSED(EBADF, region_populate(fd, 0, BYTES)));
	CHECK(ftruncate(fd, SLOT) == -1);
	CHECK(fallocate(fd, 0, 0, SLOT) == -1);
	CHECK(REFUSED(EPERM, fchmod(fd, 0666)));
	/* Nor does another descriptor help. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(REFUSED(EACCES, open(path, O_RDWR)));
	return 0;
}

TEST_F(permissions, region)
{
	EXPECT_EQ(0, child_wait(child_run(change_region, &self->reader)));
}

/* The window: rights are the descriptor's, at mmap() and ever after. */
static int change_window(void *arg)
{
	int fd = *(int *)arg;
	char *p;

	become_nobody();
	CHECK(REFUSED(EACCES, (long)window(fd, SLOT, RW, NULL)));
	CHECK(REFUSED(EACCES, (long)window(fd, SLOT, PROT_WRITE, NULL)));
	p = window(fd, SLOT, PROT_READ, NULL);
	CHECK(p != MAP_FAILED);
	CHECK(REFUSED(EACCES, mprotect(p, SLOT, RW)));
	CHECK(probe_store(p, 9) == SIGSEGV);
	CHECK(madvise(p, BYTES, MADV_REMOVE) == -1);
	CHECK(madvise(p, BYTES, MADV_POPULATE_WRITE) == -1);
	CHECK(madvise(p, BYTES, MADV_DONTNEED) == -1);
	CHECK(filled(p, BYTES, 1));
	return 0;
}

TEST_F(permissions, window)
{
	EXPECT_EQ(0, child_wait(child_run(change_window, &self->reader)));
}

struct writer {
	int reader;
	int disk;	/* O_DIRECT, or -1 */
	bool touched;	/* the pages are in this process's reach already */
	struct stage *stage;
};

/* His own process's window, as the paths below find it. */
static char *read_only_window(struct writer *w)
{
	char *p;

	become_nobody();
	p = window(w->reader, SLOT, PROT_READ, NULL);
	CHECK(p != MAP_FAILED);
	if (w->touched)
		touch(p, BYTES);
	return p;
}

static int by_store(void *arg)
{
	char *p = read_only_window(arg);

	CHECK(probe_store(p, 9) == SIGSEGV);
	CHECK(probe_store(p + BYTES - 1, 9) == SIGSEGV);
	return 0;
}

/* copy_to_user(), with a page fault of the kernel's. */
static int by_read(void *arg)
{
	char *p = read_only_window(arg);
	int zero = open("/dev/zero", O_RDONLY), pipes[2];

	CHECK(REFUSED(EFAULT, read(zero, p, PAGE_SZ)));
	CHECK(!pipe(pipes));
	CHECK(write(pipes[1], "four", 4) == 4);
	CHECK(REFUSED(EFAULT, read(pipes[0], p, 4)));
	CHECK(REFUSED(EFAULT, pipe((int *)p)));
	return 0;
}

/* get_user_pages_remote() */
static int by_process_vm_writev(void *arg)
{
	char *p = read_only_window(arg), bytes[8] = "hostile";
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { p, sizeof(bytes) };

	CHECK(REFUSED(EFAULT, process_vm_writev(getpid(), &local, 1, &remote,
						1, 0)));
	return 0;
}

/* FOLL_FORCE, which does not hold for shared memory. */
static int by_proc_mem(void *arg)
{
	char *p = read_only_window(arg), byte = 9;
	int mem = open("/proc/self/mem", O_RDWR);

	CHECK(mem >= 0);
	CHECK(REFUSED(EIO, pwrite(mem, &byte, 1, (off_t)(uintptr_t)p)));
	return 0;
}

/* Pinned pages: fast GUP looks at the leaf entry, which has the RW bit. */
static int by_direct_read(void *arg)
{
	struct writer *w = arg;
	char *p = read_only_window(w);

	CHECK(REFUSED(EFAULT, pread(w->disk, p, PAGE_SZ, 0)));
	CHECK(REFUSED(EFAULT, pread(w->disk, p + PAGE_SZ, 4 * PAGE_SZ, 0)));
	return 0;
}

static int futex_op(int op, void *word, int val, void *word2, int val3)
{
	return syscall(SYS_futex, word, op, val, NULL, word2, val3);
}

/* fixup_user_fault() and the cmpxchg of futexes. */
static int by_futex(void *arg)
{
	char *p = read_only_window(arg);
	int mine = 0;

	CHECK(REFUSED(EFAULT, futex_op(FUTEX_WAKE_OP, &mine, 1, p,
				       FUTEX_OP(FUTEX_OP_SET, 9,
						FUTEX_OP_CMP_EQ, 0))));
	CHECK(REFUSED(EFAULT, futex_op(FUTEX_LOCK_PI, p + 64, 0, NULL, 0)));
	CHECK(futex_op(FUTEX_TRYLOCK_PI, p + 64, 0, NULL, 0) == -1);
	CHECK(futex_op(FUTEX_UNLOCK_PI, p + 64, 0, NULL, 0) == -1);
	return 0;
}

static int by_io_uring(void *arg)
{
	char *p = read_only_window(arg);
	int zero = open("/dev/zero", O_RDONLY);
	struct ring ring;

	CHECK(!ring_open(&ring));
	CHECK(ring_rw(&ring, IORING_OP_READ, zero, p, PAGE_SZ) == -EFAULT);
	CHECK(REFUSED(EFAULT, ring_register(&ring, p, PAGE_SZ)));
	ring_close(&ring);
	return 0;
}

static int poke(pid_t pid, char *p)
{
	int status;

	CHECK(!ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(ptrace(PTRACE_POKEDATA, pid, p, (void *)9L) == -1);
	CHECK(ptrace(PTRACE_POKETEXT, pid, p, (void *)9L) == -1);
	return 0;
}

/* The tracee is the user's own. */
static int by_ptrace(void *arg)
{
	char *p = read_only_window(arg);
	pid_t pid = child_fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK(!poke(pid, p));
	child_kill(pid);
	return 0;
}

static int sleeper(void *tid)
{
	return tid ? 0 : 1;
}

/* The zero that a thread leaves at the address of clear_child_tid. */
static int by_clear_child_tid(void *arg)
{
	char *p = read_only_window(arg), *stack = shared_anon(KB(64));
	int pid;

	CHECK(stack != MAP_FAILED);
	pid = clone(sleeper, stack + KB(64),
		    CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, p, NULL, NULL,
		    p);
	CHECK(pid > 0);
	CHECK(!child_wait(pid));
	/* fill() has put 1 there. */
	CHECK(*p == 1);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(void *arg);
	bool disk;
} paths[] = {
	{ "store", by_store },
	{ "read()", by_read },
	{ "process_vm_writev()", by_process_vm_writev },
	{ "/proc/self/mem", by_proc_mem },
	{ "O_DIRECT", by_direct_read, .disk = true },
	{ "futex()", by_futex },
	{ "io_uring", by_io_uring },
	{ "ptrace()", by_ptrace },
	{ "clear_child_tid", by_clear_child_tid },
};

/*
 * With pages that this process has reached before, and without: the entry is
 * there then, and it is writable, for the windows of those who may.
 */
static void try_paths(struct __test_metadata *_metadata, struct writer *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i].disk && w->disk < 0) {
			TH_LOG("%s: no loop device", paths[i].name);
			continue;
		}
		EXPECT_EQ(0, child_wait(child_run(paths[i].fn, w)))
			TH_LOG("%s, touched %d", paths[i].name, w->touched);
	}
}

TEST_F(permissions, writing_through_a_read_only_fd)
{
	struct writer w = { .reader = self->reader, .stage = self->stage };
	char path[32];
	int loop;

	loop = loop_open(MB(1), O_RDWR, path, sizeof(path));
	w.disk = loop < 0 ? -1 : open(path, O_RDONLY | O_DIRECT);
	try_paths(_metadata, &w);
	w.touched = true;
	try_paths(_metadata, &w);
	close(w.disk);
	close(loop);
}

/* The regions of objects: who may only read the object gets a reader's fd. */
static int change_object(void *arg)
{
	int file, fd, root = *(int *)arg;
	struct mshare_stat st;
	char path[64], *plain, *p;

	become_nobody();
	file = open("/dev/shm/mshare-test-file", O_RDONLY);
	CHECK(file >= 0);
	plain = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file, 0);
	CHECK(plain != MAP_FAILED);
	fd = object_open(root, plain, BYTES, 0);
	CHECK(fd >= 0);
	CHECK(!region_stat(fd, &st));
	CHECK(REFUSED(EACCES, (long)window(fd, SLOT, RW, NULL)));
	p = object_window(fd, PROT_READ, NULL);
	CHECK(p != MAP_FAILED && filled(p, BYTES, 1));
	CHECK(probe_store(p, 9) == SIGSEGV);
	CHECK(REFUSED(EBADF, region_advise(fd, st.object_offset, BYTES,
					   MADV_REMOVE)));
	CHECK(REFUSED(EBADF, region_lock(fd, st.object_offset, BYTES, 1)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(open(path, O_RDWR) == -1);
	CHECK(REFUSED(EPERM, fchmod(fd, 0666)));
	return 0;
}

TEST_F(permissions, object_that_may_be_read)
{
	int file = open("/dev/shm/mshare-test-file", O_RDWR | O_CREAT, 0644);
	char *plain;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, BYTES));
	plain = mmap(NULL, BYTES, RW, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, plain);
	fill(plain, BYTES, 1);
	EXPECT_EQ(0, child_wait(child_run(change_object, &self->root)));
	EXPECT_TRUE(filled(plain, BYTES, 1));
	munmap(plain, BYTES);
	close(file);
	unlink("/dev/shm/mshare-test-file");
}

TEST_HARNESS_MAIN
