/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * regions.c
 *		pg_mshare_regions(): the shared memory objects of the server.
 *
 * Those are the main memory; the small System V segment that guards the data
 * directory, which is the main memory itself with shared_memory_type = sysv;
 * and dynamic shared memory, of which only dsm.c knows what there is.  It
 * keeps that in a control segment, whose handle is in the header of the
 * interlock, and we read that under dsm.c's lock.  What is not as expected
 * there is left out with a reason, as it must never make the view fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"
#include "fmgr.h"
#include "library.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pg_mshare_regions);

#define REGIONS_COLUMNS	9

/* What MSHARE_MIN_SIZE is where it is not set: libmshare_preload(7). */
#define DEFAULT_MIN_SIZE	((uint64) 64 << 20)

/* A control segment has an item for each possible segment: 2 per backend. */
#define CONTROL_BYTES_MAX	(64 * 1024 * 1024)

/* A row; numbers that are not known are -1, strings NULL or empty. */
typedef struct RegionRow
{
	const char *object;
	const void *address;
	int64		size;
	const char *backend;
	int64		page_size;
	int64		resident;
	int64		page_tables;
	int64		processes;
	const char *reason;
} RegionRow;

static void
put_number(Datum *values, bool *nulls, int *i, int64 number)
{
	nulls[*i] = number < 0;
	values[(*i)++] = Int64GetDatum(number);
}

static void
put_string(Datum *values, bool *nulls, int *i, const char *string)
{
	nulls[*i] = string == NULL || string[0] == '\0';
	values[*i] = nulls[*i] ? (Datum) 0 : CStringGetTextDatum(string);
	(*i)++;
}

static void
put_region(RowSink *sink, const RegionRow *row)
{
	Datum		values[REGIONS_COLUMNS];
	bool		nulls[REGIONS_COLUMNS];
	char		address[32] = "";
	int			i = 0;

	if (row->address != NULL)
		snprintf(address, sizeof(address), "%p", row->address);
	put_string(values, nulls, &i, row->object);
	put_string(values, nulls, &i, address);
	put_number(values, nulls, &i, row->size);
	put_string(values, nulls, &i, row->backend);
	put_number(values, nulls, &i, row->page_size);
	put_number(values, nulls, &i, row->resident);
	put_number(values, nulls, &i, row->page_tables);
	put_number(values, nulls, &i, row->processes);
	put_string(values, nulls, &i, row->reason);
	Assert(i == REGIONS_COLUMNS);

	put_row(sink, values, nulls);
}

/*
 * Main memory.  Where it is in no region, every process of the server
 * has it mapped, the logger excepted, and that is what is counted.
 */
static void
put_main_memory(RowSink *sink)
{
	MainMemory	memory;
	RegionRow	row = {.object = "main memory"};

	describe_main_memory(&memory);
	count_main_memory(&memory);
	row.address = memory.header;
	row.size = memory.size;
	row.backend = memory.backend;
	row.page_size = memory.page_size;
	row.resident = memory.resident;
	row.page_tables = memory.has_region ? (int64) memory.page_tables : -1;
	row.processes = memory.has_region ? (int64) memory.windows : count_attached_processes();
	row.reason = memory.reason;
	put_region(sink, &row);
}

static void
put_interlock(RowSink *sink)
{
	RegionRow	row = {.object = "SysV interlock", .backend = "none", .page_tables = -1};
	struct shmid_ds segment;
	int			id;

	if (UsedShmemSegAddr == NULL || UsedShmemSegAddr == (void *) main_shared_memory())
		return;
	row.address = UsedShmemSegAddr;
	row.page_size = sysconf(_SC_PAGESIZE);
	/* what is called ID there is the key */
	id = shmget((key_t) UsedShmemSegID, 0, 0);
	if (id >= 0 && shmctl(id, IPC_STAT, &segment) == 0)
	{
		row.size = segment.shm_segsz;
		row.processes = segment.shm_nattch;
		row.resident = TYPEALIGN(row.page_size, row.size);
		row.reason = "too small to be worth it";
	}
	else
	{
		row.size = row.processes = row.resident = -1;
		row.reason = strerror(errno);
	}
	put_region(sink, &row);
}

/*
 * Path of a segment of dynamic shared memory that is a file, as it is but for
 * dynamic_shared_memory_type = sysv.
 */
static void
segment_path(dsm_handle handle, char *path, size_t size)
{
	if (dynamic_shared_memory_type == DSM_IMPL_POSIX)
		snprintf(path, size, "/dev/shm/PostgreSQL.%u", handle);
	else
		snprintf(path, size, PG_DYNSHMEM_DIR "/" PG_DYNSHMEM_MMAP_FILE_PREFIX "%u", handle);
}

/*
 * Size and resident bytes of a segment; 0 or errno.
 */
static int
segment_size(dsm_handle handle, int64 *size, int64 *resident)
{
	char		path[MAXPGPATH];
	struct stat file;
	struct shmid_ds segment;
	int			id;

	*size = *resident = -1;
	if (dynamic_shared_memory_type == DSM_IMPL_SYSV)
	{
		id = shmget((key_t) handle, 0, 0);
		if (id < 0 || shmctl(id, IPC_STAT, &segment) != 0)
			return errno;
		*size = segment.shm_segsz;
		return 0;
	}
	segment_path(handle, path, sizeof(path));
	if (stat(path, &file) != 0)
		return errno;
	*size = file.st_size;
	*resident = (int64) file.st_blocks * 512;
	return 0;
}

/*
 * Copy the start of the control segment; returns the bytes copied, or -1 with
 * errno set.  Raises no error: the caller holds dsm.c's lock.
 */
static int64
copy_control(dsm_handle handle, void *copy, int64 size)
{
	char		path[MAXPGPATH];
	int64		length;
	int			fd;

	if (dynamic_shared_memory_type == DSM_IMPL_SYSV)
	{
		int			id = shmget((key_t) handle, 0, 0);
		void	   *segment = id < 0 ? (void *) -1 : shmat(id, NULL, SHM_RDONLY);

		if (segment == (void *) -1)
			return -1;
		memcpy(copy, segment, size);
		shmdt(segment);
		return size;
	}
	segment_path(handle, path, sizeof(path));
	fd = BasicOpenFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return -1;
	length = read(fd, copy, size);
	close(fd);
	return length;
}

/*
 * The control segment as it is now, palloc'd; NULL and a reason if it is not
 * one that we understand.
 */
static DsmControlHeader *
read_control(dsm_handle handle, int64 size, char *reason)
{
	DsmControlHeader *control;
	int64		length;
	int			error;

	if (size < (int64) sizeof(DsmControlHeader) || size > CONTROL_BYTES_MAX)
	{
		snprintf(reason, REASON_LEN, "the control segment has " INT64_FORMAT " bytes", size);
		return NULL;
	}
	control = palloc0(size);
	LWLockAcquire(DynamicSharedMemoryControlLock, LW_SHARED);
	length = copy_control(handle, control, size);
	error = errno;
	LWLockRelease(DynamicSharedMemoryControlLock);

	if (length < 0)
		snprintf(reason, REASON_LEN, "could not read the control segment: %s", strerror(error));
	else if (control->magic != DSM_CONTROL_MAGIC || control->nitems > control->maxitems ||
			 offsetof(DsmControlHeader, item) +
			 (int64) control->nitems * sizeof(DsmControlItem) > length)
		strlcpy(reason, "the control segment is of an unknown form", REASON_LEN);
	else
		return control;
	pfree(control);
	return NULL;
}

/*
 * Each process maps dynamic shared memory for itself, and under the library
 * chooses for itself: of what may be redirected we do not know.
 */
static void
describe_choice(RegionRow *row)
{
	const char *min_size = getenv("MSHARE_MIN_SIZE");

	if (!library_loaded())
	{
		row->backend = "none";
		row->reason = "libmshare_preload.so is not loaded";
	}
	else if (row->size < DEFAULT_MIN_SIZE && (min_size == NULL || min_size[0] == '\0'))
	{
		row->backend = "none";
		row->reason = "smaller than what is redirected, 64 MB and more";
	}
	else
		row->reason = "is up to each process that maps it, and what MSHARE_* tells the library";
}

static void
put_segment(RowSink *sink, const DsmControlItem *item)
{
	RegionRow	row = {.page_tables = -1};
	char		object[32];
	char		reason[REASON_LEN];
	int			error = segment_size(item->handle, &row.size, &row.resident);

	/* gone while we were reading */
	if (error == ENOENT)
		return;
	snprintf(object, sizeof(object), "DSM %u", item->handle);
	row.object = object;
	row.page_size = sysconf(_SC_PAGESIZE);
	row.processes = (int64) item->refcnt - 1 - (item->pinned ? 1 : 0);
	describe_choice(&row);
	if (error != 0)
	{
		snprintf(reason, sizeof(reason), "could not read it: %s", strerror(error));
		row.reason = reason;
	}
	put_region(sink, &row);
}

/*
 * Dynamic shared memory: the control segment, which every backend has mapped,
 * and all that it lists.
 */
static void
put_dynamic_memory(RowSink *sink)
{
	const PGShmemHeader *interlock = UsedShmemSegAddr;
	dsm_handle	handle = interlock != NULL ? interlock->dsm_control : 0;
	RegionRow	row = {.object = "DSM control", .page_tables = -1};
	DsmControlHeader *control = NULL;
	char		reason[REASON_LEN] = "";
	int			error;

	if (handle == 0)
		return;
	error = segment_size(handle, &row.size, &row.resident);
	if (error != 0)
		snprintf(reason, REASON_LEN, "could not read it: %s", strerror(error));
	else
		control = read_control(handle, row.size, reason);

	row.page_size = sysconf(_SC_PAGESIZE);
	row.processes = -1;
	describe_choice(&row);
	if (*reason != '\0')
		row.reason = reason;
	put_region(sink, &row);
	if (control == NULL)
		return;
	for (uint32 i = 0; i < control->nitems; i++)
	{
		const DsmControlItem *item = &control->item[i];

		if (item->refcnt > 1 && !DSM_IN_MAIN_MEMORY(item->handle))
			put_segment(sink, item);
	}
	pfree(control);
}

/*
 * pg_mshare_regions() returns setof record
 */
Datum
pg_mshare_regions(PG_FUNCTION_ARGS)
{
	RowSink		sink;

	begin_rows(fcinfo, &sink);
	put_main_memory(&sink);
	put_interlock(&sink);
	put_dynamic_memory(&sink);
	return (Datum) 0;
}
