/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * history.c
 *		The background worker, and the ring of samples it fills.
 *
 * Only the worker writes to the ring, and nobody takes a lock.  It writes a
 * row, then counts it.  There is one row more than is ever shown, so that the
 * one being written is none of those; a reader that was so slow that rows
 * were written over while it copied sees that by the count, and leaves
 * those out.
 *
 * The ring is in shared memory: it survives the worker, and goes when shared
 * memory does, with the crash of a backend.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "procfs.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(pg_mshare_history);

#define HISTORY_COLUMNS	8

/* Seconds until a worker that died is started again. */
#define RESTART_SECONDS	5

typedef struct HistoryRow
{
	TimestampTz sampled_at;
	int32		backends;
	int32		processes;
	uint64		private_tables; /* bytes, as all that follow but the last */
	uint64		shared_tables;
	uint64		machine_tables;
	uint64		machine_available;
	double		minor_faults;	/* per second, -1 if not known */
} HistoryRow;

typedef struct HistoryShared
{
	pg_atomic_uint64 written;	/* rows, ever */
	uint32		slots;			/* rows of the ring */
	HistoryRow	rows[FLEXIBLE_ARRAY_MEMBER];
} HistoryShared;

/* NULL if the server was started without us. */
static HistoryShared *history_shared = NULL;

/* All page faults of the server until a moment; only the worker has it. */
typedef struct FaultCount
{
	TimestampTz at;				/* 0 before the first */
	uint64		faults;
} FaultCount;

extern PGDLLEXPORT void pg_mshare_worker_main(Datum arg);

Size
history_shmem_size(void)
{
	return add_size(offsetof(HistoryShared, rows),
					mul_size(pg_mshare_history_size + 1, sizeof(HistoryRow)));
}

void
history_shmem_init(void)
{
	bool		found;

	history_shared = ShmemInitStruct("pg_mshare history", history_shmem_size(), &found);
	if (!found)
	{
		memset(history_shared, 0, history_shmem_size());
		pg_atomic_init_u64(&history_shared->written, 0);
		history_shared->slots = pg_mshare_history_size + 1;
	}
}

void
register_worker(void)
{
	BackgroundWorker worker = {
		.bgw_name = "pg_mshare worker",
		.bgw_type = "pg_mshare worker",
		.bgw_flags = BGWORKER_SHMEM_ACCESS,
		.bgw_start_time = BgWorkerStart_PostmasterStart,
		.bgw_restart_time = RESTART_SECONDS,
		.bgw_library_name = "pg_mshare",
		.bgw_function_name = "pg_mshare_worker_main",
	};

	RegisterBackgroundWorker(&worker);
}

/*
 * Sum up the processes of the server.  A process that was waited for left its
 * faults to its parent, so that those of all live ones are those of all.
 */
static uint64
sum_processes(HistoryRow *row)
{
	int			count;
	uint64		faults = 0;
	ServerProcess *processes = read_server_processes(&count);

	for (int i = 0; i < count; i++)
	{
		row->processes++;
		row->backends += processes[i].client;
		row->private_tables += processes[i].page_tables;
		faults += processes[i].minor_faults + processes[i].reaped_minor_faults;
	}
	pfree(processes);
	return faults;
}

static double
faults_per_second(FaultCount *before, uint64 faults, TimestampTz now)
{
	double		rate = -1;

	/* some may have slipped through while the processes were read */
	if (before->at != 0 && now > before->at)
		rate = faults <= before->faults ? 0 :
			(faults - before->faults) * 1000000.0 / (now - before->at);
	before->at = now;
	before->faults = Max(faults, before->faults);
	return rate;
}

static void
take_sample(FaultCount *before)
{
	uint64		written = pg_atomic_read_u64(&history_shared->written);
	HistoryRow	row = {0};
	MainMemory	memory;
	MachineMemory machine = {0};
	uint64		faults;

	describe_main_memory(&memory);
	(void) procfs_machine(&machine);
	faults = sum_processes(&row);
	row.sampled_at = GetCurrentTimestamp();
	row.shared_tables = memory.page_tables;
	row.machine_tables = machine.page_tables;
	row.machine_available = machine.available;
	row.minor_faults = faults_per_second(before, faults, row.sampled_at);

	history_shared->rows[written % history_shared->slots] = row;
	pg_write_barrier();
	pg_atomic_write_u64(&history_shared->written, written + 1);
}

/*
 * Wait until the next sample is due, settings change or the server stops.
 * With an interval of 0 none is ever due.
 */
static void
wait_for_next(TimestampTz last)
{
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
	long		milliseconds = -1;

	if (pg_mshare_sample_interval > 0)
	{
		TimestampTz due = TimestampTzPlusMilliseconds(last, pg_mshare_sample_interval * 1000L);

		events |= WL_TIMEOUT;
		milliseconds = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due);
		/* the clock may have been set back */
		milliseconds = Min(milliseconds, pg_mshare_sample_interval * 1000L);
	}
	(void) WaitLatch(MyLatch, events, milliseconds, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static bool
sample_is_due(TimestampTz last)
{
	TimestampTz now = GetCurrentTimestamp();

	if (pg_mshare_sample_interval == 0)
		return false;
	return last == 0 || now < last ||
		TimestampDifferenceExceeds(last, now, pg_mshare_sample_interval * 1000);
}

/*
 * The background worker: prefault if it is to, then samples for ever.  It
 * leaves with status 1, for which the server starts it again unless it stops.
 */
void
pg_mshare_worker_main(Datum arg)
{
	FaultCount	before = {0};
	TimestampTz last = 0;
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	context = AllocSetContextCreate(TopMemoryContext, "pg_mshare worker",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	prefault_in_worker();

	while (!ShutdownRequestPending)
	{
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (sample_is_due(last))
		{
			last = GetCurrentTimestamp();
			take_sample(&before);
			MemoryContextReset(context);
		}
		wait_for_next(last);
	}
	proc_exit(1);
}

static void
put_sample(RowSink *sink, const HistoryRow *row)
{
	Datum		values[HISTORY_COLUMNS];
	bool		nulls[HISTORY_COLUMNS] = {0};
	int			i = 0;

	values[i++] = TimestampTzGetDatum(row->sampled_at);
	values[i++] = Int32GetDatum(row->backends);
	values[i++] = Int32GetDatum(row->processes);
	values[i++] = Int64GetDatum(row->private_tables);
	values[i++] = Int64GetDatum(row->shared_tables);
	nulls[i] = row->machine_tables == 0;
	values[i++] = Int64GetDatum(row->machine_tables);
	nulls[i] = row->machine_available == 0;
	values[i++] = Int64GetDatum(row->machine_available);
	nulls[i] = row->minor_faults < 0;
	values[i++] = Float8GetDatum(row->minor_faults);
	Assert(i == HISTORY_COLUMNS);

	put_row(sink, values, nulls);
}

/*
 * pg_mshare_history() returns setof record
 *
 * The rows of the ring, oldest first.
 */
Datum
pg_mshare_history(PG_FUNCTION_ARGS)
{
	RowSink		sink;
	HistoryRow *copy;
	uint32		slots;
	uint64		end;
	uint64		first;

	require_shared_state(history_shared);
	begin_rows(fcinfo, &sink);

	slots = history_shared->slots;
	copy = palloc(mul_size(slots, sizeof(HistoryRow)));
	end = pg_atomic_read_u64(&history_shared->written);
	pg_read_barrier();
	memcpy(copy, history_shared->rows, slots * sizeof(HistoryRow));
	pg_read_barrier();
	first = pg_atomic_read_u64(&history_shared->written);
	/* of rows written by now, the slots hold the last but the one in work */
	first = first >= slots ? first - slots + 1 : 0;

	for (uint64 i = first; i < end; i++)
		put_sample(&sink, &copy[i % slots]);
	pfree(copy);
	return (Datum) 0;
}
