// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays for a region: the process that made it, or whoever uses its object.
 *
 * The owner of a named region is a process, by its signal_struct, which outlives
 * execve() and any single thread.  Its memory cgroup is charged, the OOM killer
 * counts the region as the owner's, and with the owner it ends.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "../internal.h"
#include "internal.h"

/* Protects signal_struct.mshare_regions and mshare_region.owned. */
static DEFINE_SPINLOCK(mshare_owner_lock);

/* The calling process owns @region, and its memory cgroup pays for it. */
void mshare_set_owner(struct mshare_region *region)
{
	mshare_set_memcg(region);
	spin_lock(&mshare_owner_lock);
	hlist_add_head(&region->owned, &current->signal->mshare_regions);
	spin_unlock(&mshare_owner_lock);
}

/* Nobody owns it any more; harmless if nobody did. */
void mshare_disown(struct mshare_region *region)
{
	spin_lock(&mshare_owner_lock);
	hlist_del_init(&region->owned);
	spin_unlock(&mshare_owner_lock);
}

/* The caller's memory cgroup is the region's: see mshare_begin_charge(). */
void mshare_set_memcg(struct mshare_region *region)
{
	region->memcg = get_mem_cgroup_from_mm(current->mm);
}

/**
 * mshare_get_memcg() - who pays for what kernel threads do in a host mm
 * @host: its region may be gone by now
 *
 * Return: the cgroup of the region's maker, a reference; or NULL.
 */
struct mem_cgroup *mshare_get_memcg(const struct mm_struct *host)
{
	struct mem_cgroup *memcg = NULL;
	struct mshare_region *region;

	rcu_read_lock();
	region = READ_ONCE(host->mshare_region);
	if (region)
		memcg = region->memcg;
	if (memcg && !mem_cgroup_tryget(memcg))
		memcg = NULL;
	rcu_read_unlock();
	return memcg;
}

static bool mshare_owner_pays(const struct mshare_region *region)
{
	return region->memcg && !(region->stat_flags & MSHARE_STAT_OBJECT);
}

/**
 * mshare_begin_charge() - charge what follows to whom it is due
 * @region: the owner's cgroup pays for a named region; for an object, as for
 *          any shared memory, that of the task which brings a page in
 *
 * Return: what mshare_end_charge() needs.
 */
struct mem_cgroup *mshare_begin_charge(const struct mshare_region *region)
{
	if (!mshare_owner_pays(region))
		return NULL;
	return set_active_memcg(region->memcg);
}

void mshare_end_charge(const struct mshare_region *region,
		       struct mem_cgroup *payer)
{
	if (mshare_owner_pays(region))
		set_active_memcg(payer);
}

/**
 * mshare_owned_pages() - what would be freed with a process and its regions
 * @sig: of the process, which cannot go away
 *
 * Return: pages, page tables among them.
 */
unsigned long mshare_owned_pages(struct signal_struct *sig)
{
	struct mshare_region *region;
	unsigned long pages = 0;

	if (hlist_empty(&sig->mshare_regions))
		return 0;
	spin_lock(&mshare_owner_lock);
	hlist_for_each_entry(region, &sig->mshare_regions, owned)
		pages += get_mm_rss(region->mm) +
			 mm_pgtables_bytes(region->mm) / PAGE_SIZE;
	spin_unlock(&mshare_owner_lock);
	return pages;
}

static void mshare_zap_host(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma) {
		vma_start_write(vma);
		zap_page_range_single(vma, vma->vm_start,
				      vma->vm_end - vma->vm_start, NULL);
	}
}

/* References of all mappings' files; NULL if there is no memory for the list. */
static struct file **mshare_hold_files(struct mm_struct *mm, unsigned int *nr)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	struct file **files;

	*nr = 0;
	files = kvmalloc_array(mm->map_count, sizeof(*files),
			       GFP_KERNEL | __GFP_NOWARN);
	if (!files)
		return NULL;
	vma_iter_init(&vmi, mm, 0);
	for_each_vma(vmi, vma)
		files[(*nr)++] = get_file(vma->vm_file);
	return files;
}

/*
 * Unmap everything and let nothing in again.  munmap may fail for want of
 * memory, but must not leave the guests with what they had: zapping needs no
 * memory, and a fault on a dead region fails.
 *
 * The mappings' fput() would leave the closing of files to a worker: the calling
 * task, which exits, does no task work any more.  But what they hold, huge pages
 * of a pool or a filesystem that is to be unmounted, has to be free when
 * somebody who waits for the owner learns that it is gone, as with any other
 * process.  So ours is the last reference.
 */
static void mshare_kill(struct mshare_region *region)
{
	struct mm_struct *mm = region->mm;
	struct file **files;
	unsigned int nr;

	mmap_write_lock(mm);
	WRITE_ONCE(region->dead, true);
	files = mshare_hold_files(mm, &nr);
	if (region->size && mshare_unmap_host(region, 0, region->size))
		mshare_zap_host(mm);
	mshare_settle_locked(region);
	mmap_write_unlock(mm);
	while (nr--)
		__fput_sync(files[nr]);
	kvfree(files);
}

/*
 * Let go of one region of @sig, which ends.
 *
 * The region is held, so that it can be killed without the lock, and its mount's
 * superblock, which must outlive it: a region without fd and window does not keep
 * anybody from umount().  One that is on its way out needs no killing.
 */
static void mshare_exit_region(struct signal_struct *sig)
{
	struct super_block *sb = NULL;
	struct mshare_region *region;
	struct inode *inode = NULL;

	spin_lock(&mshare_owner_lock);
	region = hlist_entry_safe(sig->mshare_regions.first,
				  struct mshare_region, owned);
	if (region) {
		hlist_del_init(&region->owned);
		sb = region->vfs_inode.i_sb;
		if (!atomic_inc_not_zero(&sb->s_active))
			sb = NULL;
	}
	if (sb)
		inode = igrab(&region->vfs_inode);
	spin_unlock(&mshare_owner_lock);

	if (inode) {
		mshare_kill(region);
		iput(inode);
	}
	if (sb)
		deactivate_super(sb);
}

/*
 * A process is gone: nobody may use the regions that it made any longer.  Nobody
 * adds one any more, so most processes get by without the lock.
 */
void mshare_exit_owner(struct signal_struct *sig)
{
	while (!hlist_empty(&sig->mshare_regions))
		mshare_exit_region(sig);
}
