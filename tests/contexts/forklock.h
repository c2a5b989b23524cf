/* SPDX-License-Identifier: PostgreSQL */
/*
 * forklock.h - calls of forklock.c.
 */
#ifndef FORKLOCK_H
#define FORKLOCK_H

#define EXPORT	__attribute__((visibility("default")))

EXPORT void forklock_take(void);
EXPORT void forklock_give(void);

#endif
