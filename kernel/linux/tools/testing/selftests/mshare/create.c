// SPDX-License-Identifier: GPL-2.0
/*
 * MSHAREFS_CREATE_MAPPING: what may be mapped into a region, where, and what
 * is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define TRACING	"/sys/kernel/tracing"

FIXTURE(create) {
	struct mshare_env env;
	int root;
	int fd;		/* a region of two slots */
	char *p;	/* its window */
};

FIXTURE_SETUP(create)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", 2 * SLOT);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, 2 * SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(create)
{
	munmap(self->p, 2 * SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static unsigned long mapped_bytes(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? ~0UL : st.mapped_bytes;
}

/* Anonymous memory: zeros that keep what is written. */
TEST_F(create, anonymous)
{
	size_t i;

	ASSERT_EQ(0, create_anon(self->fd, 0, MB(4)));
	for (i = 0; i < MB(4); i++)
		if (self->p[i])
			break;
	EXPECT_EQ(MB(4), i);
	fill(self->p, MB(4), 1);
	EXPECT_TRUE(filled(self->p, MB(4), 1));
}

/* Objects lie where they were asked for, and nothing lies elsewhere. */
TEST_F(create, at_region_offset)
{
	static const unsigned long offsets[] = {
		0, MB(2) + PAGE_SZ, GB(1) - PAGE_SZ, GB(300), SLOT - PAGE_SZ,
		SLOT + GB(1), 2 * SLOT - 2 * PAGE_SZ,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		ASSERT_EQ(0, create_anon(self->fd, offsets[i], PAGE_SZ));
	EXPECT_EQ(ARRAY_SIZE(offsets) * PAGE_SZ, mapped_bytes(self->fd));
	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		EXPECT_EQ(0, probe_store(self->p + offsets[i], i + 1));
	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		EXPECT_EQ((char)(i + 1), self->p[offsets[i]]);
	EXPECT_EQ(SIGSEGV, probe_load(self->p + PAGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(2)));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + MB(2) + 2 * PAGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + GB(1)));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + SLOT));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + 2 * SLOT - PAGE_SZ, 1));
}

/* A whole region of one object, with MAP_NORESERVE so that it may be large. */
TEST_F(create, whole_region)
{
	ASSERT_EQ(0, create_mapping(self->fd, 0, 2 * SLOT, 0, RW,
				    ANON_FLAGS | MAP_NORESERVE, -1));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(0, probe_store(self->p + 2 * SLOT - 1, 2));
	EXPECT_EQ(2 * SLOT, mapped_bytes(self->fd));
}

/*
 * Proves that a mapping has the flags of its own call and no others (v3 did not
 * initialise them): what is MAP_NORESERVE is not accounted, all else is.
 */
TEST_F(create, accounting)
{
	long before = meminfo_settled("Committed_AS"), after;
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, create_mapping(self->fd, i * GB(1), MB(64), 0, RW,
					    ANON_FLAGS |
					    (i & 1 ? MAP_NORESERVE : 0), -1));
	after = meminfo_settled("Committed_AS");
	EXPECT_LE(before + 4 * 64 * 1024 - 8 * 1024, after);
	EXPECT_GE(before + 4 * 64 * 1024 + 8 * 1024, after);
}

/* In a child: the knob is what it was when that exits. */
static int account_strictly(int fd)
{
	CHECK(!knob_set("/proc/sys/vm/overcommit_memory", "2"));
	CHECK(create_mapping(fd, 0, SLOT, 0, RW, ANON_FLAGS, -1) == -1);
	CHECK(errno == ENOMEM);
	CHECK(create_mapping(fd, 0, SLOT, 0, RW, ANON_FLAGS | MAP_NORESERVE,
			     -1) == -1);
	CHECK(errno == ENOMEM);
	return 0;
}

/*
 * Proves that MAP_NORESERVE is no way around strict accounting, as it is none in
 * mmap(): what is promised there is there.
 */
TEST_F(create, strict_accounting)
{
	pid_t pid;

	fflush(NULL);
	pid = child_fork();
	if (!pid)
		exit(account_strictly(self->fd));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_EQ(0, create_mapping(self->fd, 0, SLOT, 0, RW,
				    ANON_FLAGS | MAP_NORESERVE, -1));
}

/* A memfd: its contents from @offset on, seen by both sides. */
TEST_F(create, memfd)
{
	int file = memfd(MB(2));
	char byte = 7;

	ASSERT_LE(0, file);
	ASSERT_EQ(1, pwrite(file, &byte, 1, MB(1)));
	ASSERT_EQ(0, create_mapping(self->fd, MB(8), MB(1), MB(1), RW,
				    REGION_FLAGS, file));
	EXPECT_EQ(7, self->p[MB(8)]);
	self->p[MB(8) + PAGE_SZ] = 9;
	ASSERT_EQ(1, pread(file, &byte, 1, MB(1) + PAGE_SZ));
	EXPECT_EQ(9, byte);
	close(file);
	/* The mapping keeps the file. */
	EXPECT_EQ(7, self->p[MB(8)]);
}

/* A file on a disk, if /var/tmp is on one, and not of shmem at any rate. */
TEST_F(create, regular_file)
{
	char name[] = "/var/tmp/mshare-test-XXXXXX", byte = 5;
	int file = mkstemp(name);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, unlink(name));
	ASSERT_EQ(0, ftruncate(file, MB(1)));
	ASSERT_EQ(1, pwrite(file, &byte, 1, PAGE_SZ));
	ASSERT_EQ(0, create_mapping(self->fd, 0, MB(1), 0, RW, REGION_FLAGS,
				    file));
	EXPECT_EQ(5, self->p[PAGE_SZ]);
	self->p[0] = 6;
	ASSERT_EQ(1, pread(file, &byte, 1, 0));
	EXPECT_EQ(6, byte);
	close(file);
}

/* Beyond the end of the file there is SIGBUS, as in any mapping of it. */
TEST_F(create, beyond_end_of_file)
{
	int file = memfd(PAGE_SZ);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, create_mapping(self->fd, 0, 2 * PAGE_SZ, 0, RW,
				    REGION_FLAGS, file));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(SIGBUS, probe_load(self->p + PAGE_SZ));
	close(file);
}

/* @prot holds for every window, however it was mapped. */
TEST_F(create, prot)
{
	ASSERT_EQ(0, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
				    ANON_FLAGS, -1));
	ASSERT_EQ(0, create_mapping(self->fd, PAGE_SZ, PAGE_SZ, 0, PROT_NONE,
				    ANON_FLAGS, -1));
	EXPECT_EQ(0, probe_load(self->p));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 1));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + PAGE_SZ));
	EXPECT_EQ(SIGSEGV, probe_store(self->p + PAGE_SZ, 1));
}

/* MAP_SHARED and MAP_FIXED are required, whatever else is given. */
TEST_F(create, required_flags)
{
	static const int flags[] = {
		0, MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
		MAP_FIXED | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS,
		MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
		MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, PAGE_SZ, 0,
						    RW, flags[i], -1));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
}

/*
 * Proves that flags which are not listed are EINVAL.  MAP_LOCKED would escape
 * the caller's RLIMIT_MEMLOCK, as a region has a locked_vm of its own.
 */
TEST_F(create, other_flags)
{
	static const int flags[] = {
		MAP_LOCKED, MAP_POPULATE, MAP_GROWSDOWN, MAP_STACK,
		MAP_NONBLOCK, MAP_SYNC, MAP_FIXED_NOREPLACE, MAP_DENYWRITE,
		MAP_EXECUTABLE, MAP_32BIT, 1 << 24,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++)
		EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, PAGE_SZ, 0,
						    RW, ANON_FLAGS | flags[i],
						    -1));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
}

/* MAP_HUGETLB is for anonymous memory: a file brings its own page size. */
TEST_F(create, hugetlb_flag_with_file)
{
	int file = memfd(MB(2));

	ASSERT_LE(0, file);
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, MB(2), 0, RW,
					    REGION_FLAGS | MAP_HUGETLB, file));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(file);
}

/* A file must be a regular one: no directory, device, pipe or socket. */
TEST_F(create, other_files)
{
	static const char * const names[] = { "/", "/dev/zero", "/dev/null" };
	int pipes[2], file;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		file = open(names[i], i ? O_RDWR : O_RDONLY);
		ASSERT_LE(0, file);
		EXPECT_EQ(-1, create_mapping(self->fd, 0, PAGE_SZ, 0,
					     PROT_READ, REGION_FLAGS, file))
			TH_LOG("%s was taken", names[i]);
		close(file);
	}
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-1, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
				     REGION_FLAGS, pipes[0]));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(pipes[0]);
	close(pipes[1]);
}

/*
 * The trace buffer fills the page tables in its ->mmap(), and is refused after
 * that: what it filled in must not stay behind for the guests.
 */
TEST_F(create, driver_that_maps_at_once)
{
	static const char path[] = TRACING "/per_cpu/cpu0/trace_pipe_raw";
	int file;

	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	if (access(path, F_OK))
		mount("none", TRACING, "tracefs", 0, NULL);
	file = open(path, O_RDONLY | O_NONBLOCK);
	if (file < 0)
		SKIP(return, "%s: %s", path, strerror(errno));
	EXPECT_ERRNO(ENODEV, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
					    REGION_FLAGS, file));
	EXPECT_EQ(SIGSEGV, probe_load(self->p));
	close(file);
	umount2(TRACING, MNT_DETACH);
}

/* The range must be of whole pages, not empty, inside the region. */
TEST_F(create, ranges)
{
	static const struct {
		unsigned long offset, size;
	} bad[] = {
		{ 0, 0 }, { PAGE_SZ, 0 },
		{ 1, PAGE_SZ }, { 0, 1 }, { 0, PAGE_SZ + 1 },
		{ PAGE_SZ / 2, PAGE_SZ }, { 0, PAGE_SZ / 2 },
		{ 2 * SLOT, PAGE_SZ }, { 2 * SLOT - PAGE_SZ, 2 * PAGE_SZ },
		{ 0, 2 * SLOT + PAGE_SZ }, { SLOT, SLOT + PAGE_SZ },
		{ -PAGE_SZ, PAGE_SZ }, { -PAGE_SZ, 2 * PAGE_SZ },
		{ PAGE_SZ, -PAGE_SZ }, { 0, -PAGE_SZ },
		{ 1UL << 63, 1UL << 63 }, { SLOT, -SLOT },
		{ SLOT, -SLOT + PAGE_SZ },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERRNO(EINVAL, create_anon(self->fd, bad[i].offset,
						 bad[i].size));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
}

/* The offset in the file must be of whole pages and cannot wrap. */
TEST_F(create, file_offsets)
{
	int file = memfd(MB(1));

	ASSERT_LE(0, file);
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, PAGE_SZ, 1, RW,
					    REGION_FLAGS, file));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, PAGE_SZ, PAGE_SZ / 2,
					    RW, REGION_FLAGS, file));
	EXPECT_ERRNO2(EINVAL, EOVERFLOW,
		      create_mapping(self->fd, 0, 2 * PAGE_SZ, -PAGE_SZ, RW,
				     REGION_FLAGS, file));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(file);
}

/* A bad descriptor: EBADF. MAP_ANONYMOUS has none. */
TEST_F(create, bad_descriptors)
{
	int file = memfd(PAGE_SZ);

	ASSERT_LE(0, file);
	EXPECT_ERRNO(EBADF, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					   REGION_FLAGS, -1));
	EXPECT_ERRNO(EBADF, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					   REGION_FLAGS, 12345));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					    ANON_FLAGS, file));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(file);
}

/* A file of msharefs is no object: nothing shares page tables of sharers. */
TEST_F(create, msharefs_file)
{
	int other = region_create(self->root, "s", SLOT);
	int info = open(MSHARE_MNT "/mshare_info", O_RDONLY);

	ASSERT_LE(0, other);
	ASSERT_LE(0, info);
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, SLOT, 0, RW,
					    REGION_FLAGS, other));
	EXPECT_ERRNO(EINVAL, create_mapping(self->fd, 0, 2 * SLOT, 0, RW,
					    REGION_FLAGS, self->fd));
	EXPECT_EQ(-1, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
				     REGION_FLAGS, info));
	EXPECT_EQ(-1, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
				     REGION_FLAGS, self->root));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(info);
	close(other);
}

/* The file's own rights bound the mapping's: EACCES. */
TEST_F(create, file_access)
{
	char path[64];
	int file = memfd(PAGE_SZ), reader, writer;

	ASSERT_LE(0, file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	reader = open(path, O_RDONLY);
	writer = open(path, O_WRONLY);
	ASSERT_LE(0, reader);
	ASSERT_LE(0, writer);
	EXPECT_ERRNO(EACCES, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					    REGION_FLAGS, reader));
	EXPECT_ERRNO(EACCES, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
					    REGION_FLAGS, writer));
	ASSERT_EQ(0, create_mapping(self->fd, 0, PAGE_SZ, 0, PROT_READ,
				    REGION_FLAGS, reader));
	EXPECT_EQ(0, probe_load(self->p));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 1));
	close(writer);
	close(reader);
	close(file);
}

/* A seal against writing is obeyed, and a writable mapping prevents it. */
TEST_F(create, sealed_memfd)
{
	int sealed = memfd(PAGE_SZ), mapped = memfd(PAGE_SZ);

	ASSERT_LE(0, sealed);
	ASSERT_LE(0, mapped);
	ASSERT_EQ(0, fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_ERRNO(EPERM, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					   REGION_FLAGS, sealed));
	ASSERT_EQ(0, create_mapping(self->fd, 0, PAGE_SZ, 0, RW, REGION_FLAGS,
				    mapped));
	EXPECT_ERRNO(EBUSY, fcntl(mapped, F_ADD_SEALS, F_SEAL_WRITE));
	ASSERT_EQ(0, unmap(self->fd, 0, PAGE_SZ));
	EXPECT_EQ(0, fcntl(mapped, F_ADD_SEALS, F_SEAL_WRITE));
	close(mapped);
	close(sealed);
}

/*
 * Proves that CREATE_MAPPING needs a descriptor opened for writing (EBADF): v3
 * did not ask.
 */
TEST_F(create, needs_write_access)
{
	int fd = openat(self->root, "r", O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_ERRNO(EBADF, create_anon(fd, 0, PAGE_SZ));
	EXPECT_ERRNO(EBADF, create_mapping(fd, 0, PAGE_SZ, 0, PROT_READ,
					   ANON_FLAGS, -1));
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	close(fd);
}

/* An argument that cannot be read: EFAULT; an ioctl that is none: ENOTTY. */
TEST_F(create, bad_calls)
{
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, 8));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MSHAREFS_UNMAP, 8));
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IO('x', 0x7f), 0));
	EXPECT_ERRNO(ENOTTY, create_anon(self->root, 0, PAGE_SZ));
	EXPECT_ERRNO(ENOTTY, unmap(self->root, 0, PAGE_SZ));
}

/* MAP_FIXED: a mapping takes the place of those that it overlaps. */
TEST_F(create, replaces)
{
	int file = memfd(MB(1));
	char byte = 3;

	ASSERT_LE(0, file);
	ASSERT_EQ(1, pwrite(file, &byte, 1, 0));
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(4)));
	fill(self->p, MB(4), 1);
	ASSERT_EQ(0, create_mapping(self->fd, MB(1), MB(1), 0, RW,
				    REGION_FLAGS, file));
	EXPECT_EQ(3, self->p[MB(1)]);
	EXPECT_EQ(0, self->p[MB(1) + PAGE_SZ]);
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	EXPECT_EQ(1, self->p[MB(2)]);
	EXPECT_EQ(MB(4), mapped_bytes(self->fd));
	close(file);
}

/* A mapping that is refused leaves the one in its place alone. */
TEST_F(create, refusal_does_not_unmap)
{
	ASSERT_EQ(0, create_anon(self->fd, 0, PAGE_SZ));
	ASSERT_EQ(0, probe_store(self->p, 1));
	EXPECT_ERRNO(EBADF, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
					   REGION_FLAGS, 12345));
	EXPECT_EQ(-1, create_mapping(self->fd, 0, PAGE_SZ, 0, RW,
				     ANON_FLAGS | MAP_LOCKED, -1));
	EXPECT_EQ(0, probe_load(self->p));
	EXPECT_EQ(1, self->p[0]);
}

static long open_files(void)
{
	FILE *f = fopen("/proc/sys/fs/file-nr", "r");
	long files = -1;

	if (!f || fscanf(f, "%ld", &files) != 1)
		files = -1;
	if (f)
		fclose(f);
	return files;
}

/*
 * Proves that no error path keeps a reference to the file: v3 did for huge
 * pages.
 */
TEST_F(create, errors_leak_no_file)
{
	int i, dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	long before = open_files();

	ASSERT_LE(0, dir);
	for (i = 0; i < 2000; i++) {
		create_mapping(self->fd, PAGE_SZ, PAGE_SZ, 0, RW,
			       ANON_FLAGS | MAP_HUGETLB, -1);
		create_mapping(self->fd, 0, 2 * SLOT, 0, RW,
			       ANON_FLAGS | MAP_HUGETLB, -1);
		create_mapping(self->fd, 2 * SLOT, MB(2), 0, RW,
			       ANON_FLAGS | MAP_HUGETLB, -1);
		create_mapping(self->fd, 0, PAGE_SZ, 0, RW, REGION_FLAGS, dir);
		create_mapping(self->fd, 2 * SLOT, PAGE_SZ, 0, RW,
			       REGION_FLAGS, dir);
	}
	EXPECT_EQ(0UL, mapped_bytes(self->fd));
	EXPECT_GT(before + 1000, open_files());
	close(dir);
}

TEST_HARNESS_MAIN
