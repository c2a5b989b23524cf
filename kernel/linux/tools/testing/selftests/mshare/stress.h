/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mshare_stress: what its parts share.
 *
 * Workers, killed and replaced at random, work on a few objects.  What each
 * page of an object has to hold is said by a version in memory that no region
 * shows.  Who has a page's lock may write it and may be sure of what it holds;
 * all else (reclaim, collapse, locks, fork, other windows) happens meanwhile.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>

#include "../kselftest.h"

#include "mshare_ioctl.h"
#include "mshare_sys.h"
#include "mshare_test.h"

#define MAX_PROCS	64
#define MAX_PAGES	1024
#define NR_WORDS	(PAGE_SZ / sizeof(__u64))
#define KEY_BASE	0x6d730000

enum { ANON, MEMFD, TMPFS, SYSV, HUGETLB, NR_OBJECTS };

struct object {
	int fd;			/* or -1: memory without one */
	int readonly;		/* the same file, for reading only, or -1 */
	char *plain;		/* mapped without msharefs, in all workers */
	unsigned long pages;	/* 0: this system has none */
	size_t page_size;
};

struct page {
	__u32 owner;		/* 0, or 1 + number of the worker that has it */
	__u32 version;		/* 0: zeros */
	__u32 pending;		/* what the owner makes of it */
	__u32 last;		/* version ever used */
};

struct shared {
	int stop;
	int failed;
	int worker_pid[MAX_PROCS];
	unsigned long done;	/* page checks */
	unsigned long kills;
	struct page pages[NR_OBJECTS][MAX_PAGES];
};

/* A window that shows an object. */
struct view {
	int object;
	int fd;
	int prot;
	bool own;		/* a region with a name, of this worker */
	bool foreign;		/* its owner may end it: SIGSEGV is all right */
	char *base;
	size_t bytes;
	char *p;		/* the object in it */
};

#define NR_VIEWS 6

struct worker {
	unsigned int nr;
	__u64 random;
	const char *op;		/* for the message when something fails */
	struct view views[NR_VIEWS];
};

extern struct shared *shared;
extern struct object objects[NR_OBJECTS];
extern struct worker worker;
extern int root;		/* of the mount */
extern int disk;		/* a block device for O_DIRECT, or -1 */
extern __u64 seed;
extern long procs;		/* workers */

void fail(const char *fmt, ...) __printf(1, 2);
unsigned int any(__u64 *random, unsigned int below);

/* stress_model.c */
bool page_lock(int object, unsigned long nr, unsigned int owner);
void page_unlock(int object, unsigned long nr);
void page_pattern(int object, unsigned long nr, __u32 version, __u64 *words);
/* Fails unless @words are what the page has to hold. */
void page_check(int object, unsigned long nr, const __u64 *words,
		const char *how);
/* The version that the next write is to have. */
__u32 page_begin(int object, unsigned long nr, bool zero);
void page_commit(int object, unsigned long nr);
char *page_plain(int object, unsigned long nr);
/* What a dead worker had locked is old or new; then new, and unlocked. */
void pages_repair(unsigned int owner);

/* stress_objects.c */
const char *objects_make(bool huge);
void objects_drop(void);

/* stress_pages.c */
void faults_catch(void);
/* 0, or the signal of a load of a byte. */
int guarded_load(char *p);
/* One random operation on a random page of @v; false: @v is dead. */
bool page_op(struct view *v, __u64 *random);
void truncate_op(struct view *v, __u64 *random);

/* stress_crew.c */
/* Returns when all workers have ended, or one does not. */
void workers_run(long seconds);

/* stress_ops.c */
int worker_run(unsigned int nr, unsigned int generation);

#endif /* STRESS_H */
