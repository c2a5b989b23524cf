// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: that each tells of what it is about, and of which region.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define TRACE	"/sys/kernel/tracing/"
#define BYTES	MB(1)

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = write(fd, text, strlen(text));
	close(fd);
	return len < 0 ? -1 : 0;
}

FIXTURE(trace) {
	struct mshare_env env;
	int fd;		/* a region, BYTES of memory at its start */
	char *p;	/* its window, nothing touched */
	unsigned long ino;
};

/* A region with a window, untouched; -1 if that fails.  @self: FIXTURE_DATA. */
static int trace_region(struct _test_data_trace *self)
{
	struct stat st;

	self->fd = region_anon(self->env.root, BYTES);
	if (self->fd < 0 || fstat(self->fd, &st))
		return -1;
	self->ino = st.st_ino;
	self->p = window(self->fd, SLOT, RW, WINDOW_AT(0));
	return self->p == WINDOW_AT(0) ? 0 : -1;
}

FIXTURE_SETUP(trace)
{
	const char *why = mshare_missing();

	if (why)
		SKIP(return, "%s", why);
	/* Other CPUs' batches of pages, which nobody drains, would hold a page. */
	run_on(sched_getcpu());
	ASSERT_EQ(0, mshare_begin(&self->env));
	if (access(TRACE "trace", F_OK))
		mount("none", TRACE, "tracefs", 0, NULL);
	if (access(TRACE "trace", F_OK))
		SKIP(return, "no tracefs");
	ASSERT_EQ(0, trace_region(self));
	ASSERT_EQ(0, write_file(TRACE "trace", ""));
	ASSERT_EQ(0, write_file(TRACE "events/mshare/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	write_file(TRACE "events/mshare/enable", "0");
	write_file(TRACE "trace", "");
	if (self->p)
		munmap(self->p, SLOT);
	close(self->fd);
	umount2(TRACE, MNT_DETACH);
	EXPECT_EQ(0, mshare_end(&self->env));
}

/* How many lines of @event there are of this region, with @text if not NULL. */
static int lines(unsigned long ino, const char *event, const char *text)
{
	FILE *f = fopen(TRACE "trace", "r");
	char line[1024], head[64];
	int count = 0;

	if (!f)
		return -1;
	snprintf(head, sizeof(head), " mshare_%s: ino=%lu ", event, ino);
	while (fgets(line, sizeof(line), f))
		count += strstr(line, head) && (!text || strstr(line, text));
	fclose(f);
	return count;
}

/* fork() links the child's window, its exit unlinks. */
TEST_F(trace, link_and_unlink)
{
	char at[64];
	pid_t pid = child_fork();

	if (!pid)
		_exit(0);
	EXPECT_EQ(0, child_wait(pid));
	snprintf(at, sizeof(at), "address=%lx", (unsigned long)self->p);
	EXPECT_EQ(1, lines(self->ino, "link", at));
	EXPECT_EQ(1, lines(self->ino, "link", "flags=read|write|shared"));
	EXPECT_EQ(1, lines(self->ino, "unlink", at));
	munmap(self->p, SLOT);
	self->p = NULL;
	EXPECT_EQ(2, lines(self->ino, "unlink", NULL));
	EXPECT_EQ(1, lines(self->ino, "link", NULL));
}

/* One line a fault, and none for what is there already. */
TEST_F(trace, fault)
{
	fill(self->p, 4 * PAGE_SZ, 1);
	EXPECT_EQ(4, lines(self->ino, "fault", NULL));
	fill(self->p, 4 * PAGE_SZ, 1);
	EXPECT_EQ(4, lines(self->ino, "fault", NULL));
	EXPECT_EQ(SIGSEGV, probe_load(self->p + GB(1)));
	EXPECT_EQ(5, lines(self->ino, "fault", NULL));
}

/* Each change that guests may have in their TLBs, and no other. */
TEST_F(trace, flush)
{
	fill(self->p, BYTES, 1);
	EXPECT_EQ(0, lines(self->ino, "flush", NULL));
	ASSERT_EQ(0, unmap(self->fd, 0, BYTES));
	EXPECT_LE(1, lines(self->ino, "flush", "windows=1"));
	ASSERT_EQ(0, munmap(self->p, SLOT));
	self->p = NULL;
	write_file(TRACE "trace", "");
	ASSERT_EQ(0, create_anon(self->fd, 0, BYTES));
	ASSERT_EQ(0, unmap(self->fd, 0, BYTES));
	EXPECT_EQ(0, lines(self->ino, "flush", "windows=1"));
}

/* The first line with @text after line @after, counted from 1; 0 without. */
static int find_line(const char *text, int after)
{
	FILE *f = fopen(TRACE "trace", "r");
	char line[1024];
	int nr = 0, found = 0;

	if (!f)
		return -1;
	while (!found && fgets(line, sizeof(line), f))
		if (++nr > after && strstr(line, text))
			found = nr;
	fclose(f);
	return found;
}

#define FLUSH	TRACE "events/tlb/tlb_flush/"
#define FLUSHED	" tlb_flush: pages:-1 "
#define FREE	TRACE "events/kmem/mm_page_free/"

/* Trace flushes by @pid, and when the first page of the window at @p is freed. */
static int trace_end_of(pid_t pid, const char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	char filter[64];
	__u64 entry = 0;
	int err;

	if (fd < 0)
		return -1;
	err = pread(fd, &entry, 8, (uintptr_t)p / PAGE_SZ * 8) != 8;
	close(fd);
	snprintf(filter, sizeof(filter), "common_pid == %d", pid);
	err |= write_file(FLUSH "filter", filter);
	snprintf(filter, sizeof(filter), "pfn == 0x%llx",
		 entry & 0x007fffffffffffffULL);
	err |= write_file(FREE "filter", filter);
	err |= write_file(FLUSH "enable", "1");
	err |= write_file(FREE "enable", "1");
	err |= write_file(TRACE "trace", "");
	return err;
}

static void trace_end_done(void)
{
	write_file(FLUSH "enable", "0");
	write_file(FREE "enable", "0");
	write_file(FLUSH "filter", "0");
	write_file(FREE "filter", "0");
}

/* Where a window of the region was unlinked. */
static int find_unlink(unsigned long ino)
{
	char text[64];

	snprintf(text, sizeof(text), " mshare_unlink: ino=%lu ", ino);
	return find_line(text, 0);
}

/* Where the first page of the window was freed. */
static int find_free(void)
{
	return find_line(" mm_page_free: ", 0);
}

/*
 * First the entry goes, then what TLBs have of it, and then the memory.  Flushes
 * count that come after line @since.
 */
static void expect_order(struct __test_metadata *_metadata, unsigned long ino,
			 int since)
{
	int unlinked = find_unlink(ino), flushed = find_line(FLUSHED, since);
	int freed = find_free();

	EXPECT_LT(0, unlinked);
	EXPECT_LT(unlinked, freed);
	EXPECT_LT(since, flushed);
	EXPECT_LT(flushed, freed);
}

/*
 * Proves that munmap() of a region's last window unlinks it and flushes TLBs
 * before the region gives anything back.  v3 dropped the count of sharers first:
 * the page tables could be somebody else's with an entry still leading to them.
 */
TEST_F(trace, order_at_munmap)
{
	fill(self->p, BYTES, 1);
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	ASSERT_EQ(0, trace_end_of(getpid(), self->p));
	ASSERT_EQ(0, munmap(self->p, SLOT));
	self->p = NULL;
	expect_order(_metadata, self->ino, find_unlink(self->ino));
	trace_end_done();
}

static bool cpu_has(const char *flag)
{
	char line[8192];
	bool has = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && !has && fgets(line, sizeof(line), f))
		has = !strncmp(line, "flags", 5) && strstr(line, flag);
	if (f)
		fclose(f);
	return has;
}

/*
 * The line after which a process that ends flushes.  With 4 levels and PTI,
 * freeing the LDT's page tables is a flush before anything is unmapped
 * (ldt_arch_exit_mmap()), after which the CPU is off these page tables.
 */
static int flushes_after(struct _test_data_trace *self)
{
	return cpu_has(" pti ") && !cpu_has(" la57 ") ? 0 :
	       find_unlink(self->ino);
}

/*
 * The last process that has the window ends.
 *
 * Return: whether it flushed TLBs before the free: one that is preempted on its
 * way out has nothing to flush, its CPU went over to the page tables of another.
 */
static bool exit_of_last(struct __test_metadata *_metadata,
			 struct _test_data_trace *self)
{
	struct stage *stage = stage_new();
	int flushed;
	pid_t pid;

	ASSERT_NE(NULL, stage);
	fill(self->p, BYTES, 1);
	pid = child_fork();
	if (!pid) {
		CHECK(stage_wait(stage, 1));
		_exit(0);
	}
	EXPECT_EQ(0, trace_end_of(pid, self->p));
	EXPECT_EQ(0, munmap(self->p, SLOT));
	self->p = NULL;
	EXPECT_EQ(0, close(self->fd));
	self->fd = -1;
	EXPECT_EQ(0, write_file(TRACE "trace", ""));
	stage_set(stage, 1);
	EXPECT_EQ(0, child_wait(pid));
	flushed = find_line(FLUSHED, flushes_after(self));
	return flushed > 0 && flushed < find_free();
}

/* Proves the same of the exit of the last process that has a window. */
TEST_F(trace, order_at_exit)
{
	int tries = 5;

	while (!exit_of_last(_metadata, self) && --tries)
		ASSERT_EQ(0, trace_region(self));
	expect_order(_metadata, self->ino, flushes_after(self));
	trace_end_done();
}

TEST_HARNESS_MAIN
