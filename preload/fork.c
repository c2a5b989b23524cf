/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork.c - the attachment table over fork.
 *
 * The kernel gives the child its parent's windows and shadows, so the table stays true as it is.  All there is to do
 * is that no other thread of the parent is half-way through a change: the forking thread holds the lock.
 *
 * fork() and what calls it run the handlers below; _Fork() runs none and is interposed.  Of all handlers ours has to be the
 * last to take its lock: other threads that wait for it may hold what the others wait for.  Prepare handlers run last
 * registered first, so ours is registered first: by our constructor, or where another's comes before it and registers, by
 * __register_atfork(), which is what pthread_atfork() calls.  vfork() and
 * posix_spawn() children share the parent's memory until they exec.  clone(), and syscall() with its number, only say that
 * there is a child: one that a thread makes so while another is inside the library is not covered.
 */
#include "fork.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#include "attach.h"
#include "export.h"
#include "options.h"
#include "real.h"
#include "view.h"

typedef pid_t (*fork_function)(void);
typedef int (*register_function)(void (*)(void), void (*)(void), void (*)(void), void *);
typedef int (*clone_function)(int (*)(void *), void *, int, ...);

static fork_function next_fork;
static register_function next_register;
static clone_function next_clone;
static bool watched;

void fork_init(void)
{
	next_fork = (fork_function)dlsym(RTLD_NEXT, "_Fork");
	next_register = (register_function)dlsym(RTLD_NEXT, "__register_atfork");
	next_clone = (clone_function)dlsym(RTLD_NEXT, "clone");
}

/* A child has no mlockall(MCL_FUTURE) of its parent's. */
static void begin_child(void)
{
	/* Seldom set, and writing costs a copy of the page. */
	if (view_refuses_all())
		view_refuse_all(false);
	attach_fork_done();
}

void fork_watch(void)
{
	if (watched)
		return;
	watched = true;
	pthread_atfork(attach_fork_prepare, attach_fork_done, begin_child);
}

EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object)
{
	if (next_register == NULL)
		fork_init();
	if (options_get()->on)
		fork_watch();
	return next_register(prepare, parent, child, object);
}

EXPORT pid_t _Fork(void)
{
	pid_t pid;

	/* Before our constructor. */
	if (next_fork == NULL)
		fork_init();
	if (!watched)
		return next_fork();
	attach_fork_prepare();
	pid = next_fork();
	if (pid == 0)
		begin_child();
	else
		attach_fork_done();
	return pid;
}

/* A child on a stack of its own.  The arguments after arg are there or not, as the flags say; registers have them anyway. */
EXPORT int clone(int (*function)(void *), void *stack, int flags, void *arg, ...)
{
	void *parent_tid, *tls, *child_tid;
	va_list args;

	va_start(args, arg);
	parent_tid = va_arg(args, void *);
	tls = va_arg(args, void *);
	child_tid = va_arg(args, void *);
	va_end(args);
	if (next_clone == NULL)
		fork_init();
	if (!(flags & CLONE_VM)) {
		attach_fork_prepare();
		attach_fork_done();
	}
	return next_clone(function, stack, flags, arg, parent_tid, tls, child_tid);
}
