/* SPDX-License-Identifier: PostgreSQL */
/*
 * snippet.h - for small programs that print what memory calls do.
 *
 * A snippet prints what a program can observe, and nothing that may differ from run to run (addresses, process
 * ids).  compare.t runs it with and without the preload library: the output has to be the same.  In the head of
 * each snippet a line "Expects: redirected=N demoted=N" says what the library does with it on msharefs.
 */
#ifndef SNIPPET_H
#define SNIPPET_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mshare.h"

#define PAGE	4096UL
#define MEGA	(1UL << 20)
#define GIGA	(1UL << 30)
/* compare.t sets MSHARE_MIN_SIZE to 1 MB. */
#ifndef SIZE
#define SIZE	(4 * MEGA)
#endif
/* A place where no process has anything, and a multiple of 512 GB. */
#define PLACE	((char *)0x200000000000UL)

#define RW	(PROT_READ | PROT_WRITE)
#define SHARED	(MAP_SHARED | MAP_ANONYMOUS)

/* The result of a call that returns int, and its errno if it failed. */
static inline void show(const char *what, long result)
{
	int error = errno;

	if (result == -1)
		printf("%s: -1 %s\n", what, strerrorname_np(error));
	else
		printf("%s: %ld\n", what, result);
}
#define SHOW(call) (errno = 0, show(#call, (long)(call)))

/* The result of a call that returns an address: is it the one expected (NULL: any)? */
static inline void *show_address(const char *what, void *result, const void *expected)
{
	int error = errno;

	if (result == MAP_FAILED)
		printf("%s: failed, %s\n", what, strerrorname_np(error));
	else
		printf("%s: %s\n", what, expected == NULL || result == expected ? "as expected" : "elsewhere");
	return result;
}
#define SHOW_ADDRESS(call, expected) (errno = 0, show_address(#call, call, expected))

static sigjmp_buf fault_jump;

static inline void fault_handler(int signal)
{
	siglongjmp(fault_jump, signal);
}

/* The signal that an access gets, or 0. */
static inline int fault_of(volatile char *address, bool write)
{
	struct sigaction action = { .sa_handler = fault_handler }, segv, bus;
	int signal;

	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	signal = sigsetjmp(fault_jump, 1);
	if (signal == 0) {
		char value = *address;

		if (write)
			*address = value;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return signal;
}

#define SHOW_ACCESS(address)                                                                          \
	do {                                                                                          \
		int on_read = fault_of(address, false), on_write = fault_of(address, true);           \
		printf("%s: read %s, write %s\n", #address, on_read ? strsignal(on_read) : "works",   \
		       on_write ? strsignal(on_write) : "works");                                     \
	} while (0)

/* Runs body in a child and shows how it ended. */
#define IN_CHILD(body)                                                  \
	do {                                                            \
		int child_status;                                       \
		fflush(stdout);                                         \
		if (fork() == 0) {                                      \
			body;                                           \
			fflush(stdout);                                 \
			_exit(0);                                       \
		}                                                       \
		wait(&child_status);                                    \
		printf("child ended with %d\n", child_status);          \
	} while (0)

static inline char *map_shared(size_t size)
{
	char *memory = mmap(NULL, size, RW, SHARED, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

static inline long nattch(int id)
{
	struct shmid_ds segment;

	return shmctl(id, IPC_STAT, &segment) == 0 ? (long)segment.shm_nattch : -1;
}

/* Length of the mapping that address is in, or 0. */
static inline unsigned long mapping_at(const void *address)
{
	char line[512];
	unsigned long start, end, length = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && (unsigned long)address >= start &&
		    (unsigned long)address < end)
			length = end - start;
	fclose(maps);
	return length;
}

/* The sum of the lines of a file that begin with name. */
static inline long number_in(const char *path, const char *name)
{
	char line[256];
	size_t length = strlen(name);
	long sum = 0;
	FILE *file = fopen(path, "r");

	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, length) == 0)
			sum += strtol(line + length, NULL, 10);
	fclose(file);
	return sum;
}

static inline long free_huge_pages(void)
{
	return number_in("/proc/meminfo", "HugePages_Free:");
}

/* SIGALRM, once, and at another moment of each round: one that came again and again could leave slow machines no time. */
static inline void signal_soon(int round)
{
	struct itimerval once = { .it_value = { 0, 20 + round * 37 % 700 } };

	setitimer(ITIMER_REAL, &once, NULL);
}

/* A segment that is gone when the last attach is. */
static inline int new_segment(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);

	if (id < 0) {
		perror("shmget");
		exit(1);
	}
	return id;
}

/* Every page gets a byte of its own; sum tells whether they are all still there. */
static inline void fill(char *memory, size_t size, int salt)
{
	for (size_t i = 0; i < size; i += PAGE)
		memory[i] = (char)(i / PAGE * 7 + (size_t)salt);
}

static inline size_t wrong_pages(const char *memory, size_t size, int salt)
{
	size_t wrong = 0;

	for (size_t i = 0; i < size; i += PAGE)
		wrong += memory[i] != (char)(i / PAGE * 7 + (size_t)salt);
	return wrong;
}

/* At exit of the snippet's first process: what the library counted, for compare.t. */
static pid_t snippet_pid;

static inline void report(void)
{
	int (*stats)(struct mshare_counters *) =
		(int (*)(struct mshare_counters *))dlsym(RTLD_DEFAULT, "mshare_stats");
	struct mshare_counters counters = { .size = sizeof(counters) };
	const char *path = getenv("SNIPPET_REPORT");
	FILE *file;

	if (stats == NULL || path == NULL || getpid() != snippet_pid || stats(&counters) != 0)
		return;
	file = fopen(path, "w");
	if (file == NULL)
		return;
	fprintf(file, "redirected=%lu demoted=%lu\n", counters.redirected, counters.demoted);
	fclose(file);
}

__attribute__((constructor)) static void arrange_report(void)
{
	snippet_pid = getpid();
	atexit(report);
}

#endif
