/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * backends.c
 *		pg_mshare_processes(), from which the view pg_mshare_backends is made.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "procfs.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pg_mshare_processes);

#define PROCESS_COLUMNS	12

/* How processes that do share their page tables have mapped main memory. */
typedef struct SharedMapping
{
	bool		all;			/* every process does: no need to look */
	bool		known;
	const void *addr;
	ProcMapping mapping;
} SharedMapping;

/*
 * Looking at a process' mappings costs as much as all the rest, so do it only
 * where fewer processes have a window of the region than there are that could.
 */
static void
find_shared_mapping(SharedMapping *shared)
{
	MainMemory	memory;

	memset(shared, 0, sizeof(*shared));
	describe_main_memory(&memory);
	shared->addr = memory.header;
	if (!memory.has_region)
		return;
	shared->all = memory.windows >= (uint64) count_attached_processes();
	shared->known = shared->all ||
		procfs_mapping(MyProcPid, shared->addr, &shared->mapping) == 0;
}

static bool
is_demoted(const SharedMapping *shared, int pid, bool *null)
{
	ProcMapping mapping;

	*null = true;
	if (!shared->known)
		return false;
	if (!shared->all && procfs_mapping(pid, shared->addr, &mapping) != 0)
		return false;
	*null = false;
	return !shared->all &&
		(mapping.inode != shared->mapping.inode ||
		 mapping.major != shared->mapping.major ||
		 mapping.minor != shared->mapping.minor);
}

static void
put_process(RowSink *sink, const ServerProcess *process, const SharedMapping *shared)
{
	Datum		values[PROCESS_COLUMNS] = {0};
	bool		nulls[PROCESS_COLUMNS] = {0};
	int			i = 0;

	values[i++] = Int32GetDatum(process->pid);
	nulls[i] = !OidIsValid(process->database);
	values[i++] = ObjectIdGetDatum(process->database);
	nulls[i] = !OidIsValid(process->role);
	values[i++] = ObjectIdGetDatum(process->role);
	if (process->title[0] == '\0')
		nulls[i++] = true;
	else
		values[i++] = CStringGetTextDatum(process->title);

	for (int j = i; j < i + 7; j++)
		nulls[j] = !process->readable;
	values[i++] = Int64GetDatum(process->page_tables);
	values[i++] = Int64GetDatum(process->minor_faults);
	values[i++] = Int64GetDatum(process->major_faults);
	values[i++] = Int64GetDatum(process->rss_anon + process->rss_file + process->rss_shmem);
	values[i++] = Int64GetDatum(process->rss_file + process->rss_shmem);
	values[i++] = Int64GetDatum(process->rss_anon);
	if (process->readable)
		values[i] = BoolGetDatum(is_demoted(shared, process->pid, &nulls[i]));
	i++;
	if (process->readable)
		nulls[i++] = true;
	else
		values[i++] = CStringGetTextDatum(process->reason);
	Assert(i == PROCESS_COLUMNS);

	put_row(sink, values, nulls);
}

/*
 * pg_mshare_processes() returns setof record
 *
 * One row per process of the server.
 */
Datum
pg_mshare_processes(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	SharedMapping shared;
	ServerProcess *processes;
	int			count;

	begin_rows(fcinfo, &sink);
	processes = read_server_processes(&count);
	find_shared_mapping(&shared);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_process(&sink, &processes[i], &shared);
	}
	pfree(processes);
	return (Datum) 0;
}
