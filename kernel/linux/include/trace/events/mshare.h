/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of msharefs.  "ino" is the inode number of the region, as in
 * /proc/PID/maps; addresses of windows are those of the process.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mshare

#if !defined(_TRACE_MSHARE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MSHARE_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/tracepoint.h>
#include <trace/events/mmflags.h>

/* A process uses the page tables of a region for one slot of its window. */
TRACE_EVENT(mshare_link,

	TP_PROTO(struct vm_area_struct *vma, unsigned long address),

	TP_ARGS(vma, address),

	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(unsigned long,	address)
		__field(unsigned long,	vm_flags)
	),

	TP_fast_assign(
		__entry->ino = file_inode(vma->vm_file)->i_ino;
		__entry->address = address;
		__entry->vm_flags = vma->vm_flags;
	),

	TP_printk("ino=%lu address=%lx flags=%s", __entry->ino,
		  __entry->address, show_vma_flags(__entry->vm_flags))
);

/* It does not any more. */
TRACE_EVENT(mshare_unlink,

	TP_PROTO(struct vm_area_struct *vma, unsigned long address),

	TP_ARGS(vma, address),

	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(unsigned long,	address)
	),

	TP_fast_assign(
		__entry->ino = file_inode(vma->vm_file)->i_ino;
		__entry->address = address;
	),

	TP_printk("ino=%lu address=%lx", __entry->ino, __entry->address)
);

/* A fault in a window was handled in the host mm. */
TRACE_EVENT(mshare_fault,

	TP_PROTO(struct inode *region, unsigned long address,
		 unsigned int flags, vm_fault_t result),

	TP_ARGS(region, address, flags, result),

	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(unsigned long,	address)
		__field(unsigned int,	flags)
		__field(unsigned int,	result)
	),

	TP_fast_assign(
		__entry->ino = region->i_ino;
		__entry->address = address;
		__entry->flags = flags;
		__entry->result = (__force unsigned int)result;
	),

	TP_printk("ino=%lu address=%lx flags=%x result=%x", __entry->ino,
		  __entry->address, __entry->flags, __entry->result)
);

/* A change of a region's page tables is about to be flushed from TLBs. */
TRACE_EVENT(mshare_flush,

	TP_PROTO(struct inode *region, unsigned long windows,
		 unsigned int cpus),

	TP_ARGS(region, windows, cpus),

	TP_STRUCT__entry(
		__field(unsigned long,	ino)
		__field(unsigned long,	windows)
		__field(unsigned int,	cpus)
	),

	TP_fast_assign(
		__entry->ino = region->i_ino;
		__entry->windows = windows;
		__entry->cpus = cpus;
	),

	TP_printk("ino=%lu windows=%lu cpus=%u", __entry->ino,
		  __entry->windows, __entry->cpus)
);

#endif /* _TRACE_MSHARE_H */

#include <trace/define_trace.h>
