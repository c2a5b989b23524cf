/* SPDX-License-Identifier: PostgreSQL */
/*
 * storm.h - the parts of sga-storm: what was asked for, the shared object, what the kernel says.
 *
 * Sizes are in bytes throughout.  Functions that cannot do their work say why in one line on stderr and end
 * the program: status 2 for what the user can change, 1 for what went wrong.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KB	(UINT64_C(1) << 10)
#define MB	(UINT64_C(1) << 20)
#define GB	(UINT64_C(1) << 30)
#define TB	(UINT64_C(1) << 40)

enum storm_type { STORM_SYSV, STORM_MMAP, STORM_FILE };

struct storm_options {
	uint64_t size;
	uint64_t stride;
	uint64_t reserve;	/* MemAvailable that is left alone */
	unsigned int procs;
	unsigned int jobs;	/* processes that touch at the same time */
	enum storm_type type;
	const char *dir;	/* of the file of STORM_FILE */
	const char *json;	/* where the result goes, or NULL */
	const char *samples;	/* where the course of time goes, or NULL */
	bool dry_run;		/* the options are checked, and that is all */
};

/* storm-options.c */
void storm_parse(int argc, char **argv, struct storm_options *options);
const char *storm_type_name(enum storm_type type);

/* storm-object.c: the memory, gone with the last process that has it, however that ends */
uint64_t *storm_object(const struct storm_options *options);

/* storm-memory.c */
struct storm_region {
	char backend[16];		/* "none" without the library */
	uint64_t page_table_bytes;	/* paid once for all processes */
	uint64_t windows;
};

uint64_t storm_meminfo(const char *name);
uint64_t storm_vmpte(int pid);
void storm_refresh_counters(void);
void storm_region(const void *addr, struct storm_region *region);
/* What a process that touches all of it has in page tables of 4 KB pages, the levels below the top ones. */
uint64_t storm_page_tables(uint64_t size, uint64_t stride);
/* "1.23 GB"; the buffer is one of a few static ones, good for the arguments of one printf. */
const char *storm_size(uint64_t bytes);

_Noreturn void storm_die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* STORM_H */
