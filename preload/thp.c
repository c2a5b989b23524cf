/* SPDX-License-Identifier: PostgreSQL */
/*
 * thp.c - shared memory in transparent huge pages.
 *
 * The mapping stays just what the program asked for, of the same object; it has an entry in the table only so that
 * mshare.h can tell.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "options.h"
#include "place.h"
#include "stock.h"

#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* The word in brackets is in force: "always within_size [advise] never deny force". */
static bool shmem_takes_advice(void)
{
	char text[128];

	return real_read_text(SHMEM_ENABLED, text, sizeof(text)) && strchr(text, '[') != NULL &&
	       strstr(text, "[never]") == NULL && strstr(text, "[deny]") == NULL;
}

/*
 * Does a mounted tmpfs take advice?  Its own option decides, "rw,size=1g,huge=advise", and shmem_enabled for what is not
 * mounted anywhere (memfd_create() and segments).  The line of mountinfo:
 * "25 30 0:22 / /dev/shm rw,nosuid shared:5 - tmpfs tmpfs rw,inode64".
 */
static bool mount_takes_advice(const char *line)
{
	const char *options = strstr(line, " - ");
	const char *huge = options != NULL ? strstr(options, "huge=") : NULL;

	return huge != NULL && strncmp(huge, "huge=never", strlen("huge=never")) != 0;
}

static dev_t device_of_mount(const char *line)
{
	unsigned long major, minor;
	char *end;

	strtoul(line, &end, 10);
	strtoul(end, &end, 10);
	major = strtoul(end, &end, 10);
	minor = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
	return makedev(major, minor);
}

/* In a line that is longer than this nobody finds the options, but such a one is of another filesystem. */
static bool tmpfs_takes_advice(dev_t device)
{
	int fd = (int)real_open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0);
	char text[512], line[512];
	bool takes = true;
	size_t length = 0;
	long got;

	if (failed(fd))
		return false;
	while ((got = REAL3(SYS_read, fd, text, sizeof(text))) > 0) {
		for (long i = 0; i < got; i++) {
			if (length < sizeof(line) - 1)
				line[length++] = text[i];
			if (text[i] != '\n')
				continue;
			line[length] = '\0';
			length = 0;
			if (device_of_mount(line) == device)
				takes = mount_takes_advice(line);
		}
	}
	real_close(fd);
	return takes && !failed(got);
}

/*
 * A file on tmpfs that is there for the whole of the mapping: beyond the end of a file is no memory, which a huge page over
 * the end would hide.
 */
static bool takes_file(const struct map_request *request)
{
	struct statfs fs;
	struct stat file;

	return !failed(REAL2(SYS_fstatfs, request->fd, &fs)) && fs.f_type == TMPFS_MAGIC &&
	       !failed(REAL2(SYS_fstat, request->fd, &file)) && (uint64_t)file.st_size >= request_offset(request) &&
	       (uint64_t)file.st_size - request_offset(request) >= request->length &&
	       tmpfs_takes_advice(file.st_dev);
}

/* False: *refusal says why not. */
static bool allowed(struct refusal *refusal)
{
	if (options_get()->huge == HUGE_NEVER)
		stock_refuse(refusal, MSHARE_REASON_HUGE_NEVER, 0);
	else if (!shmem_takes_advice())
		stock_refuse(refusal, MSHARE_REASON_SHMEM_THP, 0);
	else
		return true;
	return false;
}

/* Where entries of 2 MB fit: the address has to be as far from a multiple of 2 MB as the offset in the file is. */
static long map_placed(const struct map_request *request)
{
	struct place place = { request->length, HUGE_2MB, request_offset(request) % HUGE_2MB };

	return place_map(&place, request_there, request);
}

static uintptr_t enter(struct attachment *at, struct refusal *refusal)
{
	at->view = at->window;
	at->region = at->length;
	at->shadow = 0;
	at->page_size = PAGE_BYTES;
	at->backend = BACKEND_THP;
	at->plain = true;
	/* Not to be listed is no reason to undo what works. */
	if (attach_add(at) == NULL)
		stock_refuse(refusal, MSHARE_REASON_TABLE_FULL, -ENOMEM);
	view_made(at);
	return at->view;
}

uintptr_t thp_map(const struct map_request *request, struct refusal *refusal)
{
	struct attachment at = { .length = round_up(request->length, PAGE_BYTES), .prot = request->prot };
	bool placed = request->addr == 0 && !(request->flags & FIXED_FLAGS);
	struct map_request bare = *request;
	long addr;

	if (!allowed(refusal))
		return 0;
	if (request->flags & MAP_HUGETLB || (request_is_file(request) && !takes_file(request)))
		return stock_refuse(refusal, MSHARE_REASON_OBJECT, 0);
	bare.flags &= ~(MAP_POPULATE | MAP_NONBLOCK);
	addr = placed ? map_placed(&bare) : request_plain(&bare);
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, addr);
	real_madvise((uintptr_t)addr, request->length, MADV_HUGEPAGE);
	if (request_populates(request) || options_get()->prefault)
		stock_populate((uintptr_t)addr, request->length, request->prot);
	at.window = (uintptr_t)addr;
	at.kind = request_kind(request);
	at.offset = request_offset(request);
	return enter(&at, refusal);
}

uintptr_t thp_adopt(const struct attachment *shadow, struct refusal *refusal)
{
	struct attachment at = *shadow;
	long addr;

	if (!allowed(refusal))
		return 0;
	if (view_is_hugetlb(at.shadow))
		return stock_refuse(refusal, MSHARE_REASON_OBJECT, 0);
	at.length = round_up(at.length, PAGE_BYTES);
	addr = stock_attach_at(&at, at.length, HUGE_2MB);
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, addr);
	at.window = (uintptr_t)addr;
	real_madvise(at.window, at.length, MADV_HUGEPAGE);
	if (options_get()->prefault)
		stock_populate(at.window, at.length, at.prot);
	return enter(&at, refusal);
}
