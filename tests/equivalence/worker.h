/* SPDX-License-Identifier: PostgreSQL */
/*
 * worker.h - between the process that compares and the two that run the sequences.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

/* Where a worker writes; an outsider reads from 0. */
#define WORKER_FD	3

/* One for each sequence, and after it so many bytes of text: what was observed. */
struct worker_record {
	uint64_t seed;
	uint64_t hash;
	uint64_t length;
};

/* After the last: what the library counted, or nothing but zeros without it. */
struct worker_totals {
	uint64_t redirected;
	uint64_t fallback;
	uint64_t demoted;
	uint64_t attached;
};

/* Arguments: first seed, how many, "verbose" or "hashes", what to tolerate, folder for files. */
int worker_main(int argc, char **argv);

/* Is it a list, perhaps empty, of things that a run may be told not to log? */
bool tolerances_known(const char *list);

/* Answers the worker that started it, until that is gone. */
void outsider_main(void) __attribute__((noreturn));

#endif
