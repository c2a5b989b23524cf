/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * msharefs: page tables shared between processes.
 *
 * A regular file on msharefs is a region: a set of page tables that every
 * process that maps the file uses in place of its own.  See
 * Documentation/filesystems/msharefs.rst for the semantics of each call.
 */
#ifndef _UAPI_LINUX_MSHAREFS_H
#define _UAPI_LINUX_MSHAREFS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct mshare_create - map an object into a region
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 * @offset: where in the file behind @fd, in bytes, page aligned
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC
 * @flags: MAP_SHARED | MAP_FIXED, plus MAP_ANONYMOUS, MAP_NORESERVE, or
 *         MAP_HUGETLB with a MAP_HUGE_* size
 * @fd: the file, or -1 with MAP_ANONYMOUS
 */
struct mshare_create {
	__u64 region_offset;
	__u64 size;
	__u64 offset;
	__u32 prot;
	__u32 flags;
	__u32 fd;
};

/**
 * struct mshare_unmap - unmap whatever a part of a region maps
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 */
struct mshare_unmap {
	__u64 region_offset;
	__u64 size;
};

/**
 * struct mshare_protect - change the protection of a range, for all guests
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 * @prot: PROT_READ, PROT_WRITE, PROT_EXEC; within what the file of the object
 *        allowed when it was mapped
 * @reserved: must be zero
 */
struct mshare_protect {
	__u64 region_offset;
	__u64 size;
	__u32 prot;
	__u32 reserved;
};

/**
 * struct mshare_advise - madvise() for a range
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 * @advice: MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, REMOVE,
 *          HUGEPAGE, NOHUGEPAGE, COLLAPSE, COLD, PAGEOUT, POPULATE_READ or
 *          POPULATE_WRITE
 * @reserved: must be zero
 */
struct mshare_advise {
	__u64 region_offset;
	__u64 size;
	__u32 advice;
	__u32 reserved;
};

/**
 * struct mshare_lock - lock a range in memory, or unlock it
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 * @on: 1 to lock, which faults in what is not there; 0 to unlock
 * @reserved: must be zero
 */
struct mshare_lock {
	__u64 region_offset;
	__u64 size;
	__u32 on;
	__u32 reserved;
};

/**
 * struct mshare_populate - fault a range in, once for all guests
 * @region_offset: where in the region, in bytes, page aligned
 * @size: length in bytes, page aligned
 */
struct mshare_populate {
	__u64 region_offset;
	__u64 size;
};

/**
 * struct mshare_object - the region of an object that the caller has mapped
 * @addr: start of the caller's MAP_SHARED mapping of the object, or an
 *        address inside it; page aligned
 * @size: bytes of the object from @addr on; a multiple of its page size
 * @view_addr: the address at which the caller wants to see @addr's byte in
 *             its window, or 0 for any
 * @flags: MSHARE_OBJECT_*
 * @reserved: must be zero
 */
struct mshare_object {
	__u64 addr;
	__u64 size;
	__u64 view_addr;
	__u32 flags;
	__u32 reserved;
};

/* The file descriptor returned is closed on execve(). */
#define MSHARE_OBJECT_CLOEXEC	(1U << 0)
/* Ask for huge pages (as MADV_HUGEPAGE does) if this call makes the region. */
#define MSHARE_OBJECT_HUGEPAGE	(1U << 1)
/* Fault the whole object in before returning. */
#define MSHARE_OBJECT_POPULATE	(1U << 2)

/**
 * struct mshare_stat - what a region holds and what it costs
 * @size: in: bytes of this struct that the caller knows; out: bytes filled
 * @flags: MSHARE_STAT_*
 * @region_bytes: size of the region, as fstat() says
 * @mapped_bytes: bytes of objects mapped into it
 * @object_offset: object regions: where in the region the object starts
 * @resident_pages: 4 KB pages that its page tables map now
 * @page_table_bytes: page tables, paid once for all processes
 * @windows: mappings of the region in processes
 * @links: 512 GB slots of those mappings that use its page tables now
 * @page_size: bytes; of the first object, 0 without one
 * @reserved: zero
 */
struct mshare_stat {
	__u32 size;
	__u32 flags;
	__u64 region_bytes;
	__u64 mapped_bytes;
	__u64 object_offset;
	__u64 resident_pages;
	__u64 page_table_bytes;
	__u64 windows;
	__u64 links;
	__u32 page_size;
	__u32 reserved;
};

/* Made by MSHAREFS_OPEN_OBJECT. */
#define MSHARE_STAT_OBJECT	(1U << 0)
/* The owner has exited: nothing can be mapped any more. */
#define MSHARE_STAT_DEAD	(1U << 1)
/* Objects were mapped with MSHARE_OBJECT_HUGEPAGE. */
#define MSHARE_STAT_HUGEPAGE	(1U << 2)
/* The object may be written by none: its region was made read-only. */
#define MSHARE_STAT_READONLY	(1U << 3)

/* On a region. */
#define MSHAREFS_CREATE_MAPPING	_IOW('x', 0, struct mshare_create)
#define MSHAREFS_UNMAP		_IOW('x', 1, struct mshare_unmap)
#define MSHAREFS_STAT		_IOWR('x', 0x11, struct mshare_stat)
#define MSHAREFS_PROTECT	_IOW('x', 0x12, struct mshare_protect)
#define MSHAREFS_ADVISE		_IOW('x', 0x13, struct mshare_advise)
#define MSHAREFS_LOCK		_IOW('x', 0x14, struct mshare_lock)
#define MSHAREFS_POPULATE	_IOW('x', 0x15, struct mshare_populate)

/* On the root directory: returns a file descriptor of the object's region. */
#define MSHAREFS_OPEN_OBJECT	_IOW('x', 0x10, struct mshare_object)

#endif /* _UAPI_LINUX_MSHAREFS_H */
