/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * processes.c
 *		The processes of this server, as the server and /proc know them.
 *
 * Two lists are put together: the PGPROC array, which knows databases and
 * users but not the postmaster and the logger, and the postmaster's children
 * as the kernel has them.  Both are read while they change, without a lock:
 * a process that comes or goes meanwhile may be missing.  One that took over
 * the pid of another is told by its parent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "compat.h"
#include "miscadmin.h"
#include "pg_mshare.h"
#include "procfs.h"

/* The process that all others are children of; ourselves in single-user mode. */
static int
root_process(void)
{
	return IsUnderPostmaster ? PostmasterPid : MyProcPid;
}

static ServerProcess *
add_process(ServerProcess *list, int *count, int pid)
{
	ServerProcess *process = &list[(*count)++];

	memset(process, 0, sizeof(*process));
	process->pid = pid;
	return process;
}

/*
 * The process that has a slot of the PGPROC array, or 0.  Its pid says less:
 * before PostgreSQL 17 it stays when the process has ended.
 */
static int
owner_of_slot(uint32 slot)
{
	return ((volatile PGPROC *) &ProcGlobal->allProcs[slot])->procLatch.owner_pid;
}

static void
add_from_proc_array(ServerProcess *list, int *count)
{
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		volatile PGPROC *proc = &ProcGlobal->allProcs[i];
		int			pid = owner_of_slot(i);
		ServerProcess *process;

		if (pid == 0)
			continue;
		process = add_process(list, count, pid);
		process->database = proc->databaseId;
		process->role = proc->roleId;
		process->client = PROC_IS_CLIENT_BACKEND(proc);
	}
}

/*
 * By pid; of two with the same one, that which the PGPROC array told first.
 */
static int
compare_processes(const void *a, const void *b)
{
	const ServerProcess *first = a;
	const ServerProcess *second = b;

	if (first->pid != second->pid)
		return first->pid < second->pid ? -1 : 1;
	if (first->database != second->database)
		return first->database > second->database ? -1 : 1;
	if (first->role != second->role)
		return first->role > second->role ? -1 : 1;
	return 0;
}

/*
 * Every process that may be one of ours, each once.
 */
static ServerProcess *
list_processes(int *count)
{
	int		   *children = NULL;
	int			n_children = procfs_children(root_process(), &children);
	ServerProcess *list;
	int			total = 0;

	list = palloc((ProcGlobal->allProcCount + Max(n_children, 0) + 1) * sizeof(ServerProcess));
	add_process(list, &total, root_process());
	add_from_proc_array(list, &total);
	for (int i = 0; i < n_children; i++)
		add_process(list, &total, children[i]);
	if (children != NULL)
		pfree(children);

	qsort(list, total, sizeof(ServerProcess), compare_processes);
	*count = 0;
	for (int i = 0; i < total; i++)
		if (i == 0 || list[i].pid != list[i - 1].pid)
			list[(*count)++] = list[i];
	return list;
}

/*
 * A name for a process that pg_stat_activity does not show, from what ps
 * shows: "postgres: NAME", or "postgres: CLUSTER: NAME".
 */
static void
name_process(ServerProcess *process)
{
	static const char *const names[] = {"logger", "pg_mshare worker"};
	char		title[256];
	const char *name = title;

	if (process->pid == root_process() && IsUnderPostmaster)
	{
		strlcpy(process->title, "postmaster", sizeof(process->title));
		return;
	}
	if (OidIsValid(process->role) || procfs_title(process->pid, title, sizeof(title)) != 0)
		return;
	for (const char *colon; (colon = strstr(name, ": ")) != NULL;)
		name = colon + 2;
	for (int i = 0; i < lengthof(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			strlcpy(process->title, names[i], sizeof(process->title));
}

/*
 * Has the process ended?  /proc that is hidden says so of every process.
 */
static bool
has_ended(int pid, int error)
{
	if (error == -ESRCH || error == -ENODATA)
		return true;
	return error == -ENOENT && kill(pid, 0) != 0 && errno == ESRCH;
}

/*
 * Read what /proc has about a process.  False if it is none of ours, or has
 * ended.
 */
static bool
read_process(ServerProcess *process)
{
	ProcStat	stat;
	ProcStatus	status;
	const char *file = "stat";
	int			error = procfs_stat(process->pid, &stat);

	if (error == 0)
	{
		if (process->pid != root_process() && stat.parent != root_process())
			return false;
		file = "status";
		error = procfs_status(process->pid, &status);
	}
	if (error != 0)
	{
		snprintf(process->reason, REASON_LEN, "could not read \"/proc/%d/%s\": %s",
				 process->pid, file, strerror(-error));
		return !has_ended(process->pid, error);
	}
	process->readable = true;
	process->minor_faults = stat.minor_faults;
	process->reaped_minor_faults = stat.reaped_minor_faults;
	process->major_faults = stat.major_faults;
	process->page_tables = status.page_tables;
	process->rss_anon = status.rss_anon;
	process->rss_file = status.rss_file;
	process->rss_shmem = status.rss_shmem;
	return true;
}

/*
 * Processes that have main memory mapped: the postmaster and those in the
 * PGPROC array.  The logger has not.
 */
int
count_attached_processes(void)
{
	int			count = IsUnderPostmaster ? 1 : 0;

	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
		if (owner_of_slot(i) != 0)
			count++;
	return count;
}

/*
 * All processes of the server that live, palloc'd, in the order of their
 * pids.  Those that /proc keeps from us say why.
 */
ServerProcess *
read_server_processes(int *count)
{
	int			listed;
	ServerProcess *list = list_processes(&listed);

	*count = 0;
	for (int i = 0; i < listed; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!read_process(&list[i]))
			continue;
		list[*count] = list[i];
		if (!OidIsValid(list[i].database))
			name_process(&list[*count]);
		(*count)++;
	}
	return list;
}
