// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own accesses to pages of a window on behalf of others:
 * process_vm_readv, /proc/pid/mem, ptrace.  In v3 those of pages that were not
 * there yet warned, and failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(gup) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	char *p;	/* this process's window */
	char *q;	/* the window in the other process, never touched */
	pid_t pid;	/* that process */
	struct stage *stage;
};

/* States of the target's window. */
FIXTURE_VARIANT(gup) {
	bool present;	/* the pages are in the region's page tables */
	bool linked;	/* the target's window has been accessed */
};

FIXTURE_VARIANT_ADD(gup, absent)
{
};

FIXTURE_VARIANT_ADD(gup, absent_but_linked)
{
	.linked = true,
};

FIXTURE_VARIANT_ADD(gup, present_but_not_linked)
{
	.present = true,
};

FIXTURE_VARIANT_ADD(gup, present)
{
	.present = true,
	.linked = true,
};

static int target(int fd, bool linked, struct stage *stage)
{
	char *q = window(fd, SLOT, RW, WINDOW_AT(5));

	CHECK(q == WINDOW_AT(5));
	if (linked)
		CHECK(!probe_load(q + GB(1)));
	stage_set(stage, 1);
	CHECK(stage_wait(stage, 2));
	return 0;
}

FIXTURE_SETUP(gup)
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
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	ASSERT_EQ(0, create_anon(self->fd, GB(1), PAGE_SZ));
	self->pid = child_fork();
	if (!self->pid)
		_exit(target(self->fd, variant->linked, self->stage));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	self->q = WINDOW_AT(5);
	if (variant->present)
		touch(self->p, MB(1));
	ASSERT_TRUE(stage_wait(self->stage, 1));
}

FIXTURE_TEARDOWN(gup)
{
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(self->pid));
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/*
 * Proves that process_vm_readv() reads what is there: zeros, then what was
 * written.
 */
TEST_F(gup, process_vm_readv)
{
	static char buf[MB(1)];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { self->q, sizeof(buf) };
	size_t i;

	memset(buf, 1, sizeof(buf));
	ASSERT_EQ((ssize_t)sizeof(buf),
		  process_vm_readv(self->pid, &local, 1, &remote, 1, 0));
	for (i = 0; i < sizeof(buf); i++)
		if (buf[i])
			break;
	EXPECT_EQ(sizeof(buf), i);
	fill(self->p, MB(1), 1);
	ASSERT_EQ((ssize_t)sizeof(buf),
		  process_vm_readv(self->pid, &local, 1, &remote, 1, 0));
	EXPECT_TRUE(filled(buf, MB(1), 1));
}

/* Proves that process_vm_writev() writes to the memory of all. */
TEST_F(gup, process_vm_writev)
{
	static char buf[MB(1)];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { self->q, sizeof(buf) };

	fill(buf, MB(1), 1);
	ASSERT_EQ((ssize_t)sizeof(buf),
		  process_vm_writev(self->pid, &local, 1, &remote, 1, 0));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
}

/*
 * Proves that outside the object there is a short count, or EFAULT, and no
 * warning: in v3 handle_mm_fault() warned.
 */
TEST_F(gup, process_vm_readv_outside)
{
	char buf[2 * PAGE_SZ];
	struct iovec local = { buf, sizeof(buf) };
	struct iovec remote = { self->q + MB(1) - PAGE_SZ, sizeof(buf) };

	EXPECT_EQ((ssize_t)PAGE_SZ,
		  process_vm_readv(self->pid, &local, 1, &remote, 1, 0));
	remote.iov_base = self->q + GB(2);
	EXPECT_ERRNO(EFAULT,
		     process_vm_readv(self->pid, &local, 1, &remote, 1, 0));
	EXPECT_ERRNO(EFAULT,
		     process_vm_writev(self->pid, &local, 1, &remote, 1, 0));
}

/* Proves that /proc/pid/mem works, both ways. */
TEST_F(gup, proc_mem)
{
	char path[64], byte = 42;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", self->pid);
	mem = open(path, O_RDWR);
	ASSERT_LE(0, mem);
	ASSERT_EQ(1, pread(mem, &byte, 1, (off_t)(uintptr_t)self->q));
	EXPECT_EQ(0, byte);
	byte = 43;
	ASSERT_EQ(1, pwrite(mem, &byte, 1, (off_t)(uintptr_t)self->q));
	EXPECT_EQ(43, *self->p);
	EXPECT_ERRNO(EIO, pread(mem, &byte, 1,
				(off_t)(uintptr_t)self->q + MB(1)));
	close(mem);
}

/* Proves that PTRACE_PEEKDATA and POKEDATA work. */
TEST_F(gup, ptrace)
{
	char *at = self->q + 8 * PAGE_SZ;

	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->pid, NULL, NULL));
	ASSERT_EQ(self->pid, waitpid(self->pid, NULL, 0));
	errno = 0;
	EXPECT_EQ(0, ptrace(PTRACE_PEEKDATA, self->pid, at, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, self->pid, at, (void *)0x5aL));
	EXPECT_EQ(0x5a, self->p[8 * PAGE_SZ]);
	errno = 0;
	EXPECT_EQ(0x5a, ptrace(PTRACE_PEEKDATA, self->pid, at, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, self->pid, self->q + GB(2),
			     NULL));
	EXPECT_NE(0, errno);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->pid, NULL, NULL));
}

/* Proves that arguments and results of system calls may lie in a window. */
TEST_F(gup, own_system_calls)
{
	char *mine = window(self->fd, SLOT, RW, NULL);
	int pipes[2];

	ASSERT_NE(MAP_FAILED, mine);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(5, write(pipes[1], "hello", 5));
	ASSERT_EQ(5, read(pipes[0], mine + PAGE_SZ - 2, 5));
	EXPECT_EQ(0, memcmp(self->p + PAGE_SZ - 2, "hello", 5));
	ASSERT_EQ(5, write(pipes[1], mine + PAGE_SZ - 2, 5));
	EXPECT_ERRNO(EFAULT, write(pipes[1], mine + GB(2), 5));
	EXPECT_ERRNO(EFAULT, read(pipes[0], mine + GB(2), 5));
	close(pipes[0]);
	close(pipes[1]);
	munmap(mine, SLOT);
}

/*
 * Proves that a read-only window of the target cannot be written by other
 * processes.
 */
TEST_F(gup, read_only_target)
{
	int reader = openat(self->root, "r", O_RDONLY);
	char path[64], byte = 9, *ro;
	struct iovec local = { &byte, 1 }, remote;
	int mem;
	pid_t pid;

	ASSERT_LE(0, reader);
	ro = window(reader, SLOT, PROT_READ, NULL);
	ASSERT_NE(MAP_FAILED, ro);
	if (variant->linked)
		touch(ro, MB(1));
	remote.iov_base = ro;
	remote.iov_len = 1;
	pid = child_fork();
	if (!pid) {
		stage_wait(self->stage, 2);
		_exit(0);
	}
	EXPECT_ERRNO(EFAULT,
		     process_vm_writev(pid, &local, 1, &remote, 1, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR);
	EXPECT_ERRNO(EIO, pwrite(mem, &byte, 1, (off_t)(uintptr_t)ro));
	EXPECT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, ro, (void *)9L));
	EXPECT_EQ(0, *self->p);
	child_kill(pid);
	close(mem);
	munmap(ro, SLOT);
	close(reader);
}

TEST_HARNESS_MAIN
