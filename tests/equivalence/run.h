/* SPDX-License-Identifier: PostgreSQL */
/*
 * run.h - one random sequence of memory calls: its random numbers, its log, and what it has mapped.
 *
 * Two processes, one with the library and one without, run the same sequence; what they log has to be the same
 * to the letter.  So a log never holds an address that the kernel chose, a process id or a segment id, and no
 * decision may depend on one.
 *
 * Two kinds of mappings: those in an arena are at addresses of our choice, where nothing else ever is, so that
 * ranges may reach over their ends and over each other.  Where the kernel chose the address the neighbours differ
 * from run to run: there a range stays inside the mapping, and a hole in it is plugged at once.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE		4096UL
#define MAX_PAGES	48		/* of one object */
#define MAX_MAPPINGS	8
#define MAX_OBJECTS	6

/* Each arena lies in a 512 GB slot of its own, as far from what the kernel chooses as can be. */
#define ARENAS		3
#define ARENA_PAGES	1024
#define ARENA(i)	(0x200000000000UL + (uintptr_t)(i) * (512UL << 30))

enum object_kind {
	OBJECT_FREE,
	OBJECT_SEGMENT,
	OBJECT_MEMFD,
	OBJECT_FILE,		/* in the folder that --files names */
};

struct object {
	enum object_kind kind;
	int id;			/* of the segment, or the file descriptor */
	size_t pages;
	bool inherited;		/* the parent's, who removes it */
};

/* Once made, an entry for an arena stays until it is overwritten: what is left there is worth asking about. */
struct mapping {
	uintptr_t base;		/* 0: free entry */
	size_t pages;
	bool placed;		/* in an arena */
	bool huge;		/* with run.huge_pages: perhaps of huge pages that nobody asked for, */
	bool stuck;		/* and that others may have too: then calls on it are on all of it */
};

struct run {
	uint64_t random;
	uint64_t hash;		/* of all that was logged */
	int step;
	int depth;		/* of forks */
	bool verbose;		/* the log is written, not only hashed */
	bool residency;		/* does mincore() tell the same with and without the library? */
	bool remap_file_pages;	/* does it meet the same vmas? */
	bool fault_codes;	/* are si_codes of SIGSEGV the same? */
	bool last_pid;		/* is shm_lpid? */
	bool huge_pages;	/* may segments and anonymous memory be of huge pages?  See --tolerate. */
	bool grown;		/* a mapping that then was moved, which sets shm_lpid, or had room where it was */
	bool pageout;		/* this sequence may use MADV_PAGEOUT, of which nobody knows how many pages it finds */
	struct mapping mappings[MAX_MAPPINGS];
	struct object objects[MAX_OBJECTS];
};

/* run.c */
uint64_t run_random(struct run *run);
size_t run_below(struct run *run, size_t bound);
bool run_chance(struct run *run, unsigned int percent);

/* Adds to the log; no text is longer than 400 bytes. */
void run_log(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void run_log_text(struct run *run, const char *text, size_t length);

/* " = result" or " = EINVAL", as the call that just ended left it in errno. */
void run_log_result(struct run *run, long result);

/* What was logged since the last call, where it is not written to a file descriptor; until more is logged. */
const char *run_log_take(size_t *length);

/* From now on what is logged is also written to fd: by a child, for its parent's log. */
void run_log_to(int fd);

/* NULL if there is none. */
struct mapping *run_pick_mapping(struct run *run);
struct object *run_pick_object(struct run *run);
struct object *run_free_object(struct run *run);

/*
 * Remembers a mapping that was made; in a full table it takes the place of one in an arena, or else is unmapped, and NULL
 * returned.
 */
struct mapping *run_add_mapping(struct run *run, uintptr_t base, size_t pages);
bool run_has_room(const struct run *run);
bool run_in_arena(uintptr_t addr);

int run_mapping_index(const struct run *run, const struct mapping *mapping);
int run_object_index(const struct run *run, const struct object *object);

/* A range for a call: mostly inside mapping, whole or a part; in an arena also beyond; now and then misaligned or empty. */
struct range {
	uintptr_t addr;
	size_t length;
	bool whole;
};
struct range run_pick_range(struct run *run, const struct mapping *mapping);
void run_log_range(struct run *run, const struct mapping *mapping, const struct range *range);

/* After something was unmapped inside mapping: nothing of the kernel's choice may come to lie there. */
void run_plug(struct run *run, struct mapping *mapping, uintptr_t addr, size_t length);

/* The groups of operations.  Each logs what it does and what came of it. */
void op_map(struct run *run);		/* objects.c */
void op_segment(struct run *run);
void op_file(struct run *run);
void op_unmap(struct run *run);		/* change.c */
void op_protect(struct run *run);
void op_advise(struct run *run);
void op_lock(struct run *run);
void op_remap(struct run *run);
void op_residency(struct run *run);
void op_touch(struct run *run);		/* access.c */
void op_transfer(struct run *run);
void op_fork(struct run *run);		/* process.c */
void op_outsider(struct run *run);

/* access.c: how accesses to a page end, and what is in it, for all pages of the mapping. */
void access_init(void);
void access_log_mapping(struct run *run, const struct mapping *mapping);
void access_log_some(struct run *run, const struct mapping *mapping);

/* objects.c: removes all objects but inherited ones. */
void objects_remove(struct run *run);
void objects_set_folder(const char *folder);

/* process.c: a helper that never has the library; to be started before the first sequence. */
void outsider_start(void);

/* sequence.c */
void sequence_run(struct run *run, uint64_t seed);
void sequence_step(struct run *run);

#endif
