/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * advise.c
 *		pg_mshare_advise(): page tables to expect, and what to set.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pg_mshare_advise);

#define ADVICE_COLUMNS	5

/* Page tables of a process' own memory: an idle backend's, as measured. */
#define OWN_PAGE_TABLES		((uint64) 128 * 1024)

/*
 * Shared memory that comes with a buffer: descriptor, lookup table, I/O
 * condition variable, checkpointer's list.
 */
#define BYTES_PER_BUFFER	((uint64) 160)

#define HUGE_PAGE_BYTES		((uint64) 2 * 1024 * 1024)

/* 47 bits of address space, half of them: more cannot be mapped with anything else. */
#define MAX_SHARED_BUFFERS	(INT64CONST(1) << 46)

/*
 * Main shared memory with so much of shared buffers, in bytes: what this
 * server has besides, and what comes with the buffers.
 */
static uint64
predict_shared_memory(uint64 buffers)
{
	uint64		per_buffer = BLCKSZ + BYTES_PER_BUFFER;
	uint64		now = main_shared_memory()->totalsize;
	uint64		of_buffers = NBuffers * per_buffer;
	uint64		besides = now > of_buffers ? now - of_buffers : 0;

	return besides + (buffers + BLCKSZ - 1) / BLCKSZ * per_buffer;
}

static void
put_advice(RowSink *sink, const char *configuration, uint64 memory, uint64 tables,
		   uint64 connections, const char *settings)
{
	Datum		values[ADVICE_COLUMNS];
	bool		nulls[ADVICE_COLUMNS] = {0};
	int			i = 0;

	values[i++] = CStringGetTextDatum(configuration);
	values[i++] = Int64GetDatum(memory);
	values[i++] = Int64GetDatum(tables);
	values[i++] = Int64GetDatum(tables / connections);
	values[i++] = CStringGetTextDatum(settings);
	Assert(i == ADVICE_COLUMNS);

	put_row(sink, values, nulls);
}

static void
put_all_advice(RowSink *sink, uint64 connections, uint64 buffers)
{
	uint64		memory = predict_shared_memory(buffers);
	uint64		huge = (memory + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES;
	uint64		small_tables = page_tables_for(memory, 4096);
	uint64		huge_tables = page_tables_for(memory, HUGE_PAGE_BYTES);
	uint64		own = OWN_PAGE_TABLES * connections;
	char		settings[256];

	put_advice(sink, "stock, 4 kB pages", memory, own + small_tables * connections,
			   connections, "huge_pages = off");

	snprintf(settings, sizeof(settings),
			 "huge_pages = on, and sysctl vm.nr_hugepages = " UINT64_FORMAT
			 " or more", huge);
	put_advice(sink, "stock, huge pages", huge * HUGE_PAGE_BYTES,
			   own + huge_tables * connections, connections, settings);

	put_advice(sink, "mshare", memory, own + small_tables, connections,
			   "LD_PRELOAD=/PATH/OF/libmshare_preload.so in the server's environment, msharefs mounted, "
			   "huge_pages = off, pg_mshare.require = warn, pg_mshare.prefault = background");
}

/*
 * pg_mshare_advise(connections integer, shared_buffers bigint) returns setof record
 *
 * Page tables of so many connections that have touched all of shared memory.
 */
Datum
pg_mshare_advise(PG_FUNCTION_ARGS)
{
	int64		connections = PG_ARGISNULL(0) ? MaxConnections : PG_GETARG_INT32(0);
	int64		buffers = PG_ARGISNULL(1) ? (int64) NBuffers * BLCKSZ : PG_GETARG_INT64(1);
	RowSink		sink;

	if (connections < 1 || connections > MAX_BACKENDS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of connections: " INT64_FORMAT, connections),
				 errdetail("It must be between 1 and %d.", MAX_BACKENDS)));
	if (buffers < 16 * BLCKSZ || buffers > MAX_SHARED_BUFFERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid size of shared buffers: " INT64_FORMAT, buffers),
				 errdetail("It must be between %d and " INT64_FORMAT " bytes.",
						   16 * BLCKSZ, MAX_SHARED_BUFFERS),
				 errhint("Give it in bytes, for example pg_size_bytes('8GB').")));

	begin_rows(fcinfo, &sink);
	put_all_advice(&sink, connections, buffers);
	return (Datum) 0;
}
