/* SPDX-License-Identifier: PostgreSQL */
/*
 * view.h - making a view of an ordinary mapping, and ending it.
 *
 * A redirected mapping is two: the shadow, the ordinary mapping that the program asked for, out of sight and never
 * touched, which keeps every fact the kernel knows about it exact; and the view, a window on the msharefs region of the
 * same object, which is what the program uses.  See libmshare_preload(7).
 *
 * Functions are called with the attachment table locked, but where it says otherwise; int results are 0 or -errno.
 */
#ifndef MSHARE_VIEW_H
#define MSHARE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "mshare.h"

/* A failed redirection: what to tell the user, and the errno that goes with it (may be 0). */
struct refusal {
	enum mshare_reason reason;
	int error;
};

/* The slots around a wanted address, reserved for the window; .bytes is 0 for none. */
struct slot {
	uintptr_t wanted;
	uintptr_t start;
	size_t bytes;
};

/* What a call is about to redirect; starts with the root open and the slot reserved. */
struct redirection {
	int root;
	bool populate;
	struct slot slot;
	struct refusal refusal;
};

/* wanted: the address the program asked for, or 0.  False: see ->refusal; nothing is to be closed then. */
bool redirection_begin(struct redirection *redirection, uintptr_t wanted, size_t length);

/*
 * Makes the view of the shadow described by `at` (shadow, length, prot, kind, readonly) and enters it into the
 * table.  Returns the view's address, or 0 with ->refusal set and the shadow as it was.
 */
uintptr_t redirection_view(struct redirection *redirection, struct attachment *at);

/* Always last.  Gives back the slot if no window took it. */
void redirection_end(struct redirection *redirection);

/* Counts and logs a redirected mapping that is in the table now. */
void view_made(const struct attachment *at);

/*
 * Without the lock: a file that can be mapped a second time without side effects, and a filesystem that was tried:
 * tmpfs (memfd, shm_open), hugetlbfs, ext4, xfs.
 */
bool view_takes_file(int fd);

/* Is this attach, which nobody has touched yet, of huge pages?  shmctl() does not tell. */
bool view_is_hugetlb(uintptr_t addr);

/* Counts a mapping that stayed ordinary and logs it the first time.  addr: where it is, or 0. */
void view_refused(const struct refusal *refusal, uintptr_t addr, size_t length);

/*
 * Turns the view into the ordinary mapping, at the same address, and drops the entry.  Huge pages that the program did
 * not ask for, and that other processes may have too, stay: then the entry is marked as stuck.
 */
int view_demote(struct attachment *at);

/* Demotes everything in [addr, addr + length) that can be, before a call on it. */
int view_demote_range(uintptr_t addr, size_t length);

/*
 * The length for a call on a range after what could be was demoted: stuck huge pages take a call on all of them for a whole
 * number of pages only, which the program need not have asked for.
 */
size_t view_length(uintptr_t addr, size_t length);

/*
 * What to tell the program of a call on a range that was demoted.  Stuck huge pages refuse what is not a multiple of
 * their size; the program, which does not know of them, gets ENOMEM for that EINVAL, and the user a line.
 */
long view_answer(uintptr_t addr, size_t length, long ret);

/*
 * Is this a range that the kernel would look at, rather than refuse unseen?  Those it refuses go to it as they are, and
 * nothing of ours changes.
 */
bool view_range_valid(uintptr_t addr, size_t length);

/* Without the lock: is the range one to look at before the kernel gets it? */
static inline bool view_concerned(uintptr_t addr, size_t length)
{
	return attach_touches(addr, length) && view_range_valid(addr, length);
}

/*
 * Before a call on a (valid) range that any ordinary mapping can take: *at is the attachment whose msharefs view holds all
 * of it; or NULL, and then nothing in it is such a view any more.
 */
int view_settle(uintptr_t addr, size_t length, struct attachment **at);

/* Unmaps the view and drops the entry; the shadow is the caller's to detach. */
int view_unmap(struct attachment *at);

/* mlockall(MCL_FUTURE): whatever is mapped from now on must be locked, which a view is not. */
void view_refuse_all(bool refuse);
bool view_refuses_all(void);

#endif
