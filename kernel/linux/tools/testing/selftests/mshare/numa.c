// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of two nodes: pages are moved by those who map the object, beneath all
 * windows; through a window nobody moves what others use.
 */
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define BYTES	MB(4)
#define PAGES	(BYTES / PAGE_SZ)

FIXTURE(numa) {
	struct mshare_env env;
	int root;
	char *plain;	/* an object, filled on node 0 */
	int fd;		/* its region */
	char *view;	/* the object in a window of it */
	struct stage *stage;
};

static long set_mempolicy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, 64UL);
}

FIXTURE_SETUP(numa)
{
	const char *why = mshare_missing();

	if (!why && access("/sys/devices/system/node/node1", F_OK))
		why = "one node only: boot with numa=fake=2";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
	self->plain = shared_anon(BYTES);
	ASSERT_NE(MAP_FAILED, self->plain);
	self->fd = object_open(self->root, self->plain, BYTES, 0);
	ASSERT_LE(0, self->fd);
	self->view = object_window(self->fd, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->view);
	ASSERT_EQ(0, set_mempolicy(MPOL_BIND, 1));
	fill(self->view, BYTES, 1);
	touch(self->plain, BYTES);
	ASSERT_EQ(0, set_mempolicy(MPOL_DEFAULT, 0));
}

FIXTURE_TEARDOWN(numa)
{
	munmap(self->view, SLOT);
	munmap(self->plain, BYTES);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static int status[PAGES];

/* Moves to @node, or without it asks: how many pages of @p are on @on. */
static long move(char *p, int node, int flags, int on)
{
	static void *pages[PAGES];
	static int nodes[PAGES];
	long count = 0;
	size_t i;

	for (i = 0; i < PAGES; i++) {
		pages[i] = p + i * PAGE_SZ;
		nodes[i] = node;
		status[i] = -1000;
	}
	if (syscall(SYS_move_pages, 0, PAGES, pages, node < 0 ? NULL : nodes,
		    status, flags) < 0)
		return -1;
	for (i = 0; i < PAGES; i++)
		count += status[i] == on;
	return count;
}

static long on_node(char *p, int node)
{
	return move(p, -1, 0, node);
}

/*
 * Proves that the query of move_pages() goes to the host mm: it tells where a
 * page is, and that there is none.
 */
TEST_F(numa, query)
{
	void *nothing = self->view + GB(1);
	int where = -1000;

	EXPECT_EQ((long)PAGES, on_node(self->view, 0));
	EXPECT_EQ(0, syscall(SYS_move_pages, 0, 1UL, &nothing, NULL, &where,
			     0));
	EXPECT_GT(0, where);
}

/*
 * Proves that those who map the object move its pages, as they could before,
 * with all windows of it still right.
 */
TEST_F(numa, move_by_plain_mapping)
{
	EXPECT_EQ((long)PAGES, move(self->plain, 1, MPOL_MF_MOVE_ALL, 1));
	EXPECT_EQ((long)PAGES, on_node(self->view, 1));
	EXPECT_TRUE(filled(self->view, BYTES, 1));
	EXPECT_EQ((long)PAGES, move(self->plain, 0, MPOL_MF_MOVE_ALL, 0));
	EXPECT_EQ((long)PAGES, on_node(self->view, 0));
	EXPECT_TRUE(filled(self->view, BYTES, 1));
}

/*
 * Proves that moving through a window loses no contents, wherever the pages end
 * up, and warns of nothing.
 */
TEST_F(numa, move_by_window)
{
	move(self->view, 1, MPOL_MF_MOVE, 1);
	EXPECT_TRUE(filled(self->view, BYTES, 1));
	move(self->view, 1, MPOL_MF_MOVE_ALL, 1);
	EXPECT_TRUE(filled(self->view, BYTES, 1));
	EXPECT_EQ((long)PAGES,
		  on_node(self->view, 0) + on_node(self->view, 1));
}

/*
 * Proves that migrate_pages(), which walks the process's page tables, stays out
 * of a window: it would edit its tables with the wrong lock held.
 */
TEST_F(numa, migrate_pages)
{
	unsigned long from = 1, to = 2;

	munmap(self->plain, BYTES);
	EXPECT_LE(0, syscall(SYS_migrate_pages, 0, 64UL, &from, &to));
	EXPECT_EQ((long)PAGES, on_node(self->view, 0));
	EXPECT_TRUE(filled(self->view, BYTES, 1));
}

/* Counts up in each page, for ever; nobody else writes there. */
static int count_up(void *arg)
{
	char *view = arg;
	int nr = 0;
	size_t i;

	for (;;) {
		for (i = 0; i < BYTES; i += PAGE_SZ) {
			int *word = (int *)(view + i + 64);

			if (load(word) != nr)
				return 1;
			store(word, nr + 1);
		}
		nr++;
	}
}

/*
 * Proves that migration flushes the TLBs of all guests: else a write goes to
 * the page that has been left, and is lost.
 */
TEST_F_TIMEOUT(numa, no_write_is_lost, 120)
{
	pid_t pid = child_run(count_up, self->view);
	int round;

	ASSERT_LT(0, pid);
	for (round = 0; round < 8; round++)
		ASSERT_LE(0, move(self->plain, (round + 1) % 2,
				  MPOL_MF_MOVE_ALL, 0));
	/* Still counting: it would have exited otherwise. */
	usleep(100 * 1000);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	child_kill(pid);
}

/* Faults that it takes to read each page. */
static long faults_of_reading(const char *p)
{
	long before = minor_faults();

	touch(p, BYTES);
	return minor_faults() - before;
}

/* Private memory, one half on each node. */
static char *half_and_half(void)
{
	char *p = mmap(NULL, BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(!set_mempolicy(MPOL_BIND, 1));
	fill(p, BYTES / 2, 1);
	CHECK(!set_mempolicy(MPOL_BIND, 2));
	fill(p + BYTES / 2, BYTES / 2, 1);
	CHECK(!set_mempolicy(MPOL_DEFAULT, 0));
	return p;
}

/*
 * Proves that NUMA balancing skips windows.  Its scanner goes up through the
 * address space by 2 GB a second at most, and takes entries away to see who
 * uses the pages of other nodes.  What lies above a window of 512 GB gets its
 * turn soon only if the window is skipped, and the window's pages never do.
 */
TEST_F_TIMEOUT(numa, balancing, 120)
{
	const long enough = PAGES / 4;
	long above = 0, shown = 0;
	char *own;
	double end;

	if (access("/proc/sys/kernel/numa_balancing", F_OK))
		SKIP(return, "no CONFIG_NUMA_BALANCING");
	munmap(self->plain, BYTES);
	own = half_and_half();
	ASSERT_LT(self->view, own);
	touch(self->view, BYTES);
	minor_faults();
	for (end = now() + 60; above < enough && now() < end;) {
		above += faults_of_reading(own);
		shown += faults_of_reading(self->view);
	}
	EXPECT_LE(enough, above);
	EXPECT_GT(16, shown);
	EXPECT_TRUE(filled(self->view, BYTES, 1));
	munmap(own, BYTES);
}

int main(int argc, char **argv)
{
	/* Where there are no knobs for it, a scan takes a second of CPU time. */
	if (!mshare_missing()) {
		knob_set("/proc/sys/kernel/numa_balancing", "1");
		knob_set("/sys/kernel/debug/sched/numa_balancing/scan_delay_ms",
			 "10");
		knob_set("/sys/kernel/debug/sched/numa_balancing/scan_period_min_ms",
			 "20");
	}
	return test_harness_run(argc, argv);
}
