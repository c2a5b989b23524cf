/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the msharefs tests share: a private mount for each test, regions and
 * windows, probes of memory that may not be there, children, and oracles that
 * know nothing of msharefs (/proc, the kernel log).
 *
 * Functions return -1 with errno set unless they say otherwise.
 */
#ifndef MSHARE_TEST_H
#define MSHARE_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <linux/msharefs.h>

/* 30 seconds are too few on a debug kernel, whose processors are emulated. */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	180
#endif

#define MSHARE_MNT	"/sys/fs/mshare"

#define PAGE_SZ		4096UL
#define KB(n)		((n) * 1024UL)
#define MB(n)		((n) * 1024UL * 1024UL)
#define GB(n)		((n) * 1024UL * 1024UL * 1024UL)
/* Windows start on, and consist of, what one p4d entry maps. */
#define SLOT		GB(512)

/* An address that nothing else uses: the programs live at 0x55..., 0x7f... */
#define WINDOW_AT(n)	((char *)((4 + (n)) * SLOT))

#define RW		(PROT_READ | PROT_WRITE)
#define REGION_FLAGS	(MAP_SHARED | MAP_FIXED)
#define ANON_FLAGS	(REGION_FLAGS | MAP_ANONYMOUS)

#define NOBODY		65534

/* @call has to fail with @error, and nothing else. */
#define EXPECT_ERRNO(error, call) do {					\
	long __ret = (long)(call);					\
	int __err = errno;						\
									\
	EXPECT_EQ(-1, __ret)						\
		TH_LOG("was not refused: %s", #call);			\
	if (__ret == -1) {						\
		EXPECT_EQ(error, __err)					\
			TH_LOG("%s: %s", #call, strerror(__err));	\
	}								\
} while (0)

/* @call has to fail with one of the two: where the ABI leaves it open. */
#define EXPECT_ERRNO2(error, other, call) do {				\
	long __ret = (long)(call);					\
	int __err = errno;						\
									\
	EXPECT_TRUE(__ret == -1 && (__err == (error) || __err == (other)))\
		TH_LOG("%s: %ld, %s", #call, __ret,			\
		       __ret == -1 ? strerror(__err) : "not refused");	\
} while (0)

/* For children, where the macros of the harness do not work: exit 1 if not. */
#define CHECK(cond)	check(!!(cond), #cond, __FILE__, __LINE__)
void check(bool ok, const char *what, const char *file, int line);

/* A private mount namespace with msharefs mounted at MSHARE_MNT. */
struct mshare_env {
	int root;	/* of the mount, opened O_RDONLY */
	int kmsg;	/* the kernel log from the start of the test on */
};

/* Why nothing can be tested here, or NULL. */
const char *mshare_missing(void);
/* 0 or a negative errno. */
int mshare_begin(struct mshare_env *env);
/* Unmounts: 0 unless a region is still in use or the kernel has complained. */
int mshare_end(struct mshare_env *env);
int mshare_mount(const char *options);

/* Regions. A @size of 0 leaves the size unset. */
int region_create(int root, const char *name, size_t size);
/* A region of one slot without a name, with @bytes of memory at its start. */
int region_anon(int root, size_t bytes);
int create_mapping(int fd, __u64 region_offset, __u64 size,
		   __u64 offset, int prot, int flags, int file);
int create_anon(int fd, __u64 region_offset, __u64 size);
int unmap(int fd, __u64 region_offset, __u64 size);
/* @at NULL: where the kernel likes. MAP_FAILED or the address. */
char *window(int fd, size_t size, int prot, void *at);
int region_stat(int fd, struct mshare_stat *st);

/* MSHAREFS_OPEN_OBJECT */
int object_open(int root, const void *addr, __u64 size, __u32 flags);
int object_open_at(int root, const void *addr, __u64 size,
		   const void *view_addr, __u32 flags);
/* A window of object region @fd: the address of the object in it. */
char *object_window(int fd, int prot, void *at);
/* Shared memory to make objects of. */
char *shared_anon(size_t bytes);
int memfd(size_t bytes);

/* 0, or the signal that the access got. */
int probe_load(const void *addr);
int probe_store(void *addr, char value);
int probe_call(void *addr);

/* A child that is killed when its parent dies. */
pid_t child_fork(void);
/* A child that exits with fn(arg). */
pid_t child_run(int (*fn)(void *arg), void *arg);
/* The exit status, or 128 + the signal that killed it. */
int child_wait(pid_t pid);
void child_kill(pid_t pid);
/*
 * Exits with what fn(arg) does in a child.  SIGINT, SIGTERM and SIGHUP kill the
 * child only, so that what the caller has set up for exit() gets undone.
 */
int guarded_run(int (*fn)(void *arg), void *arg);
/* On this processor from now on, as are later children. */
void run_on(int cpu);
/* From root to an unprivileged user, for good; exits on failure. */
void become_nobody(void);

/* Steps that processes wait for, in memory that they share. */
struct stage {
	int step;
	long value[7];
};

struct stage *stage_new(void);
void stage_set(struct stage *s, int step);
void stage_add(struct stage *s);
/* False when @step is not reached in 3 minutes; says then what children do. */
bool stage_wait(struct stage *s, int step);

/* Seconds, of a clock that only goes forward. */
double now(void);

/* One byte in each page; @value is what the first page gets, then value + 1 */
void fill(char *p, size_t bytes, char value);
bool filled(const char *p, size_t bytes, char value);
/* Reads one byte in each page. */
void touch(const char *p, size_t bytes);

/* An access that the compiler neither leaves out nor repeats. */
#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, value)	__atomic_store_n(p, value, __ATOMIC_RELAXED)

/* Oracles. kB of a line, or -1. */
long status_kb(pid_t pid, const char *key);
/* The text of @key in smaps' record of the mapping at @p; false if none. */
bool smaps_line(const char *p, const char *key, char *text, size_t size);
/* The same as a number: kB, or -1. */
long smaps_kb(const char *p, const char *key);
long meminfo_value(const char *key);
/* The same when it has stopped changing: page tables are freed late. */
long meminfo_settled(const char *key);
long minor_faults(void);

#endif /* MSHARE_TEST_H */
