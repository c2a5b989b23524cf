/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msharefs: the region, and what the files of this folder know of it.
 *
 *   fs.c      the filesystem: mount, directories, sizes, lifetime of inodes
 *   region.c  the host mm: objects mapped into it, its size and its cost
 *   ioctl.c   the system call surface of a region
 *   object.c  regions found by the object they show (MSHAREFS_OPEN_OBJECT)
 *   window.c  the mapping of a region in a process: link, fault, unlink
 *
 * Invariants
 *
 * 1. A slot (P4D_SIZE of a region) that ever had an object has a PUD page in
 *    the host mm, and keeps it until the region dies: munmap in a host mm
 *    stops at the PUD level (free_pud_range()).  So a guest's p4d entry, once
 *    linked, can become stale only by the death of the region.
 * 2. A window holds a reference to the region through vm_file, and drops it
 *    in remove_vma(), after unmap_page_range() has cleared the guest's p4d
 *    entries and the mmu_gather has flushed its TLBs.  So a region has no
 *    linked entry, and no CPU a cached one, when it dies.  GUP-fast, which
 *    may still walk with interrupts off, is held off by the RCU-delayed
 *    freeing of page tables (MMU_GATHER_RCU_TABLE_FREE).
 * 3. A host pte change is followed by a TLB flush that reaches every guest:
 *    flush_tlb_mm_range() of a host mm asks mshare_needs_flush().  The count
 *    of windows that it reads is raised before the first link and dropped
 *    after the last flush.
 * 4. Nobody walks a window's page tables by the window: every path either
 *    goes over to the host vma, with the host mm locked, or refuses.
 *
 * Lock order
 *
 *   inode lock of a region (size)
 *   mmap_lock or vma lock of a guest
 *     mmap_lock or vma lock of the host mm (a lock class of its own)
 *       page_table_lock, page table locks
 *   mshare_owner_lock (innermost, never with any of the others inside)
 *
 * A holder of a host mm's lock must not touch user memory (it may lie in a
 * window of the same region), nor take the lock of a guest.
 */
#ifndef _MM_MSHARE_INTERNAL_H
#define _MM_MSHARE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mshare.h>
#include <uapi/linux/msharefs.h>

/* Address of a region's first byte in its host mm; any multiple would do. */
#define MSHARE_HOST_BASE	P4D_SIZE

/* What identifies the region of an object on one mount. */
struct mshare_key {
	struct inode *inode;
	pgoff_t pgoff;
	unsigned long size;
	bool writable;
};

struct mshare_region {
	struct inode vfs_inode;
	struct mm_struct *mm;
	unsigned long size;		/* 0 until set, then never changes */
	unsigned long object_offset;	/* object regions: where the object is */
	struct mshare_key key;		/* object regions */
	struct file *object;		/* object regions: pins key.inode */
	struct mem_cgroup *memcg;	/* owned regions: who pays, or NULL */
	struct hlist_node owned;	/* in signal_struct, mshare_owner_lock */
	unsigned int stat_flags;	/* MSHARE_STAT_* that do not change */
	bool dead;			/* the owner is gone; host mmap_lock */
	atomic_long_t windows;
	atomic_long_t links;
};

/* An object, and where in a region it goes. */
struct mshare_mapping {
	struct file *file;
	pgoff_t pgoff;
	unsigned long offset;		/* in the region */
	unsigned long size;
	unsigned long prot;		/* PROT_* */
	vm_flags_t vm_flags;		/* VM_NORESERVE, VM_HUGEPAGE */
};

/* What mshare_walk_objects() calls, without any lock held. */
typedef int (*mshare_object_fn)(struct file *file, loff_t offset, loff_t len,
				int arg);

extern const struct file_operations mshare_file_operations;

static inline struct mshare_region *mshare_region(const struct inode *inode)
{
	return container_of(inode, struct mshare_region, vfs_inode);
}

static inline bool mshare_is_region(const struct file *file)
{
	return file->f_op == &mshare_file_operations;
}

/* region.c */
int mshare_region_init(struct mshare_region *region);
void mshare_region_destroy(struct mshare_region *region);
void mshare_region_set_owner(struct mshare_region *region);
int mshare_region_set_size(struct mshare_region *region, loff_t size);
int mshare_region_map(struct mshare_region *region,
		      const struct mshare_mapping *map);
int mshare_region_unmap(struct mshare_region *region, unsigned long offset,
			unsigned long size);
int mshare_region_populate(struct mshare_region *region, unsigned long offset,
			   unsigned long size);
void mshare_region_stat(struct mshare_region *region, struct mshare_stat *st);
int mshare_walk_objects(struct mshare_region *region, unsigned long start,
			unsigned long end, mshare_object_fn fn, int arg);

/* ioctl.c */
long mshare_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* object.c */
long mshare_root_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* window.c */
int mshare_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long mshare_get_unmapped_area(struct file *file, unsigned long addr,
				       unsigned long len, unsigned long pgoff,
				       unsigned long flags);

/* fs.c */
void mshare_init_region_inode(struct inode *inode, umode_t mode);

#endif /* _MM_MSHARE_INTERNAL_H */
