/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of the kernel asks of msharefs.
 *
 * "Region" is an msharefs file, "host mm" the mm_struct that owns its page
 * tables, "window" a VM_MSHARE vma of a process (the "guest") that maps it.
 */
#ifndef _LINUX_MSHARE_H
#define _LINUX_MSHARE_H

#include <linux/mm.h>

struct arch_tlbflush_unmap_batch;
struct mem_cgroup;
struct mmu_gather;
struct signal_struct;
struct tlbflush_unmap_batch;

#ifdef CONFIG_MSHARE

#include <asm/mshare.h>

/*
 * GUP-fast looks at leaf entries only, where a read-only window has the host's
 * writable ones: the right to write is missing at the p4d level.
 */
static inline bool mshare_gup_fast_permitted(p4d_t p4d, bool write)
{
	return !write || arch_mshare_link_writable(p4d);
}

static inline bool vma_is_mshare(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MSHARE;
}

/* Is this the host mm of a region?  No task ever runs on one. */
static inline bool mm_is_mshare(const struct mm_struct *mm)
{
	return mm->mshare_region;
}

#if defined(CONFIG_LOCKDEP) && defined(CONFIG_PER_VMA_LOCK)
void mshare_set_vma_lock_class(struct vm_area_struct *vma);
#else
static inline void mshare_set_vma_lock_class(struct vm_area_struct *vma) { }
#endif

vm_fault_t mshare_handle_fault(struct vm_area_struct *vma,
			       unsigned long address, unsigned int flags);
struct vm_area_struct *mshare_lock_host_vma(struct vm_area_struct *vma,
					    unsigned long *address);
void mshare_unlock_host_vma(struct vm_area_struct *host);
struct mm_struct *mshare_host_mm(const struct vm_area_struct *vma);
unsigned long mshare_host_address(const struct vm_area_struct *vma,
				  unsigned long address);
void mshare_unlink(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   unsigned long start, unsigned long end);
void mshare_relink(struct mmu_gather *tlb, struct vm_area_struct *vma);
int mshare_dup_window(struct vm_area_struct *vma);
unsigned long mshare_nr_windows(const struct vm_area_struct *vma);
unsigned long mshare_guest_address(const struct mm_struct *host,
				   const struct mm_struct *guest,
				   unsigned long address);
bool mshare_has_windows(const struct mm_struct *host);
bool mm_has_windows(struct mm_struct *mm);
bool mshare_pend_flush(struct mm_struct *host,
		       struct arch_tlbflush_unmap_batch *batch);
void mshare_batch_add(struct tlbflush_unmap_batch *batch,
		      struct mm_struct *host);
void mshare_batch_end(struct tlbflush_unmap_batch *batch);
int mshare_advise_objects(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, int behavior);
struct mem_cgroup *mshare_get_memcg(const struct mm_struct *host);
unsigned long mshare_owned_pages(struct signal_struct *sig);
void mshare_exit_owner(struct signal_struct *sig);

#else /* !CONFIG_MSHARE */

static inline bool mshare_gup_fast_permitted(p4d_t p4d, bool write)
{
	return true;
}

static inline bool vma_is_mshare(const struct vm_area_struct *vma)
{
	return false;
}

static inline bool mm_is_mshare(const struct mm_struct *mm)
{
	return false;
}

static inline void mshare_set_vma_lock_class(struct vm_area_struct *vma) { }

static inline vm_fault_t mshare_handle_fault(struct vm_area_struct *vma,
					     unsigned long address,
					     unsigned int flags)
{
	return VM_FAULT_SIGSEGV;
}

static inline struct vm_area_struct *
mshare_lock_host_vma(struct vm_area_struct *vma, unsigned long *address)
{
	return NULL;
}

static inline void mshare_unlock_host_vma(struct vm_area_struct *host) { }

static inline struct mm_struct *mshare_host_mm(const struct vm_area_struct *vma)
{
	return NULL;
}

static inline unsigned long
mshare_host_address(const struct vm_area_struct *vma, unsigned long address)
{
	return address;
}

static inline void mshare_unlink(struct mmu_gather *tlb,
				 struct vm_area_struct *vma,
				 unsigned long start, unsigned long end) { }

static inline void mshare_relink(struct mmu_gather *tlb,
				 struct vm_area_struct *vma) { }

static inline int mshare_dup_window(struct vm_area_struct *vma)
{
	return 0;
}

static inline unsigned long mshare_nr_windows(const struct vm_area_struct *vma)
{
	return 1;
}

static inline unsigned long
mshare_guest_address(const struct mm_struct *host,
		     const struct mm_struct *guest, unsigned long address)
{
	return -EFAULT;
}

static inline bool mshare_has_windows(const struct mm_struct *host)
{
	return false;
}

static inline bool mm_has_windows(struct mm_struct *mm)
{
	return false;
}

static inline void mshare_batch_add(struct tlbflush_unmap_batch *batch,
				    struct mm_struct *host) { }

static inline void mshare_batch_end(struct tlbflush_unmap_batch *batch) { }

static inline int mshare_advise_objects(struct vm_area_struct *vma,
					unsigned long start, unsigned long end,
					int behavior)
{
	return -EINVAL;
}

static inline struct mem_cgroup *mshare_get_memcg(const struct mm_struct *host)
{
	return NULL;
}

static inline unsigned long mshare_owned_pages(struct signal_struct *sig)
{
	return 0;
}

static inline void mshare_exit_owner(struct signal_struct *sig) { }

#endif /* CONFIG_MSHARE */

#endif /* _LINUX_MSHARE_H */
