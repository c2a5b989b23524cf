// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window: a region mapped in a process (the guest).
 *
 * A window covers whole slots of P4D_SIZE, and the guest's p4d entry of a slot
 * points at the PUD page of the host mm: below it, there is one set of page
 * tables for all.  What a window has of its own are the rights that this entry
 * leaves (none: not linked; read: without RW; no exec: NX).
 */
#include <linux/hugetlb.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/pkeys.h>
#include <linux/sched/mm.h>

#include <asm/tlb.h>

#define CREATE_TRACE_POINTS
#include <trace/events/mshare.h>

#include "../internal.h"
#include "internal.h"

struct mm_struct *mshare_host_mm(const struct vm_area_struct *vma)
{
	return mshare_window_region(vma)->mm;
}

unsigned long mshare_host_address(const struct vm_area_struct *vma,
				  unsigned long address)
{
	return MSHARE_HOST_BASE + (address - vma->vm_start);
}

/* Link and unlink */

/*
 * The PUD page of a slot in the host mm, or NULL as long as the slot has no
 * object.  Needs no lock: these entries are only ever set (invariant 1).
 */
static pud_t *mshare_host_pud(struct mm_struct *host, unsigned long address)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(host, address));
	p4d_t *p4dp, p4d;

	if (pgd_none(pgd))
		return NULL;
	p4dp = p4d_offset(pgd_offset(host, address), address);
	p4d = READ_ONCE(*p4dp);
	return p4d_none(p4d) ? NULL : p4d_pgtable(p4d);
}

static p4d_t *mshare_guest_p4d(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);

	return pgd_none(*pgd) ? NULL : p4d_offset(pgd, address);
}

/*
 * Let the guest's entry of one slot be what the window's flags say; faults,
 * fork, mprotect and the OOM reaper may meet here, under page_table_lock.
 * Taking rights away needs a TLB flush by the caller.
 *
 * Return: 0, -ENOMEM, or -EBUSY if something else is in the slot.
 */
static int mshare_link_slot(struct vm_area_struct *vma, unsigned long address)
{
	struct mshare_region *region = mshare_window_region(vma);
	struct mm_struct *mm = vma->vm_mm;
	int err = 0;
	pud_t *pud;
	p4d_t *p4d;

	pud = mshare_host_pud(region->mm, mshare_host_address(vma, address));
	if (!pud)
		return 0;
	p4d = p4d_alloc(mm, pgd_offset(mm, address), address);
	if (!p4d)
		return -ENOMEM;

	spin_lock(&mm->page_table_lock);
	if (p4d_none(*p4d)) {
		atomic_long_inc(&region->links);
		trace_mshare_link(vma, address);
	} else if (!arch_mshare_links_to(*p4d, pud)) {
		err = -EBUSY;
	}
	if (!err)
		set_p4d(p4d, arch_mshare_mk_link(pud, vma->vm_flags & VM_WRITE,
						 vma->vm_flags & VM_EXEC));
	spin_unlock(&mm->page_table_lock);
	return err;
}

/* What fails here is linked by the first fault. */
static void mshare_link(struct vm_area_struct *vma)
{
	unsigned long address;

	if (!vma_is_accessible(vma))
		return;
	for (address = vma->vm_start; address < vma->vm_end;
	     address += P4D_SIZE)
		mshare_link_slot(vma, address);
}

/*
 * FOLL_FORCE may read what the window itself must not show: no link for that.
 * An existing link needs no look at its rights, mprotect keeps them.  What is
 * no link to this region must not pass for one: the fault would come again
 * for ever.
 */
static int mshare_link_fault(struct vm_area_struct *vma, unsigned long address)
{
	pud_t *pud = mshare_host_pud(mshare_host_mm(vma),
				     mshare_host_address(vma, address));
	p4d_t *p4d = mshare_guest_p4d(vma->vm_mm, address);

	if (!vma_is_accessible(vma) ||
	    (p4d && pud && arch_mshare_links_to(READ_ONCE(*p4d), pud)))
		return 0;
	return mshare_link_slot(vma, address);
}

/*
 * Make all that mshare_link() could fail for, and find out whether the slots
 * are free of page tables: munmap leaves none in a slot without a vma.
 */
static int mshare_prepare_link(struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long address;

	for (address = vma->vm_start; address < vma->vm_end;
	     address += P4D_SIZE) {
		p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, address), address);

		if (!p4d)
			return -ENOMEM;
		if (!p4d_none(*p4d))
			return -EBUSY;
	}
	return 0;
}

static bool mshare_unlink_slot(struct vm_area_struct *vma,
			       unsigned long address)
{
	struct mm_struct *mm = vma->vm_mm;
	p4d_t *p4d = mshare_guest_p4d(mm, address);
	bool linked = false;

	if (!p4d)
		return false;
	spin_lock(&mm->page_table_lock);
	if (!p4d_none(*p4d)) {
		p4d_clear(p4d);
		linked = true;
	}
	spin_unlock(&mm->page_table_lock);
	if (linked) {
		atomic_long_dec(&mshare_window_region(vma)->links);
		trace_mshare_unlink(vma, address);
	}
	return linked;
}

/*
 * An upper-level entry changed: everything that the TLBs of this mm hold below
 * it must go, on CPUs in lazy mode too (they may walk the tables on their
 * own), and the mmu_gather could not tell from a range how much that is.
 */
static void mshare_flush_slots(struct mmu_gather *tlb,
			       struct vm_area_struct *vma)
{
	tlb_flush_p4d_range(tlb, vma->vm_start, vma->vm_end - vma->vm_start);
	tlb->freed_tables = 1;
	tlb->need_flush_all = 1;
}

/**
 * mshare_unlink() - take a window's page tables away from the guest
 * @tlb: flushes before the window's file, and so the region, is put
 * @vma: the window
 * @start: part of it (unmap_mapping_range() may ask for one); slots that are
 * @end:   but partly in it go too, a fault links them again
 *
 * Called in place of unmap_page_range(): the host's entries stay.
 */
void mshare_unlink(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   unsigned long start, unsigned long end)
{
	unsigned long address;
	bool linked = false;

	for (address = start & P4D_MASK; address < end; address += P4D_SIZE)
		linked |= mshare_unlink_slot(vma, address);
	if (linked)
		mshare_flush_slots(tlb, vma);
}

/* Called in place of change_protection(): vm_flags are the new ones. */
void mshare_relink(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	if (!vma_is_accessible(vma)) {
		mshare_unlink(tlb, vma, vma->vm_start, vma->vm_end);
		return;
	}
	mshare_link(vma);
	mshare_flush_slots(tlb, vma);
}

/* Faults */

/**
 * mshare_lock_host_vma() - go over from a window to what it shows
 * @vma: window; its mm or itself is locked
 * @address: in: in the window; out: in the host mm
 *
 * Return: the host vma with the host mm locked for reading, or NULL, unlocked,
 * where the region has nothing.
 */
struct vm_area_struct *mshare_lock_host_vma(struct vm_area_struct *vma,
					    unsigned long *address)
{
	struct mm_struct *host = mshare_host_mm(vma);
	struct vm_area_struct *host_vma;

	*address = mshare_host_address(vma, *address);
	mmap_read_lock(host);
	host_vma = vma_lookup(host, *address);
	if (!host_vma)
		mmap_read_unlock(host);
	return host_vma;
}

void mshare_unlock_host_vma(struct vm_area_struct *host)
{
	mmap_read_unlock(host->vm_mm);
}

/* The rights of the object; those of the window are checked by the caller. */
static bool mshare_access_ok(struct vm_area_struct *host, unsigned int flags)
{
	if (READ_ONCE(host->vm_mm->mshare_region->dead))
		return false;
	if (flags & FAULT_FLAG_WRITE)
		return host->vm_flags & VM_WRITE;
	if (flags & FAULT_FLAG_INSTRUCTION)
		return host->vm_flags & VM_EXEC;
	return vma_is_accessible(host);
}

/*
 * The fast path: only the host vma is locked.
 *
 * Return: what the fault did, or VM_FAULT_RETRY: take the host's mmap_lock.
 */
static vm_fault_t mshare_fault_vma_lock(struct mm_struct *host,
					unsigned long address,
					unsigned int flags)
{
	struct vm_area_struct *vma;
	vm_fault_t ret;

	/* handle_mm_fault() does not take these two together. */
	if (flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	vma = lock_vma_under_rcu(host, address);
	if (!vma)
		return VM_FAULT_RETRY;
	ret = VM_FAULT_SIGSEGV;
	if (mshare_access_ok(vma, flags))
		ret = handle_vma_fault(vma, address,
				       flags | FAULT_FLAG_VMA_LOCK);
	if (!(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		vma_end_read(vma);
	return ret;
}

/*
 * Others decide how long the host mm stays locked, and they may be another
 * user's: who waits for them can be killed, as one who waits for its own mm.
 */
static bool mshare_lock_host(struct mm_struct *host, unsigned int flags)
{
	if (flags & FAULT_FLAG_KILLABLE)
		return !mmap_read_lock_killable(host);
	mmap_read_lock(host);
	return true;
}

/*
 * The slow path.  As handle_mm_fault() does it, VM_FAULT_RETRY and
 * VM_FAULT_COMPLETED say that the host's lock is not held any more, but for
 * a fault that must not wait.
 */
static vm_fault_t mshare_fault_mmap_lock(struct mm_struct *host,
					 unsigned long address,
					 unsigned int flags)
{
	vm_fault_t ret = VM_FAULT_SIGSEGV;
	struct vm_area_struct *vma;

	flags &= ~FAULT_FLAG_VMA_LOCK;
	if (!mshare_lock_host(host, flags))
		return VM_FAULT_RETRY;
	vma = vma_lookup(host, address);
	if (vma && mshare_access_ok(vma, flags))
		ret = handle_vma_fault(vma, address, flags);
	if ((ret & VM_FAULT_RETRY) && !(flags & FAULT_FLAG_RETRY_NOWAIT))
		return ret;
	if (!(ret & VM_FAULT_COMPLETED))
		mmap_read_unlock(host);
	return ret;
}

static vm_fault_t mshare_fault_host(struct mm_struct *host,
				    unsigned long address, unsigned int flags)
{
	vm_fault_t major, ret;

	ret = mshare_fault_vma_lock(host, address, flags);
	if (!(ret & VM_FAULT_RETRY))
		return ret;
	/* The page was waited for: do not offer to wait again. */
	major = ret & VM_FAULT_MAJOR;
	if (major)
		flags |= FAULT_FLAG_TRIED;
	return mshare_fault_mmap_lock(host, address, flags) | major;
}

static void mshare_unlock_guest(struct vm_area_struct *vma, unsigned int flags)
{
	if (flags & FAULT_FLAG_VMA_LOCK)
		vma_end_read(vma);
	else
		mmap_read_unlock(vma->vm_mm);
}

/**
 * mshare_handle_fault() - handle a fault in a window
 * @vma: window; its rights allow the access
 * @address: in the window
 * @flags: FAULT_FLAG_*
 *
 * The page tables change in the host mm, and the guest's slot is linked, so
 * that there is at most one fault for both.  The memory of an owned region is
 * charged to its owner's cgroup, of an object to that of whom faults.
 *
 * Return: as handle_mm_fault(), with the guest's lock dropped in the same
 * cases.  VM_FAULT_SIGSEGV where the region has nothing.
 */
vm_fault_t mshare_handle_fault(struct vm_area_struct *vma,
			       unsigned long address, unsigned int flags)
{
	struct mshare_region *region = mshare_window_region(vma);
	struct mem_cgroup *payer;
	vm_fault_t ret;
	int err;

	err = mshare_link_fault(vma, address);
	if (err)
		return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	payer = mshare_begin_charge(region);
	ret = mshare_fault_host(region->mm, mshare_host_address(vma, address),
				flags);
	mshare_end_charge(region, payer);
	trace_mshare_fault(&region->vfs_inode, address, flags, ret);

	if ((ret & VM_FAULT_COMPLETED) ||
	    ((ret & VM_FAULT_RETRY) && !(flags & FAULT_FLAG_RETRY_NOWAIT)))
		mshare_unlock_guest(vma, flags);
	return ret;
}

/* The window as a vma */

/*
 * fork(), which has done mshare_dup_window(): the child's window is linked now,
 * so that it takes no fault.
 */
static void mshare_open_window(struct vm_area_struct *vma)
{
	mshare_add_window(vma);
	mshare_link(vma);
}

/* After the last flush: remove_vma() comes when the mmu_gather is done. */
static void mshare_close_window(struct vm_area_struct *vma)
{
	mshare_remove_window(vma);
}

/* The rest of a split slot would be nobody's: a window is whole or gone. */
static int mshare_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int mshare_mprotect(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, unsigned long newflags)
{
	unsigned long rights = VM_READ | VM_WRITE | VM_EXEC;

	if (start != vma->vm_start || end != vma->vm_end)
		return -EINVAL;
	/* Protection keys live in leaf entries. */
	if ((newflags ^ vma->vm_flags) & ~rights)
		return -EINVAL;
	return 0;
}

/* handle_mm_fault() goes to mshare_handle_fault() before it gets here. */
static vm_fault_t mshare_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

#ifdef CONFIG_NUMA
/* Where pages are placed is the object's policy, which mbind() finds elsewhere. */
static int mshare_set_policy(struct vm_area_struct *vma, struct mempolicy *new)
{
	return -EINVAL;
}
#endif

static const struct vm_operations_struct mshare_vm_ops = {
	.open		= mshare_open_window,
	.close		= mshare_close_window,
	.may_split	= mshare_may_split,
	.mprotect	= mshare_mprotect,
	.fault		= mshare_fault,
#ifdef CONFIG_NUMA
	.set_policy	= mshare_set_policy,
#endif
};

/* Object regions have no executable host vma: say so at mmap(). */
static bool mshare_exec_ok(const struct mshare_region *region,
			   vm_flags_t flags)
{
	return !(flags & VM_EXEC) || !(region->stat_flags & MSHARE_STAT_OBJECT);
}

int mshare_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mshare_region *region = mshare_region(file_inode(file));
	unsigned long size = READ_ONCE(region->size);
	int err;

	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff || !size ||
	    vma->vm_end - vma->vm_start != size ||
	    !IS_ALIGNED(vma->vm_start, P4D_SIZE))
		return -EINVAL;
	/* A protection key (execute-only memory has one) is in leaf entries. */
	if (vma_pkey(vma))
		return -EINVAL;
	if (!mshare_exec_ok(region, vma->vm_flags))
		return -EACCES;

	/* Notifiers of this mm would not see what changes in the region. */
	if (mm_has_notifiers(vma->vm_mm))
		return -EOPNOTSUPP;

	err = mshare_prepare_link(vma);
	if (!err)
		err = mshare_dup_window(vma);
	if (err)
		return err;

	if (region->stat_flags & MSHARE_STAT_OBJECT)
		vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_MSHARE | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &mshare_vm_ops;
	mshare_add_window(vma);
	mshare_link(vma);
	return 0;
}

/*
 * Refuses what mshare_mmap() would refuse too, but early: before MAP_FIXED has
 * unmapped what is at the address.
 */
unsigned long mshare_get_unmapped_area(struct file *file, unsigned long addr,
				       unsigned long len, unsigned long pgoff,
				       unsigned long flags)
{
	unsigned long size = READ_ONCE(mshare_region(file_inode(file))->size);
	unsigned long found;

	/* MAP_SHARED_VALIDATE holds the bit of MAP_SHARED too. */
	if (!(flags & MAP_SHARED) || pgoff || !size || len != size)
		return -EINVAL;
	if (flags & MAP_FIXED)
		return IS_ALIGNED(addr, P4D_SIZE) ? addr : -EINVAL;
	if (len > TASK_SIZE - P4D_SIZE)
		return -ENOMEM;

	if (addr && IS_ALIGNED(addr, P4D_SIZE) && addr <= TASK_SIZE - len &&
	    !find_vma_intersection(current->mm, addr, addr + len))
		return addr;

	/* The kernel's usual choice, with room for the alignment. */
	found = mm_get_unmapped_area(current->mm, file, addr,
				     len + P4D_SIZE - PAGE_SIZE, 0, flags);
	return IS_ERR_VALUE(found) ? found : ALIGN(found, P4D_SIZE);
}
