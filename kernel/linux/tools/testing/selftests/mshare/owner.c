// SPDX-License-Identifier: GPL-2.0
/*
 * The process that creates a region owns it: when it exits, everything in the
 * region is unmapped.  A process: neither a thread, nor a child, nor a program.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

FIXTURE(owner) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(owner)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(owner)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

struct owner {
	int root;
	struct stage *stage;
};

/* The path of a program that is built beside this one. */
static bool beside_us(const char *name, char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	if (length < 0)
		return false;
	path[length] = '\0';
	slash = strrchr(path, '/') + 1;
	return snprintf(slash, size - (slash - path), "%s", name) <
	       (int)(size - (slash - path));
}

static int make_region(int root)
{
	int fd = region_create(root, "r", SLOT);
	char *p;

	if (fd < 0 || create_anon(fd, 0, MB(1)) || create_anon(fd, GB(1), MB(1)))
		return -1;
	p = window(fd, SLOT, RW, NULL);
	if (p == MAP_FAILED)
		return -1;
	fill(p, MB(1), 1);
	return fd;
}

/* Makes the region, says so (step 1), and exits at step 2. */
static int plain_owner(void *arg)
{
	struct owner *owner = arg;

	CHECK(make_region(owner->root) >= 0);
	stage_set(owner->stage, 1);
	CHECK(stage_wait(owner->stage, 2));
	return 0;
}

/*
 * Proves that a region is like any other while its owner lives, and that with
 * the owner's exit everything in it is gone for its guests.
 */
TEST_F(owner, exit)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(plain_owner, &owner);
	struct mshare_stat st;
	int fd;
	char *p;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(filled(p, MB(1), 1));
	EXPECT_EQ(0, create_anon(fd, GB(2), PAGE_SZ));
	EXPECT_EQ(0, probe_store(p + GB(2), 1));
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(0U, st.flags & MSHARE_STAT_DEAD);

	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	/* Everything is unmapped: others' accesses get SIGSEGV. */
	EXPECT_EQ(SIGSEGV, probe_load(p));
	EXPECT_EQ(SIGSEGV, probe_store(p + GB(1), 1));
	EXPECT_EQ(SIGSEGV, probe_load(p + GB(2)));
	/* Nothing can be mapped any more. */
	EXPECT_ERRNO(EOWNERDEAD, create_anon(fd, 0, PAGE_SZ));
	EXPECT_ERRNO(EOWNERDEAD, create_anon(fd, GB(3), PAGE_SZ));
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_DEAD, st.flags & MSHARE_STAT_DEAD);
	EXPECT_EQ(0UL, st.mapped_bytes);
	EXPECT_EQ(0UL, st.resident_pages);
	EXPECT_EQ(SLOT, st.region_bytes);
	unmap(fd, 0, PAGE_SZ);
	EXPECT_EQ(0, munmap(p, SLOT));
	close(fd);
}

/* Proves the same of an owner that is killed. */
TEST_F(owner, sigkill)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(plain_owner, &owner);
	int fd;
	char *p;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(filled(p, MB(1), 1));
	child_kill(pid);
	EXPECT_EQ(SIGSEGV, probe_load(p));
	EXPECT_ERRNO(EOWNERDEAD, create_anon(fd, 0, PAGE_SZ));
	munmap(p, SLOT);
	close(fd);
}

/* Becomes a program of 32 bits, which exits at once. */
static int owner_of_32_bits(void *arg)
{
	struct owner *owner = arg;
	char path[4096];

	CHECK(make_region(owner->root) >= 0);
	stage_set(owner->stage, 1);
	CHECK(stage_wait(owner->stage, 2));
	CHECK(beside_us("owner_exit32", path, sizeof(path)));
	execl(path, path, NULL);
	return errno == ENOEXEC ? 99 : 1;
}

/*
 * Proves that everything is unmapped, and given back, whatever addresses the
 * owner had at last.
 */
TEST_F(owner, exit_of_32_bits)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(owner_of_32_bits, &owner);
	struct mshare_stat st;
	int fd, status;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MB(2), st.mapped_bytes);
	stage_set(self->stage, 2);
	status = child_wait(pid);
	if (status == 99)
		SKIP(close(fd); return, "this kernel runs no programs of 32 bits");
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, region_stat(fd, &st));
	EXPECT_EQ(MSHARE_STAT_DEAD, st.flags & MSHARE_STAT_DEAD);
	EXPECT_EQ(0UL, st.mapped_bytes);
	EXPECT_EQ(0UL, st.resident_pages);
	close(fd);
}

static int owner_without_size(void *arg)
{
	struct owner *owner = arg;

	return region_create(owner->root, "r", 0) < 0;
}

/*
 * Proves that a region whose owner died before it had a size is dead as well.
 */
TEST_F(owner, exit_before_size)
{
	struct owner owner = { self->root, self->stage };
	int fd;

	EXPECT_EQ(0, child_wait(child_run(owner_without_size, &owner)));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	ftruncate(fd, SLOT);
	EXPECT_EQ(-1, create_anon(fd, 0, PAGE_SZ));
	close(fd);
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
}

static int reader(void *arg)
{
	struct owner *owner = arg;
	int fd = openat(owner->root, "r", O_RDONLY);
	char *p = window(fd, SLOT, PROT_READ, NULL);

	CHECK(p != MAP_FAILED);
	load(p);
	stage_add(owner->stage);
	for (;;)
		load(p);
	return 0;
}

/*
 * Proves that the exit flushes all guests: those in the middle of reading get
 * SIGSEGV.  In v3 the teardown of the host mm flushed nobody.
 */
TEST_F(owner, exit_while_others_read)
{
	struct stage *readers = stage_new();
	struct owner owner = { self->root, self->stage };
	struct owner reading = { self->root, readers };
	pid_t pids[4], pid = child_run(plain_owner, &owner);
	int i;

	ASSERT_NE(NULL, readers);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	for (i = 0; i < 4; i++)
		pids[i] = child_run(reader, &reading);
	EXPECT_TRUE(stage_wait(readers, 4));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(128 + SIGSEGV, child_wait(pids[i]));
	EXPECT_EQ(0, unlinkat(self->root, "r", 0));
}

/* True when the region holds what its owner put there. */
static bool alive(int root)
{
	int fd = openat(root, "r", O_RDWR);
	bool ok = false;
	char *p;

	if (fd < 0)
		return false;
	p = window(fd, SLOT, RW, NULL);
	if (p != MAP_FAILED) {
		ok = !probe_load(p) && filled(p, MB(1), 1) &&
		     !create_anon(fd, GB(4), PAGE_SZ) && !unmap(fd, GB(4), GB(1));
		munmap(p, SLOT);
	}
	close(fd);
	return ok;
}

static void *region_in_thread(void *arg)
{
	struct owner *owner = arg;

	CHECK(make_region(owner->root) >= 0);
	return NULL;
}

static int threaded_owner(void *arg)
{
	struct owner *owner = arg;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, region_in_thread, owner));
	CHECK(!pthread_join(thread, NULL));
	stage_set(owner->stage, 1);
	CHECK(stage_wait(owner->stage, 2));
	return 0;
}

/*
 * Proves that the process owns a region, not the thread that made it (v3: the
 * task).
 */
TEST_F(owner, thread_exit)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(threaded_owner, &owner);

	EXPECT_TRUE(stage_wait(self->stage, 1));
	usleep(50 * 1000);
	EXPECT_TRUE(alive(self->root));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_FALSE(alive(self->root));
}

static void *last_thread(void *arg)
{
	struct owner *owner = arg;

	stage_set(owner->stage, 1);
	stage_wait(owner->stage, 2);
	_exit(0);
}

static int leaderless_owner(void *arg)
{
	struct owner *owner = arg;
	pthread_t thread;

	CHECK(make_region(owner->root) >= 0);
	CHECK(!pthread_create(&thread, NULL, last_thread, owner));
	pthread_exit(NULL);
	return 1;
}

/*
 * Proves that its first thread does not either: the process lives as long as
 * any of them.
 */
TEST_F(owner, main_thread_exit)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(leaderless_owner, &owner);

	EXPECT_TRUE(stage_wait(self->stage, 1));
	usleep(50 * 1000);
	EXPECT_TRUE(alive(self->root));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_FALSE(alive(self->root));
}

static int forking_owner(void *arg)
{
	struct owner *owner = arg;
	pid_t pid;

	CHECK(make_region(owner->root) >= 0);
	pid = child_fork();
	if (!pid)
		_exit(0);
	CHECK(!child_wait(pid));
	pid = vfork();
	if (!pid)
		_exit(0);
	CHECK(!child_wait(pid));
	pid = vfork();
	if (!pid) {
		execlp("true", "true", NULL);
		_exit(1);
	}
	CHECK(!child_wait(pid));
	stage_set(owner->stage, 1);
	CHECK(stage_wait(owner->stage, 2));
	return 0;
}

/*
 * Proves that children of the owner own nothing, also when they share its
 * memory.
 */
TEST_F(owner, children_exit)
{
	struct owner owner = { self->root, self->stage };
	pid_t pid = child_run(forking_owner, &owner);

	EXPECT_TRUE(stage_wait(self->stage, 1));
	EXPECT_TRUE(alive(self->root));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_FALSE(alive(self->root));
}

/* Proves that the owner goes on owning when it execs another program. */
TEST_F(owner, exec)
{
	int out[2], in[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
	pid = child_fork();
	if (!pid) {
		CHECK(make_region(self->root) >= 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("sh", "sh", "-c", "echo x; read y", NULL);
		_exit(1);
	}
	EXPECT_EQ(1, read(out[0], &byte, 1));
	EXPECT_TRUE(alive(self->root));
	EXPECT_EQ(1, write(in[1], "\n", 1));
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_FALSE(alive(self->root));
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

/* A process can own many regions; all of them end with it. */
static int owner_of_many(void *arg)
{
	struct owner *owner = arg;
	char name[16];
	int i, fd;

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		fd = region_create(owner->root, name, SLOT);
		CHECK(fd >= 0);
		CHECK(!create_anon(fd, 0, PAGE_SZ));
		close(fd);
	}
	/* One of them is gone before. */
	CHECK(!unlinkat(owner->root, "r50", 0));
	return 0;
}

TEST_F(owner, of_many_regions)
{
	struct owner owner = { self->root, self->stage };
	char name[16];
	int i, fd;

	EXPECT_EQ(0, child_wait(child_run(owner_of_many, &owner)));
	for (i = 0; i < 100; i++) {
		if (i == 50)
			continue;
		snprintf(name, sizeof(name), "r%d", i);
		fd = openat(self->root, name, O_RDWR);
		ASSERT_LE(0, fd);
		EXPECT_ERRNO(EOWNERDEAD, create_anon(fd, 0, PAGE_SZ));
		close(fd);
		EXPECT_EQ(0, unlinkat(self->root, name, 0));
	}
}

/* A dead region's page tables are freed with it, guests or not. */
TEST_F(owner, exit_frees_memory)
{
	struct owner owner = { self->root, self->stage };
	long before = meminfo_settled("Shmem");
	pid_t pid = child_run(plain_owner, &owner);
	int fd;
	char *p;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, GB(8), MB(32)));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p + GB(8), MB(32), 1);
	EXPECT_LE(before + 32 * 1024, meminfo_value("Shmem"));
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
	EXPECT_GE(before + 4 * 1024, meminfo_settled("Shmem"));
	munmap(p, SLOT);
	close(fd);
}

/* Owns a region that takes a while to unmap, and that nothing keeps open. */
static int idle_owner(void *arg)
{
	pthread_mutex_t *held = arg;
	int root, fd;
	char *p;

	root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY);
	fd = region_create(root, "r", SLOT);
	CHECK(fd >= 0);
	CHECK(!create_anon(fd, 0, MB(128)));
	p = window(fd, SLOT, RW, NULL);
	CHECK(p != MAP_FAILED);
	fill(p, MB(128), 1);
	CHECK(!munmap(p, SLOT));
	close(fd);
	close(root);
	/* Tells that we are about to give up our memory, and then the region. */
	CHECK(!pthread_mutex_lock(held));
	return 0;
}

/* In shared memory: the kernel tells when its holder exits. */
static pthread_mutex_t *robust_mutex(void)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)shared_anon(PAGE_SZ);
	pthread_mutexattr_t attr;

	if (mutex == MAP_FAILED || pthread_mutexattr_init(&attr) ||
	    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ||
	    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) ||
	    pthread_mutex_init(mutex, &attr))
		return NULL;
	return mutex;
}

static bool holder_is_gone(pthread_mutex_t *mutex)
{
	int i, err;

	for (i = 0; i < 600000; i++) {
		err = pthread_mutex_trylock(mutex);
		if (err == EOWNERDEAD)
			pthread_mutex_consistent(mutex);
		if (!err || err == EOWNERDEAD)
			pthread_mutex_unlock(mutex);
		if (err == EOWNERDEAD)
			return true;
		usleep(100);
	}
	return false;
}

/*
 * A region that nobody has open or mapped does not keep its mount busy, and the
 * mount may go while the region is being unmapped.
 */
TEST_F_TIMEOUT(owner, umount_while_owner_exits, 360)
{
	int round;

	close(self->env.root);
	for (round = 0; round < 8; round++) {
		pthread_mutex_t *held = robust_mutex();
		pid_t pid;

		ASSERT_NE(NULL, held);
		pid = child_run(idle_owner, held);
		EXPECT_TRUE(holder_is_gone(held));
		usleep(round * 3000);
		EXPECT_EQ(0, umount2(MSHARE_MNT, 0));
		EXPECT_EQ(0, child_wait(pid));
		ASSERT_EQ(0, mshare_mount(NULL));
		munmap(held, PAGE_SZ);
	}
	self->env.root = open(MSHARE_MNT, O_RDONLY | O_DIRECTORY);
	EXPECT_LE(0, self->env.root);
}

TEST_HARNESS_MAIN
