/* SPDX-License-Identifier: PostgreSQL */
/*
 * stock.h - what saves page tables on a kernel without msharefs: huge pages.
 *
 * Functions are called with the attachment table locked.
 */
#ifndef MSHARE_STOCK_H
#define MSHARE_STOCK_H

#include <stdbool.h>

#include "options.h"
#include "request.h"
#include "view.h"

/* What they refuse with. */
static inline uintptr_t stock_refuse(struct refusal *refusal, enum mshare_reason reason, long error)
{
	*refusal = (struct refusal){ reason, (int)-error };
	return 0;
}

/* A prefault writes, if it may, so that no process takes a fault for a dirty bit; MAP_POPULATE of shared memory reads. */
static inline void stock_populate(uintptr_t addr, size_t length, int prot)
{
	bool write = options_get()->prefault && prot & PROT_WRITE;

	real_madvise(addr, length, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/*
 * hugetlb: memory for which the program asked for huge pages is only placed, at a multiple of 1 GB, from where on the
 * kernel shares the page tables of whole GBs between processes.  Anonymous memory for which it did not is made of huge pages,
 * if there are enough, and faulted in at once: what is there then cannot be missing later.
 *
 * thp: memory of 4 kB pages, placed at a multiple of 2 MB, with MADV_HUGEPAGE.
 *
 * Both return the address, with the mapping in the table; or 0, with *refusal filled and nothing changed.
 */
uintptr_t hugetlb_map(const struct map_request *request, struct refusal *refusal);
uintptr_t thp_map(const struct map_request *request, struct refusal *refusal);

/* The same for an attach that the kernel has just made where it liked, and nobody has touched yet. */
uintptr_t hugetlb_adopt(const struct attachment *shadow, struct refusal *refusal);
uintptr_t thp_adopt(const struct attachment *shadow, struct refusal *refusal);

/*
 * Attaches the segment once more where there is room for it, at a multiple of alignment, and gives that attach back.  The
 * address, or -errno with nothing changed.
 */
long stock_attach_at(const struct attachment *attach, size_t room, size_t alignment);

/* A new SysV segment of huge pages, for one that was asked for without; -EEXIST if the key has one, else -errno. */
long hugetlb_segment(int key, size_t size, int flags);

/*
 * Turns huge pages that the program did not ask for into what it asked for.  Only this process' mapping of them can be
 * changed, so -EBUSY if there are others.
 */
int hugetlb_demote(struct attachment *at);

/*
 * Before mremap() of populated huge pages: kernels up to at least 6.18 deadlock when they move entries to a place where
 * page tables can be shared.  Takes the entries away; the memory stays.
 */
void hugetlb_before_move(uintptr_t addr, size_t length);

#endif
