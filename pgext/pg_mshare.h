/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pg_mshare.h
 *		What the files of the extension share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_MSHARE_H
#define PG_MSHARE_H

#include "funcapi.h"
#include "storage/pg_shmem.h"

/* Sizes of x86-64: a page table is a page, and maps 512 pages of the level below. */
#define PAGE_TABLE_BYTES	((uint64) 4096)
#define PAGE_TABLE_ENTRIES	((uint64) 512)

/* Space for a reason: what cannot be, and why. */
#define REASON_LEN	160

typedef enum RequirePolicy
{
	REQUIRE_OFF,
	REQUIRE_WARN,
	REQUIRE_ON
} RequirePolicy;

typedef enum PrefaultPolicy
{
	PREFAULT_OFF,
	PREFAULT_STARTUP,
	PREFAULT_BACKGROUND
} PrefaultPolicy;

/* Settings; see pg_mshare.c */
extern int	pg_mshare_require;
extern int	pg_mshare_prefault_policy;
extern int	pg_mshare_sample_interval;	/* seconds, 0 = off */
extern int	pg_mshare_history_size; /* rows */

/*
 * memory.c: the main shared memory, and what is known about it.
 */
typedef struct MainMemory
{
	const PGShmemHeader *header;	/* also its first byte */
	uint64		size;			/* bytes */
	char		backend[16];	/* as in mshare.h */
	bool		shared;			/* page tables are shared */
	bool		has_region;		/* by a region of msharefs, which is known */
	uint64		page_size;		/* bytes */
	uint64		resident;		/* bytes */
	uint64		page_tables;	/* bytes, of the region; else 0 */
	uint64		windows;		/* processes that have the region; else 0 */
	char		reason[REASON_LEN]; /* why not shared, or why not known */
	char		hint[REASON_LEN];	/* what to do about that; may be empty */
} MainMemory;

extern const PGShmemHeader *main_shared_memory(void);
extern void describe_main_memory(MainMemory *memory);
extern void count_main_memory(MainMemory *memory);
extern uint64 page_tables_for(uint64 bytes, uint64 page_size);

/*
 * processes.c: the processes of the server.
 */
typedef struct ServerProcess
{
	int			pid;
	Oid			database;
	Oid			role;
	bool		client;			/* a client backend */
	char		title[NAMEDATALEN]; /* of those that statistics do not know */
	bool		readable;		/* else reason says why not */
	uint64		page_tables;	/* bytes */
	uint64		minor_faults;
	uint64		major_faults;
	uint64		reaped_minor_faults;	/* of its children that have exited */
	uint64		rss_anon;		/* bytes, all three */
	uint64		rss_file;
	uint64		rss_shmem;
	char		reason[REASON_LEN];
} ServerProcess;

extern ServerProcess *read_server_processes(int *count);
extern int	count_attached_processes(void);

/*
 * history.c and prefault.c: shared memory, hooks, and the background worker.
 */
extern Size history_shmem_size(void);
extern void history_shmem_init(void);
extern Size prefault_shmem_size(void);
extern void prefault_shmem_init(void);
extern bool prefault_at_startup(void);
extern void prefault_in_worker(void);
extern void register_worker(void);

/*
 * srf.c: returning rows.
 */
typedef struct RowSink
{
	Tuplestorestate *store;
	TupleDesc	desc;
} RowSink;

extern void begin_rows(FunctionCallInfo fcinfo, RowSink *sink);
extern void put_row(RowSink *sink, Datum *values, bool *nulls);
extern Datum single_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
extern void require_shared_state(const void *state);

#endif							/* PG_MSHARE_H */
