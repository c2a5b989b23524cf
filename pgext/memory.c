/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * memory.c
 *		The server's main shared memory: where it is, who pays for it.
 *
 * Nothing here writes to shared memory or takes a lock: the bytes read are
 * thrown away, so it does not matter what others do to them meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "library.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "storage/proc.h"
#include "storage/spin.h"

PG_FUNCTION_INFO_V1(pg_mshare_touch);
PG_FUNCTION_INFO_V1(pg_mshare_region);

/* Pages between two looks at the interrupt flags: 64 MB of 4 kB pages. */
#define PAGES_PER_INTERRUPT_CHECK	16384

/* Columns of pg_mshare_region(). */
#define REGION_COLUMNS	6

/*
 * How much of shared memory is looked at, page by page, to count what is
 * resident: all of it up to 16 GB, of more every n-th piece of 2 MB.
 */
#define RESIDENT_PIECE			((uint64) 2 * 1024 * 1024)
#define RESIDENT_PIECES_MAX		8192

/*
 * The spinlock of shmem.c, which no header declares.  Nothing but the header
 * of the main shared memory and the semaphores lies before it.
 */
extern slock_t *ShmemLock;

/*
 * Is this the header of the main shared memory of this server?  In the
 * postmaster and in single-user mode we have created it ourselves.
 */
static bool
is_our_header(const PGShmemHeader *hdr)
{
	return hdr->magic == PGShmemMagic &&
		hdr->creatorPID == (IsUnderPostmaster ? PostmasterPid : MyProcPid) &&
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
const PGShmemHeader *
main_shared_memory(void)
{
	static const PGShmemHeader *found = NULL;
	Size		page_size = sysconf(_SC_PAGESIZE);
	const char *page;

	/* The postmaster makes it anew after a crash. */
	if (found != NULL && IsUnderPostmaster)
		return found;

	page = (const char *) TYPEALIGN_DOWN(page_size, ShmemLock);
	while (!is_our_header((const PGShmemHeader *) page))
		page -= page_size;
	found = (const PGShmemHeader *) page;
	return found;
}

/*
 * Bytes of page tables that map so many bytes in one piece, all present.
 * Of the upper two levels every process has tables anyway.
 */
uint64
page_tables_for(uint64 bytes, uint64 page_size)
{
	uint64		covered = PAGE_TABLE_BYTES * PAGE_TABLE_ENTRIES;
	uint64		tables = 0;

	/* a 2 MB page needs no table of the lowest level, a 1 GB page none of two */
	for (int level = 1; level <= 2; level++)
	{
		if (page_size < covered)
			tables += (bytes + covered - 1) / covered;
		covered *= PAGE_TABLE_ENTRIES;
	}
	return tables * PAGE_TABLE_BYTES;
}

/*
 * Size of the pages of main memory where the library does not tell: huge
 * ones if the server got them, which is seen in /proc/self/smaps only.
 */
static uint64
ordinary_page_size(const PGShmemHeader *hdr)
{
	uint64		page_size = sysconf(_SC_PAGESIZE);
	char		line[1024];
	FILE	   *smaps;
	bool		inside = false;
	unsigned long start,
				end,
				kilobytes;

	if (huge_pages == HUGE_PAGES_OFF)
		return page_size;
	smaps = fopen("/proc/self/smaps", "r");
	if (smaps == NULL)
		return page_size;
	while (fgets(line, sizeof(line), smaps) != NULL)
	{
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t) hdr >= start && (uintptr_t) hdr < end;
		else if (inside && sscanf(line, "KernelPageSize: %lu kB", &kilobytes) == 1)
		{
			page_size = (uint64) kilobytes * 1024;
			break;
		}
	}
	fclose(smaps);
	return page_size;
}

/*
 * Why page tables are not shared, and what to do about it.
 */
static void
explain_fallback(MainMemory *memory, bool known, const struct mshare_info *info)
{
	const char *hint;

	if (!library_loaded())
	{
		strlcpy(memory->reason, "libmshare_preload.so is not loaded", REASON_LEN);
		hint = "Start the server with LD_PRELOAD=/PATH/OF/libmshare_preload.so in its environment; if it was, see "
			"what ld.so wrote when it started.";
	}
	else if (!known)
	{
		strlcpy(memory->reason, "libmshare_preload.so left it alone", REASON_LEN);
		hint = "Look at MSHARE, MSHARE_MIN_SIZE and MSHARE_PROGRAMS in the server's environment, and for what the "
			"library wrote when it started.";
	}
	else
	{
		const char *text = library_reason_text(info->reason);

		if (info->error != 0)
			snprintf(memory->reason, REASON_LEN, "%s: %s", text, strerror(info->error));
		else
			strlcpy(memory->reason, text, REASON_LEN);
		switch (info->reason)
		{
			case MSHARE_REASON_NO_MOUNT:
			case MSHARE_REASON_NOT_MSHAREFS:
				hint = "Boot a kernel with msharefs and mount it with mode=1777 on /sys/fs/mshare, or where MSHARE_MOUNT says.";
				break;
			case MSHARE_REASON_DEMOTED:
				hint = "Look in the server log for the call that made the mapping ordinary.";
				break;
			default:
				hint = "Look in the server log for the line that the library wrote.";
				break;
		}
	}
	strlcpy(memory->hint, hint, REASON_LEN);
}

/*
 * Memory that the library put somewhere else.  msharefs shares all page
 * tables; of huge pages (hugetlb) the kernel shares those of whole GBs, and
 * does not tell; transparent huge pages (thp) have few, and share none.
 */
static void
describe_redirected(MainMemory *memory)
{
	struct mshare_region region;

	if (strcmp(memory->backend, "thp") == 0)
	{
		strlcpy(memory->reason, "transparent huge pages make page tables small, and share none",
				REASON_LEN);
		strlcpy(memory->hint, "Boot a kernel with msharefs to share page tables.", REASON_LEN);
		return;
	}
	if (strcmp(memory->backend, "hugetlb") == 0 && memory->size < ((uint64) 1 << 30))
	{
		strlcpy(memory->reason, "the kernel shares page tables of huge pages by whole GBs, and this is less",
				REASON_LEN);
		strlcpy(memory->hint, "Huge pages make page tables small in any case.", REASON_LEN);
		return;
	}
	memory->shared = true;
	if (strcmp(memory->backend, "hugetlb") == 0)
		strlcpy(memory->reason, "the kernel shares page tables of huge pages, and does not tell which",
				REASON_LEN);
	else if (library_region(memory->header, &region))
	{
		memory->has_region = true;
		memory->resident = region.resident_bytes;
		memory->page_tables = region.page_table_bytes;
		memory->windows = region.windows;
	}
	else
		snprintf(memory->reason, REASON_LEN,
				 "mshare_region_stats() failed: %s", strerror(errno));
}

/*
 * What main memory is and who pays its page tables; all but the resident
 * bytes of memory that is in no region, which take time to count.
 */
void
describe_main_memory(MainMemory *memory)
{
	struct mshare_info info;
	bool		known;

	memset(memory, 0, sizeof(*memory));
	memory->header = main_shared_memory();
	memory->size = memory->header->totalsize;
	known = library_query(memory->header, &info);

	if (!known || strcmp(info.backend, "none") == 0)
	{
		strlcpy(memory->backend, "none", sizeof(memory->backend));
		memory->page_size = ordinary_page_size(memory->header);
		explain_fallback(memory, known, &info);
		return;
	}
	strlcpy(memory->backend, info.backend, sizeof(memory->backend));
	memory->page_size = info.page_size;
	describe_redirected(memory);
}

/*
 * Resident pages of a piece of main memory, or -1.  mincore() looks at the
 * object, not only at what this process has touched of it.
 */
static int64
resident_pages(const char *start, uint64 bytes, uint64 page_size)
{
	unsigned char present[RESIDENT_PIECE / 4096];
	int64		pages = 0;

	if (mincore((void *) start, bytes, present) != 0)
		return -1;
	for (uint64 i = 0; i < (bytes + page_size - 1) / page_size; i++)
		pages += present[i] & 1;
	return pages;
}

/*
 * Count the resident bytes of memory that is in no region.  Huge pages were set aside when the server started, used or not.
 */
void
count_main_memory(MainMemory *memory)
{
	uint64		base_page = sysconf(_SC_PAGESIZE);
	uint64		pieces = (memory->size + RESIDENT_PIECE - 1) / RESIDENT_PIECE;
	uint64		step = (pieces + RESIDENT_PIECES_MAX - 1) / RESIDENT_PIECES_MAX;
	uint64		looked_at = 0;
	uint64		found = 0;

	if (memory->has_region)
		return;
	if (memory->page_size > base_page && strcmp(memory->backend, "thp") != 0)
	{
		memory->resident = memory->size;
		return;
	}
	for (uint64 offset = 0; offset < memory->size; offset += step * RESIDENT_PIECE)
	{
		uint64		bytes = Min(RESIDENT_PIECE, memory->size - offset);
		int64		pages = resident_pages((const char *) memory->header + offset,
										   bytes, base_page);

		CHECK_FOR_INTERRUPTS();
		if (pages < 0)
			return;
		looked_at += bytes;
		found += pages * base_page;
	}
	memory->resident = (uint64) ((double) found / looked_at * memory->size);
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
 */
static bool
read_region(struct mshare_region *region)
{
	const PGShmemHeader *hdr = main_shared_memory();

	if (library_region(hdr, region))
		return true;
	/* the library does not know the memory, is too old, or shares it without a region */
	if (errno == ENOENT || errno == ENOSYS || errno == EOPNOTSUPP)
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
	struct mshare_region region;
	Datum		values[REGION_COLUMNS] = {0};
	bool		nulls[REGION_COLUMNS];
	bool		shared = read_region(&region);
	int			i = 0;

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

	PG_RETURN_DATUM(single_row(fcinfo, values, nulls));
}
