/* SPDX-License-Identifier: PostgreSQL */
/*
 * msharefs.c - all that the library knows of the kernel's msharefs (linux/msharefs.h).
 */
#include "msharefs.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <linux/msharefs.h>

#include "mshare.h"
#include "real.h"

int msharefs_open_root(const char *mount)
{
	struct mshare_object nothing = { 0 };
	long fd = real_open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long answer;

	if (failed(fd))
		return (int)fd;
	/* Only msharefs knows the request at all; that of an object of no bytes it refuses. */
	answer = real_ioctl((int)fd, MSHAREFS_OPEN_OBJECT, &nothing);
	if (answer == -EINVAL)
		return (int)fd;
	if (!failed(answer))
		real_close((int)answer);
	real_close((int)fd);
	return -ENOTTY;
}

/*
 * A SysV segment does not say which pages it has, but the kernel refuses a length that is not a
 * multiple of them.  So try each page size of x86-64 in turn.
 */
static long open_rounded(int root, struct mshare_object *object, size_t length)
{
	static const size_t page_sizes[] = { PAGE_BYTES, 2UL << 20, 1UL << 30 };
	long fd = -EINVAL;

	for (size_t i = 0; i < sizeof(page_sizes) / sizeof(page_sizes[0]); i++) {
		if (i > 0 && round_up(length, page_sizes[i]) == object->size)
			continue;
		object->size = round_up(length, page_sizes[i]);
		fd = real_ioctl(root, MSHAREFS_OPEN_OBJECT, object);
		if (fd != -EINVAL)
			break;
	}
	return fd;
}

static long read_stat(int fd, struct mshare_stat *stat)
{
	*stat = (struct mshare_stat){ .size = sizeof(*stat) };
	return real_ioctl(fd, MSHAREFS_STAT, stat);
}

int msharefs_open_object(int root, const struct region_request *request, struct region *region)
{
	struct mshare_object object = { .addr = request->addr, .view_addr = request->wanted,
					.flags = MSHARE_OBJECT_CLOEXEC };
	struct mshare_stat stat;
	long error;
	long fd;

	if (request->populate)
		object.flags |= MSHARE_OBJECT_POPULATE;
	if (request->huge)
		object.flags |= MSHARE_OBJECT_HUGEPAGE;
	fd = open_rounded(root, &object, request->length);
	if (failed(fd))
		return (int)fd;
	error = read_stat((int)fd, &stat);
	if (failed(error)) {
		real_close((int)fd);
		return (int)error;
	}
	*region = (struct region){ .fd = (int)fd, .bytes = stat.region_bytes, .offset = stat.object_offset,
				   .length = object.size, .page_size = stat.page_size };
	return 0;
}

bool msharefs_can_protect(int prot)
{
	return prot == PROT_NONE || prot == PROT_READ || prot == (PROT_READ | PROT_WRITE);
}

long msharefs_map(const struct region *region, uintptr_t base, int prot)
{
	int flags = MAP_SHARED | (base != 0 ? MAP_FIXED : 0);

	return real_mmap(base, region->bytes, prot, flags, region->fd, 0);
}

void msharefs_close(const struct region *region)
{
	real_close(region->fd);
}

int msharefs_stats(const struct region *region, struct mshare_region *stats)
{
	struct mshare_stat stat;
	long error = read_stat(region->fd, &stat);

	if (failed(error))
		return (int)error;
	*stats = (struct mshare_region){ .page_size = stat.page_size,
					 .region_bytes = stat.region_bytes,
					 .mapped_bytes = stat.mapped_bytes,
					 .resident_bytes = stat.resident_pages * PAGE_BYTES,
					 .page_table_bytes = stat.page_table_bytes,
					 .windows = stat.windows,
					 .links = stat.links };
	return 0;
}
