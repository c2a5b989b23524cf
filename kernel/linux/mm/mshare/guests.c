// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guests of a region: who has a window of it, and how a change of the
 * host's page tables gets into their TLBs.
 *
 * Flushing is done with page table locks held, and by many at once, so the list
 * of windows is under a rwlock that they take for reading; fork, mmap and
 * munmap of windows take it for writing, for a moment.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <asm/tlbflush.h>
#include <trace/events/mshare.h>

#include "internal.h"

/* A window, for those who come from the region: vm_private_data of its vma. */
struct mshare_window {
	struct list_head node;		/* mshare_region.windows */
	struct mm_struct *mm;		/* good for as long as we are listed */
	unsigned long start;		/* vm_start of the vma, for as long */
};

/**
 * mshare_dup_window() - prepare the vma of a window for mshare_add_window()
 * @vma: in fork(), a copy of another window's
 *
 * Return: 0 or -ENOMEM, with nothing to undo.
 */
int mshare_dup_window(struct vm_area_struct *vma)
{
	struct mshare_window *window;

	window = kmalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		return -ENOMEM;
	window->mm = vma->vm_mm;
	window->start = vma->vm_start;
	vma->vm_private_data = window;
	return 0;
}

/* Before the first link; pairs with mshare_pend_flush(). */
void mshare_add_window(struct vm_area_struct *vma)
{
	struct mshare_region *region = mshare_window_region(vma);
	struct mshare_window *window = vma->vm_private_data;

	write_lock(&region->windows_lock);
	list_add(&window->node, &region->windows);
	WRITE_ONCE(region->nr_windows, region->nr_windows + 1);
	write_unlock(&region->windows_lock);
	/* The window is seen before the CPU can see its page tables. */
	smp_mb();
}

/* After the last flush. */
void mshare_remove_window(struct vm_area_struct *vma)
{
	struct mshare_region *region = mshare_window_region(vma);
	struct mshare_window *window = vma->vm_private_data;

	write_lock(&region->windows_lock);
	list_del(&window->node);
	WRITE_ONCE(region->nr_windows, region->nr_windows - 1);
	write_unlock(&region->windows_lock);
	vma->vm_private_data = NULL;
	kfree(window);
}

/* How many windows share what @vma, one of them, shows. */
unsigned long mshare_nr_windows(const struct vm_area_struct *vma)
{
	return READ_ONCE(mshare_window_region(vma)->nr_windows);
}

/**
 * mshare_guest_address() - where a guest has what a region holds
 * @host: mm of the region, which stays: the caller has a vma of it
 * @guest: a mm, not necessarily a guest's
 * @address: in @host
 *
 * Return: the address in @guest, in one of its windows, or -EFAULT if it has
 * none.
 */
unsigned long mshare_guest_address(const struct mm_struct *host,
				   const struct mm_struct *guest,
				   unsigned long address)
{
	struct mshare_region *region = host->mshare_region;
	struct mshare_window *window;
	unsigned long found = -EFAULT;

	read_lock(&region->windows_lock);
	list_for_each_entry(window, &region->windows, node) {
		if (window->mm == guest) {
			found = window->start + (address - MSHARE_HOST_BASE);
			break;
		}
	}
	read_unlock(&region->windows_lock);
	return found;
}

/* May a CPU hold what the page tables of @host say? */
bool mshare_has_windows(const struct mm_struct *host)
{
	/* The change of the page tables before the look at the windows. */
	smp_mb();
	return READ_ONCE(host->mshare_region->nr_windows);
}

/* Is there a window in @mm, which is locked? */
bool mm_has_windows(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	mmap_assert_locked(mm);
	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		if (vma_is_mshare(vma))
			return true;
	}
	return false;
}

/* Flushing */

/**
 * mshare_pend_flush() - add all guests of a region to a flush
 * @host: its page tables were changed; possibly a dead region's by now
 * @batch: what arch_tlbbatch_flush() is going to flush
 *
 * Either we see a window, or its guest sees the changed page tables: pairs with
 * mshare_add_window().  A guest that comes or goes later needs no flush.
 *
 * Return: whether there was anybody to add.
 */
bool mshare_pend_flush(struct mm_struct *host,
		       struct arch_tlbflush_unmap_batch *batch)
{
	struct mshare_region *region;
	struct mshare_window *window;
	unsigned long guests = 0;

	/* The change of the page tables before the look at the windows. */
	smp_mb();
	/* A region is freed after a grace period, and forgotten before. */
	rcu_read_lock();
	region = READ_ONCE(host->mshare_region);
	if (region && READ_ONCE(region->nr_windows)) {
		read_lock(&region->windows_lock);
		list_for_each_entry(window, &region->windows, node) {
			arch_tlbbatch_add_pending(batch, window->mm, 0);
			guests++;
		}
		read_unlock(&region->windows_lock);
		trace_mshare_flush(&region->vfs_inode, guests,
				   cpumask_weight(&batch->cpumask));
	}
	rcu_read_unlock();
	return guests;
}

/**
 * mshare_batch_add() - defer the flush of a host mm to the end of a batch
 * @batch: of this task
 * @host: a pte of it was cleared; its page table lock is held
 *
 * To find all guests costs the same for one page and for many, so a batch
 * remembers the first region that it meets and asks once.  It must be asked
 * after the last page: until then, guests may cache entries.
 */
void mshare_batch_add(struct tlbflush_unmap_batch *batch,
		      struct mm_struct *host)
{
	if (!batch->host_mm) {
		mmgrab(host);
		batch->host_mm = host;
	}
	if (batch->host_mm != host)
		mshare_pend_flush(host, &batch->arch);
}

/* About to flush @batch, with no lock held that mmdrop() might take. */
void mshare_batch_end(struct tlbflush_unmap_batch *batch)
{
	struct mm_struct *host = batch->host_mm;

	if (!host)
		return;
	batch->host_mm = NULL;
	mshare_pend_flush(host, &batch->arch);
	mmdrop(host);
}
