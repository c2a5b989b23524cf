/* SPDX-License-Identifier: PostgreSQL */
/*
 * placement.h - what lies where in the library's memory, for the sake of fork().
 *
 * fork() copies the entry of each page of data that was written to, and where page tables are dear (a guest whose
 * hypervisor shadows them) that is what it costs; a page of text that the child needs costs it a fault.
 */
#ifndef MSHARE_PLACEMENT_H
#define MSHARE_PLACEMENT_H

/* A table that most processes never write to: behind what all of them do (zero.ld), in pages that stay clean. */
#define SELDOM_WRITTEN	__attribute__((section(".bss.seldom_written")))

/* Runs in every child: beside the symbol table, that the child's fault on the one finds the other too. */
#define RUNS_IN_CHILD	__attribute__((hot))

#endif
