/* SPDX-License-Identifier: PostgreSQL */
/*
 * options.h - what the environment asks of the library.
 */
#ifndef MSHARE_OPTIONS_H
#define MSHARE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "log.h"

struct options {
	bool on;		/* MSHARE */
	bool strict;		/* MSHARE_STRICT: fail rather than fall back */
	enum log_level log;	/* MSHARE_LOG */
	size_t min_size;	/* MSHARE_MIN_SIZE, bytes */
	char mount[256];	/* MSHARE_MOUNT: a copy, programs overwrite their environment */
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

/* The process' own, read from its environment the first time. */
const struct options *options_get(void);

#endif
