/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pg_mshare.c
 *		Page tables of the server's main shared memory.
 *
 * Every backend that touches a 4 kB page of shared memory needs a page table
 * entry of its own for it, unless the server runs under
 * libmshare_preload.so on a kernel with msharefs.  The functions here make
 * a backend pay that price in full at once, which a measurement needs, and
 * tell what the shared page tables cost where there are any.
 *
 * Nothing here writes to shared memory or takes a lock: the bytes read are
 * thrown away, so it does not matter what others do to them meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>
#include <unistd.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "mshare.h"
#include "storage/pg_shmem.h"
#include "storage/proc.h"
#include "storage/spin.h"

#if PG_VERSION_NUM < 130000
#error "pg_mshare needs PostgreSQL 13 or later"
#endif

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(pg_mshare_touch);
PG_FUNCTION_INFO_V1(pg_mshare_region);

/* Pages between two looks at the interrupt flags: 64 MB of 4 kB pages. */
#define PAGES_PER_INTERRUPT_CHECK	16384

/* Columns of pg_mshare_region(). */
#define REGION_COLUMNS	6

/*
 * The spinlock of shmem.c, which no header declares.  Nothing but the header
 * of the main shared memory and the semaphores lies before it.
 */
extern slock_t *ShmemLock;

typedef int (*region_stats_function) (const void *addr,
									  struct mshare_region *region);

/*
 * Is this the header of the main shared memory of this server?
 */
static bool
is_our_header(const PGShmemHeader *hdr)
{
	return hdr->magic == PGShmemMagic &&
		hdr->creatorPID == PostmasterPid &&
		(Size) ((const char *) ProcGlobal - (const char *) hdr) < hdr->totalsize;
}

/*
 * Header of the main shared memory, which is also its first byte.
 *
 * UsedShmemSegAddr would not do: with shared_memory_type = mmap it is the
 * small System V segment that only guards the data directory.  So go back
 * page by page from the first thing that we know to be in there.  The header
 * starts a page, and every page on the way is part of the memory, so that
 * the search ends before it can leave it.
 */
static const PGShmemHeader *
main_shared_memory(void)
{
	Size		page_size = sysconf(_SC_PAGESIZE);
	const char *page = (const char *) TYPEALIGN_DOWN(page_size, ShmemLock);

	while (!is_our_header((const PGShmemHeader *) page))
		page -= page_size;
	return (const PGShmemHeader *) page;
}

/*
 * pg_mshare_touch() returns bigint
 *
 * Read one byte of every page of the main shared memory, so that this
 * backend has all the page tables it can ever need for it.  Returns the
 * number of pages of the base page size; with huge pages the steps are
 * smaller than necessary, and the number is still that of base pages.
 */
Datum
pg_mshare_touch(PG_FUNCTION_ARGS)
{
	const PGShmemHeader *hdr = main_shared_memory();
	const volatile char *base = (const volatile char *) hdr;
	Size		page_size = sysconf(_SC_PAGESIZE);
	int64		pages = 0;

	for (Size offset = 0; offset < hdr->totalsize; offset += page_size)
	{
		(void) base[offset];
		if (++pages % PAGES_PER_INTERRUPT_CHECK == 0)
			CHECK_FOR_INTERRUPTS();
	}

	PG_RETURN_INT64(pages);
}

/*
 * The library's figures of the region that the main shared memory is in.
 * False if this backend's page tables for it are its own.
 *
 * The library is asked by dlsym(), because the server must be able to run
 * without it.
 */
static bool
read_region(struct mshare_region *region)
{
	const PGShmemHeader *hdr = main_shared_memory();
	region_stats_function region_stats;

	region_stats = (region_stats_function) dlsym(RTLD_DEFAULT,
												 "mshare_region_stats");
	if (region_stats == NULL)
		return false;

	memset(region, 0, sizeof(*region));
	region->size = sizeof(*region);
	if (region_stats(hdr, region) == 0)
		return true;
	if (errno == ENOENT)
		return false;

	ereport(ERROR,
			(errcode(ERRCODE_SYSTEM_ERROR),
			 errmsg("could not read statistics of the shared region: %m"),
			 errdetail("Failed call was mshare_region_stats(%p).", hdr)));
}

/*
 * pg_mshare_region() returns record
 *
 * What the region costs and holds, for all processes together; all columns
 * are null if there is none.
 */
Datum
pg_mshare_region(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	struct mshare_region region;
	Datum		values[REGION_COLUMNS] = {0};
	bool		nulls[REGION_COLUMNS];
	bool		shared;
	int			i = 0;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	shared = read_region(&region);
	memset(nulls, !shared, sizeof(nulls));
	if (shared)
	{
		values[i++] = Int64GetDatum(region.region_bytes);
		values[i++] = Int64GetDatum(region.mapped_bytes);
		values[i++] = Int64GetDatum(region.resident_bytes);
		values[i++] = Int64GetDatum(region.page_table_bytes);
		values[i++] = Int64GetDatum(region.windows);
		values[i++] = Int64GetDatum(region.links);
		Assert(i == REGION_COLUMNS);
	}

	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}
