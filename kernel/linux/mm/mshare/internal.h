/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * msharefs: the region, and what the files of this folder know of it.
 *
 *   fs.c      the filesystem: mount, directories, sizes, lifetime of inodes
 *   region.c  the host mm: objects mapped into it, its size and its cost
 *   range.c   changes to what is mapped: protection, locks, advice
 *   owner.c   who pays for a region, and the end of its owner
 *   ioctl.c   the system call surface of a region
 *   object.c  regions found by the object they show (MSHAREFS_OPEN_OBJECT)
 *   window.c  the mapping of a region in a process: link, fault, unlink
 *   guests.c  all windows of a region, and the flushing of their TLBs
 *   show.c    what can be seen of regions: mshare_regions, fdinfo
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
 *    linked entry, and no CPU a cached one, when it dies.  GUP-fast walks the
 *    tables with interrupts off.  Bare metal frees tables right after the
 *    flush, so whoever unlinks, or frees tables of a host mm, has to flush with
 *    freed_tables set: that interrupts every CPU in the cpumasks of the
 *    guests.  Hypervisors may skip CPUs, and free tables after a grace period.
 * 3. A host pte change is followed by a TLB flush that reaches every guest:
 *    flush_tlb_mm_range() and the batches of reclaim go over to the guests by
 *    mshare_pend_flush().  A window is on the list that it walks from before
 *    its first link until after its last flush.
 * 4. Nobody walks a window's page tables by the window: every path either
 *    goes over to the host vma, with the host mm locked, or refuses.
 * 5. A process with a window has no mmu notifier, and the other way round:
 *    those of a guest would see nothing of what happens in the host mm.
 * 6. mm->mshare_region of a host mm is cleared when its page tables are gone,
 *    and the region is freed an RCU grace period later.  Who has but mmgrab()bed
 *    the host mm (reclaim's batches, khugepaged) reads it under RCU.
 *
 * Lock order
 *
 *   inode lock of a region (size)
 *   mmap_lock or vma lock of a guest
 *     mmap_lock or vma lock of the host mm (a lock class of its own)
 *       page_table_lock, page table locks
 *         windows_lock of a region
 *   regions_lock of a mount (a region's reference is never dropped inside)
 *   mshare_owner_lock (innermost, never with any of the others inside)
 *
 * A holder of a host mm's lock must not touch user memory (it may lie in a
 * window of the same region), nor take the lock of a guest.
 */
#ifndef _MM_MSHARE_INTERNAL_H
#define _MM_MSHARE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mshare.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <uapi/linux/msharefs.h>

struct seq_file;

/* Address of a region's first byte in its host mm; any multiple would do. */
#define MSHARE_HOST_BASE	P4D_SIZE

/* What identifies the region of an object on one mount. */
struct mshare_key {
	struct inode *inode;
	pgoff_t pgoff;
	unsigned long size;
	bool writable;
};

/* A mount: its options, and its regions. */
struct mshare_mount {
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	struct mutex regions_lock;	/* of the list, not of what is on it */
	struct list_head regions;	/* mshare_region.listed */
};

struct mshare_region {
	struct inode vfs_inode;
	struct list_head listed;	/* in mshare_mount.regions */
	struct mm_struct *mm;
	unsigned long size;		/* 0 until set, then never changes */
	unsigned long object_offset;	/* object regions: where the object is */
	struct mshare_key key;		/* object regions */
	struct file *object;		/* object regions: pins key.inode */
	struct mem_cgroup *memcg;	/* its maker's: see mshare_begin_charge() */
	struct ucounts *lock_user;	/* who is charged for locked_pages */
	unsigned long locked_pages;	/* host mmap_lock */
	struct hlist_node owned;	/* in signal_struct, mshare_owner_lock */
	unsigned int stat_flags;	/* MSHARE_STAT_* that do not change */
	bool dead;			/* the owner is gone; host mmap_lock */
	rwlock_t windows_lock;
	struct list_head windows;	/* mshare_window.node */
	unsigned long nr_windows;
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

static inline struct mshare_region *
mshare_window_region(const struct vm_area_struct *vma)
{
	return mshare_region(file_inode(vma->vm_file));
}

static inline struct mshare_mount *mshare_mount(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* region.c */
int mshare_region_init(struct mshare_region *region);
void mshare_region_destroy(struct mshare_region *region);
int mshare_region_set_size(struct mshare_region *region, loff_t size);
int mshare_region_map(struct mshare_region *region,
		      const struct mshare_mapping *map);
int mshare_unmap_host(struct mshare_region *region, unsigned long offset,
		      unsigned long size);
int mshare_region_unmap(struct mshare_region *region, unsigned long offset,
			unsigned long size);
void mshare_region_stat(struct mshare_region *region, struct mshare_stat *st);
int mshare_walk_objects(struct mshare_region *region, unsigned long start,
			unsigned long end, mshare_object_fn fn, int arg);

/* range.c */
int mshare_region_protect(struct mshare_region *region, unsigned long offset,
			  unsigned long size, unsigned long prot);
int mshare_region_lock(struct mshare_region *region, unsigned long offset,
		       unsigned long size, bool on);
void mshare_settle_locked(struct mshare_region *region);
int mshare_region_advise(struct mshare_region *region, unsigned long offset,
			 unsigned long size, u32 advice);
int mshare_region_populate(struct mshare_region *region, unsigned long offset,
			   unsigned long size);

/* owner.c */
void mshare_set_owner(struct mshare_region *region);
void mshare_set_memcg(struct mshare_region *region);
void mshare_disown(struct mshare_region *region);
struct mem_cgroup *mshare_begin_charge(const struct mshare_region *region);
void mshare_end_charge(const struct mshare_region *region,
		       struct mem_cgroup *payer);

/* ioctl.c */
long mshare_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* object.c */
long mshare_root_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* window.c */
int mshare_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long mshare_get_unmapped_area(struct file *file, unsigned long addr,
				       unsigned long len, unsigned long pgoff,
				       unsigned long flags);

/* guests.c */
void mshare_add_window(struct vm_area_struct *vma);
void mshare_remove_window(struct vm_area_struct *vma);

/* show.c */
extern const struct file_operations mshare_regions_operations;
void mshare_list(struct mshare_region *region);
void mshare_unlist(struct mshare_region *region);
void mshare_show_fdinfo(struct seq_file *m, struct file *file);

/* fs.c */
void mshare_init_region_inode(struct inode *inode, umode_t mode);

#endif /* _MM_MSHARE_INTERNAL_H */
