/* SPDX-License-Identifier: PostgreSQL */
/*
 * hugetlb.c - shared memory in huge pages, at addresses where the kernel shares their page tables.
 *
 * Linux shares the page table of a whole, aligned GB of hugetlb memory between the processes that map it (want_pmd_share()
 * in mm/hugetlb.c).  By itself it places such memory at a multiple of 2 MB only.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "heap.h"
#include "options.h"
#include "place.h"
#include "placement.h"
#include "stock.h"

#define IN_2MB		(21 << MAP_HUGE_SHIFT)

/* Below 1 GB no page table is shared, but huge pages need few anyway. */
static size_t alignment_for(size_t length)
{
	return length >= HUGE_1GB ? HUGE_1GB : HUGE_2MB;
}

/* Hugepagesize of /proc/meminfo, or 0. */
static size_t default_page_size(void)
{
	static const char name[] = "\nHugepagesize:";
	char text[4096];
	const char *found;

	if (!real_read_text("/proc/meminfo", text, sizeof(text)))
		return 0;
	found = strstr(text, name);
	return found != NULL ? strtoul(found + strlen(name), NULL, 10) << 10 : 0;
}

/* The size of the huge pages that the program asked for; 0: it did not, or that cannot be known. */
static size_t page_size_asked(const struct map_request *request)
{
	int shift = (int)((unsigned int)request->flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;
	struct statfs fs;

	if (request_is_file(request))
		return !failed(REAL2(SYS_fstatfs, request->fd, &fs)) && fs.f_type == HUGETLBFS_MAGIC ?
			       (size_t)fs.f_bsize : 0;
	if (!(request->flags & MAP_HUGETLB))
		return 0;
	return shift != 0 ? 1UL << shift : default_page_size();
}

static uintptr_t enter(struct attachment *at, struct refusal *refusal)
{
	at->view = at->window;
	at->region = round_up(at->length, HUGE_2MB);
	at->shadow = 0;
	at->page_size = HUGE_2MB;
	at->backend = BACKEND_HUGETLB;
	if (attach_add(at) == NULL) {
		/* Unlisted, what the program asked for can be left to itself, and an attach cannot be taken back. */
		if (!at->plain && at->kind != ATTACH_SYSV) {
			real_munmap(at->window, at->region);
			return stock_refuse(refusal, MSHARE_REASON_TABLE_FULL, -ENOMEM);
		}
		return at->view;
	}
	view_made(at);
	return at->view;
}

static struct place place_for(const struct map_request *request)
{
	size_t alignment = alignment_for(request->length);

	return (struct place){ request->length, alignment, request_offset(request) % alignment };
}

/* Exactly what was asked, but for the address. */
static long map_asked(const struct map_request *request)
{
	struct map_request rounded = *request;
	struct place place;
	long addr;

	rounded.length = round_up(request->length, HUGE_2MB);
	place = place_for(&rounded);
	addr = place_map(&place, request_there, &rounded);
	if (!failed(addr) && options_get()->prefault)
		stock_populate((uintptr_t)addr, rounded.length, request->prot);
	return addr;
}

/*
 * Reserved by mmap(), and then really there: a reservation alone still lets a page be missing where a cgroup's limit or
 * a memory policy stands in the way, and that is a SIGBUS.
 */
static long map_converted(const struct map_request *request)
{
	const struct map_request huge = { .length = round_up(request->length, HUGE_2MB),
					  .prot = PROT_READ | PROT_WRITE,
					  .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | IN_2MB,
					  .fd = -1 };
	struct place place = place_for(&huge);
	long addr = place_map(&place, request_there, &huge);
	long error;

	if (failed(addr))
		return addr;
	error = real_madvise((uintptr_t)addr, huge.length, MADV_POPULATE_WRITE);
	if (!failed(error))
		error = real_mprotect((uintptr_t)addr, huge.length, request->prot);
	if (!failed(error))
		return addr;
	real_munmap((uintptr_t)addr, huge.length);
	return error;
}

uintptr_t hugetlb_map(const struct map_request *request, struct refusal *refusal)
{
	size_t page_size = page_size_asked(request);
	bool asked = page_size != 0 || request->flags & MAP_HUGETLB;
	struct attachment at = { .length = request->length, .prot = request->prot, .plain = asked };
	long addr;

	if (request_is_file(request) ? page_size != HUGE_2MB : asked && page_size != HUGE_2MB)
		return stock_refuse(refusal, MSHARE_REASON_OBJECT, 0);
	if (!asked && options_get()->huge == HUGE_NEVER)
		return stock_refuse(refusal, MSHARE_REASON_HUGE_NEVER, 0);
	if (request->addr != 0 || request->flags & FIXED_FLAGS)
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, 0);
	addr = asked ? map_asked(request) : map_converted(request);
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_HUGE_PAGES, addr);
	at.window = (uintptr_t)addr;
	at.length = round_up(request->length, asked ? HUGE_2MB : PAGE_BYTES);
	at.kind = request_kind(request);
	at.noreserve = request->flags & MAP_NORESERVE;
	at.offset = request_offset(request);
	return enter(&at, refusal);
}

/*
 * Segments of huge pages that this process, or an ancestor, did not ask for.  An identifier is an index, of which
 * the kernel has IPCMNI, and how often that was used before: so one with the same index as an older one says that
 * the older is gone, and there are never more than there can be segments.
 */
#define STATIC_IDS	32
#define IPCMNI		32768
static SELDOM_WRITTEN int first_ids[STATIC_IDS];
static struct {
	int *ids;
	size_t count, capacity;
} converted = { first_ids, 0, STATIC_IDS };

static bool is_converted(int shmid)
{
	for (size_t i = 0; i < converted.count; i++)
		if (converted.ids[i] == shmid)
			return true;
	return false;
}

/* Once and for all, 128 kB of which as many pages are in use as there are identifiers.  False: no memory. */
static bool more_ids(void)
{
	int *all;

	if (converted.ids != first_ids || (all = heap_allocate(IPCMNI * sizeof(*all))) == NULL)
		return false;
	memcpy(all, converted.ids, converted.count * sizeof(*all));
	converted.ids = all;
	converted.capacity = IPCMNI;
	return true;
}

static bool remember_converted(int shmid)
{
	size_t i = 0;

	while (i < converted.count && converted.ids[i] % IPCMNI != shmid % IPCMNI)
		i++;
	if (i == converted.capacity && !more_ids())
		return false;
	converted.ids[i] = shmid;
	if (i == converted.count)
		converted.count++;
	return true;
}

/* Faults a new segment in; nobody else knows of it yet. */
static long fill_segment(int id, size_t size)
{
	long addr = real_shmat(id, 0, 0);
	long error;

	if (failed(addr))
		return addr;
	error = real_madvise((uintptr_t)addr, round_up(size, HUGE_2MB), MADV_POPULATE_WRITE);
	real_shmdt((uintptr_t)addr);
	return error;
}

long hugetlb_segment(int key, size_t size, int flags)
{
	/* A new one, or none: an old one is none of our business. */
	unsigned int wanted = (unsigned int)flags | IPC_CREAT | IPC_EXCL | SHM_HUGETLB | IN_2MB;
	long id = REAL3(SYS_shmget, key, size, wanted);
	long error;

	if (failed(id))
		return id;
	error = fill_segment((int)id, size);
	if (!failed(error) && remember_converted((int)id))
		return id;
	real_shmctl((int)id, IPC_RMID, NULL);
	return failed(error) ? error : -ENOMEM;
}

uintptr_t hugetlb_adopt(const struct attachment *shadow, struct refusal *refusal)
{
	struct attachment at = *shadow;
	long addr;

	if (!view_is_hugetlb(at.shadow))
		return stock_refuse(refusal, MSHARE_REASON_OBJECT, 0);
	/* The pages may be of 1 GB, then the kernel rounds up to that: so there has to be room for it. */
	addr = at.length >= HUGE_1GB ? stock_attach_at(&at, round_up(at.length, HUGE_1GB), HUGE_1GB) : (long)at.shadow;
	if (failed(addr))
		return stock_refuse(refusal, MSHARE_REASON_NO_PLACE, addr);
	at.window = (uintptr_t)addr;
	at.plain = !is_converted(at.shmid);
	at.inherited = true;
	at.length = round_up(at.length, at.plain ? HUGE_2MB : PAGE_BYTES);
	if (at.plain && options_get()->prefault)
		stock_populate(at.window, at.length, at.prot);
	return enter(&at, refusal);
}

static bool is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* All of it is in memory, also what the program never touched; of the copy only what is not zero has to be. */
static void copy_used(uintptr_t to, const struct attachment *at)
{
	for (size_t done = 0; done < at->length; done += PAGE_BYTES) {
		const char *page = (const char *)at->view + done;

		if (!is_zero(page))
			memcpy((void *)(to + done), page, PAGE_BYTES);
	}
}

static int ordinary_flags(const struct attachment *at)
{
	return MAP_SHARED | MAP_ANONYMOUS | (at->noreserve ? MAP_NORESERVE : 0);
}

/* Nothing can bring the huge pages back by now, so the copy has to get there. */
static void put_copy(uintptr_t copy, const struct attachment *at)
{
	if (at->region > at->length)
		real_munmap(at->view + at->length, at->region - at->length);
	if (!failed(real_mremap(copy, at->length, at->length, MREMAP_MAYMOVE | MREMAP_FIXED, at->view)))
		return;
	real_mmap(at->view, at->length, PROT_READ | PROT_WRITE, ordinary_flags(at) | MAP_FIXED, -1, 0);
	real_mprotect(copy, at->length, PROT_READ);
	memcpy((void *)at->view, (const void *)copy, at->length);
	real_mprotect(at->view, at->length, at->prot);
	real_munmap(copy, at->length);
}

int hugetlb_demote(struct attachment *at)
{
	long copy, ret;

	if (at->inherited)
		return -EBUSY;
	copy = real_mmap(0, at->length, PROT_READ | PROT_WRITE, ordinary_flags(at), -1, 0);
	if (failed(copy))
		return (int)copy;
	/* Nobody may write any more; a thread that does now gets a SIGSEGV, as between the steps of any demotion. */
	ret = real_mprotect(at->window, at->region, PROT_READ);
	if (!failed(ret)) {
		copy_used((uintptr_t)copy, at);
		ret = real_mprotect((uintptr_t)copy, at->length, at->prot);
	}
	/* In one piece, as huge pages have to be taken away. */
	if (!failed(ret))
		ret = real_mmap(at->window, at->region, PROT_NONE, PLACE_HOLDER | MAP_FIXED, -1, 0);
	if (failed(ret)) {
		real_munmap((uintptr_t)copy, at->length);
		real_mprotect(at->window, at->region, at->prot);
		return (int)ret;
	}
	put_copy((uintptr_t)copy, at);
	for (int group = 0; group < ADVICE_GROUPS; group++)
		if (at->advice[group] != MADV_NORMAL)
			real_madvise(at->view, at->length, at->advice[group]);
	return 0;
}

void hugetlb_before_move(uintptr_t addr, size_t length)
{
	const struct attachment *at = attach_find_view(addr, length);

	/* A mapping that ended unseen leaves its entry behind, and what is there now may be private. */
	if (at != NULL && at->backend == BACKEND_HUGETLB && (at->plain || at->stuck) && view_is_hugetlb(addr))
		real_madvise(addr, length, MADV_DONTNEED);
}
