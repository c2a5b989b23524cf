/* SPDX-License-Identifier: PostgreSQL */
/*
 * placement.h - what lies where in the library's data.
 */
#ifndef MSHARE_PLACEMENT_H
#define MSHARE_PLACEMENT_H

/*
 * A table that most processes never write to: behind what all of them do (zero.ld), in pages that stay the file's, and
 * that fork() has no entries of to copy.
 */
#define SELDOM_WRITTEN	__attribute__((section(".bss.seldom_written")))

#endif
