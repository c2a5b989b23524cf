/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * prefault.c
 *		Populating the main shared memory before anybody needs it.
 *
 * It is done in chunks: by the postmaster before it accepts connections, by
 * the background worker, or by a backend that was asked to.  How far it is
 * can be seen in ps, and in shared memory, where a spinlock guards the
 * progress; it is held for copying a few bytes, never while populating.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <unistd.h>

#include "fmgr.h"
#include "library.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "postmaster/interrupt.h"
#include "procfs.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/ps_status.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(pg_mshare_prefault);
PG_FUNCTION_INFO_V1(pg_mshare_prefault_progress);

/* Linux 5.14 */
#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE	23
#endif

#define PROGRESS_COLUMNS	7

/* Populated between two looks at interrupts: some 10 ms of work. */
#define CHUNK_BYTES		((uint64) 32 * 1024 * 1024)

typedef enum PrefaultState
{
	PREFAULT_NONE,
	PREFAULT_RUNNING,
	PREFAULT_DONE,
	PREFAULT_FAILED,
	PREFAULT_CANCELED
} PrefaultState;

static const char *const state_names[] = {"none", "running", "done", "failed", "canceled"};

typedef struct PrefaultProgress
{
	PrefaultState state;
	int			pid;
	uint64		total;			/* bytes */
	uint64		done;
	TimestampTz started_at;
	TimestampTz finished_at;	/* 0 while it runs */
	char		reason[REASON_LEN];
} PrefaultProgress;

typedef struct PrefaultShared
{
	slock_t		mutex;
	PrefaultProgress progress;
} PrefaultShared;

/* NULL if the server was started without us. */
static PrefaultShared *prefault_shared = NULL;

/* How a process shows how far it is, in per cent, and stops showing it. */
typedef void (*show_function) (int percent);

Size
prefault_shmem_size(void)
{
	return sizeof(PrefaultShared);
}

void
prefault_shmem_init(void)
{
	bool		found;

	prefault_shared = ShmemInitStruct("pg_mshare prefault", prefault_shmem_size(), &found);
	if (!found)
	{
		memset(prefault_shared, 0, sizeof(*prefault_shared));
		SpinLockInit(&prefault_shared->mutex);
	}
}

/*
 * Enter ourselves as the one who does it.  False if somebody else is at it;
 * *other is their pid then.
 */
static bool
begin_prefault(uint64 total, int *other)
{
	PrefaultProgress progress = {.state = PREFAULT_RUNNING, .pid = MyProcPid, .total = total};
	bool		mine;

	if (prefault_shared == NULL)
		return true;
	progress.started_at = GetCurrentTimestamp();
	SpinLockAcquire(&prefault_shared->mutex);
	*other = prefault_shared->progress.pid;
	mine = prefault_shared->progress.state != PREFAULT_RUNNING;
	if (mine)
		prefault_shared->progress = progress;
	SpinLockRelease(&prefault_shared->mutex);
	return mine;
}

static void
report_done(uint64 done)
{
	if (prefault_shared == NULL)
		return;
	SpinLockAcquire(&prefault_shared->mutex);
	prefault_shared->progress.done = done;
	SpinLockRelease(&prefault_shared->mutex);
}

static void
end_prefault(PrefaultState state, const char *reason)
{
	TimestampTz now = GetCurrentTimestamp();
	PrefaultProgress *progress;

	if (prefault_shared == NULL)
		return;
	progress = &prefault_shared->progress;
	SpinLockAcquire(&prefault_shared->mutex);
	progress->state = state;
	progress->finished_at = now;
	strlcpy(progress->reason, reason, REASON_LEN);
	SpinLockRelease(&prefault_shared->mutex);
}

/* Error or termination of the process that prefaults. */
static void
abandon_prefault(int code, Datum arg)
{
	end_prefault(PREFAULT_CANCELED, "interrupted");
}

/*
 * Reading shared memory makes its pages just as writing does, and is all that
 * may be done to memory which others write at the same time.
 */
static void
read_pages(const char *start, uint64 bytes)
{
	const volatile char *page = start;
	uint64		page_size = sysconf(_SC_PAGESIZE);

	for (uint64 offset = 0; offset < bytes; offset += page_size)
		(void) page[offset];
}

static int
populate_ordinary(char *start, uint64 bytes)
{
#ifdef __linux__
	int			result;

	do
		result = madvise(start, bytes, MADV_POPULATE_WRITE);
	while (result != 0 && (errno == EINTR || errno == EAGAIN));
	return result == 0 ? 0 : errno;
#else
	return ENOSYS;
#endif
}

/*
 * Populate a chunk; 0 or errno.  Memory that the library redirected is its to
 * populate: should madvise() fail there, it would have to give up sharing to
 * let us have the error.  Pages are read where neither library nor kernel are
 * new enough.
 */
static int
populate_chunk(const MainMemory *memory, char *start, uint64 bytes)
{
	int			error;

	if (strcmp(memory->backend, "none") == 0)
		error = populate_ordinary(start, bytes);
	else
		error = library_prefault(start, bytes);
	if (error != EINVAL && error != ENOSYS && error != ENOENT)
		return error;
	read_pages(start, bytes);
	return 0;
}

/*
 * Is there memory enough?  If not, going on would get a process killed, and
 * the postmaster is as good a candidate as any.
 */
static bool
memory_suffices(const MainMemory *memory, char *reason)
{
	MachineMemory machine;
	uint64		missing = memory->size - Min(memory->resident, memory->size);

	if (procfs_machine(&machine) != 0 || machine.available > missing)
		return true;
	snprintf(reason, REASON_LEN, UINT64_FORMAT " MB are missing, and the machine has "
			 UINT64_FORMAT " MB available", missing >> 20, machine.available >> 20);
	return false;
}

/* What stops a postmaster: smart, fast and immediate shutdown. */
static const int stop_signals[] = {SIGTERM, SIGINT, SIGQUIT};

/*
 * Shall the server, or this worker of it, stop?  prefault_at_startup() has the
 * postmaster's signals blocked: they wait.
 */
static bool
stop_requested(void)
{
	sigset_t	waiting;

	if (IsUnderPostmaster)
		return ShutdownRequestPending;
	sigpending(&waiting);
	for (int i = 0; i < lengthof(stop_signals); i++)
	{
		if (sigismember(&waiting, stop_signals[i]) == 1)
			return true;
	}
	return false;
}

/*
 * Populate all of main memory.  Returns how it went; reason is filled if it
 * failed.  Interrupts are served between chunks.
 */
static PrefaultState
populate(const MainMemory *memory, show_function show, char *reason)
{
	char	   *start = (char *) memory->header;
	int			error;

	reason[0] = '\0';
	if (!memory_suffices(memory, reason))
		return PREFAULT_FAILED;
	for (uint64 done = 0; done < memory->size;)
	{
		uint64		bytes = Min(CHUNK_BYTES, memory->size - done);

		CHECK_FOR_INTERRUPTS();
		if (stop_requested())
			return PREFAULT_CANCELED;
		show((int) (done * 100 / memory->size));
		error = populate_chunk(memory, start + done, bytes);
		if (error != 0)
		{
			snprintf(reason, REASON_LEN, "populating " UINT64_FORMAT " bytes at %p failed: %s",
					 bytes, start + done, strerror(error));
			return PREFAULT_FAILED;
		}
		done += bytes;
		report_done(done);
	}
	return PREFAULT_DONE;
}

/*
 * The whole of it for postmaster and worker, which log how it went.  A server
 * that could not prefault is slower, and no reason not to run.
 */
static PrefaultState
prefault_and_log(show_function show)
{
	TimestampTz started_at = GetCurrentTimestamp();
	MainMemory	memory;
	char		reason[REASON_LEN];
	PrefaultState state;
	int			other;

	describe_main_memory(&memory);
	count_main_memory(&memory);
	if (!begin_prefault(memory.size, &other))
		return PREFAULT_CANCELED;
	state = populate(&memory, show, reason);
	end_prefault(state, reason);
	if (state == PREFAULT_DONE)
		ereport(LOG,
				(errmsg("prefaulted " UINT64_FORMAT " MB of main shared memory in %ld ms",
						memory.size >> 20,
						TimestampDifferenceMilliseconds(started_at, GetCurrentTimestamp()))));
	else if (state == PREFAULT_FAILED)
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not prefault the main shared memory"),
				 errdetail("%s.", reason),
				 errhint("Lower \"shared_buffers\", or set \"pg_mshare.prefault\" to off.")));
	return state;
}

/*
 * The postmaster has no title of its own, so it changes its name, where it has
 * one (15 characters).
 */
static void
set_process_name(const char *name)
{
#ifdef __linux__
	prctl(PR_SET_NAME, name);
#endif
}

static void
get_process_name(char *name)
{
#ifdef __linux__
	prctl(PR_GET_NAME, name);
#endif
}

static void
show_in_name(int percent)
{
	char		name[16];

	snprintf(name, sizeof(name), "pg prefault %d%%", percent);
	set_process_name(name);
}

/*
 * Returns whether all of main memory is there.  It may take minutes, in which
 * the server can be stopped: its signals, which are acted upon later, are
 * looked at.  Before PostgreSQL 16 they are blocked from the postmaster's
 * beginning; newer ones take note, where we cannot see it, of one that comes
 * in the milliseconds before we are called, and then it is a second one that
 * stops us.
 */
bool
prefault_at_startup(void)
{
	char		name[16] = "postgres";
	PrefaultState state;
	sigset_t	stops;
	sigset_t	before;

	sigemptyset(&stops);
	for (int i = 0; i < lengthof(stop_signals); i++)
		sigaddset(&stops, stop_signals[i]);
	sigprocmask(SIG_BLOCK, &stops, &before);
	get_process_name(name);
	state = prefault_and_log(show_in_name);
	set_process_name(name);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return state == PREFAULT_DONE;
}

static void
show_in_title(int percent)
{
	char		activity[64];

	snprintf(activity, sizeof(activity), "pg_mshare prefault %d%%", percent);
	set_ps_display(activity);
}

void
prefault_in_worker(void)
{
	bool		todo;

	if (prefault_shared == NULL || pg_mshare_prefault_policy != PREFAULT_BACKGROUND)
		return;
	/* done already if this is not the first worker since shared memory was made */
	SpinLockAcquire(&prefault_shared->mutex);
	todo = prefault_shared->progress.state != PREFAULT_DONE;
	SpinLockRelease(&prefault_shared->mutex);
	if (!todo)
		return;

	PG_ENSURE_ERROR_CLEANUP(abandon_prefault, (Datum) 0);
	prefault_and_log(show_in_title);
	PG_END_ENSURE_ERROR_CLEANUP(abandon_prefault, (Datum) 0);
	set_ps_display("");
}

/*
 * pg_mshare_prefault() returns bigint
 *
 * Populate the main shared memory in this backend; returns its bytes.
 */
Datum
pg_mshare_prefault(PG_FUNCTION_ARGS)
{
	MainMemory	memory;
	PrefaultState state = PREFAULT_FAILED;
	char		reason[REASON_LEN];
	char	   *title;
	int			length;
	int			other;

	describe_main_memory(&memory);
	count_main_memory(&memory);
	if (!begin_prefault(memory.size, &other))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("the main shared memory is being prefaulted by process %d", other),
				 errhint("See the view pg_mshare_prefault_progress.")));

	title = pstrdup(get_ps_display(&length));
	PG_ENSURE_ERROR_CLEANUP(abandon_prefault, (Datum) 0);
	{
		state = populate(&memory, show_in_title, reason);
	}
	PG_END_ENSURE_ERROR_CLEANUP(abandon_prefault, (Datum) 0);
	end_prefault(state, reason);
	set_ps_display(title);
	pfree(title);

	if (state == PREFAULT_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not prefault the main shared memory"),
				 errdetail("%s.", reason)));
	PG_RETURN_INT64(memory.size);
}

/*
 * pg_mshare_prefault_progress() returns record
 */
Datum
pg_mshare_prefault_progress(PG_FUNCTION_ARGS)
{
	PrefaultProgress progress;
	Datum		values[PROGRESS_COLUMNS] = {0};
	bool		nulls[PROGRESS_COLUMNS] = {0};
	bool		never;
	int			i = 0;

	require_shared_state(prefault_shared);
	SpinLockAcquire(&prefault_shared->mutex);
	progress = prefault_shared->progress;
	SpinLockRelease(&prefault_shared->mutex);
	never = progress.state == PREFAULT_NONE;

	values[i++] = CStringGetTextDatum(state_names[progress.state]);
	for (int j = i; j < PROGRESS_COLUMNS; j++)
		nulls[j] = never;
	values[i++] = Int32GetDatum(progress.pid);
	values[i++] = Int64GetDatum(progress.total);
	values[i++] = Int64GetDatum(progress.done);
	values[i++] = TimestampTzGetDatum(progress.started_at);
	nulls[i] = progress.finished_at == 0;
	values[i++] = TimestampTzGetDatum(progress.finished_at);
	nulls[i] = progress.reason[0] == '\0';
	values[i++] = CStringGetTextDatum(progress.reason);
	Assert(i == PROGRESS_COLUMNS);

	PG_RETURN_DATUM(single_row(fcinfo, values, nulls));
}
