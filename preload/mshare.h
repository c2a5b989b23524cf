/* SPDX-License-Identifier: PostgreSQL */
/*
 * mshare.h - what a program can ask libmshare_preload.so about its shared memory.
 *
 * The library is normally preloaded, so look these functions up with dlsym(RTLD_DEFAULT, ...): not
 * finding them means that the process runs without it.  See mshare(3).
 *
 * Every struct starts with its size, which the caller sets to sizeof before the call.  The library
 * fills as many bytes as both sides know and says in the same field how many that were, so that
 * programs and libraries of different versions work together.
 *
 * Functions that return int return 0, or -1 with errno set.  Nothing here allocates memory.
 */
#ifndef MSHARE_H
#define MSHARE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why memory that could have been redirected was not, or is no more. */
enum mshare_reason {
	MSHARE_REASON_NONE = 0,		/* it is redirected */
	MSHARE_REASON_NO_MOUNT,		/* MSHARE_MOUNT cannot be opened */
	MSHARE_REASON_NOT_MSHAREFS,	/* something else is mounted there */
	MSHARE_REASON_SLOT_BUSY,	/* the wanted address is not in a free 512 GB slot */
	MSHARE_REASON_OPEN_OBJECT,	/* the kernel made no region of the object */
	MSHARE_REASON_MAP_WINDOW,	/* the kernel did not map the region */
	MSHARE_REASON_SHADOW,		/* the ordinary mapping could not be put aside */
	MSHARE_REASON_TABLE_FULL,	/* no memory for the library's own table */
	MSHARE_REASON_LOCKED,		/* mlockall(MCL_FUTURE) is in force */
	MSHARE_REASON_DEMOTED,		/* a call on the view needed an ordinary mapping */
	MSHARE_REASON_HUGE_PAGES,	/* hugetlb: there are not enough free huge pages */
	MSHARE_REASON_HUGE_NEVER,	/* hugetlb, thp: MSHARE_HUGE=never */
	MSHARE_REASON_SHMEM_THP,	/* thp: shmem_enabled does not allow it */
	MSHARE_REASON_NO_PLACE,		/* hugetlb, thp: no aligned address, or another one was asked for */
	MSHARE_REASON_OBJECT,		/* hugetlb, thp: not for this kind of memory */
	MSHARE_REASON_BACKEND_NONE,	/* MSHARE_BACKEND=none */
	MSHARE_REASON_STUCK,		/* hugetlb: a call did not fit huge pages, and other processes have them too */
	MSHARE_REASON_HUGE_RIGHTS,	/* hugetlb: vm.hugetlb_shm_group does not let this process make segments of them */
	MSHARE_REASON_COUNT
};

/* struct mshare_info.flags */
#define MSHARE_INFO_SYSV	(1U << 0)	/* attached by shmat(), else by mmap() */
#define MSHARE_INFO_READONLY	(1U << 1)	/* attached with SHM_RDONLY */
#define MSHARE_INFO_FILE	(1U << 2)	/* mmap() of a file descriptor: a file, memfd, shm_open() */
#define MSHARE_INFO_HUGETLB	(1U << 3)	/* huge pages that the program asked for itself */

/*
 * One mapping of the program.  backend is "msharefs" (page tables shared), "hugetlb" or "thp" (few page tables,
 * by huge pages), or "none" for the ordinary one.
 */
struct mshare_info {
	uint32_t size;
	uint32_t flags;
	uint64_t view_addr;		/* what the program was given */
	uint64_t length;		/* bytes */
	uint64_t page_size;		/* bytes; 0 if backend is "none" */
	uint64_t shadow_addr;		/* the ordinary mapping behind it, or 0 */
	uint64_t window_addr;		/* where the region is mapped, or 0 */
	uint64_t region_bytes;		/* length of that window, or 0 */
	char backend[16];
	uint32_t reason;		/* enum mshare_reason */
	int32_t error;			/* errno that goes with it, or 0 */
	/* Since version 0.2. */
	uint64_t offset;		/* bytes: of view_addr in the file; 0 for SysV and anonymous memory */
	int32_t shmid;			/* SysV: the segment's identifier; else -1 */
	int32_t prot;			/* PROT_*: what the program asked for the whole view last */
};

/* The region behind a view, as the kernel counts it: one for all processes. */
struct mshare_region {
	uint32_t size;
	uint32_t page_size;		/* bytes */
	uint64_t region_bytes;		/* address space of the region */
	uint64_t mapped_bytes;		/* of it, mapped by objects */
	uint64_t resident_bytes;	/* mapped by its page tables now */
	uint64_t page_table_bytes;	/* paid once for all processes */
	uint64_t windows;		/* mappings of the region in processes */
	uint64_t links;			/* 512 GB slots that use its page tables now */
};

/* This process' counters; a child starts with those of its parent. */
struct mshare_counters {
	uint32_t size;
	uint32_t attached;		/* redirected mappings now */
	uint64_t redirected;		/* mappings redirected */
	uint64_t fallback;		/* mappings that stayed ordinary */
	uint64_t demoted;		/* views turned back into ordinary mappings */
};

/* (major << 16) | (minor << 8) | patch */
unsigned int mshare_version(void);

/*
 * What is at addr?  ENOENT: nothing that the library redirected or wanted to.  Of mappings that were not
 * redirected, or not any more, only the last 16 are remembered, also after the program unmapped them.
 */
int mshare_query(const void *addr, struct mshare_info *info);

/* The index-th redirected mapping of this process, from 0 on, in no order.  ENOENT: no such. */
int mshare_attachment(unsigned int index, struct mshare_info *info);

/*
 * The region of the view at addr.  ENOENT: addr is in no view; ENOTSUP: its backend has no regions; else the
 * errno of the kernel.
 */
int mshare_region_stats(const void *addr, struct mshare_region *region);

int mshare_stats(struct mshare_counters *counters);

/*
 * Faults [addr, addr + length) of a view in, once for all processes: nobody takes a fault for it later but to link its
 * page tables.  Contents do not change.  addr has to be a multiple of the page size (EINVAL).  ENOENT: not all of it is in
 * one view; ENOMEM: there is not enough memory, part of it may have been faulted in.  Since version 0.2.
 */
int mshare_prefault(const void *addr, uint64_t length);

/* An English text without a full stop; never NULL. */
const char *mshare_reason_text(unsigned int reason);

#ifdef __cplusplus
}
#endif

#endif /* MSHARE_H */
