// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host mm of a region: made and unmade, objects mapped into it, its cost.
 */
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/khugepaged.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/security.h>

#include <asm/tlb.h>

#include "../internal.h"
#include "internal.h"

static struct lock_class_key mshare_mmap_lock_key;

#if defined(CONFIG_LOCKDEP) && defined(CONFIG_PER_VMA_LOCK)
/*
 * A fault takes the locks of a host mm and its vma inside the lock of a window's
 * vma; the mmap_lock of a host mm is taken outside of its own vmas' locks only.
 * Called for every vma, when its lock is initialised.
 */
void mshare_set_vma_lock_class(struct vm_area_struct *vma)
{
	static struct lock_class_key mshare_vma_lock_key;

	if (mm_is_mshare(vma->vm_mm))
		lockdep_set_class(&vma->vm_lock->lock, &mshare_vma_lock_key);
}
#endif

/**
 * mshare_region_init() - give a new region its host mm
 * @region: zeroed, not yet reachable by anybody
 *
 * The host mm runs no task and belongs to no process, so nothing of the
 * creator may stick to it: not its dump filter, MDWE or THP-disable flags, not
 * its default vma flags (mlockall), not its memory cgroup.
 *
 * Return: 0 or -ENOMEM.
 */
int mshare_region_init(struct mshare_region *region)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return -ENOMEM;
	mm->flags = 0;
	mm->def_flags = 0;
#ifdef CONFIG_MEMCG
	RCU_INIT_POINTER(mm->owner, NULL);
#endif
	mm->task_size = TASK_SIZE_MAX;
	/* Taken inside the mmap_lock of a guest: lockdep must tell them apart. */
	lockdep_set_class(&mm->mmap_lock, &mshare_mmap_lock_key);
	mm->mshare_region = region;
	region->mm = mm;
	mshare_list(region);
	return 0;
}

/*
 * Free the PUD pages that munmap left (invariant 1); whatever VMAs there were
 * are gone, so all tables below them are too.
 */
static void mshare_free_slots(struct mshare_region *region)
{
	struct mmu_gather tlb;

	if (!region->size)
		return;
	tlb_gather_mmu_fullmm(&tlb, region->mm);
	free_pgd_range(&tlb, MSHARE_HOST_BASE, MSHARE_HOST_BASE + region->size,
		       0, 0);
	tlb_finish_mmu(&tlb);
}

/* The last reference is gone: there is no window, no link, no other user. */
void mshare_region_destroy(struct mshare_region *region)
{
	struct mm_struct *mm = region->mm;

	mshare_unlist(region);
	mshare_disown(region);
	if (mm) {
		VM_WARN_ON_ONCE(region->nr_windows);
		VM_WARN_ON_ONCE(atomic_long_read(&region->links));
		mmgrab(mm);
		mmput(mm);
		mm->locked_vm = 0;
		mshare_settle_locked(region);
		mshare_free_slots(region);
		/* Reclaim may hold the mm a little longer, khugepaged too. */
		WRITE_ONCE(mm->mshare_region, NULL);
		mmdrop(mm);
	}
	if (region->object)
		fput(region->object);
	mem_cgroup_put(region->memcg);
}

/**
 * mshare_region_set_size() - set the size, once
 * @region: its inode is locked
 * @size: bytes
 *
 * Return: 0, or -EINVAL if the size was set before, is no positive multiple of
 * P4D_SIZE, or is more than an address space has room for.
 */
int mshare_region_set_size(struct mshare_region *region, loff_t size)
{
	if (region->size || size <= 0 || !IS_ALIGNED(size, P4D_SIZE))
		return -EINVAL;
	if (size > TASK_SIZE_MAX - MSHARE_HOST_BASE)
		return -EINVAL;
	i_size_write(&region->vfs_inode, size);
	WRITE_ONCE(region->size, size);
	return 0;
}

/* Invariant 1: the slots under [start, end) get their PUD pages. */
static int mshare_alloc_slots(struct mm_struct *mm, unsigned long start,
			      unsigned long end)
{
	unsigned long addr;

	for (addr = start & P4D_MASK; addr < end; addr += P4D_SIZE) {
		p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);

		if (!p4d || !pud_alloc(mm, p4d, addr))
			return -ENOMEM;
	}
	return 0;
}

/* The rights and kinds of file that mmap() would check for MAP_SHARED. */
static int mshare_check_file(const struct mshare_mapping *map)
{
	struct file *file = map->file;
	struct inode *inode = file_inode(file);

	if (mshare_is_region(file))
		return -EINVAL;
	if (!S_ISREG(inode->i_mode) || IS_DAX(inode) || !file->f_op->mmap)
		return -ENODEV;
	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	if ((map->prot & PROT_WRITE) && !(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if ((map->prot & PROT_WRITE) && IS_SWAPFILE(inode))
		return -ETXTBSY;
	if (IS_APPEND(inode) && (file->f_mode & FMODE_WRITE))
		return -EACCES;
	if ((map->prot & PROT_EXEC) && path_noexec(&file->f_path))
		return -EPERM;
	if (map->size > inode->i_sb->s_maxbytes ||
	    map->pgoff > (inode->i_sb->s_maxbytes - map->size) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (is_file_hugepages(file) &&
	    !IS_ALIGNED(map->offset | map->size | (map->pgoff << PAGE_SHIFT),
			huge_page_size(hstate_file(file))))
		return -EINVAL;
	return security_mmap_file(file, map->prot, MAP_SHARED | MAP_FIXED);
}

static vm_flags_t mshare_vm_flags(const struct mshare_mapping *map)
{
	vm_flags_t flags = VM_SHARED | VM_MAYSHARE | VM_MAYREAD | VM_MAYWRITE;

	/* No protection key: keys belong to processes, and windows refuse them. */
	flags |= calc_vm_prot_bits(map->prot, 0) | map->vm_flags;
	if (map->prot & PROT_EXEC)
		flags |= VM_MAYEXEC;
	if (!(map->file->f_mode & FMODE_WRITE))
		flags &= ~(VM_MAYWRITE | VM_SHARED);
	return flags;
}

/*
 * Some drivers fill the page tables in ->mmap().  Guests would go on using
 * that, and with no vma nobody would ever take it away.
 */
static void mshare_undo_mmap(struct vm_area_struct *vma)
{
	/* hugetlbfs does not, and may have refused before all is set up. */
	if (!is_vm_hugetlb_page(vma))
		zap_page_range_single(vma, vma->vm_start,
				      vma->vm_end - vma->vm_start, NULL);
}

/* mmap_region() for what a region may hold: an unmerged shared file mapping. */
static int mshare_insert_vma(struct mm_struct *mm, unsigned long addr,
			     const struct mshare_mapping *map, vm_flags_t flags)
{
	struct vm_area_struct *vma = vm_area_alloc(mm);
	int err;

	if (!vma)
		return -ENOMEM;
	vma_set_range(vma, addr, addr + map->size, map->pgoff);
	vm_flags_init(vma, flags);
	vma->vm_page_prot = vm_get_page_prot(flags);
	vma->vm_file = get_file(map->file);

	err = mmap_file(map->file, vma);
	if (err)
		goto out_unmap;
	/*
	 * Device memory: its driver counts on the process that maps it.
	 * Secret memory: locked, and for the eyes of that process only.
	 */
	err = -ENODEV;
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP | VM_LOCKED))
		goto out_unmap;
	err = vma_link(mm, vma);
	if (err)
		goto out_unmap;

	khugepaged_enter_vma(vma, vma->vm_flags);
	vm_stat_account(mm, vma->vm_flags, vma_pages(vma));
	vm_flags_set(vma, VM_SOFTDIRTY);
	vma_set_page_prot(vma);
	return 0;

out_unmap:
	mshare_undo_mmap(vma);
	vma_close(vma);
	fput(vma->vm_file);
	vm_area_free(vma);
	return err;
}

/**
 * mshare_unmap_host() - unmap a range of a region whose host mm is locked
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 *
 * do_munmap() has the address space of the caller for a limit, who may be a
 * 32-bit task: the owner of a region that exits.
 *
 * Return: 0 or an errno of munmap(), as -EINVAL where it would cut a huge page;
 * to unmap nothing is no error.
 */
int mshare_unmap_host(struct mshare_region *region, unsigned long offset,
		      unsigned long size)
{
	unsigned long start = MSHARE_HOST_BASE + offset;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	mmap_assert_write_locked(region->mm);
	vma_iter_init(&vmi, region->mm, start);
	vma = vma_find(&vmi, start + size);
	if (!vma)
		return 0;
	return do_vmi_align_munmap(&vmi, vma, region->mm, start, start + size,
				   NULL, false);
}

static int mshare_map_locked(struct mshare_region *region,
			     const struct mshare_mapping *map, vm_flags_t flags)
{
	unsigned long addr = MSHARE_HOST_BASE + map->offset;
	struct mm_struct *mm = region->mm;
	int err;

	if (region->dead)
		return -EOWNERDEAD;
	if (mm->map_count > sysctl_max_map_count)
		return -ENOMEM;
	err = mshare_alloc_slots(mm, addr, addr + map->size);
	if (err)
		return err;
	err = mshare_unmap_host(region, map->offset, map->size);
	mshare_settle_locked(region);
	if (err)
		return err;
	return mshare_insert_vma(mm, addr, map, flags);
}

/**
 * mshare_region_map() - map an object into a region, as MAP_FIXED does
 * @region: its size is set, and holds the range
 * @map: the object, page aligned and not empty
 *
 * What was mapped in the range before is gone, also if this fails at the
 * object's own ->mmap().
 *
 * Return: 0 or an errno of mmap(); -EOWNERDEAD after the owner's exit.
 */
int mshare_region_map(struct mshare_region *region,
		      const struct mshare_mapping *map)
{
	struct address_space *mapping = map->file->f_mapping;
	unsigned long flags;
	bool writable;
	int err;

	err = mshare_check_file(map);
	if (err)
		return err;
	flags = mshare_vm_flags(map);
	err = memfd_check_seals_mmap(map->file, &flags);
	if (err)
		return err;
	writable = (flags & VM_SHARED) && (flags & VM_MAYWRITE);
	if (writable) {
		err = mapping_map_writable(mapping);
		if (err)
			return err;
	}
	err = -EINTR;
	if (!mmap_write_lock_killable(region->mm)) {
		err = mshare_map_locked(region, map, flags);
		mmap_write_unlock(region->mm);
	}
	if (writable)
		mapping_unmap_writable(mapping);
	return err;
}

/**
 * mshare_region_unmap() - unmap a range of a region, in all guests at once
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 *
 * Return: 0 or an errno of munmap(); to unmap nothing is no error.
 */
int mshare_region_unmap(struct mshare_region *region, unsigned long offset,
			unsigned long size)
{
	struct mm_struct *mm = region->mm;
	int err;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = mshare_unmap_host(region, offset, size);
	mshare_settle_locked(region);
	mmap_write_unlock(mm);
	return err;
}

/* Exact, where get_mm_rss() may be off by a batch for each CPU. */
static unsigned long mshare_resident_pages(struct mm_struct *mm)
{
	unsigned long pages;

	pages = percpu_counter_sum_positive(&mm->rss_stat[MM_FILEPAGES]) +
		percpu_counter_sum_positive(&mm->rss_stat[MM_SHMEMPAGES]);
#ifdef CONFIG_HUGETLB_PAGE
	pages += atomic_long_read(&mm->hugetlb_usage);
#endif
	return pages;
}

static void mshare_stat_mm(struct mm_struct *mm, struct mshare_stat *st)
{
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	st->mapped_bytes = (u64)mm->total_vm << PAGE_SHIFT;
	st->resident_pages = mshare_resident_pages(mm);
	st->page_table_bytes = mm_pgtables_bytes(mm);
	vma = find_vma(mm, 0);
	st->page_size = vma ? vma_kernel_pagesize(vma) : 0;
	mmap_read_unlock(mm);
}

/* Fill @st, but for its size field. */
void mshare_region_stat(struct mshare_region *region, struct mshare_stat *st)
{
	st->flags = region->stat_flags;
	if (READ_ONCE(region->dead))
		st->flags |= MSHARE_STAT_DEAD;
	st->region_bytes = READ_ONCE(region->size);
	st->object_offset = region->object_offset;
	st->windows = READ_ONCE(region->nr_windows);
	st->links = atomic_long_read(&region->links);
	mshare_stat_mm(region->mm, st);
}

/**
 * mshare_walk_objects() - call a function for the objects under a range
 * @region: the caller holds a reference
 * @start: offset in the region, in bytes
 * @end: offset in the region, in bytes, exclusive
 * @fn: called with the part of the object's file, and no lock held: it may
 *      take the inode lock, which comes before any mmap_lock
 * @arg: handed to @fn
 *
 * Return: 0, or what the first failing @fn returned.
 */
int mshare_walk_objects(struct mshare_region *region, unsigned long start,
			unsigned long end, mshare_object_fn fn, int arg)
{
	unsigned long addr = MSHARE_HOST_BASE + start;
	int err = 0;

	end += MSHARE_HOST_BASE;
	while (!err && addr < end) {
		struct vm_area_struct *vma;
		unsigned long stop;
		struct file *file;
		loff_t offset;

		mmap_read_lock(region->mm);
		vma = find_vma(region->mm, addr);
		if (!vma || vma->vm_start >= end) {
			mmap_read_unlock(region->mm);
			break;
		}
		addr = max(addr, vma->vm_start);
		stop = min(end, vma->vm_end);
		offset = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) +
			 (addr - vma->vm_start);
		file = get_file(vma->vm_file);
		mmap_read_unlock(region->mm);

		err = fn(file, offset, stop - addr, arg);
		fput(file);
		addr = stop;
	}
	return err;
}
