// SPDX-License-Identifier: GPL-2.0
/*
 * A window's protection holds against every way to write: v3 never looked at
 * it, so that whoever could open a region for reading could write to it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(protect) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	int reader;	/* the same, opened O_RDONLY */
	char *p;	/* a writable window, every page of it present */
};

FIXTURE_SETUP(protect)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	self->reader = openat(self->root, "r", O_RDONLY);
	ASSERT_LE(0, self->reader);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, MB(1), 1);
}

FIXTURE_TEARDOWN(protect)
{
	munmap(self->p, SLOT);
	close(self->reader);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/*
 * Proves that PROT_WRITE on a descriptor that may not write is EACCES, as for
 * any file.
 */
TEST_F(protect, read_only_descriptor)
{
	int writer = openat(self->root, "r", O_WRONLY);
	char *p;

	ASSERT_LE(0, writer);
	EXPECT_ERRNO(EACCES, window(self->reader, SLOT, RW, NULL));
	EXPECT_ERRNO(EACCES, window(self->reader, SLOT, PROT_WRITE, NULL));
	EXPECT_ERRNO(EACCES, window(writer, SLOT, RW, NULL));
	EXPECT_ERRNO(EACCES, window(writer, SLOT, PROT_READ, NULL));
	p = window(self->reader, SLOT, PROT_READ, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(p, SLOT);
	close(writer);
}

/*
 * Proves that a store through a PROT_READ window is SIGSEGV, though the page is
 * writable for others: v3 let it through.
 */
TEST_F(protect, store)
{
	char *p = window(self->reader, SLOT, PROT_READ, NULL);
	char *q = window(self->fd, SLOT, PROT_READ, NULL);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(SIGSEGV, probe_store(p, 99));
	EXPECT_EQ(0, probe_load(p));
	EXPECT_EQ(SIGSEGV, probe_store(p, 99));
	EXPECT_EQ(SIGSEGV, probe_store(q + PAGE_SZ, 99));
	/* A page that is not there yet comes as one that cannot be written. */
	ASSERT_EQ(0, create_anon(self->fd, GB(1), PAGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_store(p + GB(1), 99));
	EXPECT_EQ(0, probe_load(p + GB(1)));
	EXPECT_EQ(0, p[GB(1)]);
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(p, SLOT);
	munmap(q, SLOT);
}

/*
 * Proves that PROT_NONE allows no access at all: such a window is not linked.
 */
TEST_F(protect, prot_none)
{
	char *p = window(self->fd, SLOT, PROT_NONE, NULL);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(SIGSEGV, probe_load(p));
	EXPECT_EQ(SIGSEGV, probe_store(p, 99));
	EXPECT_EQ(0, mprotect(p, SLOT, RW));
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(0, mprotect(p, SLOT, PROT_NONE));
	EXPECT_EQ(SIGSEGV, probe_load(p));
	munmap(p, SLOT);
}

/*
 * Proves that mprotect() of a whole window relinks it, there and back, with
 * pages present.
 */
TEST_F(protect, mprotect_whole)
{
	char *p = window(self->fd, SLOT, RW, NULL);
	int i;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, probe_store(p, i));
		EXPECT_EQ(0, mprotect(p, SLOT, PROT_READ));
		EXPECT_EQ(SIGSEGV, probe_store(p, 99));
		EXPECT_EQ(i, *p);
		EXPECT_EQ(0, mprotect(p, SLOT, PROT_NONE));
		EXPECT_EQ(SIGSEGV, probe_load(p));
		EXPECT_EQ(0, mprotect(p, SLOT, PROT_READ));
		EXPECT_EQ(i, *p);
		EXPECT_EQ(SIGSEGV, probe_store(p, 99));
		EXPECT_EQ(0, mprotect(p, SLOT, RW));
	}
	EXPECT_EQ(0, probe_store(p, 1));
	munmap(p, SLOT);
}

/* Proves that one process's mprotect() is its own affair. */
TEST_F(protect, mprotect_is_local)
{
	char *p = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, p);
	fill(p, MB(1), 1);
	EXPECT_EQ(0, mprotect(p, SLOT, PROT_NONE));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	munmap(p, SLOT);
}

/* Proves that mprotect() cannot give what the descriptor has not: EACCES. */
TEST_F(protect, mprotect_beyond_descriptor)
{
	char *p = window(self->reader, SLOT, PROT_READ, NULL);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, MB(1));
	EXPECT_ERRNO(EACCES, mprotect(p, SLOT, RW));
	EXPECT_ERRNO(EACCES, mprotect(p, SLOT, PROT_WRITE));
	EXPECT_EQ(SIGSEGV, probe_store(p, 99));
	EXPECT_EQ(0, mprotect(p, SLOT, PROT_NONE));
	EXPECT_ERRNO(EACCES, mprotect(p, SLOT, RW));
	EXPECT_EQ(SIGSEGV, probe_load(p));
	munmap(p, SLOT);
}

/* Proves that mprotect() of a part is EINVAL, and changes nothing. */
TEST_F(protect, mprotect_part)
{
	EXPECT_ERRNO(EINVAL, mprotect(self->p, PAGE_SZ, PROT_READ));
	EXPECT_ERRNO(EINVAL, mprotect(self->p, MB(1), PROT_NONE));
	EXPECT_ERRNO(EINVAL, mprotect(self->p + PAGE_SZ, PAGE_SZ, PROT_READ));
	EXPECT_ERRNO(EINVAL, mprotect(self->p + SLOT / 2, SLOT / 2,
				      PROT_READ));
	EXPECT_EQ(0, probe_store(self->p + PAGE_SZ, 2));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
}

/*
 * Proves that a window without PROT_EXEC is linked with NX, though executable
 * page tables are shared.
 */
TEST_F(protect, no_exec_without_prot_exec)
{
	char *x;

	ASSERT_EQ(0, create_mapping(self->fd, MB(2), PAGE_SZ, 0,
				    RW | PROT_EXEC, ANON_FLAGS, -1));
	self->p[MB(2)] = (char)0xc3;	/* ret */
	EXPECT_EQ(SIGSEGV, probe_call(self->p + MB(2)));
	x = window(self->fd, SLOT, PROT_READ | PROT_EXEC, NULL);
	if (x != MAP_FAILED) {
		EXPECT_EQ(0, probe_call(x + MB(2)));
		EXPECT_EQ(SIGSEGV, probe_store(x + MB(2), 1));
		/* Not even there, where the mapping is not executable. */
		self->p[0] = (char)0xc3;
		EXPECT_EQ(SIGSEGV, probe_call(x));
		munmap(x, SLOT);
	}
	EXPECT_EQ(SIGSEGV, probe_call(self->p + MB(2)));
}

/*
 * Proves that pkey_mprotect() is EINVAL: it would need bits in page table
 * entries that all share.
 */
TEST_F(protect, pkey_mprotect)
{
	int pkey = syscall(SYS_pkey_alloc, 0, 0);

	if (pkey < 0)
		SKIP(return, "no protection keys: %s", strerror(errno));
	EXPECT_ERRNO(EINVAL, syscall(SYS_pkey_mprotect, self->p, SLOT, RW,
				     pkey));
	EXPECT_ERRNO(EINVAL, syscall(SYS_pkey_mprotect, self->p, PAGE_SZ, RW,
				     pkey));
	EXPECT_EQ(0, probe_store(self->p, 1));
	syscall(SYS_pkey_free, pkey);
}

/* Proves that the kernel does not write there for the process either. */
TEST_F(protect, system_call_results)
{
	char *p = window(self->reader, SLOT, PROT_READ, NULL);
	int pipes[2], zero = open("/dev/zero", O_RDONLY);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, zero);
	ASSERT_EQ(0, pipe(pipes));
	touch(p, MB(1));
	EXPECT_ERRNO(EFAULT, read(zero, p, PAGE_SZ));
	ASSERT_EQ(4, write(pipes[1], "four", 4));
	EXPECT_ERRNO(EFAULT, read(pipes[0], p, 4));
	EXPECT_EQ(4, write(pipes[1], p, 4));
	EXPECT_TRUE(filled(p, MB(1), 1));
	close(pipes[0]);
	close(pipes[1]);
	close(zero);
	munmap(p, SLOT);
}

/* Proves that it does not write there for another process. */
TEST_F(protect, process_vm_writev)
{
	char *p = window(self->reader, SLOT, PROT_READ, NULL);
	char bytes[8] = "hostile";
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { p, sizeof(bytes) };

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
	touch(p, MB(1));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
	EXPECT_EQ((ssize_t)sizeof(bytes),
		  process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(1, bytes[0]);
	EXPECT_TRUE(filled(p, MB(1), 1));
	munmap(p, SLOT);
}

/*
 * Proves that /proc/pid/mem, which overrides protection (FOLL_FORCE), does not
 * in shared memory.
 */
TEST_F(protect, proc_mem)
{
	char *p = window(self->reader, SLOT, PROT_READ, NULL);
	int mem = open("/proc/self/mem", O_RDWR);
	char byte = 99;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LE(0, mem);
	touch(p, MB(1));
	EXPECT_ERRNO(EIO, pwrite(mem, &byte, 1, (off_t)(uintptr_t)p));
	EXPECT_EQ(1, pread(mem, &byte, 1, (off_t)(uintptr_t)p));
	EXPECT_EQ(1, byte);
	EXPECT_TRUE(filled(p, MB(1), 1));
	close(mem);
	munmap(p, SLOT);
}

TEST_HARNESS_MAIN
