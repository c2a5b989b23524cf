/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.c - lines on stderr or in a file, and saying a thing once.
 */
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real.h"

static enum log_level threshold = LOG_LEVEL_WARN;
static const char *file = "";

/* What has been said: in our own memory until log_share_once() gave it a page for the family. */
static atomic_uchar said_here[LOG_ONCE_MAX];
static atomic_uchar *_Atomic said = said_here;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_set_file(const char *path)
{
	file = path;
}

/* A descriptor kept open would be one that the program did not open, might close, and hands on over exec. */
static void write_line(const char *line, size_t length)
{
	long fd = -ENOENT;

	if (*file != '\0')
		fd = real_open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	REAL3(SYS_write, failed(fd) ? STDERR_FILENO : fd, line, length);
	if (!failed(fd))
		real_close((int)fd);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	int saved = errno;
	size_t used;
	va_list args;

	if (level > threshold)
		return;
	used = (size_t)snprintf(line, sizeof(line), "mshare[%ld]: %s: ", REAL1(SYS_getpid, 0),
				level_names[level]);
	va_start(args, format);
	used += (size_t)vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	line[used++] = '\n';
	write_line(line, used);
	errno = saved;
}

bool log_first(unsigned int event)
{
	return atomic_exchange(&atomic_load(&said)[event % LOG_ONCE_MAX], 1) == 0;
}

void log_share_once(void)
{
	long page;

	if (atomic_load(&said) != said_here)
		return;
	page = real_mmap(0, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!failed(page))
		atomic_store(&said, (atomic_uchar *)page);
}
