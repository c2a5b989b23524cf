// SPDX-License-Identifier: GPL-2.0
/*
 * What some msharefs tests need of the system; see mshare_sys.h.
 */
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>

#include "mshare_sys.h"
#include "mshare_test.h"

static const char *reason(const char *what)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
	return text;
}

/* Knobs */

static struct {
	const char *path;
	char value[256];
} knobs[8];
static int nr_knobs;

static ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, text, size - 1);
	close(fd);
	text[len > 0 ? len : 0] = 0;
	return len;
}

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = write(fd, text, strlen(text));
	close(fd);
	return len < 0 ? -1 : 0;
}

static void knobs_restore(void)
{
	while (nr_knobs) {
		nr_knobs--;
		file_write(knobs[nr_knobs].path, knobs[nr_knobs].value);
	}
}

/* Files of the kind "always [madvise] never" take back what is in brackets. */
static void chosen_only(char *value)
{
	char *from = strchr(value, '['), *to = strchr(value, ']');

	if (!from || !to)
		return;
	*to = 0;
	memmove(value, from + 1, to - from);
}

const char *knob_set(const char *path, const char *value)
{
	char *old = knobs[nr_knobs].value;

	if (file_read(path, old, sizeof(knobs[0].value)) < 0)
		return reason(path);
	chosen_only(old);
	if (file_write(path, value))
		return reason(path);
	if (!nr_knobs)
		atexit(knobs_restore);
	knobs[nr_knobs++].path = path;
	return NULL;
}

const char *hugepages_get(long pages)
{
	long total = meminfo_value("HugePages_Total");
	long free = meminfo_value("HugePages_Free") - meminfo_value("HugePages_Rsvd");
	char value[32];
	const char *why;

	if (total < 0 || meminfo_value("Hugepagesize") != HUGE_SZ / 1024)
		return "no huge pages of 2 MB";
	snprintf(value, sizeof(value), "%ld", total - free + pages);
	why = knob_set("/proc/sys/vm/nr_hugepages", value);
	if (why)
		return why;
	free = meminfo_value("HugePages_Free") - meminfo_value("HugePages_Rsvd");
	return free < pages ? "not enough memory for huge pages" : NULL;
}

/* Block devices */

int loop_open(size_t bytes, int mode, char *path, size_t path_size)
{
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int nr, backing, fd = -1;

	if (control < 0)
		return -1;
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, path_size, "/dev/loop%d", nr);
	backing = memfd(bytes);
	if (nr >= 0 && backing >= 0)
		fd = open(path, mode | O_CLOEXEC);
	if (fd >= 0 && ioctl(fd, LOOP_SET_FD, backing)) {
		close(fd);
		fd = -1;
	}
	close(backing);
	if (fd < 0)
		return -1;
	if (ioctl(fd, LOOP_SET_STATUS64, &info)) {
		ioctl(fd, LOOP_CLR_FD);
		close(fd);
		return -1;
	}
	return fd;
}

static char swap_path[32];

static void swap_put(void)
{
	if (swapoff(swap_path))
		fprintf(stderr, "# swapoff %s: %s\n", swap_path,
			strerror(errno));
}

/* What mkswap(8) writes: the first page, with version, size and signature. */
static int write_swap_header(int fd, size_t bytes)
{
	static char page[PAGE_SZ];
	__u32 *info = (__u32 *)(page + 1024);

	info[0] = 1;
	info[1] = bytes / PAGE_SZ - 1;
	memcpy(page + PAGE_SZ - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, page, PAGE_SZ, 0) != (ssize_t)PAGE_SZ)
		return -1;
	return fsync(fd);
}

const char *swap_get(size_t bytes)
{
	const char *why = NULL;
	int fd = loop_open(bytes, O_RDWR, swap_path, sizeof(swap_path));

	if (fd < 0)
		return reason("loop device");
	if (write_swap_header(fd, bytes))
		why = reason("loop device");
	else if (swapon(swap_path, SWAP_FLAG_PREFER | 1))
		why = reason("swapon");
	else
		atexit(swap_put);
	close(fd);
	return why;
}

/* A disk */

const char *ext4_mount(const char *dir, size_t bytes)
{
	const char *why = NULL;
	char path[32], command[64];
	int reader, writer = loop_open(bytes, O_RDWR, path, sizeof(path));

	if (writer < 0)
		return reason("loop device");
	/* Open for reading only, else it may not be mounted. */
	reader = open(path, O_RDONLY | O_CLOEXEC);
	close(writer);
	if (reader < 0)
		return reason(path);
	snprintf(command, sizeof(command), "mkfs.ext4 -q %s", path);
	if (system(command))
		why = "no mkfs.ext4";
	else if (mount(path, dir, "ext4", 0, NULL))
		why = reason("mount of ext4");
	close(reader);
	return why;
}

/* Memory cgroups */

#define CGROUP_MNT	"/sys/fs/cgroup"

static int nr_cgroups;
static bool controller_was_off;

const char *cgroup_dir(int nr)
{
	static char path[64];

	snprintf(path, sizeof(path), CGROUP_MNT "/mshare-test-%d", nr);
	return path;
}

static void cgroups_put(void)
{
	int tries;

	while (nr_cgroups) {
		nr_cgroups--;
		for (tries = 0; tries < 50; tries++) {
			if (!rmdir(cgroup_dir(nr_cgroups)))
				break;
			usleep(20 * 1000);
		}
		if (tries == 50)
			fprintf(stderr, "# %s: %s\n", cgroup_dir(nr_cgroups),
				strerror(errno));
	}
	if (controller_was_off)
		file_write(CGROUP_MNT "/cgroup.subtree_control", "-memory");
}

const char *cgroups_get(int count)
{
	char text[256];

	/* Where it is mounted elsewhere, and here are version 1's: over them. */
	if (access(CGROUP_MNT "/cgroup.controllers", F_OK) &&
	    (unshare(CLONE_NEWNS) ||
	     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	     mount("none", CGROUP_MNT, "cgroup2", 0, NULL)))
		return reason("mount of cgroup2");
	if (file_read(CGROUP_MNT "/cgroup.controllers", text, sizeof(text)) <
	    0 || !strstr(text, "memory"))
		return "cgroup2 has no memory controller here";
	file_read(CGROUP_MNT "/cgroup.subtree_control", text, sizeof(text));
	controller_was_off = !strstr(text, "memory");
	if (file_write(CGROUP_MNT "/cgroup.subtree_control", "+memory"))
		return reason("cgroup.subtree_control");
	atexit(cgroups_put);
	/* One may be left of a program that was killed. */
	for (; nr_cgroups < count; nr_cgroups++)
		if (mkdir(cgroup_dir(nr_cgroups), 0755) && errno != EEXIST)
			return reason(cgroup_dir(nr_cgroups));
	return NULL;
}

int cgroup_write(int nr, const char *file, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir(nr), file);
	return file_write(path, value);
}

int cgroup_enter(int nr)
{
	return cgroup_write(nr, "cgroup.procs", "0");
}

long cgroup_read(int nr, const char *file, const char *key)
{
	char path[128], text[16384], *line;
	size_t len = key ? strlen(key) : 0;

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir(nr), file);
	if (file_read(path, text, sizeof(text)) < 0)
		return -1;
	if (!key)
		return strtol(text, NULL, 10);
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ' ')
			return strtol(line + len, NULL, 10);
	}
	return -1;
}
