/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork.h - the attachment table over fork.
 */
#ifndef MSHARE_FORK_H
#define MSHARE_FORK_H

/* Looks up what signal handlers may call: dlsym() is nothing for them. */
void fork_init(void);

/*
 * Before anything is redirected; more than once does no harm.  Before the program's own handlers, if possible: so the lock
 * is taken after its handlers and released before them.
 */
void fork_watch(void);

#endif
