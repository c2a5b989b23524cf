/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pg_mshare.c
 *		Page tables of the server's shared memory: settings and start-up.
 *
 * Every backend that touches a 4 kB page of shared memory needs a page table
 * entry of its own for it, unless the server runs under
 * libmshare_preload.so on a kernel with msharefs.  This extension shows what
 * that costs or saves, and lets the DBA insist on it.
 *
 * Where what is:
 *		memory.c	the main shared memory; touching it
 *		processes.c	the processes of the server
 *		regions.c, backends.c, savings.c, advise.c	views and functions
 *		history.c	the background worker and its samples
 *		prefault.c	populating shared memory
 *		library.c	libmshare_preload.so, which may be there or not
 *		procfs.c	/proc
 *		srf.c		returning rows
 *		compat.h	versions of PostgreSQL
 *
 * Locks: a spinlock around the progress of prefault (prefault.c); the ring of
 * samples has one writer and needs none (history.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

/* A day of samples at the default interval. */
#define HISTORY_SIZE_DEFAULT	8640
#define HISTORY_SIZE_MAX		1000000

int			pg_mshare_require = REQUIRE_OFF;
int			pg_mshare_prefault_policy = PREFAULT_OFF;
int			pg_mshare_sample_interval = 10;
int			pg_mshare_history_size = HISTORY_SIZE_DEFAULT;

static const struct config_enum_entry require_options[] = {
	{"off", REQUIRE_OFF, false},
	{"warn", REQUIRE_WARN, false},
	{"on", REQUIRE_ON, false},
	{NULL, 0, false}
};

static const struct config_enum_entry prefault_options[] = {
	{"off", PREFAULT_OFF, false},
	{"startup", PREFAULT_STARTUP, false},
	{"background", PREFAULT_BACKGROUND, false},
	{NULL, 0, false}
};

static shmem_startup_hook_type previous_startup_hook = NULL;
#ifdef HAVE_SHMEM_REQUEST_HOOK
static shmem_request_hook_type previous_request_hook = NULL;
#endif

extern PGDLLEXPORT void _PG_init(void);

static void
define_settings(void)
{
	DefineCustomEnumVariable("pg_mshare.require",
							 "What to do at server start if the page tables of shared memory are not shared.",
							 "off logs it, warn warns, on refuses to start, but warns when a crash is recovered from.",
							 &pg_mshare_require, REQUIRE_OFF, require_options,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("pg_mshare.prefault",
							 "Populates the main shared memory before it is used.",
							 "startup does so before connections are accepted, background while the server runs.",
							 &pg_mshare_prefault_policy, PREFAULT_OFF, prefault_options,
							 PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_mshare.sample_interval",
							"Time between two samples of pg_mshare_history.",
							"0 takes none.",
							&pg_mshare_sample_interval, 10, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("pg_mshare.history_size",
							"Number of samples that pg_mshare_history keeps.",
							NULL,
							&pg_mshare_history_size, HISTORY_SIZE_DEFAULT, 1, HISTORY_SIZE_MAX,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("pg_mshare");
}

static void
request_shared_memory(void)
{
#ifdef HAVE_SHMEM_REQUEST_HOOK
	if (previous_request_hook)
		previous_request_hook();
#endif
	RequestAddinShmemSpace(history_shmem_size());
	RequestAddinShmemSpace(prefault_shmem_size());
}

/*
 * The line in the server log that tells what became of main memory.
 */
static void
log_main_memory(const MainMemory *memory, bool prefaulted)
{
	const char *prefault = prefaulted ? "prefaulted"
		: pg_mshare_prefault_policy == PREFAULT_BACKGROUND ? "prefault in background" : "not prefaulted";

	if (memory->shared)
		ereport(LOG,
				(errmsg("pg_mshare: " UINT64_FORMAT " MB of main shared memory at %p, page tables shared "
						"(%s), " UINT64_FORMAT " kB pages, %s",
						memory->size >> 20, memory->header, memory->backend,
						memory->page_size >> 10, prefault)));
	else
		ereport(LOG,
				(errmsg("pg_mshare: " UINT64_FORMAT " MB of main shared memory at %p, page tables not shared "
						"(%s), " UINT64_FORMAT " kB pages, %s: %s. %s",
						memory->size >> 20, memory->header, memory->backend,
						memory->page_size >> 10, prefault, memory->reason, memory->hint)));
}

/*
 * After a crash of a backend the postmaster makes shared memory anew, in the
 * same process.  A server that has been up comes back then, whatever became of
 * msharefs: an outage would be worse than page tables.
 */
static void
enforce_policy(const MainMemory *memory)
{
	static bool has_been_up = false;
	bool		refuse = pg_mshare_require == REQUIRE_ON && !has_been_up;

	has_been_up = true;
	if (memory->shared || pg_mshare_require == REQUIRE_OFF)
		return;
	ereport(refuse ? FATAL : WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("page tables of the main shared memory are not shared"),
			 errdetail("The reason is: %s.", memory->reason),
			 refuse
			 ? errhint("%s Or set \"pg_mshare.require\" to warn or off.", memory->hint)
			 : errhint("%s", memory->hint)));
}

/*
 * Shared memory is there: again after the crash of a backend, and not only
 * for a server: a standalone backend must start whatever the policy.
 */
static void
shared_memory_started(void)
{
	MainMemory	memory;
	bool		prefaulted = false;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	history_shmem_init();
	prefault_shmem_init();
	LWLockRelease(AddinShmemInitLock);

	if (IsUnderPostmaster || !IsPostmasterEnvironment)
		return;
	describe_main_memory(&memory);
	enforce_policy(&memory);
	if (pg_mshare_prefault_policy == PREFAULT_STARTUP)
		prefaulted = prefault_at_startup();
	log_main_memory(&memory, prefaulted);
}

void
_PG_init(void)
{
	/*
	 * Without shared memory of our own there is no history; all other
	 * functions work.
	 */
	if (!process_shared_preload_libraries_in_progress)
		return;

	define_settings();
#ifdef HAVE_SHMEM_REQUEST_HOOK
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
#else
	request_shared_memory();
#endif
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_memory_started;
	register_worker();
}
