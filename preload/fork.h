/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork.h - the attachment table over fork.
 */
#ifndef MSHARE_FORK_H
#define MSHARE_FORK_H

/* Looks up what signal handlers may call: dlsym() is nothing for them. */
void fork_init(void);

/*
 * Before anything is redirected; more than once does no harm.
 */
void fork_watch(void);

#endif
