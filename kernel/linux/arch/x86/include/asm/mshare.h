/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a process is linked to the page tables of an msharefs region on x86-64:
 * its p4d entry (pgd entry, with 4 levels) points at a PUD page of the region.
 */
#ifndef _ASM_X86_MSHARE_H
#define _ASM_X86_MSHARE_H

#include <linux/cpufeature.h>
#include <linux/pgtable.h>

/* Xen PV pins the page tables of each process: it can share none of them. */
static inline bool arch_mshare_available(void)
{
	return !cpu_feature_enabled(X86_FEATURE_XENPV);
}

/*
 * The CPU takes the AND of RW, and the OR of NX, over the levels: one set of
 * leaf entries serves windows with fewer rights than the region has.
 */
static inline p4d_t arch_mshare_mk_link(pud_t *pud, bool write, bool exec)
{
	p4dval_t flags = _PAGE_TABLE;

	if (!write)
		flags &= ~_PAGE_RW;
	if (!exec)
		flags |= __supported_pte_mask & _PAGE_NX;
	return __p4d(__pa(pud) | flags);
}

static inline bool arch_mshare_link_writable(p4d_t p4d)
{
	return p4d_flags(p4d) & _PAGE_RW;
}

/* Compares frames: the CPU and page table isolation set flags on their own. */
static inline bool arch_mshare_links_to(p4d_t p4d, pud_t *pud)
{
	return p4d_pfn(p4d) == __pa(pud) >> PAGE_SHIFT;
}

#endif /* _ASM_X86_MSHARE_H */
