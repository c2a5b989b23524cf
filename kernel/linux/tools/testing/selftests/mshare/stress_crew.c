// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: workers are started, killed, and cleaned up after; stress.h.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "stress.h"

static void worker_start(unsigned int nr, unsigned int generation)
{
	pid_t pid = child_fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid) {
		setpgid(0, 0);
		_exit(worker_run(nr, generation));
	}
	setpgid(pid, pid);
	shared->worker_pid[nr] = pid;
}

/* What a worker may have left when it was killed: names, a segment, locks. */
static void worker_clean(unsigned int nr)
{
	char name[32];
	int i, id;

	for (i = 0; i < NR_OBJECTS; i++) {
		sprintf(name, "w%u.%d", nr, i);
		unlinkat(root, name, 0);
	}
	sprintf(name, "s%u", nr);
	unlinkat(root, name, 0);
	sprintf(name, "o%u", nr);
	unlinkat(root, name, 0);
	id = shmget(KEY_BASE + nr, 0, 0);
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	pages_repair(nr);
}

/* Its first process is gone: its children, which come to us, go as well. */
static void worker_ended(unsigned int nr, int status)
{
	pid_t group = shared->worker_pid[nr];

	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		fail("worker %u: wait status %#x", nr, status);
	kill(-group, SIGKILL);
	while (waitpid(-group, NULL, 0) > 0 || errno != ECHILD)
		;
	shared->worker_pid[nr] = 0;
	worker_clean(nr);
}

static bool workers_reap(void)
{
	bool left = false;
	int status;
	long i;

	for (i = 0; i < procs; i++) {
		pid_t pid = shared->worker_pid[i];

		if (pid && waitpid(pid, &status, WNOHANG) == pid)
			worker_ended(i, status);
		left |= shared->worker_pid[i] != 0;
	}
	return left;
}

static void workers_stop(void)
{
	double until = now() + 120;
	long i;

	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
	while (workers_reap() && now() < until)
		usleep(10000);
	for (i = 0; i < procs; i++)
		if (shared->worker_pid[i])
			fail("worker %ld does not end", i);
}

void workers_run(long seconds)
{
	double until = now() + seconds;
	unsigned int generation = 0;
	__u64 random = seed;
	long i;

	while (now() < until && !shared->failed) {
		for (i = 0; i < procs; i++)
			if (!shared->worker_pid[i])
				worker_start(i, generation++);
		usleep(50000);
		i = any(&random, procs);
		if (!any(&random, 6)) {
			kill(-shared->worker_pid[i], SIGKILL);
			shared->kills++;
		}
		workers_reap();
	}
	workers_stop();
}
