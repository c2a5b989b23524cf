// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes to what a range of a region already maps: its protection, advice,
 * locks, population.  They are made in the host mm, so for all guests at once.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/security.h>
#include <linux/sched/mm.h>
#include <linux/user_namespace.h>

#include <asm/tlb.h>

#include "../internal.h"
#include "internal.h"

/* Is there an object everywhere in [start, end)?  The host mm is locked. */
static bool mshare_is_mapped(struct mm_struct *mm, unsigned long start,
			     unsigned long end)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		if (vma->vm_start > start)
			return false;
		start = vma->vm_end;
	}
	return start >= end;
}

/*
 * Lock the host mm for a change of [start, end).
 *
 * Return: 0 and locked for writing, or unlocked and an errno.
 */
static int mshare_lock_range(struct mshare_region *region, unsigned long start,
			     unsigned long end)
{
	struct mm_struct *mm = region->mm;
	int err = 0;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (region->dead)
		err = -EOWNERDEAD;
	else if (!mshare_is_mapped(mm, start, end))
		err = -ENOMEM;
	if (err)
		mmap_write_unlock(mm);
	return err;
}

/* Protection */

static vm_flags_t mshare_protected(const struct vm_area_struct *vma,
				   unsigned long prot)
{
	return (vma->vm_flags & ~VM_ACCESS_FLAGS) | calc_vm_prot_bits(prot, 0);
}

/* May everything in the range get @prot?  As mprotect() asks, but beforehand. */
static int mshare_may_protect(struct mm_struct *mm, unsigned long start,
			      unsigned long end, unsigned long prot)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int err;

	vma_iter_init(&vmi, mm, start);
	for_each_vma_range(vmi, vma, end) {
		vm_flags_t flags = mshare_protected(vma, prot);

		/* VM_MAYREAD and the like are VM_READ and the like, shifted. */
		if ((flags & ~(flags >> 4)) & VM_ACCESS_FLAGS)
			return -EACCES;
		err = security_file_mprotect(vma, prot, prot);
		if (err)
			return err;
	}
	return 0;
}

static int mshare_do_protect(struct mm_struct *mm, unsigned long start,
			     unsigned long end, unsigned long prot)
{
	struct vm_area_struct *vma, *prev;
	struct vma_iterator vmi;
	struct mmu_gather tlb;
	int err = 0;

	vma_iter_init(&vmi, mm, start);
	vma = vma_find(&vmi, end);
	prev = vma_prev(&vmi);
	if (start > vma->vm_start)
		prev = vma;

	tlb_gather_mmu(&tlb, mm);
	for_each_vma_range(vmi, vma, end) {
		unsigned long to = min(vma->vm_end, end);

		err = mprotect_fixup(&vmi, &tlb, vma, &prev, start, to,
				     mshare_protected(vma, prot));
		if (err)
			break;
		start = vma_iter_end(&vmi);
	}
	tlb_finish_mmu(&tlb);
	return err;
}

/**
 * mshare_region_protect() - change the protection of a range, for everyone
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 * @prot: PROT_*
 *
 * Return: 0; -ENOMEM where nothing is mapped, -EACCES for more than the object's
 * file allowed, both with nothing changed; or an errno of mprotect().
 */
int mshare_region_protect(struct mshare_region *region, unsigned long offset,
			  unsigned long size, unsigned long prot)
{
	unsigned long start = MSHARE_HOST_BASE + offset;
	unsigned long end = start + size;
	int err;

	err = mshare_lock_range(region, start, end);
	if (err)
		return err;
	err = mshare_may_protect(region->mm, start, end, prot);
	if (!err)
		err = mshare_do_protect(region->mm, start, end, prot);
	mmap_write_unlock(region->mm);
	return err;
}

/* Locks */

/*
 * Locked memory is charged to the user who locks it, as with SHM_LOCK: the host
 * mm's own locked_vm has no limit.  One user at a time; host mmap_lock.
 *
 * Return: 0; -EPERM while another user's locks are there, -ENOMEM over the
 * RLIMIT_MEMLOCK of the caller.
 */
static int mshare_charge_locked(struct mshare_region *region,
				unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct ucounts *ucounts = current_ucounts();
	long locked;

	if (region->lock_user && region->lock_user != ucounts)
		return -EPERM;
	locked = inc_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, pages);
	if ((locked == LONG_MAX || locked > limit) && !capable(CAP_IPC_LOCK)) {
		dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, pages);
		return -ENOMEM;
	}
	if (!region->lock_user)
		region->lock_user = get_ucounts(ucounts);
	if (!region->lock_user) {
		dec_rlimit_ucounts(ucounts, UCOUNT_RLIMIT_MEMLOCK, pages);
		return -ENOMEM;
	}
	region->locked_pages += pages;
	return 0;
}

/**
 * mshare_settle_locked() - give back what is charged for, and locked no more
 * @region: the mmap_lock of its host mm is held for writing, or it is dying
 *
 * munlock and munmap see to locked_vm of the host mm; this follows it.
 */
void mshare_settle_locked(struct mshare_region *region)
{
	unsigned long over = region->locked_pages - region->mm->locked_vm;

	if (!region->lock_user)
		return;
	dec_rlimit_ucounts(region->lock_user, UCOUNT_RLIMIT_MEMLOCK, over);
	region->locked_pages -= over;
	if (!region->locked_pages) {
		put_ucounts(region->lock_user);
		region->lock_user = NULL;
	}
}

static int mshare_set_locked(struct mshare_region *region, unsigned long start,
			     unsigned long size, bool on)
{
	struct mm_struct *mm = region->mm;
	int err = 0;

	if (on)
		err = mshare_charge_locked(region, (size >> PAGE_SHIFT) -
				count_mm_mlocked_page_nr(mm, start, size));
	if (!err)
		err = apply_vma_lock_flags(mm, start, size, on ? VM_LOCKED : 0);
	mshare_settle_locked(region);
	return err;
}

/**
 * mshare_region_lock() - lock or unlock the pages of a range in memory
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 * @on: lock, and fault in what is not there
 *
 * Return: 0; -ENOMEM where nothing is mapped, or too much is locked; -EPERM if
 * the caller may not lock, or another user did; an errno of mlock().
 */
int mshare_region_lock(struct mshare_region *region, unsigned long offset,
		       unsigned long size, bool on)
{
	unsigned long start = MSHARE_HOST_BASE + offset;
	int err;

	if (on && !can_do_mlock())
		return -EPERM;
	err = mshare_lock_range(region, start, start + size);
	if (err)
		return err;
	err = mshare_set_locked(region, start, size, on);
	mmap_write_unlock(region->mm);
	if (err || !on)
		return err;
	return mshare_region_populate(region, offset, size);
}

/* Advice and population */

/* Advice that means something for memory which is others', too. */
static bool mshare_advice_ok(u32 advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_REMOVE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_COLLAPSE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return false;
	}
}

/**
 * mshare_region_advise() - madvise() for a range of a region
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 * @advice: MADV_*
 *
 * Return: 0, -EINVAL for advice that regions do not take, -EOWNERDEAD, or an
 * errno of madvise().
 */
int mshare_region_advise(struct mshare_region *region, unsigned long offset,
			 unsigned long size, u32 advice)
{
	struct mem_cgroup *payer;
	int err;

	if (!mshare_advice_ok(advice))
		return -EINVAL;
	/* A region that dies later has nothing to be advised of. */
	if (READ_ONCE(region->dead))
		return -EOWNERDEAD;
	payer = mshare_begin_charge(region);
	err = do_madvise(region->mm, MSHARE_HOST_BASE + offset, size, advice);
	mshare_end_charge(region, payer);
	return err;
}

/**
 * mshare_region_populate() - fault a range of a region in
 * @region: its size is set, and holds the range
 * @offset: bytes, page aligned
 * @size: bytes, page aligned, not 0
 *
 * Return: 0; -ENOMEM where nothing is mapped; -EFAULT where the object has no
 * page to give; an errno of MADV_POPULATE_READ.
 */
int mshare_region_populate(struct mshare_region *region, unsigned long offset,
			   unsigned long size)
{
	const unsigned long end = offset + size;
	int err = 0;

	/* In parts: others may want the lock of the host mm in between. */
	while (!err && offset < end) {
		unsigned long part = min(end - offset, PMD_SIZE);

		if (fatal_signal_pending(current))
			return -EINTR;
		err = mshare_region_advise(region, offset, part,
					   MADV_POPULATE_READ);
		offset += part;
	}
	return err;
}
