/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * savings.c
 *		pg_mshare_savings(): page tables of the server, with and without
 *		sharing.
 *
 * With sharing, a process' VmPTE is page tables of its own memory only, and
 * what it would have for shared memory besides is what the region has: its
 * page tables are of the same form.  Without sharing the two are not told
 * apart, so the smallest VmPTE of all processes stands for own memory; that
 * is a process which uses next to nothing of shared memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(pg_mshare_savings);

#define SAVINGS_COLUMNS	12

typedef struct Savings
{
	int			processes;
	int			unreadable;
	int			clients;
	uint64		private_tables; /* bytes, as all that follow */
	uint64		smallest;		/* of one process */
	uint64		total;
	uint64		worst;
	uint64		total_at_max;
	uint64		worst_at_max;
} Savings;

static void
sum_processes(Savings *savings)
{
	int			count;
	ServerProcess *processes = read_server_processes(&count);

	for (int i = 0; i < count; i++)
	{
		if (!processes[i].readable)
		{
			savings->unreadable++;
			continue;
		}
		if (savings->processes == 0 || processes[i].page_tables < savings->smallest)
			savings->smallest = processes[i].page_tables;
		savings->processes++;
		savings->clients += processes[i].client;
		savings->private_tables += processes[i].page_tables;
	}
	pfree(processes);
}

/*
 * What it is, what it could be, and both with max_connections clients.
 */
static void
calculate(Savings *savings, const MainMemory *memory)
{
	uint64		n = savings->processes;
	uint64		n_at_max = n - savings->clients + MaxConnections;
	uint64		average = n > 0 ? savings->private_tables / n : 0;
	uint64		windows = memory->has_region ? Min(memory->windows, n) : n;
	uint64		each;			/* of one process for shared memory, unshared */

	savings->total = savings->private_tables + memory->page_tables;
	savings->total_at_max = average * n_at_max + memory->page_tables;
	if (memory->has_region)
	{
		each = memory->page_tables;
		savings->worst = savings->private_tables + windows * each;
		savings->worst_at_max = (average + each) * n_at_max;
	}
	else
	{
		each = page_tables_for(memory->resident, memory->page_size);
		savings->worst = Max(savings->private_tables, (savings->smallest + each) * n);
		savings->worst_at_max = Max(savings->total_at_max,
									(savings->smallest + each) * n_at_max);
	}
}

static Datum
savings_row(FunctionCallInfo fcinfo, const Savings *savings, const MainMemory *memory)
{
	Datum		values[SAVINGS_COLUMNS] = {0};
	bool		nulls[SAVINGS_COLUMNS] = {0};
	char		reason[2 * REASON_LEN];
	bool		any = savings->processes > 0;
	int			i = 0;

	values[i++] = Int64GetDatum(savings->processes);
	values[i++] = Int64GetDatum(savings->private_tables);
	values[i++] = Int64GetDatum(memory->page_tables);
	values[i++] = Int64GetDatum(savings->total);
	values[i++] = Int64GetDatum(savings->worst);
	nulls[i] = memory->has_region;
	values[i++] = Int64GetDatum(savings->private_tables);
	values[i++] = Int64GetDatum(memory->has_region ? savings->worst - savings->total : 0);
	values[i++] = Float8GetDatum(!memory->has_region || savings->total == 0 ? 1.0 :
								 (double) savings->worst / savings->total);
	for (int j = 1; j < i; j++)
		nulls[j] |= !any;
	values[i++] = Int32GetDatum(MaxConnections);
	nulls[i] = !any;
	values[i++] = Int64GetDatum(savings->total_at_max);
	nulls[i] = !any;
	values[i++] = Int64GetDatum(savings->worst_at_max);

	if (savings->unreadable > 0)
		snprintf(reason, sizeof(reason), "%d processes could not be read in /proc%s%s",
				 savings->unreadable, memory->reason[0] != '\0' ? "; " : "", memory->reason);
	else
		strlcpy(reason, memory->reason, sizeof(reason));
	nulls[i] = reason[0] == '\0';
	values[i++] = CStringGetTextDatum(reason);
	Assert(i == SAVINGS_COLUMNS);

	return single_row(fcinfo, values, nulls);
}

/*
 * pg_mshare_savings() returns record
 */
Datum
pg_mshare_savings(PG_FUNCTION_ARGS)
{
	MainMemory	memory;
	Savings		savings = {0};

	describe_main_memory(&memory);
	count_main_memory(&memory);
	sum_processes(&savings);
	calculate(&savings, &memory);
	PG_RETURN_DATUM(savings_row(fcinfo, &savings, &memory));
}
