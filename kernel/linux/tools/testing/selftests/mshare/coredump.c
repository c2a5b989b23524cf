// SPDX-License-Identifier: GPL-2.0
/*
 * Core dumps of processes that have windows: without VM_DONTDUMP, each of a
 * thousand processes that die together would write all of the shared memory.
 */
#include <linux/elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define CORE	"/dev/shm/mshare-test-core"
#define BYTES	MB(8)

static const char *no_core;

FIXTURE(coredump) {
	struct mshare_env env;
	int fd;		/* a region, BYTES of memory at its start, filled */
	char *p;	/* its window */
};

FIXTURE_SETUP(coredump)
{
	const char *why = mshare_missing();

	if (!why)
		why = no_core;
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	self->fd = region_anon(self->env.root, BYTES);
	ASSERT_LE(0, self->fd);
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
	fill(self->p, BYTES, 1);
	memcpy(self->p + PAGE_SZ, "in the region", 14);
}

FIXTURE_TEARDOWN(coredump)
{
	unlink(CORE);
	munmap(self->p, SLOT);
	close(self->fd);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* Dies, and dumps whatever is not to be left out. */
static int die(void *arg)
{
	struct rlimit limit = { MB(64), MB(64) };
	int filter = open("/proc/self/coredump_filter", O_WRONLY);

	CHECK(write(filter, "0x7f", 4) == 4);
	CHECK(!setrlimit(RLIMIT_CORE, &limit));
	CHECK(*(char *)arg == 1);
	abort();
}

/*
 * The end of a child that dumps.  With a window in it that would be hours away,
 * but the headers, which dumped() reads, come first.
 */
static int dump_wait(pid_t pid)
{
	double until = now() + 30;
	siginfo_t info = {};

	while (!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       !info.si_pid && now() < until)
		usleep(10000);
	kill(pid, SIGKILL);
	return child_wait(pid);
}

/* Bytes of the dump that are of addresses from @p on, or -1 without a dump. */
static long dumped(char *p, size_t size)
{
	unsigned long from = (uintptr_t)p;
	int fd = open(CORE, O_RDONLY), i;
	struct elf64_phdr phdr;
	struct elf64_hdr ehdr;
	long sum = 0;

	if (fd < 0)
		return -1;
	if (pread(fd, &ehdr, sizeof(ehdr), 0) != sizeof(ehdr) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG))
		sum = -1;
	for (i = 0; sum >= 0 && i < ehdr.e_phnum; i++) {
		if (pread(fd, &phdr, sizeof(phdr),
			  ehdr.e_phoff + i * sizeof(phdr)) != sizeof(phdr))
			sum = -1;
		else if (phdr.p_type == PT_LOAD && phdr.p_vaddr >= from &&
			 phdr.p_vaddr < from + size)
			sum += phdr.p_filesz;
	}
	close(fd);
	return sum;
}

/*
 * Proves that whatever coredump_filter says of shared memory, nothing of a
 * window is dumped.
 */
TEST_F(coredump, window_is_left_out)
{
	char *plain = shared_anon(PAGE_SZ);

	ASSERT_NE(MAP_FAILED, plain);
	*plain = 1;
	EXPECT_EQ(128 + SIGABRT, dump_wait(child_run(die, self->p)));
	EXPECT_EQ(0, dumped(self->p, SLOT));
	/* That it is not for want of a dump: other shared memory is in it. */
	EXPECT_EQ((long)PAGE_SZ, dumped(plain, PAGE_SZ));
	munmap(plain, PAGE_SZ);
}

/* Proves that MADV_DODUMP does not change that: it is refused. */
TEST_F(coredump, dodump_is_refused)
{
	EXPECT_ERRNO(EINVAL, madvise(self->p, SLOT, MADV_DODUMP));
	EXPECT_EQ(128 + SIGABRT, dump_wait(child_run(die, self->p)));
	EXPECT_EQ(0, dumped(self->p, SLOT));
}

int main(int argc, char **argv)
{
	if (!mshare_missing()) {
		no_core = knob_set("/proc/sys/kernel/core_pattern", CORE);
		if (!no_core)
			no_core = knob_set("/proc/sys/kernel/core_uses_pid",
					   "0");
	}
	return test_harness_run(argc, argv);
}
