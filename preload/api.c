/* SPDX-License-Identifier: PostgreSQL */
/*
 * api.c - mshare.h: what a program can ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "attach.h"
#include "export.h"
#include "history.h"
#include "mshare.h"
#include "msharefs.h"
#include "options.h"
#include "real.h"
#include "view.h"

#ifndef MSHARE_VERSION
#define MSHARE_VERSION	0x000200U
#endif

static const char *const reason_texts[MSHARE_REASON_COUNT] = {
	[MSHARE_REASON_NONE] = "page tables are shared",
	[MSHARE_REASON_NO_MOUNT] = "there is no msharefs",
	[MSHARE_REASON_NOT_MSHAREFS] = "what is mounted is no msharefs",
	[MSHARE_REASON_SLOT_BUSY] = "the wanted address is not in a free 512 GB slot",
	[MSHARE_REASON_OPEN_OBJECT] = "the kernel made no region of it",
	[MSHARE_REASON_MAP_WINDOW] = "the kernel did not map the region",
	[MSHARE_REASON_SHADOW] = "the ordinary mapping could not be put aside",
	[MSHARE_REASON_TABLE_FULL] = "there is no memory to remember it",
	[MSHARE_REASON_LOCKED] = "mlockall(MCL_FUTURE) is in force",
	[MSHARE_REASON_DEMOTED] = "a call on it needed an ordinary mapping",
	[MSHARE_REASON_HUGE_PAGES] = "there are not enough free huge pages",
	[MSHARE_REASON_HUGE_NEVER] = "MSHARE_HUGE=never",
	[MSHARE_REASON_SHMEM_THP] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled does not allow huge pages",
	[MSHARE_REASON_NO_PLACE] = "no address that huge pages could be shared at",
	[MSHARE_REASON_OBJECT] = "the backend is not for this kind of memory",
	[MSHARE_REASON_BACKEND_NONE] = "MSHARE_BACKEND=none",
	[MSHARE_REASON_STUCK] = "a call on it does not fit its huge pages",
	[MSHARE_REASON_HUGE_RIGHTS] = "vm.hugetlb_shm_group has to be a group of this process for that",
};

EXPORT const char *mshare_reason_text(unsigned int reason)
{
	return reason < MSHARE_REASON_COUNT ? reason_texts[reason] : "unknown reason";
}

EXPORT unsigned int mshare_version(void)
{
	return MSHARE_VERSION;
}

static int answer(int error)
{
	return (int)edge(error);
}

/*
 * Hands a struct out as far as the caller knows it.  Its first field is the size, which no version will
 * allow to be smaller than `oldest`.
 */
static int hand_out(void *to, void *from, size_t size, size_t oldest)
{
	uint32_t known;

	memcpy(&known, to, sizeof(known));
	if (known < oldest)
		return -EINVAL;
	if (known > size)
		known = (uint32_t)size;
	memcpy(from, &known, sizeof(known));
	memcpy(to, from, known);
	return 0;
}

/* What version 0.1 knew of it. */
#define OLDEST_INFO	offsetof(struct mshare_info, offset)

static struct mshare_info describe(const struct attachment *at)
{
	struct mshare_info info = { .view_addr = at->view,
				    .length = at->length,
				    .page_size = at->page_size,
				    .shadow_addr = at->shadow,
				    .window_addr = at->window,
				    .region_bytes = at->region,
				    .offset = at->offset,
				    .shmid = at->kind == ATTACH_SYSV ? at->shmid : -1,
				    .prot = at->prot };

	strcpy(info.backend, backend_names[at->backend]);
	if (at->backend != BACKEND_MSHAREFS)
		info.window_addr = info.region_bytes = 0;
	if (at->kind == ATTACH_SYSV)
		info.flags |= MSHARE_INFO_SYSV;
	if (at->kind == ATTACH_FILE)
		info.flags |= MSHARE_INFO_FILE;
	if (at->readonly)
		info.flags |= MSHARE_INFO_READONLY;
	if (at->page_size > PAGE_BYTES && (at->backend == BACKEND_MSHAREFS || at->plain))
		info.flags |= MSHARE_INFO_HUGETLB;
	return info;
}

static int query_locked(uintptr_t addr, struct mshare_info *info)
{
	const struct attachment *at = attach_find_view(addr, 1);
	const struct history_entry *entry;

	if (at != NULL) {
		*info = describe(at);
		return 0;
	}
	entry = history_find(addr);
	if (entry == NULL)
		return -ENOENT;
	*info = (struct mshare_info){ .view_addr = entry->addr, .length = entry->length, .backend = "none",
				      .reason = entry->reason, .error = entry->error, .shmid = -1 };
	return 0;
}

EXPORT int mshare_query(const void *addr, struct mshare_info *info)
{
	struct mshare_info found;
	int error;

	attach_lock();
	error = query_locked((uintptr_t)addr, &found);
	attach_unlock();
	return answer(error < 0 ? error : hand_out(info, &found, sizeof(found), OLDEST_INFO));
}

EXPORT int mshare_attachment(unsigned int index, struct mshare_info *info)
{
	struct mshare_info found;
	int error = -ENOENT;

	attach_lock();
	if (index < attach_count()) {
		found = describe(attach_at(index));
		error = 0;
	}
	attach_unlock();
	return answer(error < 0 ? error : hand_out(info, &found, sizeof(found), OLDEST_INFO));
}

/* The region is found again by its object, of which the shadow is a mapping. */
static int region_stats_locked(uintptr_t addr, struct mshare_region *stats)
{
	const struct attachment *at = attach_find_view(addr, 1);
	struct region_request request;
	struct region region;
	int root, error;

	if (at == NULL)
		return -ENOENT;
	if (at->backend != BACKEND_MSHAREFS)
		return -ENOTSUP;
	request = (struct region_request){ .addr = at->shadow, .length = at->length };
	root = msharefs_open_root(options_get()->mount);
	if (root < 0)
		return root;
	error = msharefs_open_object(root, &request, &region);
	real_close(root);
	if (error < 0)
		return error;
	error = msharefs_stats(&region, stats);
	msharefs_close(&region);
	return error;
}

EXPORT int mshare_region_stats(const void *addr, struct mshare_region *region)
{
	struct mshare_region found;
	int error;

	attach_lock();
	error = region_stats_locked((uintptr_t)addr, &found);
	attach_unlock();
	return answer(error < 0 ? error : hand_out(region, &found, sizeof(found), sizeof(found)));
}

EXPORT int mshare_stats(struct mshare_counters *counters)
{
	struct mshare_counters found;

	attach_lock();
	found = (struct mshare_counters){ .attached = (uint32_t)attach_count(),
					  .redirected = history_counter(HISTORY_REDIRECTED),
					  .fallback = history_counter(HISTORY_FALLBACK),
					  .demoted = history_counter(HISTORY_DEMOTED) };
	attach_unlock();
	return answer(hand_out(counters, &found, sizeof(found), sizeof(found)));
}

static int prefault_locked(uintptr_t addr, size_t length)
{
	const struct attachment *at = attach_find_view(addr, length);
	long ret;

	if (at == NULL)
		return -ENOENT;
	/* A window hands it on to the region, where it is done once for all. */
	ret = real_madvise(addr, length, at->prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	return ret == -EFAULT ? -ENOMEM : (int)ret;
}

EXPORT int mshare_prefault(const void *addr, uint64_t length)
{
	int error;

	if (!view_range_valid((uintptr_t)addr, length))
		return answer(-EINVAL);
	attach_lock();
	error = prefault_locked((uintptr_t)addr, round_up(length, PAGE_BYTES));
	attach_unlock();
	return answer(error);
}
