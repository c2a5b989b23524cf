/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork.c - the attachment table over fork.
 *
 * The kernel gives the child its parent's windows and shadows, so the table stays true as it is.  All there is to do
 * is that no other thread of the parent is half-way through a change: the forking thread holds the lock.
 *
 * fork() and what calls it run the handlers below; _Fork() runs none and is interposed.  vfork() and
 * posix_spawn() children share the parent's memory until they exec.  A thread of a parent that makes a
 * child by bare clone() with another thread inside the library is not covered.
 */
#include "fork.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "attach.h"
#include "export.h"
#include "real.h"

typedef pid_t (*fork_function)(void);

static fork_function next_fork;

void fork_init(void)
{
	/* Now, because _Fork() has to be callable in a signal handler, and dlsym() is not. */
	next_fork = (fork_function)dlsym(RTLD_NEXT, "_Fork");
	/* Registered before the program's own: so the lock is taken after its handlers and released before them. */
	pthread_atfork(attach_fork_prepare, attach_fork_done, attach_fork_done);
}

EXPORT pid_t _Fork(void)
{
	pid_t pid;

	if (next_fork == NULL) {
		/* Before our constructor, so alone and with an empty table. */
		next_fork = (fork_function)dlsym(RTLD_NEXT, "_Fork");
		return next_fork();
	}
	attach_fork_prepare();
	pid = next_fork();
	attach_fork_done();
	return pid;
}
