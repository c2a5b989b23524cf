// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments that make no sense, for every ioctl: the exact errno, and nothing
 * changed.  What is checked in one place in the kernel is tried for each call
 * all the same: a call that forgets to check shows here.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

#define BYTES	MB(1)

/* The calls on a region: name, struct and what is valid in it. */
union argument {
	struct mshare_create create;
	struct mshare_unmap unmap;
	struct mshare_protect protect;
	struct mshare_advise advise;
	struct mshare_lock lock;
	struct mshare_populate populate;
	struct {		/* what they all begin with */
		__u64 region_offset;
		__u64 size;
	};
};

#define CALL(call, type, ...) {						\
	.name = #call,							\
	.cmd = MSHAREFS_##call,						\
	.bytes = sizeof(struct type),					\
	.valid = { __VA_ARGS__ },					\
}

static const struct {
	const char *name;
	unsigned int cmd;
	size_t bytes;
	union argument valid;
} calls[] = {
	CALL(CREATE_MAPPING, mshare_create,
	     .create = { 0, BYTES, 0, RW, ANON_FLAGS, -1 }),
	CALL(UNMAP, mshare_unmap, .unmap = { 0, BYTES }),
	CALL(PROTECT, mshare_protect, .protect = { 0, BYTES, RW, 0 }),
	CALL(ADVISE, mshare_advise, .advise = { 0, BYTES, MADV_COLD, 0 }),
	CALL(LOCK, mshare_lock, .lock = { 0, BYTES, 0, 0 }),
	CALL(POPULATE, mshare_populate, .populate = { 0, BYTES }),
};

FIXTURE(bad_input) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, BYTES of memory at its start, filled */
	char *p;	/* its window */
};

FIXTURE_SETUP(bad_input)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, BYTES, 1);
}

/* Whatever was refused has changed nothing. */
FIXTURE_TEARDOWN(bad_input)
{
	struct mshare_stat st;

	EXPECT_TRUE(filled(self->p, BYTES, 1));
	EXPECT_EQ(0, probe_store(self->p, 1));
	EXPECT_EQ(0, region_stat(self->fd, &st));
	EXPECT_EQ(BYTES, st.mapped_bytes);
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* The table's idea of "valid" is right, else nothing below says anything. */
TEST_F(bad_input, valid)
{
	union argument arg;
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(calls); i++) {
		arg = calls[i].valid;
		EXPECT_EQ(0, ioctl(self->fd, calls[i].cmd, &arg))
			TH_LOG("%s: %s", calls[i].name, strerror(errno));
		if (calls[i].cmd == MSHAREFS_UNMAP) {
			arg = calls[0].valid;
			ASSERT_EQ(0, ioctl(self->fd, calls[0].cmd, &arg));
			fill(self->p, BYTES, 1);
		}
	}
}

/* Misaligned, empty, negative, huge, wrapping around, outside the region. */
static const struct {
	__u64 offset;
	__u64 size;
} ranges[] = {
	{ 0, 0 },
	{ PAGE_SZ, 0 },
	{ SLOT, 0 },
	{ 1, PAGE_SZ },
	{ PAGE_SZ - 1, PAGE_SZ },
	{ 512, PAGE_SZ },
	{ 0, 1 },
	{ 0, PAGE_SZ - 1 },
	{ 0, PAGE_SZ + 1 },
	{ 0, BYTES + 512 },
	{ 0, SLOT + PAGE_SZ },
	{ PAGE_SZ, SLOT },
	{ SLOT, PAGE_SZ },
	{ SLOT - PAGE_SZ, 2 * PAGE_SZ },
	{ 4 * SLOT, PAGE_SZ },
	{ -PAGE_SZ, PAGE_SZ },
	{ -PAGE_SZ, 2 * PAGE_SZ },
	{ -2 * PAGE_SZ, PAGE_SZ },
	{ -SLOT, SLOT },
	{ -BYTES, 2 * BYTES },
	{ 0, -PAGE_SZ },
	{ PAGE_SZ, -PAGE_SZ },
	{ PAGE_SZ, -2 * PAGE_SZ },
	{ 0, ULLONG_MAX },
	{ ULLONG_MAX, ULLONG_MAX },
	{ ULLONG_MAX, 1 },
	{ 1ULL << 63, PAGE_SZ },
	{ 1ULL << 63, 1ULL << 63 },
	{ 0, 1ULL << 63 },
	/* An address of the window itself is no offset. */
	{ 4 * SLOT + PAGE_SZ, BYTES },
};

TEST_F(bad_input, ranges)
{
	union argument arg;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		for (j = 0; j < ARRAY_SIZE(ranges); j++) {
			arg = calls[i].valid;
			arg.region_offset = ranges[j].offset;
			arg.size = ranges[j].size;
			EXPECT_ERRNO(EINVAL, ioctl(self->fd, calls[i].cmd,
						   &arg));
			if (!__test_passed(_metadata)) {
				TH_LOG("%s, %llx + %llx", calls[i].name,
				       ranges[j].offset, ranges[j].size);
				return;
			}
		}
	}
}

/* A region without a size has no range to offer. */
TEST_F(bad_input, region_without_size)
{
	int fd = region_create(self->root, "empty", 0);
	union argument arg;
	unsigned int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		arg = calls[i].valid;
		EXPECT_ERRNO(EINVAL, ioctl(fd, calls[i].cmd, &arg));
	}
	close(fd);
}

/* Ranges with nothing in them: EINVAL is about the range, ENOMEM is not. */
TEST_F(bad_input, holes)
{
	union argument arg;
	unsigned int i;

	for (i = 2; i < ARRAY_SIZE(calls); i++) {
		arg = calls[i].valid;
		arg.region_offset = GB(1);
		EXPECT_ERRNO(ENOMEM, ioctl(self->fd, calls[i].cmd, &arg));
		arg.region_offset = 0;
		arg.size = 2 * BYTES;
		EXPECT_ERRNO(ENOMEM, ioctl(self->fd, calls[i].cmd, &arg));
	}
}

static char *page_before_nothing(void)
{
	char *p = mmap(NULL, 2 * PAGE_SZ, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p != MAP_FAILED)
		munmap(p + PAGE_SZ, PAGE_SZ);
	return p;
}

/* Structs that cannot be read, or end where the caller's memory ends. */
TEST_F(bad_input, unreadable)
{
	char *page = page_before_nothing();
	char *none = mmap(NULL, PAGE_SZ, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *in_kernel = (char *)~0UL - PAGE_SZ;
	unsigned int i, missing;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_NE(MAP_FAILED, none);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned int cmd = calls[i].cmd;

		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, NULL));
		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, ~0UL));
		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, in_kernel));
		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, none));
		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, page + PAGE_SZ));
		EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, self->p + GB(1)));
		for (missing = 4; missing < calls[i].bytes; missing += 4) {
			char *at = page + PAGE_SZ - calls[i].bytes + missing;

			memcpy(at, &calls[i].valid, calls[i].bytes - missing);
			EXPECT_ERRNO(EFAULT, ioctl(self->fd, cmd, at));
		}
		/* To the last byte: fine.  Where it starts is not checked. */
		if (i < 2)
			continue;
		memcpy(page + PAGE_SZ - calls[i].bytes, &calls[i].valid,
		       calls[i].bytes);
		EXPECT_EQ(0, ioctl(self->fd, cmd,
				   page + PAGE_SZ - calls[i].bytes));
	}
	munmap(page, PAGE_SZ);
	munmap(none, PAGE_SZ);
}

/* An argument in the window that the call is about. */
TEST_F(bad_input, argument_in_the_region)
{
	union argument *arg = (union argument *)(self->p + KB(512));
	unsigned int i;
	char saved = self->p[KB(512)];

	for (i = 2; i < ARRAY_SIZE(calls); i++) {
		memcpy(arg, &calls[i].valid, calls[i].bytes);
		EXPECT_EQ(0, ioctl(self->fd, calls[i].cmd, arg));
	}
	arg->protect = (struct mshare_protect){ 0, BYTES, PROT_NONE, 0 };
	EXPECT_EQ(0, ioctl(self->fd, MSHAREFS_PROTECT, arg));
	EXPECT_ERRNO(EFAULT, ioctl(self->fd, MSHAREFS_PROTECT, arg));
	EXPECT_EQ(0, region_protect(self->fd, 0, BYTES, RW));
	self->p[KB(512)] = saved;
}

/* Fields that mean nothing yet must be zero, or they never will. */
TEST_F(bad_input, reserved)
{
	static const __u32 values[] = { 1, 0x80000000, 0xffffffff };
	struct mshare_protect protect = { 0, BYTES, PROT_READ, 0 };
	struct mshare_advise advise = { 0, BYTES, MADV_DONTNEED, 0 };
	struct mshare_lock lock = { 0, BYTES, 1, 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		protect.reserved = values[i];
		advise.reserved = values[i];
		lock.reserved = values[i];
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_PROTECT,
					   &protect));
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_ADVISE, &advise));
		EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_LOCK, &lock));
	}
	EXPECT_EQ((long)(BYTES / PAGE_SZ), resident(self->fd));
}

/* Values that are none: bits of prot, advice, on. */
TEST_F(bad_input, values)
{
	static const __u32 prots[] = {
		8, 0x10, PROT_GROWSDOWN, PROT_GROWSUP, RW | 8, 0x80000000,
		0xffffffff,
	};
	static const __u32 ons[] = { 2, 3, 0x100, 0x80000000, 0xffffffff };
	static const __u32 advices[] = {
		MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_HWPOISON, 101, 5, 6, 7, 26, 99, 102,
		1000, 0x80000000, 0xffffffff,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(prots); i++)
		EXPECT_ERRNO(EINVAL, region_protect(self->fd, 0, BYTES,
						    prots[i]));
	for (i = 0; i < ARRAY_SIZE(ons); i++)
		EXPECT_ERRNO(EINVAL, region_lock(self->fd, 0, BYTES, ons[i]));
	for (i = 0; i < ARRAY_SIZE(advices); i++) {
		EXPECT_ERRNO(EINVAL, region_advise(self->fd, 0, BYTES,
						   advices[i]));
		if (!__test_passed(_metadata)) {
			TH_LOG("advice %u", advices[i]);
			break;
		}
	}
}

/* Numbers of the 'x' range that are no calls, and structs of another size. */
TEST_F(bad_input, no_such_call)
{
	union argument arg = calls[0].valid;
	unsigned int nr, i;

	for (nr = 0; nr < 0x100; nr++) {
		EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IO('x', nr), &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(self->fd, _IOW('x', nr, int), &arg));
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned int cmd = calls[i].cmd;

		EXPECT_ERRNO(ENOTTY, ioctl(self->fd, cmd ^ (1U << 16), &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(self->fd, cmd | (2U << 30), &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(self->root, cmd, &arg));
	}
}

/* Descriptors of other things. */
TEST_F(bad_input, wrong_descriptors)
{
	int pipes[2], info = openat(self->root, "mshare_info", O_RDONLY);
	int path = openat(self->root, "r", O_PATH);
	int file = memfd(BYTES), null = open("/dev/null", O_RDWR);
	union argument arg;
	unsigned int i;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, mkdirat(self->root, "dir", 0700));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		unsigned int cmd = calls[i].cmd;

		arg = calls[i].valid;
		EXPECT_ERRNO(EBADF, ioctl(-1, cmd, &arg));
		EXPECT_ERRNO(EBADF, ioctl(INT_MAX, cmd, &arg));
		EXPECT_ERRNO(EBADF, ioctl(path, cmd, &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(info, cmd, &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(file, cmd, &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(null, cmd, &arg));
		EXPECT_ERRNO(ENOTTY, ioctl(pipes[0], cmd, &arg));
	}
	close(pipes[0]);
	close(pipes[1]);
	close(null);
	close(file);
	close(path);
	close(info);
	unlinkat(self->root, "dir", AT_REMOVEDIR);
}

/* A descriptor for reading only: EBADF, before the argument is looked at. */
TEST_F(bad_input, read_only_descriptor)
{
	int reader = openat(self->root, "r", O_RDONLY);
	union argument arg;
	unsigned int i;

	ASSERT_LE(0, reader);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		arg = calls[i].valid;
		EXPECT_ERRNO(EBADF, ioctl(reader, calls[i].cmd, &arg));
		arg.size = 1;
		EXPECT_ERRNO(EBADF, ioctl(reader, calls[i].cmd, &arg));
		EXPECT_ERRNO(EBADF, ioctl(reader, calls[i].cmd, NULL));
	}
	close(reader);
}

/* CREATE_MAPPING's other fields: see create.c; here what is huge or negative. */
TEST_F(bad_input, create)
{
	struct mshare_create arg = calls[0].valid.create;
	int file = memfd(BYTES);

	ASSERT_LE(0, file);
	arg.flags = REGION_FLAGS;
	arg.fd = file;
	arg.offset = -PAGE_SZ;
	EXPECT_ERRNO(EOVERFLOW, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.offset = 1ULL << 63;
	EXPECT_ERRNO(EOVERFLOW, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.offset = 512;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.offset = ULLONG_MAX;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.offset = 0;
	arg.fd = -1;
	EXPECT_ERRNO(EBADF, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.fd = INT_MAX;
	EXPECT_ERRNO(EBADF, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.fd = self->fd;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.fd = file;
	arg.prot = 0xffffffff;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	arg.prot = RW;
	arg.flags = 0xffffffff;
	EXPECT_ERRNO(EINVAL, ioctl(self->fd, MSHAREFS_CREATE_MAPPING, &arg));
	close(file);
}

/* OPEN_OBJECT: see object_args.c; here its struct. */
TEST_F(bad_input, open_object)
{
	char *page = page_before_nothing(), *plain = shared_anon(BYTES);
	struct mshare_object arg = { (uintptr_t)plain, BYTES, 0, 0, 0 };
	unsigned int missing, bit;
	int fd;

	ASSERT_NE(MAP_FAILED, page);
	fd = ioctl(self->root, MSHAREFS_OPEN_OBJECT, &arg);
	ASSERT_LE(0, fd);
	EXPECT_ERRNO(ENOTTY, ioctl(fd, MSHAREFS_OPEN_OBJECT, &arg));
	close(fd);
	EXPECT_ERRNO(ENOTTY, ioctl(self->fd, MSHAREFS_OPEN_OBJECT, &arg));
	EXPECT_ERRNO(EFAULT, ioctl(self->root, MSHAREFS_OPEN_OBJECT, NULL));
	for (missing = 4; missing < sizeof(arg); missing += 4) {
		char *at = page + PAGE_SZ - sizeof(arg) + missing;

		memcpy(at, &arg, sizeof(arg) - missing);
		EXPECT_ERRNO(EFAULT, ioctl(self->root, MSHAREFS_OPEN_OBJECT,
					   at));
	}
	for (bit = 3; bit < 32; bit++) {
		arg.flags = 1U << bit;
		EXPECT_ERRNO(EINVAL, ioctl(self->root, MSHAREFS_OPEN_OBJECT,
					   &arg));
	}
	for (arg.flags = 0, bit = 0; bit < 32; bit++) {
		arg.reserved = 1U << bit;
		EXPECT_ERRNO(EINVAL, ioctl(self->root, MSHAREFS_OPEN_OBJECT,
					   &arg));
	}
	munmap(plain, BYTES);
	munmap(page, PAGE_SZ);
}

/* The owner is gone, and with it all that was mapped. */
static int dead_region(void *arg)
{
	int fd = region_create(*(int *)arg, "dead", SLOT);

	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, BYTES));
	return 0;
}

TEST_F(bad_input, dead_region)
{
	union argument arg;
	unsigned int i;
	int fd;

	ASSERT_EQ(0, child_wait(child_run(dead_region, &self->root)));
	fd = openat(self->root, "dead", O_RDWR);
	ASSERT_LE(0, fd);
	arg = calls[0].valid;
	EXPECT_ERRNO(EOWNERDEAD, ioctl(fd, calls[0].cmd, &arg));
	for (i = 2; i < ARRAY_SIZE(calls); i++) {
		arg = calls[i].valid;
		EXPECT_ERRNO(EOWNERDEAD, ioctl(fd, calls[i].cmd, &arg));
	}
	close(fd);
}

TEST_HARNESS_MAIN
