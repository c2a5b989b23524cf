/* SPDX-License-Identifier: PostgreSQL */
/*
 * view.c - making a view of an ordinary mapping, and ending it.
 *
 * Whatever step fails, the address space is put back to what it was before, and the caller does what the
 * program asked for without us.
 */
#include "view.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "history.h"
#include "log.h"
#include "msharefs.h"
#include "options.h"
#include "place.h"
#include "real.h"
#include "stock.h"

static bool refuse_all;

void view_refuse_all(bool refuse)
{
	refuse_all = refuse;
}

bool view_refuses_all(void)
{
	return refuse_all;
}

static bool refuse(struct redirection *redirection, enum mshare_reason reason, long error)
{
	redirection->refusal = (struct refusal){ reason, (int)-error };
	return false;
}

/*
 * A window may replace nothing that lives, and an old mapping may be in any part of the slots it covers.  The kernel
 * tells by refusing the place holder, and with it no other thread can get in between.
 */
static long reserve_slot(struct slot *slot, uintptr_t wanted, size_t length)
{
	uintptr_t start = msharefs_slot_start(wanted);
	size_t bytes = msharefs_slot_bytes(wanted, length);
	long got;

	*slot = (struct slot){ 0 };
	if (wanted == 0)
		return 0;
	if (length > -wanted)
		return -ENOMEM;
	got = real_mmap(start, bytes, PROT_NONE, PLACE_HOLDER | MAP_FIXED_NOREPLACE, -1, 0);
	if (failed(got))
		return got;
	*slot = (struct slot){ wanted, start, bytes };
	return 0;
}

static void release_slot(struct slot *slot)
{
	if (slot->bytes != 0)
		real_munmap(slot->start, slot->bytes);
	slot->bytes = 0;
}

bool redirection_begin(struct redirection *redirection, uintptr_t wanted, size_t length)
{
	long error;

	*redirection = (struct redirection){ .root = -1 };
	redirection->root = msharefs_open_root(options_get()->mount);
	if (redirection->root == -ENOTTY)
		return refuse(redirection, MSHARE_REASON_NOT_MSHAREFS, 0);
	if (redirection->root < 0)
		return refuse(redirection, MSHARE_REASON_NO_MOUNT, redirection->root);
	error = reserve_slot(&redirection->slot, wanted, length);
	if (failed(error)) {
		real_close(redirection->root);
		return refuse(redirection, MSHARE_REASON_SLOT_BUSY, error);
	}
	return true;
}

void redirection_end(struct redirection *redirection)
{
	release_slot(&redirection->slot);
	real_close(redirection->root);
}

/*
 * PROT_NONE so that nothing can touch it by accident and give this process page tables of its own, and not in
 * core dumps.  Always the whole mapping: shm_nattch counts vmas, so a shadow must never be split.
 */
static long hide_shadow(const struct attachment *at)
{
	long error = real_mprotect(at->shadow, at->length, PROT_NONE);

	if (failed(error))
		return error;
	return real_madvise(at->shadow, at->length, MADV_DONTDUMP);
}

static long unhide_shadow(const struct attachment *at)
{
	if (at->advice[ADVICE_DUMP] != MADV_DONTDUMP)
		real_madvise(at->shadow, at->length, MADV_DODUMP);
	return real_mprotect(at->shadow, at->length, at->prot);
}

/* The window over the region; with a slot, in its place, which must then be exactly the window's. */
static long map_window(const struct region *region, struct slot *slot, int prot)
{
	long window;

	if (slot->bytes != 0 && (region->bytes != slot->bytes || slot->start + region->offset != slot->wanted))
		return -EINVAL;
	if (region->offset % region->page_size != 0)
		return -EINVAL;
	window = msharefs_map(region, slot->start, prot);
	if (!failed(window))
		slot->bytes = 0;
	return window;
}

/* With the region open: everything up to the entry in the table. */
static long build_view(struct redirection *redirection, const struct region *region, struct attachment *at)
{
	long window = map_window(region, &redirection->slot, at->prot);
	long error;

	if (failed(window)) {
		refuse(redirection, MSHARE_REASON_MAP_WINDOW, window);
		return window;
	}
	at->window = (uintptr_t)window;
	at->region = region->bytes;
	at->view = at->window + region->offset;
	error = hide_shadow(at);
	if (failed(error))
		refuse(redirection, MSHARE_REASON_SHADOW, error);
	else if (attach_add(at) == NULL)
		refuse(redirection, MSHARE_REASON_TABLE_FULL, error = -ENOMEM);
	if (failed(error)) {
		unhide_shadow(at);
		real_munmap(at->window, at->region);
	}
	return error;
}

uintptr_t redirection_view(struct redirection *redirection, struct attachment *at)
{
	struct region_request request = { .addr = at->shadow,
					  .length = at->length,
					  .wanted = redirection->slot.wanted,
					  .populate = redirection->populate,
					  .huge = options_get()->huge == HUGE_ADVISE };
	struct region region;
	long error = msharefs_open_object(redirection->root, &request, &region);

	if (failed(error)) {
		refuse(redirection, MSHARE_REASON_OPEN_OBJECT, error);
		return 0;
	}
	at->backend = BACKEND_MSHAREFS;
	at->length = region.length;
	at->page_size = region.page_size;
	error = build_view(redirection, &region, at);
	msharefs_close(&region);
	if (failed(error))
		return 0;
	view_made(at);
	return at->view;
}

void view_made(const struct attachment *at)
{
	static const char *const kinds[] = { [ATTACH_MMAP] = "anonymous", [ATTACH_SYSV] = "SysV", [ATTACH_FILE] = "file" };

	history_count(HISTORY_REDIRECTED);
	log_line(LOG_LEVEL_INFO, "%zu bytes of %s memory shared at 0x%lx by %s", at->length, kinds[at->kind], at->view,
		 backend_names[at->backend]);
}

bool view_takes_file(int fd)
{
	struct statfs fs;
	struct stat file;

	/* Devices have memory of other kinds, and may live on a tmpfs. */
	if (failed(REAL2(SYS_fstat, fd, &file)) || !S_ISREG(file.st_mode) || failed(REAL2(SYS_fstatfs, fd, &fs)))
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC || fs.f_type == EXT4_SUPER_MAGIC ||
	       fs.f_type == XFS_SUPER_MAGIC;
}

bool view_is_hugetlb(uintptr_t addr)
{
	return real_madvise(addr, PAGE_BYTES, MADV_COLD) == -EINVAL;
}

/* What the user can do about it, for the reasons where that is known. */
static const char *advice(enum mshare_reason reason)
{
	switch (reason) {
	case MSHARE_REASON_NO_MOUNT:
	case MSHARE_REASON_NOT_MSHAREFS:
		return "; boot a kernel that has msharefs and mount it there (mshare-run does), or set MSHARE=off";
	case MSHARE_REASON_HUGE_PAGES:
		return "; make vm.nr_hugepages larger, or take hugetlb out of MSHARE_BACKEND";
	case MSHARE_REASON_SHMEM_THP:
		return "; write advise there, or take thp out of MSHARE_BACKEND";
	default:
		return "; see libmshare_preload(7)";
	}
}

static void log_refusal(const struct refusal *refusal, size_t length)
{
	const char *error = refusal->error != 0 ? strerrordesc_np(refusal->error) : NULL;
	const char *mount = refusal->reason <= MSHARE_REASON_MAP_WINDOW ? options_get()->mount : NULL;
	bool strict = options_get()->strict;

	log_line(strict ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "%zu bytes of shared memory %s: %s%s%s%s%s%s%s", length,
		 strict ? "fail with ENOMEM, as MSHARE_STRICT asks" : "keep page tables in every process",
		 mshare_reason_text(refusal->reason), mount != NULL || error != NULL ? " (" : "",
		 mount != NULL ? mount : "", mount != NULL && error != NULL ? ": " : "", error != NULL ? error : "",
		 mount != NULL || error != NULL ? ")" : "", advice(refusal->reason));
}

void view_refused(const struct refusal *refusal, uintptr_t addr, size_t length)
{
	history_count(HISTORY_FALLBACK);
	history_remember(addr, length, refusal->reason, refusal->error);
	if (refusal->reason != MSHARE_REASON_BACKEND_NONE && (options_get()->strict || log_first(refusal->reason)))
		log_refusal(refusal, length);
}

int view_unmap(struct attachment *at)
{
	long error = real_munmap(at->window, at->region);

	if (failed(error))
		return (int)error;
	attach_remove(at);
	return 0;
}

/* The window was replaced and the shadow could not be moved there: make the view again, from the shadow. */
static void rebuild_window(const struct attachment *at)
{
	struct region_request request = { .addr = at->shadow, .length = at->length, .wanted = at->view };
	struct region region;
	int root = msharefs_open_root(options_get()->mount);
	long window = root;

	if (root >= 0 && !failed(window = msharefs_open_object(root, &request, &region))) {
		window = msharefs_map(&region, at->window, at->prot);
		msharefs_close(&region);
	}
	if (root >= 0)
		real_close(root);
	if (failed(window))
		log_line(LOG_LEVEL_ERROR, "lost the view at 0x%lx: %s", at->view, strerrordesc_np((int)-window));
}

/* Gives back those parts of the slots that the view did not use. */
static void trim_slots(const struct attachment *at)
{
	uintptr_t end = at->view + at->length;

	if (at->view > at->window)
		real_munmap(at->window, at->view - at->window);
	if (at->window + at->region > end)
		real_munmap(end, at->window + at->region - end);
}

/*
 * Would the kernel move a mapping?  Not near vm.max_map_count, and it says so before it changes anything; here, while the
 * view is still whole.  A page is moved onto another: that takes more vmas than the move that is meant.
 */
static long can_move(void)
{
	long pages = real_mmap(0, 3 * PAGE_BYTES, PROT_NONE, PLACE_HOLDER, -1, 0);
	long ret;

	if (failed(pages))
		return 0;
	ret = real_mremap((uintptr_t)pages, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			  (uintptr_t)pages + 2 * PAGE_BYTES);
	/* Where it was moved from is a hole by now. */
	if (!failed(ret))
		real_munmap((uintptr_t)pages + PAGE_BYTES, 2 * PAGE_BYTES);
	else
		real_munmap((uintptr_t)pages, 3 * PAGE_BYTES);
	return failed(ret) ? ret : 0;
}

/*
 * The place holder takes the window away in one piece, as the kernel wants it, and keeps the address from
 * other threads' mmap(); the shadow then replaces its part of it.  A move, not a second mapping:
 * shm_nattch does not change, and a shadow has no page table entry to carry over.
 */
static long move_shadow(const struct attachment *at)
{
	long ret = can_move();

	if (failed(ret))
		return ret;
	ret = real_mmap(at->window, at->region, PROT_NONE, PLACE_HOLDER | MAP_FIXED, -1, 0);

	if (failed(ret))
		return ret;
	ret = real_mremap(at->shadow, at->length, at->length, MREMAP_MAYMOVE | MREMAP_FIXED, at->view);
	if (failed(ret))
		rebuild_window(at);
	return ret;
}

static long demote_window(const struct attachment *at)
{
	long ret = unhide_shadow(at);

	if (!failed(ret))
		ret = move_shadow(at);
	if (failed(ret))
		hide_shadow(at);
	else
		trim_slots(at);
	return ret;
}

static void get_stuck(struct attachment *at)
{
	at->stuck = true;
	if (log_first(MSHARE_REASON_STUCK))
		log_line(LOG_LEVEL_WARN,
			 "%zu bytes at 0x%lx: %s, and other processes have them too; such calls may fail with ENOMEM; "
			 "take hugetlb out of MSHARE_BACKEND",
			 at->length, at->view, mshare_reason_text(MSHARE_REASON_STUCK));
}

int view_demote(struct attachment *at)
{
	struct attachment was = *at;
	long ret = at->backend == BACKEND_HUGETLB ? hugetlb_demote(at) : demote_window(at);

	if (ret == -EBUSY && at->backend == BACKEND_HUGETLB) {
		get_stuck(at);
		return 0;
	}
	if (failed(ret))
		return (int)ret;
	attach_remove(at);
	history_count(HISTORY_DEMOTED);
	history_remember(was.view, was.length, MSHARE_REASON_DEMOTED, 0);
	log_line(log_first(MSHARE_REASON_DEMOTED) ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
		 "%zu bytes at 0x%lx have page tables of this process again: %s; see libmshare_preload(7)", was.length,
		 was.view, mshare_reason_text(MSHARE_REASON_DEMOTED));
	return 0;
}

bool view_range_valid(uintptr_t addr, size_t length)
{
	return addr % PAGE_BYTES == 0 && length != 0 && length <= -PAGE_BYTES - addr;
}

int view_settle(uintptr_t addr, size_t length, struct attachment **at)
{
	*at = attach_find_view(addr, round_up(length, PAGE_BYTES));
	if (*at == NULL)
		return view_demote_range(addr, length);
	/* Huge pages can be asked about like any memory. */
	if ((*at)->backend != BACKEND_MSHAREFS)
		*at = NULL;
	return 0;
}

int view_demote_range(uintptr_t addr, size_t length)
{
	struct attachment *at;
	int error;

	while ((at = attach_find(addr, length)) != NULL) {
		error = view_demote(at);
		if (error < 0)
			return error;
	}
	return 0;
}

size_t view_length(uintptr_t addr, size_t length)
{
	const struct attachment *at = attach_find_view(addr, 1);

	return at != NULL && at->stuck && addr == at->view && round_up(length, PAGE_BYTES) == at->length ? at->region :
													     length;
}

long view_answer(uintptr_t addr, size_t length, long ret)
{
	const struct attachment *at;

	if (ret != -EINVAL)
		return ret;
	at = attach_find_view(addr, 1);
	if (at == NULL && length > 0)
		at = attach_find_view(addr + length - 1, 1);
	/* All of it fits: then the program is to know. */
	if (at != NULL && addr == at->window && length == at->region)
		return ret;
	return at != NULL && at->stuck ? -ENOMEM : ret;
}
