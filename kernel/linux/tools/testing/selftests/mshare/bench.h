/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mshare_bench: what its parts share.
 *
 * A part makes its own memory, and a crew of processes where it needs one, and
 * hands measure() a function that does one round.  Whatever fails ends the
 * program: a figure of half a run is worth nothing.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "mshare_sys.h"
#include "mshare_test.h"

#define MAX_LIST	16
#define MAX_CREW	4096

struct number_list {
	int nr;
	long value[MAX_LIST];
};

struct bench_options {
	int rounds;
	size_t fault_bytes;
	size_t unmap_bytes;
	size_t reclaim_bytes;
	struct number_list procs;
	struct number_list unmap_guests;
	struct number_list reclaim_guests;
};

extern struct bench_options options;

/* Says @what with errno, and ends the program. */
void bench_die(const char *what);
#define must(cond)	((cond) ? (void)0 : bench_die(#cond))

/*
 * One round for warming up, options.rounds that count; the line of the result.
 * @param is what the metric depends on, named @key; @round returns a value in
 * @unit.
 */
void measure(const char *metric, const char *unit, const char *key, long param,
	     double (*round)(void *arg), void *arg);
/* All results so far as a table. */
void print_table(void);

/*
 * A crew: processes forked from the caller, which do the same thing, each with
 * its number, whenever they are told to.
 */
struct crew;
typedef void (*crew_fn)(int nr, void *arg);

struct crew *crew_start(int nr);
/*
 * Lets all do fn(nr, arg), and waits for them.  @arg is an address that means
 * the same in all of them.  Returns the seconds from the start to the last end.
 */
double crew_run(struct crew *crew, crew_fn fn, void *arg);
/* Each reads one page of @memory: its CPU knows the page tables then. */
void crew_touch(struct crew *crew, char *memory, size_t bytes);
void crew_end(struct crew *crew);

/* A memfd whose pages are there already, so that faults only map them. */
int memfd_present(size_t bytes);
/* Writes a byte in each page. */
void touch_write(char *p, size_t bytes);

/* The parts.  @root is that of the mount, or -1 without msharefs. */
void bench_faults(int root);
void bench_unmap(int root);
void bench_reclaim(int root);
void bench_plain(void);

#endif /* BENCH_H */
