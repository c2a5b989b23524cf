/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * procfs.c
 *		Reading /proc.
 *
 * Processes vanish while they are read, and /proc may be hidden or not there
 * at all: nothing here raises an error, callers get -errno and decide.
 * With thousands of processes what counts is the number of system calls:
 * one read per file, into a buffer on the stack.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "procfs.h"
#include "storage/fd.h"

/* What is looked for in /proc/PID/status is in the first 2 kB. */
#define FILE_BYTES	4096

/*
 * Read the start of a file into a buffer and end it with a zero byte.
 * Returns the bytes read or -errno.
 */
static int
read_start(const char *path, char *buffer, size_t size)
{
	int			fd = BasicOpenFile(path, O_RDONLY | PG_BINARY);
	ssize_t		length;

	if (fd < 0)
		return -errno;
	length = read(fd, buffer, size - 1);
	if (length < 0)
		length = -errno;
	else
		buffer[length] = '\0';
	close(fd);
	return (int) length;
}

static int
read_of_process(int pid, const char *file, char *buffer, size_t size)
{
	char		path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return read_start(path, buffer, size);
}

/*
 * The number of kB after a name, in bytes: "\nVmPTE:     132 kB".
 */
static bool
find_kilobytes(const char *text, const char *name, uint64 *bytes)
{
	const char *found = strstr(text, name);

	if (found == NULL)
		return false;
	*bytes = strtoull(found + strlen(name), NULL, 10) * 1024;
	return true;
}

int
procfs_stat(int pid, ProcStat *stat)
{
	char		buffer[1024];
	const char *after_name;
	unsigned long minor,
				reaped_minor,
				major;
	int			length = read_of_process(pid, "stat", buffer, sizeof(buffer));

	if (length < 0)
		return length;
	/* The name, in parentheses, may hold anything, parentheses included. */
	after_name = strrchr(buffer, ')');
	if (after_name == NULL ||
		sscanf(after_name + 1, " %*c %d %*d %*d %*d %*d %*u %lu %lu %lu",
			   &stat->parent, &minor, &reaped_minor, &major) != 4)
		return -ENODATA;
	stat->minor_faults = minor;
	stat->reaped_minor_faults = reaped_minor;
	stat->major_faults = major;
	return 0;
}

int
procfs_status(int pid, ProcStatus *status)
{
	char		buffer[FILE_BYTES];
	int			length = read_of_process(pid, "status", buffer, sizeof(buffer));

	if (length < 0)
		return length;
	if (!find_kilobytes(buffer, "\nRssAnon:", &status->rss_anon) ||
		!find_kilobytes(buffer, "\nRssFile:", &status->rss_file) ||
		!find_kilobytes(buffer, "\nRssShmem:", &status->rss_shmem) ||
		!find_kilobytes(buffer, "\nVmPTE:", &status->page_tables))
		return -ENODATA;
	return 0;
}

/*
 * What ps shows of a process.
 */
int
procfs_title(int pid, char *title, size_t size)
{
	int			length = read_of_process(pid, "cmdline", title, size);

	return length < 0 ? length : 0;
}

int
procfs_machine(MachineMemory *machine)
{
	char		buffer[FILE_BYTES];
	int			length = read_start("/proc/meminfo", buffer, sizeof(buffer));

	if (length < 0)
		return length;
	if (!find_kilobytes(buffer, "\nPageTables:", &machine->page_tables) ||
		!find_kilobytes(buffer, "\nMemAvailable:", &machine->available))
		return -ENODATA;
	return 0;
}

/*
 * Parse a line of /proc/PID/maps.
 */
static bool
parse_mapping(const char *line, ProcMapping *mapping)
{
	unsigned long start,
				end,
				inode;

	if (sscanf(line, "%lx-%lx %*s %*x %x:%x %lu", &start, &end,
			   &mapping->major, &mapping->minor, &inode) != 5)
		return false;
	mapping->start = start;
	mapping->end = end;
	mapping->inode = inode;
	return true;
}

/*
 * What a process has mapped at an address; -ENODATA if nothing.
 */
int
procfs_mapping(int pid, const void *addr, ProcMapping *mapping)
{
	char		line[1024];
	char		path[64];
	FILE	   *maps;
	int			result = -ENODATA;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	if (maps == NULL)
		return -errno;
	while (result != 0 && fgets(line, sizeof(line), maps) != NULL)
		if (parse_mapping(line, mapping) &&
			(uintptr_t) addr >= mapping->start && (uintptr_t) addr < mapping->end)
			result = 0;
	fclose(maps);
	return result;
}

/*
 * The children of a process.  The kernel tells no order and may miss some
 * while others exit.
 */
int
procfs_children(int pid, int **children)
{
	char		path[64];
	FILE	   *file;
	int			room = 256;
	int			count = 0;
	int			child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	file = fopen(path, "r");
	if (file == NULL)
		return -1;
	*children = palloc(room * sizeof(int));
	while (fscanf(file, "%d", &child) == 1)
	{
		if (count == room)
			*children = repalloc(*children, (room *= 2) * sizeof(int));
		(*children)[count++] = child;
	}
	fclose(file);
	return count;
}
