// SPDX-License-Identifier: GPL-2.0
/*
 * Pinned pages of windows: O_DIRECT, io_uring's registered buffers, vmsplice;
 * and that none of it writes through a window that may not be written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_ring.h"
#include "mshare_sys.h"

#define DISK	MB(4)

FIXTURE(direct_io) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, DISK of memory at its start */
	int reader;	/* the same, opened O_RDONLY */
	char *p;	/* its window, nothing touched */
	int disk;	/* a block device, O_DIRECT, fill()ed with 1 */
};

FIXTURE_SETUP(direct_io)
{
	const char *why = mshare_missing();
	char path[32], *data;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->disk = loop_open(DISK, O_RDWR | O_DIRECT, path, sizeof(path));
	if (self->disk < 0)
		SKIP(return, "no loop device: %s", strerror(errno));
	data = shared_anon(DISK);
	ASSERT_NE(MAP_FAILED, data);
	fill(data, DISK, 1);
	ASSERT_EQ((ssize_t)DISK, pwrite(self->disk, data, DISK, 0));
	munmap(data, DISK);

	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	self->reader = openat(self->root, "r", O_RDONLY);
	ASSERT_LE(0, self->reader);
	ASSERT_EQ(0, create_anon(self->fd, 0, DISK));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(direct_io)
{
	munmap(self->p, SLOT);
	close(self->reader);
	close(self->fd);
	close(self->disk);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* Proves that O_DIRECT reads into pages that are not there yet (slow GUP). */
TEST_F(direct_io, read_into_absent)
{
	EXPECT_EQ((ssize_t)DISK, pread(self->disk, self->p, DISK, 0));
	EXPECT_TRUE(filled(self->p, DISK, 1));
}

/*
 * Proves that it reads into pages that are there, in a window that has not seen
 * them.
 */
TEST_F(direct_io, read_into_present)
{
	char *other = window(self->fd, SLOT, RW, NULL);

	ASSERT_NE(MAP_FAILED, other);
	fill(self->p, DISK, 33);
	EXPECT_EQ((ssize_t)DISK, pread(self->disk, other, DISK, 0));
	EXPECT_TRUE(filled(self->p, DISK, 1));
	munmap(other, SLOT);
}

/* Proves that O_DIRECT writes what is in the region (fast GUP). */
TEST_F(direct_io, write_from)
{
	char *back = shared_anon(DISK);

	ASSERT_NE(MAP_FAILED, back);
	fill(self->p, DISK, 44);
	EXPECT_EQ((ssize_t)DISK, pwrite(self->disk, self->p, DISK, 0));
	EXPECT_EQ((ssize_t)DISK, pread(self->disk, back, DISK, 0));
	EXPECT_TRUE(filled(back, DISK, 44));
	munmap(back, DISK);
}

/* Proves that from pages that nobody has touched come zeros. */
TEST_F(direct_io, write_from_absent)
{
	char *back = shared_anon(DISK);
	size_t i;

	ASSERT_NE(MAP_FAILED, back);
	EXPECT_EQ((ssize_t)DISK, pwrite(self->disk, self->p, DISK, 0));
	EXPECT_EQ((ssize_t)DISK, pread(self->disk, back, DISK, 0));
	for (i = 0; i < DISK; i++)
		if (back[i])
			break;
	EXPECT_EQ(DISK, i);
	munmap(back, DISK);
}

/* Proves that outside the object there is EFAULT. */
TEST_F(direct_io, outside)
{
	EXPECT_ERRNO(EFAULT, pread(self->disk, self->p + GB(1), PAGE_SZ, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->disk, self->p + GB(1), PAGE_SZ, 0));
}

/*
 * Proves that fast GUP refuses to write through a read-only window: it looks at
 * leaf entries only, and here the page is there and its entry writable.
 */
TEST_F(direct_io, read_into_read_only_window)
{
	char *ro = window(self->reader, SLOT, PROT_READ, NULL);
	int i;

	ASSERT_NE(MAP_FAILED, ro);
	fill(self->p, DISK, 55);
	touch(ro, DISK);
	for (i = 0; i < 10; i++)
		EXPECT_ERRNO(EFAULT, pread(self->disk, ro, DISK, 0));
	EXPECT_TRUE(filled(self->p, DISK, 55));
	EXPECT_EQ((ssize_t)DISK, pwrite(self->disk, ro, DISK, 0));
	munmap(ro, SLOT);
}

/*
 * Proves that it does so after mprotect(PROT_READ) as well, and writes again
 * after the way back.
 */
TEST_F(direct_io, read_after_mprotect)
{
	fill(self->p, DISK, 55);
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_READ));
	EXPECT_ERRNO(EFAULT, pread(self->disk, self->p, DISK, 0));
	EXPECT_TRUE(filled(self->p, DISK, 55));
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_NONE));
	EXPECT_ERRNO(EFAULT, pread(self->disk, self->p, DISK, 0));
	EXPECT_ERRNO(EFAULT, pwrite(self->disk, self->p, DISK, 0));
	ASSERT_EQ(0, mprotect(self->p, SLOT, RW));
	EXPECT_EQ((ssize_t)DISK, pread(self->disk, self->p, DISK, 0));
	EXPECT_TRUE(filled(self->p, DISK, 1));
}

/* Proves that vmsplice() puts the pages themselves into the pipe. */
TEST_F(direct_io, vmsplice)
{
	struct iovec vec = { self->p, 4 * PAGE_SZ };
	char buf[4 * PAGE_SZ];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	fill(self->p, 2 * PAGE_SZ, 7);
	ASSERT_EQ((ssize_t)sizeof(buf), vmsplice(pipes[1], &vec, 1, 0));
	ASSERT_EQ((ssize_t)sizeof(buf), read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(7, buf[0]);
	EXPECT_EQ(8, buf[PAGE_SZ]);
	EXPECT_EQ(0, buf[2 * PAGE_SZ]);
	vec.iov_base = self->p + GB(1);
	EXPECT_ERRNO(EFAULT, vmsplice(pipes[1], &vec, 1, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/*
 * Proves that registered buffers, pinned for long, can be read into and written
 * from.
 */
TEST_F(direct_io, io_uring_fixed_buffers)
{
	struct ring ring;

	if (ring_open(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));
	ASSERT_EQ(0, ring_register(&ring, self->p, MB(1)))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ((int)MB(1), ring_rw(&ring, IORING_OP_READ_FIXED, self->disk,
				      self->p, MB(1)));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	fill(self->p, MB(1), 66);
	EXPECT_EQ((int)MB(1), ring_rw(&ring, IORING_OP_WRITE_FIXED, self->disk,
				      self->p, MB(1)));
	EXPECT_EQ((ssize_t)MB(1), pread(self->disk, self->p + MB(1), MB(1),
					0));
	EXPECT_TRUE(filled(self->p + MB(1), MB(1), 66));
	ring_close(&ring);
}

/*
 * Proves that none are had of a window that may not be written, or of nothing.
 */
TEST_F(direct_io, io_uring_read_only_window)
{
	char *ro = window(self->reader, SLOT, PROT_READ, NULL);
	struct ring ring;

	ASSERT_NE(MAP_FAILED, ro);
	if (ring_open(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));
	fill(self->p, MB(1), 1);
	touch(ro, MB(1));
	EXPECT_ERRNO(EFAULT, ring_register(&ring, ro, MB(1)));
	EXPECT_ERRNO(EFAULT, ring_register(&ring, self->p + GB(1), MB(1)));
	ring_close(&ring);
	munmap(ro, SLOT);
}

/*
 * Proves that it is asked of the host vma whether its pages may be pinned for
 * writing, and for long: not those of a file on a disk, which could not be
 * written back.  So a plain mapping of the file answers, and so does a window.
 */
TEST_F(direct_io, io_uring_file_on_disk)
{
	const char *why = ext4_mount("/mnt", MB(16));
	struct ring ring;
	char *plain;
	int file;

	if (why)
		SKIP(return, "%s", why);
	if (ring_open(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));
	file = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, MB(1)));
	plain = mmap(NULL, MB(1), RW, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, plain);
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), MB(1), 0, RW, REGION_FLAGS,
				    file));
	fill(self->p + GB(1), MB(1), 1);
	EXPECT_ERRNO(EFAULT, ring_register(&ring, plain, MB(1)));
	EXPECT_ERRNO(EFAULT, ring_register(&ring, self->p + GB(1), MB(1)));
	ring_close(&ring);
	ASSERT_EQ(0, unmap(self->fd, GB(1), MB(1)));
	munmap(plain, MB(1));
	close(file);
	EXPECT_EQ(0, umount2("/mnt", 0));
}

/* Proves that pinned pages outlive their mapping, the window and the region. */
TEST_F(direct_io, pins_outlive_region)
{
	int fd = region_anon(self->root, MB(1));
	char *p = window(fd, SLOT, RW, NULL);
	struct ring ring;

	ASSERT_NE(MAP_FAILED, p);
	if (ring_open(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));
	fill(p, MB(1), 9);
	ASSERT_EQ(0, ring_register(&ring, p, MB(1)));
	ASSERT_EQ(0, unmap(fd, 0, MB(1)));
	EXPECT_EQ(SIGSEGV, probe_load(p));
	munmap(p, SLOT);
	close(fd);
	EXPECT_EQ((int)MB(1), ring_rw(&ring, IORING_OP_WRITE_FIXED, self->disk,
				      p, MB(1)));
	EXPECT_EQ((ssize_t)MB(1), pread(self->disk, self->p, MB(1), 0));
	EXPECT_TRUE(filled(self->p, MB(1), 9));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
