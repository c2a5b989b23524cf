/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * compat.h
 *		What differs between PostgreSQL 13 and 18, and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_MSHARE_COMPAT_H
#define PG_MSHARE_COMPAT_H

#include "postmaster/postmaster.h"
#include "storage/dsm_impl.h"
#include "storage/proc.h"
#include "utils/guc.h"

#if PG_VERSION_NUM < 130000
#error "pg_mshare needs PostgreSQL 13 or later"
#endif

/*
 * 15 reserves the prefix of our settings, where older versions only warn of
 * what is set but unknown.
 */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix)	EmitWarningsOnPlaceholders(prefix)
#endif

/* 15 wants shared memory to be asked for in a hook of its own. */
#if PG_VERSION_NUM >= 150000
#define HAVE_SHMEM_REQUEST_HOOK 1
#endif

/* 18 turned the flag round, and counts autovacuum among the others. */
#if PG_VERSION_NUM >= 180000
#define PROC_IS_CLIENT_BACKEND(proc)	((proc)->isRegularBackend)
#else
#define PROC_IS_CLIENT_BACKEND(proc) \
	(OidIsValid((proc)->roleId) && !(proc)->isBackgroundWorker)
#endif

/*
 * The control segment of dynamic shared memory, which only dsm.c knows.  14
 * added segments within the main shared memory; they have odd handles.
 */
#define DSM_CONTROL_MAGIC	0x9a503d32

typedef struct DsmControlItem
{
	dsm_handle	handle;
	uint32		refcnt;			/* 2 and up: live; 1: going; 0: unused */
#if PG_VERSION_NUM >= 140000
	size_t		first_page;
	size_t		npages;
#endif
	void	   *impl_private_pm_handle;
	bool		pinned;
} DsmControlItem;

typedef struct DsmControlHeader
{
	uint32		magic;
	uint32		nitems;
	uint32		maxitems;
	DsmControlItem item[FLEXIBLE_ARRAY_MEMBER];
} DsmControlHeader;

#if PG_VERSION_NUM >= 140000
#define DSM_IN_MAIN_MEMORY(handle)	(((handle) & 1) != 0)
#else
#define DSM_IN_MAIN_MEMORY(handle)	false
#endif

#endif							/* PG_MSHARE_COMPAT_H */
