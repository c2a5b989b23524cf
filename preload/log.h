/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.h - lines on stderr or in a file, and saying a thing once.
 */
#ifndef MSHARE_LOG_H
#define MSHARE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,	/* a call of the program fails because of us, or an option makes no sense */
	LOG_LEVEL_WARN,		/* memory is not shared as it could be, or not any more */
	LOG_LEVEL_INFO,		/* what was redirected */
	LOG_LEVEL_DEBUG,	/* every decision */
};

/* Things that are said once.  The reasons of mshare.h come first, as they are. */
enum { LOG_ONCE_MAX = 32 };

/*
 * Writes one line with one write(2), so that lines of many processes do not mix.  Neither allocates
 * nor changes errno, nor sends a signal.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Before the first line: descriptor 2 is what people read. */
void log_init(void);

/* Lines below this level are dropped; only the options may change it. */
void log_set_level(enum log_level level);

/* Lines go to the end of this file from now on, opened anew for each; "" is stderr.  path is kept. */
void log_set_file(const char *path);

/* True the first time it is asked about event, in this process or any that shares its ancestry. */
bool log_first(unsigned int event);

/*
 * Makes log_first() count over this process and all its children to come: a server with 1000 backends
 * says a thing once.  Called before the first thing is worth saying; costs a page.
 */
void log_share_once(void);

#endif
