/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork.h - the attachment table over fork.
 */
#ifndef MSHARE_FORK_H
#define MSHARE_FORK_H

/* Once, from the constructor. */
void fork_init(void);

#endif
