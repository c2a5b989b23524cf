/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * srf.c
 *		Returning rows, in the same way on all versions of the server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "utils/tuplestore.h"

/*
 * Start the result of a set-returning function.  All rows are collected
 * before the first is seen, so that reading /proc is never spread over the
 * time that a client takes to fetch them.
 */
void
begin_rows(FunctionCallInfo fcinfo, RowSink *sink)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &sink->desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	sink->store = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0,
										false, work_mem);
	MemoryContextSwitchTo(old);

	result->returnMode = SFRM_Materialize;
	result->setResult = sink->store;
	result->setDesc = sink->desc;
}

/*
 * Add a row of as many values as the function has columns.
 */
void
put_row(RowSink *sink, Datum *values, bool *nulls)
{
	tuplestore_putvalues(sink->store, sink->desc, values, nulls);
}

/*
 * The result of a function that returns one row.
 */
Datum
single_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * Complain unless the server was started with us.
 */
void
require_shared_state(const void *state)
{
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_mshare must be loaded via \"shared_preload_libraries\""),
				 errhint("Add pg_mshare to \"shared_preload_libraries\" and restart the server.")));
}
