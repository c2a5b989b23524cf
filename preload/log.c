/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.c - lines on stderr or in a file, and saying a thing once.
 */
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

/* How long a line waits for somebody to read the ones before it. */
#define PATIENCE_MS	1000

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

/* Descriptor 2 when the environment was read. */
static struct {
	dev_t device;
	ino_t inode;
} first;

void log_init(void)
{
	struct stat file;

	if (failed(REAL2(SYS_fstat, STDERR_FILENO, &file)))
		return;
	first.device = file.st_dev;
	first.inode = file.st_ino;
}

/*
 * A program that closed standard error may have a file or a connection of its own by that number.  What it was at the
 * start is for messages, and so is what servers put in its place: a pipe to a logger, a terminal, /dev/null, a log.
 */
static bool is_for_messages(int fd)
{
	struct stat now;

	if (failed(REAL2(SYS_fstat, fd, &now)))
		return false;
	if (now.st_dev == first.device && now.st_ino == first.inode)
		return true;
	return S_ISFIFO(now.st_mode) || S_ISCHR(now.st_mode) ||
	       (S_ISREG(now.st_mode) && REAL3(SYS_fcntl, fd, F_GETFL, 0) & O_APPEND);
}

/*
 * A pipe that nobody reads, or a file at its limit, is a signal, which ends a program that has no idea of it; and a
 * full pipe holds up whoever waits for us.
 */
static void write_quietly(int fd, const char *line, size_t length)
{
	const uint64_t signals = 1UL << (SIGPIPE - 1) | 1UL << (SIGXFSZ - 1);
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const struct timespec now = { 0 };
	uint64_t mask, pending = 0;
	long ret;

	if (REAL3(SYS_poll, &room, 1, PATIENCE_MS) <= 0)
		return;
	real_sigprocmask(SIG_BLOCK, &signals, &mask);
	REAL2(SYS_rt_sigpending, &pending, sizeof(pending));
	ret = REAL3(SYS_write, fd, line, length);
	pending = signals & ~pending;
	if (ret == -EPIPE || ret == -EFBIG)
		REAL4(SYS_rt_sigtimedwait, &pending, NULL, &now, sizeof(pending));
	real_sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* A descriptor kept open would be one that the program did not open, might close, and hands on over exec. */
static void write_line(const char *line, size_t length)
{
	long fd = -ENOENT;

	if (*file != '\0')
		fd = real_open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (!failed(fd)) {
		write_quietly((int)fd, line, length);
		real_close((int)fd);
	} else if (is_for_messages(STDERR_FILENO)) {
		write_quietly(STDERR_FILENO, line, length);
	}
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
