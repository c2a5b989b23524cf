/* SPDX-License-Identifier: PostgreSQL */
/*
 * attach.h - the table of redirected mappings.
 *
 * Locking: one mutex guards the table and everything that makes, changes or ends a view.  Whoever holds it
 * has all signals blocked, so that a handler which calls an interposed function cannot meet its own
 * thread's lock, and fork() waits for it (fork.c).  It is the only lock of the library; under it
 * nothing is called but system calls and our own heap.  attach_touches() needs no lock: it reads a sequence counter
 * before and after, and where a change got in between says "maybe".
 */
#ifndef MSHARE_ATTACH_H
#define MSHARE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend.h"

/* Advice that sets flags of a vma comes in groups, of which the last one counts. */
enum {
	ADVICE_READING,		/* MADV_NORMAL, RANDOM, SEQUENTIAL */
	ADVICE_FORK,
	ADVICE_DUMP,
	ADVICE_HUGE_PAGES,
	ADVICE_GROUPS
};

enum attach_kind {
	ATTACH_MMAP,	/* anonymous */
	ATTACH_SYSV,
	ATTACH_FILE,	/* mmap() of a descriptor */
};

/*
 * A redirected mapping.  On msharefs the window is a whole number of 512 GB slots, in which the view is; of the rest of
 * the window the program does not know.  Elsewhere window and view are the same, and there is no shadow.  All in bytes, and
 * aligned to the object's pages.
 */
struct attachment {
	uintptr_t view;		/* what the program was given */
	size_t length;
	uintptr_t window;
	size_t region;		/* length of the window */
	uintptr_t shadow;	/* the ordinary mapping, as long as the view; or 0 */
	size_t page_size;
	uint64_t offset;	/* ATTACH_FILE: of the view in the file */
	int prot;		/* what the program asked for last */
	int shmid;		/* ATTACH_SYSV */
	enum attach_kind kind;
	enum backend backend;
	bool plain;		/* for the kernel just what the program asked for: only listed, no call needs us */
	bool stuck;		/* huge pages that no call can be spared any more: see view_demote() */
	bool inherited;		/* since it was made there was a fork: others may have it too */
	bool readonly;		/* SHM_RDONLY */
	bool noreserve;		/* huge pages: the program asked for MAP_NORESERVE */
	unsigned char advice[ADVICE_GROUPS];	/* MADV_* for all of it that is due when it is demoted; 0: none */
};

/* May nest: handlers of fork() that call us run under the lock their own thread holds. */
void attach_lock(void);
void attach_unlock(void);

/* For fork(): the lock is held over it, and free again in parent and child. */
void attach_fork_prepare(void);
void attach_fork_done(void);

/*
 * Without the lock: false if no window and no shadow lies in [addr, addr + length), which is sure as long
 * as the program does not race against itself; true if one does or may.
 */
bool attach_touches(uintptr_t addr, size_t length);

/* How often the table has changed, for those who cannot keep the lock over what they do with it. */
unsigned int attach_changes(void);

/* The rest is called with the lock held.  Pointers are good until the attachment is removed. */

/* One that is neither plain nor stuck and whose window or shadow has a byte of [addr, addr + length), or NULL. */
struct attachment *attach_find(uintptr_t addr, size_t length);

/* The one whose view holds all of [addr, addr + length), or NULL. */
struct attachment *attach_find_view(uintptr_t addr, size_t length);

/*
 * NULL: no memory.  What the table still has at these addresses is dropped: the kernel would not have given them out
 * again were it there.
 */
struct attachment *attach_add(const struct attachment *attachment);

void attach_remove(struct attachment *attachment);

/* Drops the plain and the stuck ones in a range that was unmapped or mapped over. */
void attach_forget(uintptr_t addr, size_t length);

size_t attach_count(void);

/* index < attach_count(); in the order of addresses. */
struct attachment *attach_at(size_t index);

#endif
