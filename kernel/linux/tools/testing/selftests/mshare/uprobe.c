// SPDX-License-Identifier: GPL-2.0
/*
 * A uprobe writes a breakpoint into the code of every process that maps the
 * file.  In a region it would be everybody's, and nobody's mm would know of
 * it: it has to stay out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "mshare_test.h"

#define CODE	"/dev/shm/mshare-test-code"
#define TRACE	"/sys/kernel/tracing/"
#define EVENT	TRACE "events/uprobes/mshare_test/"

static int append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = write(fd, text, strlen(text));
	close(fd);
	return len < 0 ? -1 : 0;
}

FIXTURE(uprobe) {
	struct mshare_env env;
	int fd;		/* a region with CODE, executable, at its start */
	int code;
	char *p;	/* its window */
};

FIXTURE_SETUP(uprobe)
{
	const char *why = mshare_missing();
	static const char page[PAGE_SZ] = { 0x90, 0x90, 0x90, 0xc3 };

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(0, mshare_begin(&self->env));
	if (access(TRACE "uprobe_events", F_OK))
		mount("none", TRACE, "tracefs", 0, NULL);
	if (access(TRACE "uprobe_events", F_OK))
		SKIP(return, "no CONFIG_UPROBE_EVENTS");
	self->code = open(CODE, O_RDWR | O_CREAT | O_TRUNC, 0755);
	ASSERT_LE(0, self->code);
	ASSERT_EQ((ssize_t)PAGE_SZ, write(self->code, page, PAGE_SZ));
	self->fd = region_create(self->env.root, "r", SLOT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, create_mapping(self->fd, 0, PAGE_SZ, 0,
				    PROT_READ | PROT_EXEC, REGION_FLAGS,
				    self->code));
	self->p = window(self->fd, SLOT, PROT_READ | PROT_EXEC, WINDOW_AT(0));
	ASSERT_EQ(WINDOW_AT(0), self->p);
}

FIXTURE_TEARDOWN(uprobe)
{
	append(EVENT "enable", "0");
	append(TRACE "uprobe_events", "-:uprobes/mshare_test\n");
	munmap(self->p, SLOT);
	close(self->fd);
	close(self->code);
	unlink(CODE);
	umount2(TRACE, MNT_DETACH);
	EXPECT_EQ(0, mshare_end(&self->env));
}

static bool set_probe(void)
{
	return !append(TRACE "uprobe_events",
		       "p:uprobes/mshare_test " CODE ":0x1\n") &&
	       !append(EVENT "enable", "1");
}

/*
 * Proves that a probe set on a file does not write its breakpoint into a region
 * that maps the file, touched or not.
 */
TEST_F(uprobe, comes_later)
{
	char *plain = mmap(NULL, PAGE_SZ, PROT_READ | PROT_EXEC, MAP_PRIVATE,
			   self->code, 0);

	ASSERT_NE(MAP_FAILED, plain);
	EXPECT_EQ(0, probe_call(self->p));
	ASSERT_TRUE(set_probe());
	/* It is a good probe: elsewhere there is the breakpoint. */
	EXPECT_EQ((char)0xcc, plain[1]);
	EXPECT_EQ((char)0x90, self->p[1]);
	EXPECT_EQ(0, probe_call(self->p));
	munmap(plain, PAGE_SZ);
}

/*
 * Proves the same of code that is mapped, in a region and a window, when there
 * is a probe already.
 */
TEST_F(uprobe, was_there)
{
	char *q;

	ASSERT_TRUE(set_probe());
	ASSERT_EQ(0, create_mapping(self->fd, GB(1), PAGE_SZ, 0,
				    PROT_READ | PROT_EXEC, REGION_FLAGS,
				    self->code));
	q = window(self->fd, SLOT, PROT_READ | PROT_EXEC, NULL);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(0, probe_call(q + GB(1)));
	EXPECT_EQ((char)0x90, q[GB(1) + 1]);
	munmap(q, SLOT);
}

TEST_HARNESS_MAIN
