// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_PROTECT: the protection of what is mapped, for everyone at once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

FIXTURE(ioctl_protect) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start, filled */
	char *p;	/* its window */
	struct stage *stage;
};

FIXTURE_SETUP(ioctl_protect)
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
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, MB(1), 1);
}

FIXTURE_TEARDOWN(ioctl_protect)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* The window says RW, the entries are of no use: what counts is both. */
TEST_F(ioctl_protect, none)
{
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_NONE));
	EXPECT_EQ(SIGSEGV, probe_load(self->p));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 9));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(1) - 1));
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), RW));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	EXPECT_EQ(0, probe_store(self->p, 1));
}

/* Where it only changes the vma, what has been written before stays so. */
TEST_F(ioctl_protect, read_only)
{
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_READ));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 9));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), RW));
	EXPECT_EQ(0, probe_store(self->p, 1));
}

static const unsigned char ret_insn = 0xc3;

/* NX is in the leaf entries: they are changed with the vma. */
TEST_F(ioctl_protect, exec)
{
	char *x;

	ASSERT_EQ(0, create_mapping(self->fd, GB(1), PAGE_SZ, 0,
				    RW | PROT_EXEC, ANON_FLAGS, -1));
	x = window(self->fd, SLOT, RW | PROT_EXEC, NULL);
	ASSERT_NE(MAP_FAILED, x);
	x[GB(1)] = ret_insn;
	EXPECT_EQ(0, probe_call(x + GB(1)));
	EXPECT_EQ(0, region_protect(self->fd, GB(1), PAGE_SZ, RW));
	EXPECT_EQ(SIGSEGV, probe_call(x + GB(1)));
	EXPECT_EQ(0, region_protect(self->fd, GB(1), PAGE_SZ,
				    PROT_READ | PROT_EXEC));
	EXPECT_EQ(0, probe_call(x + GB(1)));
	EXPECT_EQ(SIGSEGV, probe_store(x + GB(1), 0));
	munmap(x, SLOT);
}

/* A part splits the mapping: its neighbours are as they were. */
TEST_F(ioctl_protect, part_of_an_object)
{
	char *p = self->p;

	EXPECT_EQ(0, region_protect(self->fd, KB(64), KB(64), PROT_NONE));
	EXPECT_EQ(0, probe_store(p + KB(64) - PAGE_SZ, 16));
	EXPECT_EQ(SIGSEGV, probe_load(p + KB(64)));
	EXPECT_EQ(SIGSEGV, probe_load(p + KB(128) - 1));
	EXPECT_EQ(0, probe_store(p + KB(128), 33));
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), RW));
	EXPECT_TRUE(filled(p, MB(1), 1));
}

/* Several objects in one call. */
TEST_F(ioctl_protect, several_objects)
{
	ASSERT_EQ(0, create_anon(self->fd, MB(1), MB(1)));
	EXPECT_EQ(0, region_protect(self->fd, KB(512), MB(1), PROT_READ));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + KB(512), 1));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(1), 1));
	EXPECT_EQ(0, probe_store(self->p + MB(1) + KB(512), 1));
}

/*
 * Holes are found before anything is changed: half a change of what others
 * use would be worse than none.
 */
TEST_F(ioctl_protect, holes)
{
	ASSERT_EQ(0, create_anon(self->fd, MB(2), MB(1)));
	EXPECT_ERRNO(ENOMEM, region_protect(self->fd, 0, MB(3), PROT_NONE));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(0, probe_store(self->p + MB(2), 1));
	EXPECT_ERRNO(ENOMEM, region_protect(self->fd, 0, MB(2), PROT_NONE));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_ERRNO(ENOMEM, region_protect(self->fd, MB(1), MB(2),
					    PROT_NONE));
	EXPECT_EQ(0, probe_store(self->p + MB(2), 1));
	EXPECT_ERRNO(ENOMEM, region_protect(self->fd, GB(1), MB(1),
					    PROT_NONE));
}

/*
 * CREATE_MAPPING has looked at the file's rights; without VM_MAY*, this call
 * would be the way around it.  Nothing is changed before the one that may not.
 */
TEST_F(ioctl_protect, file_rights)
{
	char path[64];
	int rw = memfd(MB(1)), ro;

	ASSERT_LE(0, rw);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", rw);
	ro = open(path, O_RDONLY);
	ASSERT_LE(0, ro);
	ASSERT_EQ(0, create_mapping(self->fd, MB(1), MB(1), 0, PROT_READ,
				    REGION_FLAGS, ro));
	EXPECT_ERRNO(EACCES, region_protect(self->fd, MB(1), MB(1), RW));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(1), 1));
	EXPECT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_READ));
	EXPECT_ERRNO(EACCES, region_protect(self->fd, 0, MB(2), RW));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(1), 1));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 1));
	/* A descriptor that may write, mapped for reading: later, for more. */
	ASSERT_EQ(0, create_mapping(self->fd, MB(1), MB(1), 0, PROT_READ,
				    REGION_FLAGS, rw));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(1), 1));
	EXPECT_EQ(0, region_protect(self->fd, MB(1), MB(1), RW));
	EXPECT_EQ(0, probe_store(self->p + MB(1), 1));
	close(ro);
	close(rw);
}

/* A seal is checked when the object is mapped, and is not to be undone here. */
TEST_F(ioctl_protect, sealed_memfd)
{
	int file = memfd(MB(1));

	ASSERT_LE(0, file);
	ASSERT_EQ(0, fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	ASSERT_EQ(0, create_mapping(self->fd, MB(1), MB(1), 0, PROT_READ,
				    REGION_FLAGS, file));
	EXPECT_ERRNO(EACCES, region_protect(self->fd, MB(1), MB(1), RW));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + MB(1), 1));
	close(file);
}

/* Nobody owns the region of an object: nobody says what all may do to it. */
TEST_F(ioctl_protect, object_region)
{
	char *plain = shared_anon(MB(1));
	int fd = object_open(self->root, plain, MB(1), 0);
	char *view;

	ASSERT_LE(0, fd);
	view = object_window(fd, RW, NULL);
	ASSERT_NE(MAP_FAILED, view);
	EXPECT_ERRNO(EPERM, region_protect(fd, 0, MB(1), PROT_NONE));
	EXPECT_EQ(0, probe_store(view, 1));
	munmap((void *)((uintptr_t)view & ~(SLOT - 1)), SLOT);
	munmap(plain, MB(1));
	close(fd);
}

/* The kernel's accesses obey as well; the fast ones look at the entries. */
TEST_F(ioctl_protect, accesses_by_the_kernel)
{
	char bytes[8] = "hostile";
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec remote = { self->p, sizeof(bytes) };
	int zero = open("/dev/zero", O_RDONLY);

	ASSERT_LE(0, zero);
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_READ));
	EXPECT_ERRNO(EFAULT, read(zero, self->p, PAGE_SZ));
	EXPECT_ERRNO(EFAULT, process_vm_writev(getpid(), &local, 1, &remote, 1,
					       0));
	EXPECT_EQ((ssize_t)sizeof(bytes),
		  process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_NONE));
	EXPECT_ERRNO(EFAULT, process_vm_readv(getpid(), &local, 1, &remote, 1,
					      0));
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), RW));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	close(zero);
}

/*
 * The others have the entry in their TLBs, and write without pause: without
 * the flush of all guests, their writes go on after the call.
 */
TEST_F(ioctl_protect, at_once_in_all_processes)
{
	pid_t pid[4];
	char *p = self->p;
	unsigned int i;
	char last;

	for (i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = child_fork();
		if (pid[i])
			continue;
		store(&p[i * PAGE_SZ], 0);
		stage_add(self->stage);
		for (;;)
			store(&p[i * PAGE_SZ], p[i * PAGE_SZ] + 1);
	}
	ASSERT_TRUE(stage_wait(self->stage, ARRAY_SIZE(pid)));
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_READ));
	last = load(&p[0]);
	usleep(50 * 1000);
	EXPECT_EQ(last, load(&p[0]));
	for (i = 0; i < ARRAY_SIZE(pid); i++)
		EXPECT_EQ(128 + SIGSEGV, child_wait(pid[i]));
}

/* Windows with fewer rights stay as they are: the AND of both. */
TEST_F(ioctl_protect, read_only_window)
{
	char *reader = window(self->fd, SLOT, PROT_READ, NULL);

	ASSERT_NE(MAP_FAILED, reader);
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), PROT_READ));
	EXPECT_EQ(SIGSEGV, probe_store(reader, 1));
	ASSERT_EQ(0, region_protect(self->fd, 0, MB(1), RW));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(SIGSEGV, probe_store(reader, 1));
	EXPECT_TRUE(filled(reader, MB(1), 1));
	munmap(reader, SLOT);
}

/* Faults of others while the protection goes to and fro: no one gets more. */
TEST_F_TIMEOUT(ioctl_protect, races_with_faults, 60)
{
	pid_t pid = child_fork();
	int i;

	if (!pid)
		for (;;)
			probe_store(self->p + KB(512), 1);
	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, region_protect(self->fd, KB(256), KB(512),
					    i % 2 ? RW : PROT_READ));
		ASSERT_EQ(0, region_advise(self->fd, 0, MB(1), MADV_DONTNEED));
		if (i % 2 == 0)
			EXPECT_EQ(SIGSEGV, probe_store(self->p + KB(512), 1));
	}
	child_kill(pid);
}

TEST_HARNESS_MAIN
