/* SPDX-License-Identifier: PostgreSQL */
/*
 * options.h - what the environment asks of the library.
 */
#ifndef MSHARE_OPTIONS_H
#define MSHARE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"
#include "log.h"

enum huge {
	HUGE_DEFAULT,		/* where a backend is about huge pages */
	HUGE_NEVER,
	HUGE_ADVISE,		/* also for msharefs, by MADV_HUGEPAGE */
};

struct options {
	bool on;		/* MSHARE, and is MSHARE_PROGRAMS about this one? */
	bool strict;		/* MSHARE_STRICT: fail rather than fall back */
	bool prefault;		/* MSHARE_PREFAULT: fault redirected memory in at once */
	enum huge huge;		/* MSHARE_HUGE */
	enum backend backends[BACKEND_COUNT];	/* MSHARE_BACKEND: to be tried in this order */
	unsigned int backend_count;
	bool backends_named;	/* not auto: they may cost more than memory */
	enum log_level log;	/* MSHARE_LOG */
	size_t min_size;	/* MSHARE_MIN_SIZE, bytes */
	char mount[256];	/* MSHARE_MOUNT: a copy, programs overwrite their environment */
	char log_file[256];	/* MSHARE_LOG_FILE: where lines go instead of stderr, or "" */
	char programs[1024];	/* MSHARE_PROGRAMS: executables to act in, or "" for all */
};

/* Where option values come from; NULL for one that is not set. */
typedef const char *(*options_source)(const char *name);

/*
 * Fills options from source.  Every value that makes no sense is named in a line on stderr, and then
 * options->on is false.  Returns false in that case.
 */
bool options_read(struct options *options, options_source source);

/* "64MB" and the like: see libmshare_preload(7).  False, and *bytes as it was, if it is no size. */
bool options_parse_size(const char *text, size_t *bytes);

/*
 * Is one of programs, names and paths separated by colons, this executable?  Entries with a slash are compared with the
 * whole path, others with its last part.
 */
bool options_program_listed(const char *programs, const char *path);

/* The process' own, read from its environment the first time. */
const struct options *options_get(void);

#endif
