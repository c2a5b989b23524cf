/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * procfs.h
 *		Reading /proc.  Nothing here raises an error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_MSHARE_PROCFS_H
#define PG_MSHARE_PROCFS_H

/* /proc/PID/stat */
typedef struct ProcStat
{
	int			parent;
	uint64		minor_faults;
	uint64		reaped_minor_faults;	/* of children that were waited for */
	uint64		major_faults;
} ProcStat;

/* /proc/PID/status, bytes; a zombie has none of them */
typedef struct ProcStatus
{
	uint64		page_tables;
	uint64		rss_anon;
	uint64		rss_file;
	uint64		rss_shmem;
} ProcStatus;

/* /proc/meminfo, bytes */
typedef struct MachineMemory
{
	uint64		page_tables;
	uint64		available;
} MachineMemory;

/* The file or object that a process has mapped at an address. */
typedef struct ProcMapping
{
	uint64		start;
	uint64		end;
	uint64		inode;
	unsigned int major;
	unsigned int minor;
} ProcMapping;

/* All return 0, or -errno; -ENODATA where the file lacks what was asked for. */
extern int	procfs_stat(int pid, ProcStat *stat);
extern int	procfs_status(int pid, ProcStatus *status);
extern int	procfs_title(int pid, char *title, size_t size);
extern int	procfs_machine(MachineMemory *machine);
extern int	procfs_mapping(int pid, const void *addr, ProcMapping *mapping);

/* The children of a process, allocated; -1 if they cannot be told. */
extern int	procfs_children(int pid, int **children);

#endif							/* PG_MSHARE_PROCFS_H */
