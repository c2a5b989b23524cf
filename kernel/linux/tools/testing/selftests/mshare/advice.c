// SPDX-License-Identifier: GPL-2.0
/*
 * madvise, mincore and msync on windows: what works goes to the region's own
 * mappings, the rest is refused.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

FIXTURE(advice) {
	struct mshare_env env;
	int root;
	int fd;		/* a region, 1 MB of memory at its start */
	char *p;	/* its window */
};

FIXTURE_SETUP(advice)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->fd = region_create(self->root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_anon(self->fd, 0, MB(1)));
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(advice)
{
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static unsigned long resident(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? ~0UL : st.resident_pages;
}

static const int good[] = {
	MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
	MADV_POPULATE_WRITE,
};

/*
 * Proves that PAGEOUT, COLD, WILLNEED and POPULATE_* are taken, for all of an
 * object and for a part, and cost no contents.  That they have an effect: see
 * below, and reclaim.c.
 */
TEST_F(advice, accepted)
{
	unsigned int i;

	fill(self->p, MB(1), 1);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(0, madvise(self->p, MB(1), good[i]))
			TH_LOG("advice %d: %s", good[i], strerror(errno));
		EXPECT_EQ(0, madvise(self->p + PAGE_SZ, PAGE_SZ, good[i]))
			TH_LOG("advice %d: %s", good[i], strerror(errno));
		EXPECT_TRUE(filled(self->p, MB(1), 1));
	}
}

/*
 * Proves that advice which frees nothing may be for a whole window: it steps
 * over what is not mapped.
 */
TEST_F(advice, accepted_for_whole_window)
{
	ASSERT_EQ(0, create_anon(self->fd, GB(7), MB(1)));
	fill(self->p, MB(1), 1);
	fill(self->p + GB(7), MB(1), 2);
	EXPECT_EQ(0, madvise(self->p, SLOT, MADV_COLD));
	EXPECT_EQ(0, madvise(self->p, SLOT, MADV_PAGEOUT));
	EXPECT_EQ(0, madvise(self->p, SLOT, MADV_WILLNEED));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	EXPECT_TRUE(filled(self->p + GB(7), MB(1), 2));
}

/*
 * Proves that advice needs neither pages in the region nor a link of the
 * window.
 */
TEST_F(advice, before_first_access)
{
	char *p = window(self->fd, SLOT, RW, NULL);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, madvise(p, MB(1), MADV_COLD));
	EXPECT_EQ(0, madvise(p, MB(1), MADV_PAGEOUT));
	EXPECT_EQ(0, madvise(p, MB(1), MADV_WILLNEED));
	for (i = 0; i < MB(1); i += PAGE_SZ)
		EXPECT_EQ(0, p[i]);
	munmap(p, SLOT);
}

/*
 * Proves that all other advice is EINVAL and leaves the memory as it is: it
 * would change the flags of a window to no effect, or zap what others use.
 */
TEST_F(advice, refused)
{
	static const int bad[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTNEED,
		MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK,
		MADV_DONTNEED_LOCKED, MADV_COLLAPSE, 1000,
	};
	unsigned int i;

	fill(self->p, MB(1), 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-1, madvise(self->p, PAGE_SZ, bad[i]))
			TH_LOG("advice %d for a page was taken", bad[i]);
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("advice %d: %s", bad[i], strerror(errno));
		EXPECT_EQ(-1, madvise(self->p, SLOT, bad[i]))
			TH_LOG("advice %d for all was taken", bad[i]);
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("advice %d: %s", bad[i], strerror(errno));
	}
	EXPECT_EQ(MB(1) / PAGE_SZ, resident(self->fd));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
}

static struct { volatile int code; void *volatile addr; } told;

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	told.code = info->si_code;
	told.addr = info->si_addr;
}

static void listen_to_sigbus(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(SIGBUS, &action, NULL));
}

struct victim {
	char *page;
	char *again;	/* the same page elsewhere, or NULL */
	struct stage *stage;
};

/* Who uses a page that is lost has to be told where: "action required". */
static int poison(void *arg)
{
	struct victim *victim = arg;

	listen_to_sigbus();
	CHECK(!madvise(victim->page, PAGE_SZ, MADV_HWPOISON));
	CHECK(told.code == BUS_MCEERR_AR);
	CHECK(told.addr == victim->page || told.addr == victim->again);
	return 0;
}

/* Writes the page (step 1), does not touch it again, and is told (step 2). */
static int be_told(void *arg)
{
	struct victim *victim = arg;

	listen_to_sigbus();
	CHECK(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	*victim->page = 1;
	stage_set(victim->stage, 1);
	CHECK(stage_wait(victim->stage, 2));
	CHECK(told.code == BUS_MCEERR_AO);
	CHECK(told.addr == victim->page);
	return 0;
}

/*
 * Proves that memory-failure finds a page of a window by its host vma: the page
 * is replaced while it is still good, and gone for all windows when it is not.
 */
TEST_F(advice, injected_memory_failure)
{
	char *other = window(self->fd, SLOT, RW, NULL);
	struct victim victim = { self->p, other };

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_EQ(0, probe_store(self->p, 1));
	ASSERT_EQ(0, probe_load(other));
	EXPECT_EQ(0, madvise(self->p, PAGE_SZ, MADV_SOFT_OFFLINE));
	EXPECT_EQ(0, probe_load(other));
	EXPECT_EQ(1, *other);
	EXPECT_EQ(0, child_wait(child_run(poison, &victim)));
	EXPECT_EQ(SIGBUS, probe_load(self->p));
	EXPECT_EQ(SIGBUS, probe_load(other));
	munmap(other, SLOT);
}

static void expect_early_kill(struct __test_metadata *_metadata, char *page)
{
	struct victim victim = { page, NULL, stage_new() };
	pid_t pid;

	ASSERT_NE(NULL, victim.stage);
	pid = child_run(be_told, &victim);
	ASSERT_TRUE(stage_wait(victim.stage, 1));
	EXPECT_EQ(0, child_wait(child_run(poison, &victim)));
	stage_set(victim.stage, 2);
	EXPECT_EQ(0, child_wait(pid));
}

/*
 * Proves that whoever asked to be told of a dirty page that is lost is told of
 * one in a window, and where he has it, as whoever used it.
 */
TEST_F(advice, early_kill)
{
	expect_early_kill(_metadata, self->p + PAGE_SZ);
}

/* The same of a page of an ordinary mapping: what the tests above compare to. */
TEST_F(advice, early_kill_without_window)
{
	char *page = shared_anon(MB(1));

	expect_early_kill(_metadata, page);
	munmap(page, MB(1));
}

/*
 * Proves that MADV_REMOVE punches a hole into the object, for all who map it.
 */
TEST_F(advice, remove)
{
	int i, file = memfd(MB(1));
	char *plain = mmap(NULL, MB(1), RW, MAP_SHARED, file, 0);

	ASSERT_NE(MAP_FAILED, plain);
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), MB(1), 0, RW,
				    REGION_FLAGS, file));
	fill(self->p + GB(1), MB(1), 1);
	EXPECT_EQ(0, madvise(self->p + GB(1) + 8 * PAGE_SZ, 8 * PAGE_SZ,
			     MADV_REMOVE));
	for (i = 0; i < 32; i++) {
		EXPECT_EQ(i / 8 == 1 ? 0 : i + 1, plain[i * PAGE_SZ]);
		EXPECT_EQ(i / 8 == 1 ? 0 : i + 1,
			  self->p[GB(1) + i * PAGE_SZ]);
	}
	munmap(plain, MB(1));
	close(file);
}

/*
 * Proves that MADV_REMOVE needs a window that may write, as it needs such a
 * mapping elsewhere.
 */
TEST_F(advice, remove_through_read_only_window)
{
	int reader = openat(self->root, "r", O_RDONLY);
	char *ro = window(reader, SLOT, PROT_READ, NULL);

	ASSERT_NE(MAP_FAILED, ro);
	fill(self->p, MB(1), 1);
	EXPECT_EQ(-1, madvise(ro, MB(1), MADV_REMOVE));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	munmap(ro, SLOT);
	close(reader);
}

/* Proves that POPULATE_READ and _WRITE fault the object in for all windows. */
TEST_F(advice, populate)
{
	char *other = window(self->fd, SLOT, RW, NULL);
	long faults;

	ASSERT_NE(MAP_FAILED, other);
	EXPECT_EQ(0, madvise(self->p, MB(1) / 2, MADV_POPULATE_READ));
	EXPECT_EQ(0, madvise(self->p + MB(1) / 2, MB(1) / 2,
			     MADV_POPULATE_WRITE));
	EXPECT_EQ(MB(1) / PAGE_SZ, resident(self->fd));
	EXPECT_EQ(0, probe_load(other));
	touch(self->p, PAGE_SZ);
	faults = minor_faults();
	touch(self->p + MB(1) / 2, MB(1) / 2);
	touch(other + MB(1) / 2, MB(1) / 2);
	EXPECT_EQ(faults, minor_faults());
	munmap(other, SLOT);
}

/*
 * Proves that population fails where nothing is mapped, and that the kernel
 * does not warn: in v3 handle_mm_fault() did.
 */
TEST_F(advice, populate_nothing)
{
	EXPECT_EQ(-1, madvise(self->p + GB(1), MB(1), MADV_POPULATE_READ));
	EXPECT_EQ(-1, madvise(self->p + GB(1), MB(1), MADV_POPULATE_WRITE));
	EXPECT_EQ(-1, madvise(self->p, MB(2), MADV_POPULATE_READ));
	EXPECT_EQ(-1, madvise(self->p, SLOT, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, probe_store(self->p, 1));
}

/*
 * Proves that the window's rights hold for population: POPULATE_WRITE needs one
 * that may write, and PROT_NONE allows neither.
 */
TEST_F(advice, populate_needs_protection)
{
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_READ));
	EXPECT_EQ(-1, madvise(self->p, MB(1), MADV_POPULATE_WRITE));
	EXPECT_EQ(0, madvise(self->p, MB(1), MADV_POPULATE_READ));
	EXPECT_EQ(SIGSEGV, probe_store(self->p, 1));
	ASSERT_EQ(0, mprotect(self->p, SLOT, PROT_NONE));
	EXPECT_EQ(-1, madvise(self->p, MB(1), MADV_POPULATE_READ));
	EXPECT_EQ(SIGSEGV, probe_load(self->p));
}

static int wait_for_end(void *arg)
{
	stage_wait(arg, 1);
	return 0;
}

/*
 * Proves that advice for another process's window (process_madvise) is as good.
 */
TEST_F(advice, process_madvise)
{
	struct iovec range = { self->p, MB(1) };
	struct stage *stage = stage_new();
	int pidfd;
	pid_t pid;

	ASSERT_NE(NULL, stage);
	fill(self->p, MB(1), 1);
	pid = child_run(wait_for_end, stage);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	EXPECT_LE(0, pidfd);
	EXPECT_EQ((long)MB(1), syscall(SYS_process_madvise, pidfd, &range, 1UL,
				       MADV_COLD, 0UL));
	EXPECT_EQ((long)MB(1), syscall(SYS_process_madvise, pidfd, &range, 1UL,
				       MADV_PAGEOUT, 0UL));
	EXPECT_EQ((long)MB(1), syscall(SYS_process_madvise, pidfd, &range, 1UL,
				       MADV_WILLNEED, 0UL));
	stage_set(stage, 1);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
	close(pidfd);
}

/*
 * Proves that mincore() answers from the object: what was touched, by
 * whoever, is in memory.
 */
TEST_F(advice, mincore)
{
	unsigned char vec[8];

	memset(vec, 0xaa, sizeof(vec));
	fill(self->p, 2 * PAGE_SZ, 1);
	ASSERT_EQ(0, mincore(self->p, 4 * PAGE_SZ, vec));
	EXPECT_EQ(1, vec[0] & 1);
	EXPECT_EQ(1, vec[1] & 1);
	EXPECT_EQ(0, vec[2] & 1);
	EXPECT_EQ(0, vec[3] & 1);
	EXPECT_EQ(0xaa, vec[4]);
}

struct onlooker {
	int root;
	int file;	/* another user's, to be read only: half in memory */
	int region;	/* the same */
};

#define HALF	MB(1)

/* Do the first page and the last seem to be in memory? */
static bool mincore_says(char *p, int first, int last)
{
	static unsigned char vec[2 * HALF / PAGE_SZ];

	CHECK(!mincore(p, 2 * HALF, vec));
	return (vec[0] & 1) == first && (vec[sizeof(vec) - 1] & 1) == last;
}

static int onlooker(void *arg)
{
	struct onlooker *on = arg;
	char *own, *p;
	int fd;

	become_nobody();
	/* Somebody else's file in a region of one's own. */
	fd = region_create(on->root, "own", SLOT);
	CHECK(fd >= 0);
	CHECK(!create_mapping(fd, 0, 2 * HALF, 0, PROT_READ, REGION_FLAGS,
			      on->file));
	p = window(fd, SLOT, RW, NULL);
	CHECK(p != MAP_FAILED);
	CHECK(mincore_says(p, 1, 1));
	/* Somebody else's region. */
	p = window(on->region, SLOT, PROT_READ, NULL);
	CHECK(p != MAP_FAILED);
	CHECK(mincore_says(p, 1, 1));
	/* One's own memory, in the region of an object. */
	own = shared_anon(2 * HALF);
	CHECK(own != MAP_FAILED);
	fill(own, HALF, 1);
	fd = object_open(on->root, own, 2 * HALF, 0);
	CHECK(fd >= 0);
	p = object_window(fd, RW, NULL);
	CHECK(p != MAP_FAILED);
	CHECK(mincore_says(p, 1, 0));
	CHECK(!unlinkat(on->root, "own", 0));
	return 0;
}

/*
 * Proves that what others have in memory is not told to who may but read it:
 * then, as with a plain mapping, all of it seems to be.
 */
TEST_F(advice, mincore_of_others)
{
	struct onlooker on = { .root = self->root };
	int file = memfd(2 * HALF);
	char path[32];

	ASSERT_LE(0, file);
	ASSERT_EQ(1, pwrite(file, "x", 1, 0));
	ASSERT_EQ(0, fchmod(file, 0444));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	on.file = open(path, O_RDONLY);
	ASSERT_LE(0, on.file);
	ASSERT_EQ(0, create_anon(self->fd, 0, 2 * HALF));
	fill(self->p, HALF, 1);
	EXPECT_TRUE(mincore_says(self->p, 1, 0));
	on.region = openat(self->root, "r", O_RDONLY);
	ASSERT_LE(0, on.region);
	EXPECT_EQ(0, child_wait(child_run(onlooker, &on)));
	close(on.region);
	close(on.file);
	close(file);
}

/*
 * Proves that mincore() says ENOMEM where there is no object, as where there is
 * no mapping.
 */
TEST_F(advice, mincore_of_nothing)
{
	unsigned char *vec = malloc(GB(1) / PAGE_SZ);

	ASSERT_NE(NULL, vec);
	fill(self->p, MB(1), 1);
	EXPECT_ERRNO(ENOMEM, mincore(self->p + GB(2), GB(1), vec));
	EXPECT_ERRNO(ENOMEM, mincore(self->p, MB(2), vec));
	EXPECT_EQ(0, mincore(self->p, MB(1), vec));
	free(vec);
}

/*
 * Proves that MADV_COLD of a window takes the accessed bits away that are in
 * the page tables of the region, of the range and no more.
 */
TEST_F(advice, cold)
{
	/* Pages that another CPU has still to put on a list are passed over. */
	run_on(sched_getcpu());
	fill(self->p, MB(1), 1);
	EXPECT_EQ(1024, smaps_kb(self->p, "Referenced"));
	ASSERT_EQ(0, madvise(self->p, MB(1) / 2, MADV_COLD));
	EXPECT_EQ(512, smaps_kb(self->p, "Referenced"));
	ASSERT_EQ(0, madvise(self->p, SLOT, MADV_COLD));
	EXPECT_EQ(0, smaps_kb(self->p, "Referenced"));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
}

#define DISK	"/mnt"
#define DISKED	MB(2)

/* A file on a disk, DISKED long, none of it in memory; -1 without a disk. */
static int file_on_disk(const char **why)
{
	static char zeros[DISKED];
	int fd;

	*why = ext4_mount(DISK, MB(64));
	if (*why)
		return -1;
	fd = open(DISK "/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, zeros, DISKED) != (ssize_t)DISKED || fsync(fd) ||
	    posix_fadvise(fd, 0, DISKED, POSIX_FADV_DONTNEED))
		*why = strerror(errno);
	return fd;
}

/* Pages of the plain mapping @p that are in memory. */
static long in_memory(char *p, size_t bytes)
{
	static unsigned char vec[DISKED / PAGE_SZ];
	long pages = 0;
	size_t i;

	CHECK(!mincore(p, bytes, vec));
	for (i = 0; i < bytes / PAGE_SZ; i++)
		pages += vec[i] & 1;
	return pages;
}

/*
 * Proves that MADV_WILLNEED of a window reaches the object: a file's pages are
 * read from the disk before anybody touches them.
 */
TEST_F(advice, willneed_reads_the_file)
{
	const char *why;
	int file = file_on_disk(&why);
	double end = now() + 60;
	char *plain;

	if (why)
		SKIP(return, "%s", why);
	plain = mmap(NULL, DISKED, PROT_READ, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, plain);
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), DISKED, 0, RW,
				    REGION_FLAGS, file));
	EXPECT_EQ(0, in_memory(plain, DISKED));
	/* As much as is read ahead for any disk; it does not wait for that. */
	EXPECT_EQ(0, madvise(self->p + GB(1), KB(128), MADV_WILLNEED));
	while (in_memory(plain, KB(128)) < (long)(KB(128) / PAGE_SZ) &&
	       now() < end)
		usleep(10 * 1000);
	EXPECT_EQ((long)(KB(128) / PAGE_SZ), in_memory(plain, KB(128)));
	EXPECT_EQ(0, in_memory(plain + DISKED / 2, DISKED / 2));
	ASSERT_EQ(0, unmap(self->fd, GB(1), DISKED));
	munmap(plain, DISKED);
	close(file);
	EXPECT_EQ(0, umount2(DISK, 0));
}

/* Faults that it takes to write to each page. */
static long faults_of_writing(char *p, size_t bytes)
{
	long before = minor_faults();

	fill(p, bytes, 1);
	return minor_faults() - before;
}

/*
 * Proves that msync() of a window reaches the object.  A page that has been
 * written to its disk is write-protected until it is dirtied again: the next
 * store to it takes a fault, and none takes one that was not in the range.
 */
TEST_F(advice, msync_writes_the_file)
{
	const long half = DISKED / PAGE_SZ / 2;
	const char *why;
	int file = file_on_disk(&why);
	char *view = self->p + GB(1);

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), DISKED, 0, RW,
				    REGION_FLAGS, file));
	fill(view, DISKED, 1);
	EXPECT_GT(half / 4, faults_of_writing(view, DISKED));
	ASSERT_EQ(0, msync(view, DISKED / 2, MS_SYNC));
	EXPECT_GT(half / 4, faults_of_writing(view + DISKED / 2, DISKED / 2));
	EXPECT_LE(half, faults_of_writing(view, DISKED / 2));
	ASSERT_EQ(0, msync(self->p, SLOT, MS_SYNC));
	EXPECT_LE(2 * half, faults_of_writing(view, DISKED));
	ASSERT_EQ(0, unmap(self->fd, GB(1), DISKED));
	close(file);
	EXPECT_EQ(0, umount2(DISK, 0));
}

/* Proves that msync() of memory without a disk does nothing, and no harm. */
TEST_F(advice, msync)
{
	fill(self->p, MB(1), 1);
	EXPECT_EQ(0, msync(self->p, MB(1), MS_SYNC));
	EXPECT_EQ(0, msync(self->p, MB(1), MS_ASYNC));
	EXPECT_EQ(0, msync(self->p, SLOT, MS_SYNC | MS_INVALIDATE));
	EXPECT_TRUE(filled(self->p, MB(1), 1));
}

TEST_HARNESS_MAIN
