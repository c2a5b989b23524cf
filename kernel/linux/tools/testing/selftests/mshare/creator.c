// SPDX-License-Identifier: GPL-2.0
/*
 * A region belongs to no address space: nothing of that of the process that
 * makes it may stick to it.  v3 took the new mm's flags and default vma flags
 * from the creator's, as fork() does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE			65
#define PR_MDWE_REFUSE_EXEC_GAIN	1
#endif

static const char *no_thp;

FIXTURE(creator) {
	struct mshare_env env;
	int root;
	struct stage *stage;
};

FIXTURE_SETUP(creator)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->root = self->env.root;
	self->stage = stage_new();
	ASSERT_NE(NULL, self->stage);
}

FIXTURE_TEARDOWN(creator)
{
	EXPECT_EQ(0, mshare_end(&self->env));
}

struct maker {
	int root;
	struct stage *stage;
	int option;		/* of prctl(), set before the region is made */
	unsigned long value;
};

/* Makes "r" and owns it until the test is done. */
static int make_region(void *arg)
{
	struct maker *maker = arg;

	if (prctl(maker->option, maker->value, 0, 0, 0)) {
		stage_set(maker->stage, 10);
		return 1;
	}
	CHECK(region_create(maker->root, "r", SLOT) >= 0);
	stage_set(maker->stage, 1);
	CHECK(stage_wait(maker->stage, 2));
	return 0;
}

static const unsigned char ret_insn = 0xc3;

/*
 * Proves that memory-deny-write-execute stays the creator's wish for itself.
 * In the region it would be the law for all, or for none, as nobody can ask for
 * it there.  Linux 6.12 looks for it in the mm of the caller alone, so this fails
 * only where the host mm both has it and is asked.
 */
TEST_F(creator, memory_deny_write_execute)
{
	struct maker maker = {
		self->root, self->stage, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
	};
	pid_t pid = child_run(make_region, &maker);
	char *p;
	int fd;

	ASSERT_TRUE(stage_wait(self->stage, 1));
	if (self->stage->step == 10)
		SKIP(child_wait(pid); return, "no PR_SET_MDWE");
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, create_mapping(fd, 0, PAGE_SZ, 0, RW | PROT_EXEC,
				    ANON_FLAGS, -1));
	p = window(fd, SLOT, RW | PROT_EXEC, NULL);
	ASSERT_NE(MAP_FAILED, p);
	*p = ret_insn;
	EXPECT_EQ(0, probe_call(p));
	munmap(p, SLOT);
	close(fd);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
}

/*
 * Proves that huge pages which are off in the creator (PR_SET_THP_DISABLE) are
 * not in the region.
 */
TEST_F(creator, thp_disable)
{
	struct maker maker = { self->root, self->stage, PR_SET_THP_DISABLE, 1 };
	long before = meminfo_settled("ShmemPmdMapped");
	pid_t pid;
	char *p;
	int fd;

	if (no_thp)
		SKIP(return, "%s", no_thp);
	pid = child_run(make_region, &maker);
	ASSERT_TRUE(stage_wait(self->stage, 1));
	fd = openat(self->root, "r", O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, create_anon(fd, 0, 4 * HUGE_SZ));
	p = window(fd, SLOT, RW, NULL);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, 4 * HUGE_SZ, 1);
	EXPECT_LE(before + (long)(4 * HUGE_SZ / 1024),
		  meminfo_value("ShmemPmdMapped"));
	munmap(p, SLOT);
	close(fd);
	stage_set(self->stage, 2);
	EXPECT_EQ(0, child_wait(pid));
}

int main(int argc, char **argv)
{
	if (!mshare_missing())
		no_thp = knob_set("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
				  "always");
	return test_harness_run(argc, argv);
}
