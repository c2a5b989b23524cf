/* SPDX-License-Identifier: PostgreSQL */
/*
 * thp.c - shared memory in transparent huge pages.
 *
 * The mapping stays just what the program asked for, of the same object; it has an entry in the table only so that
 * mshare.h can tell.
 */
#include <string.h>
#include <sys/stat.h>
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
 * A file on tmpfs that is there for the whole of the mapping: beyond the end of a file is no memory, which a huge page over
 * the end would hide.
 */
static bool takes_file(const struct map_request *request)
{
	struct statfs fs;
	struct stat file;

	return !failed(REAL2(SYS_fstatfs, request->fd, &fs)) && fs.f_type == TMPFS_MAGIC &&
	       !failed(REAL2(SYS_fstat, request->fd, &file)) && (uint64_t)file.st_size >= request_offset(request) &&
	       (uint64_t)file.st_size - request_offset(request) >= request->length;
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
	struct place place;
	long addr = place_reserve(&place, request->length, HUGE_2MB, request_offset(request) % HUGE_2MB);

	if (failed(addr))
		return addr;
	addr = request_at(request, place.addr, MAP_POPULATE);
	place_release(&place, failed(addr) ? 0 : request->length);
	return addr;
}

/* A prefault writes, if it may, so that no process takes a fault for a dirty bit; MAP_POPULATE of shared memory reads. */
static void populate(uintptr_t addr, size_t length, int prot)
{
	bool write = options_get()->prefault && prot & PROT_WRITE;

	real_madvise(addr, length, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
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
		populate((uintptr_t)addr, request->length, request->prot);
	at.window = (uintptr_t)addr;
	at.kind = request_kind(request);
	at.offset = request_offset(request);
	return enter(&at, refusal);
}

uintptr_t thp_adopt(const struct attachment *shadow, struct refusal *refusal)
{
	struct attachment at = *shadow;
	struct place place;
	long addr;

	if (!allowed(refusal))
		return 0;
	if (view_is_hugetlb(at.shadow))
		return stock_refuse(refusal, MSHARE_REASON_OBJECT, 0);
	at.length = round_up(at.length, PAGE_BYTES);
	addr = place_reserve(&place, at.length, HUGE_2MB, 0);
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, addr);
	addr = real_mremap(at.shadow, at.length, at.length, MREMAP_MAYMOVE | MREMAP_FIXED, place.addr);
	place_release(&place, failed(addr) ? 0 : at.length);
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, addr);
	at.window = (uintptr_t)addr;
	real_madvise(at.window, at.length, MADV_HUGEPAGE);
	if (options_get()->prefault)
		populate(at.window, at.length, at.prot);
	return enter(&at, refusal);
}
