// SPDX-License-Identifier: GPL-2.0
/*
 * Things that happen at the same time: finding a region and its end, threads
 * and munmap, mprotect and writers, the owner's exit and everything else.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "mshare_ioctl.h"

#define BYTES	MB(2)
#define PARTIES	4

FIXTURE(race) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(race)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

struct party {
	int root;
	char *plain;
	struct stage *stage;
	unsigned int nr;
};

/* The number of children that have failed at fn(party). */
static int run_parties(int (*fn)(void *arg), struct party *party)
{
	pid_t pid[PARTIES];
	int i, failed = 0;

	for (i = 0; i < PARTIES; i++) {
		party->nr = i;
		pid[i] = child_run(fn, party);
	}
	for (i = 0; i < PARTIES; i++)
		failed += !!child_wait(pid[i]);
	return failed;
}

static int open_and_close(void *arg)
{
	struct party *party = arg;
	char *view;
	int i, fd;

	for (i = 0; i < 300; i++) {
		fd = object_open(party->root, party->plain, BYTES, 0);
		CHECK(fd >= 0);
		view = object_window(fd, RW, NULL);
		CHECK(view != MAP_FAILED);
		if (i & 1)
			close(fd);
		view[party->nr] = i;
		CHECK(filled(view + PAGE_SZ, BYTES - PAGE_SZ, 1));
		CHECK(view[party->nr] == (char)i);
		CHECK(!munmap(view, SLOT));
		if (!(i & 1))
			close(fd);
		if (i % 16 == 0)
			usleep(1000);
	}
	return 0;
}

/* A region is found or made anew while its last user is leaving. */
TEST_F_TIMEOUT(race, find_and_free, 120)
{
	struct party party = { .root = self->root, .stage = self->stage };

	party.plain = shared_anon(BYTES);
	ASSERT_NE(MAP_FAILED, party.plain);
	fill(party.plain + PAGE_SZ, BYTES - PAGE_SZ, 1);
	EXPECT_EQ(0, run_parties(open_and_close, &party));
	munmap(party.plain, BYTES);
}

static int open_somewhere(void *arg)
{
	struct party *party = arg;
	char *at, *view;
	int i, fd;

	for (i = 0; i < 300; i++) {
		at = WINDOW_AT(0) + GB(1 + (i + party->nr) % 3);
		fd = object_open_at(party->root, party->plain, BYTES, at, 0);
		if (fd < 0) {
			CHECK(errno == EINVAL);
			continue;
		}
		view = object_window(fd, RW, WINDOW_AT(0));
		CHECK(view == at);
		CHECK(filled(view, BYTES, 1));
		close(fd);
		CHECK(!munmap(WINDOW_AT(0), SLOT));
	}
	return 0;
}

/* With different wishes for the place: each gets its own, or EINVAL. */
TEST_F_TIMEOUT(race, placements, 120)
{
	struct party party = { .root = self->root, .stage = self->stage };

	party.plain = shared_anon(BYTES);
	ASSERT_NE(MAP_FAILED, party.plain);
	fill(party.plain, BYTES, 1);
	EXPECT_EQ(0, run_parties(open_somewhere, &party));
	munmap(party.plain, BYTES);
}

static void *read_for_ever(void *arg)
{
	struct party *party = arg;

	load(party->plain);
	stage_add(party->stage);
	for (;;)
		load(party->plain);
	return NULL;
}

static int munmap_under_thread(void *arg)
{
	struct party *party = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, read_for_ever, party));
	CHECK(stage_wait(party->stage, 1));
	usleep(10 * 1000);
	CHECK(!munmap(party->plain, SLOT));
	pthread_join(thread, NULL);
	return 0;
}

/*
 * Proves that munmap() of a window unlinks and flushes: a thread that has the
 * translation must fault.
 */
TEST_F(race, munmap_and_threads)
{
	int fd = region_anon(self->root, BYTES), i;
	struct party party = { .stage = self->stage };

	party.plain = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, party.plain);
	fill(party.plain, BYTES, 1);
	for (i = 0; i < 10; i++) {
		stage_set(self->stage, 0);
		EXPECT_EQ(128 + SIGSEGV,
			  child_wait(child_run(munmap_under_thread, &party)));
	}
	EXPECT_TRUE(filled(party.plain, BYTES, 1));
	munmap(party.plain, SLOT);
	close(fd);
}

static void *write_for_ever(void *arg)
{
	struct party *party = arg;

	store(party->plain, 1);
	stage_add(party->stage);
	for (;;)
		store(party->plain, 1);
	return NULL;
}

static int mprotect_under_thread(void *arg)
{
	struct party *party = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, write_for_ever, party));
	CHECK(stage_wait(party->stage, 1));
	usleep(10 * 1000);
	CHECK(!mprotect(party->plain, SLOT, PROT_READ));
	pthread_join(thread, NULL);
	return 0;
}

/* Proves that mprotect() flushes, too: no thread writes a moment longer. */
TEST_F(race, mprotect_and_threads)
{
	int fd = region_anon(self->root, BYTES), i;
	struct party party = { .stage = self->stage };

	party.plain = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, party.plain);
	for (i = 0; i < 10; i++) {
		stage_set(self->stage, 0);
		EXPECT_EQ(128 + SIGSEGV,
			  child_wait(child_run(mprotect_under_thread,
					       &party)));
	}
	munmap(party.plain, SLOT);
	close(fd);
}

static int toggle_own_window(void *arg)
{
	struct party *party = arg;
	static char here[PAGE_SZ];
	struct iovec local = { here, PAGE_SZ };
	struct iovec remote = { party->plain, PAGE_SZ };
	int i;

	for (i = 0; i < 500; i++) {
		CHECK(!mprotect(party->plain, SLOT, PROT_READ));
		CHECK(probe_store(party->plain + party->nr, i) == SIGSEGV);
		CHECK(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) ==
		      -1);
		CHECK(!mprotect(party->plain, SLOT, RW));
		CHECK(!probe_store(party->plain + party->nr, i));
		CHECK(party->plain[party->nr] == (char)i);
	}
	return 0;
}

/*
 * Proves that processes change their own windows all the time, and only those.
 */
TEST_F_TIMEOUT(race, mprotect_in_many_processes, 120)
{
	int fd = region_anon(self->root, BYTES);
	struct party party = { .stage = self->stage };

	party.plain = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, party.plain);
	EXPECT_EQ(0, run_parties(toggle_own_window, &party));
	munmap(party.plain, SLOT);
	close(fd);
}

#define LARGE	MB(256)

enum { END, UNMAPPING, MEANWHILE, ALL };	/* of stage->value */

/* Has the kernel look a page of the window up, again and again. */
static int look_up(void *arg)
{
	struct party *party = arg;
	long *value = party->stage->value, unmapping;
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { party->plain, 1 };

	stage_add(party->stage);
	while (!load(&value[END])) {
		unmapping = load(&value[UNMAPPING]);
		CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
		      1);
		if (unmapping && unmapping == load(&value[UNMAPPING]))
			store(&value[MEANWHILE], value[MEANWHILE] + 1);
		store(&value[ALL], value[ALL] + 1);
	}
	return 0;
}

/* Look-ups a second, while what is at GB(1) of the region gets unmapped. */
static double look_ups_while_unmapping(int fd, int file, long *value)
{
	double start;

	CHECK(!create_mapping(fd, GB(1), LARGE, 0, RW, REGION_FLAGS, file));
	CHECK(!region_populate(fd, GB(1), LARGE));
	store(&value[MEANWHILE], 0);
	start = now();
	store(&value[UNMAPPING], 1);
	CHECK(!unmap(fd, GB(1), LARGE));
	store(&value[UNMAPPING], 0);
	return load(&value[MEANWHILE]) / (now() - start);
}

/*
 * Proves that slow GUP holds the lock of the host mm while it looks a page up
 * for a window: it has to wait for one who unmaps something from the region.
 */
TEST_F(race, gup_waits_for_unmap)
{
	int fd = region_anon(self->root, BYTES), file = memfd(LARGE), round;
	struct party party = { .stage = self->stage };
	double usual, least = 1e9, start;
	long *value = self->stage->value, before;
	pid_t pid;

	ASSERT_LE(0, file);
	party.plain = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, party.plain);
	fill(party.plain, BYTES, 1);
	pid = child_run(look_up, &party);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	for (round = 0; round < 5; round++) {
		double rate = look_ups_while_unmapping(fd, file, value);

		least = rate < least ? rate : least;
	}
	start = now();
	before = load(&value[ALL]);
	/* As long as it takes to see some: the other CPU may be slow. */
	do {
		usleep(200 * 1000);
	} while (load(&value[ALL]) - before < 1000 && now() - start < 60);
	usual = (load(&value[ALL]) - before) / (now() - start);
	store(&value[END], 1);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_LT(4 * least, usual);
	munmap(party.plain, SLOT);
	close(file);
	close(fd);
}

static int short_lived_owner(void *arg)
{
	struct party *party = arg;
	int fd = region_create(party->root, "r", SLOT);

	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, BYTES));
	stage_add(party->stage);
	usleep(party->nr * 200);
	return 0;
}

/* Uses the region in every way until it is dead. */
static int guest_of_the_dying(void *arg)
{
	struct party *party = arg;
	int fd = openat(party->root, "r", O_RDWR);
	unsigned long offset = GB(1) * (1 + party->nr);
	pid_t pid;
	char *p;

	CHECK(fd >= 0);
	for (;;) {
		p = window(fd, SLOT, RW, NULL);
		CHECK(p != MAP_FAILED);
		probe_store(p, 1);
		madvise(p, BYTES, MADV_POPULATE_WRITE);
		pid = child_fork();
		if (!pid) {
			probe_store(p + PAGE_SZ, 1);
			_exit(0);
		}
		CHECK(!child_wait(pid));
		if (create_anon(fd, offset, PAGE_SZ)) {
			CHECK(errno == EOWNERDEAD);
			break;
		}
		probe_store(p + offset, 1);
		CHECK(!munmap(p, SLOT));
	}
	CHECK(probe_load(p) == SIGSEGV);
	CHECK(probe_load(p + offset) == SIGSEGV);
	return 0;
}

/*
 * Proves that the owner's exit unmaps everything, whatever the others are at.
 */
TEST_F_TIMEOUT(race, owner_exit, 120)
{
	struct party party = { .root = self->root, .stage = self->stage };
	struct mshare_stat st;
	int i, fd;
	pid_t pid;

	for (i = 0; i < 40; i++) {
		stage_set(self->stage, 0);
		party.nr = i;
		pid = child_run(short_lived_owner, &party);
		ASSERT_TRUE(stage_wait(self->stage, 1));
		EXPECT_EQ(0, run_parties(guest_of_the_dying, &party));
		EXPECT_EQ(0, child_wait(pid));
		fd = openat(self->root, "r", O_RDWR);
		ASSERT_EQ(0, region_stat(fd, &st));
		EXPECT_EQ(0UL, st.mapped_bytes);
		EXPECT_EQ(0UL, st.resident_pages);
		EXPECT_EQ(0UL, st.windows);
		close(fd);
		ASSERT_EQ(0, unlinkat(self->root, "r", 0));
	}
}

TEST_HARNESS_MAIN
