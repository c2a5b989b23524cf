/* SPDX-License-Identifier: PostgreSQL */
/*
 * change.c - operations on what is mapped: unmap, protect, advise, lock, move.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void forget_if_gone(struct run *run, struct mapping *mapping, const struct range *range)
{
	if (mapping->placed)
		return;
	if (range->whole)
		mapping->base = 0;
	else
		run_plug(run, mapping, range->addr, range->length);
}

static void detach(struct run *run, struct mapping *mapping)
{
	uintptr_t addr = mapping->base + (run_chance(run, 15) ? run_below(run, mapping->pages) * PAGE : 0);
	int result;

	run_log(run, "shmdt(m%d+%ld)", run_mapping_index(run, mapping), (long)(addr - mapping->base));
	result = shmdt((void *)addr);
	run_log_result(run, result);
	if (result == 0 && !mapping->placed) {
		/* What the segment did not have, the plugs, stays; and so may its first part, if it was not from there. */
		munmap((void *)mapping->base, mapping->pages * PAGE);
		mapping->base = 0;
	}
}

void op_unmap(struct run *run)
{
	struct mapping *mapping = run_pick_mapping(run);
	struct range range;
	int result;

	if (mapping == NULL)
		return;
	if (run_chance(run, 40)) {
		detach(run, mapping);
		return;
	}
	range = run_pick_range(run, mapping);
	run_log(run, "munmap");
	run_log_range(run, mapping, &range);
	result = munmap((void *)range.addr, range.length);
	run_log_result(run, result);
	if (result == 0)
		forget_if_gone(run, mapping, &range);
}

void op_protect(struct run *run)
{
	static const int prots[] = { PROT_READ, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE, PROT_NONE, PROT_WRITE, PROT_READ | PROT_EXEC, 0x100 };
	struct mapping *mapping = run_pick_mapping(run);
	int prot = prots[run_below(run, COUNT(prots))];
	struct range range;

	if (mapping == NULL)
		return;
	range = run_pick_range(run, mapping);
	if (run_chance(run, 10)) {
		int key = run_chance(run, 50) ? -1 : 77;

		run_log(run, "pkey_mprotect");
		run_log_range(run, mapping, &range);
		run_log(run, " %x, %d", (unsigned int)prot, key);
		run_log_result(run, pkey_mprotect((void *)range.addr, range.length, prot, key));
		return;
	}
	run_log(run, "mprotect");
	run_log_range(run, mapping, &range);
	run_log(run, " %x", (unsigned int)prot);
	run_log_result(run, mprotect((void *)range.addr, range.length, prot));
}

/*
 * HUGEPAGE and COLLAPSE are left out: the kernel's answers depend on where the mapping lies.  So are KSM's, which
 * depend on the kernel's configuration, and HWPOISON.
 */
static const int advices[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
			       MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
			       MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
			       MADV_POPULATE_WRITE, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_NOHUGEPAGE, 200 };

void op_advise(struct run *run)
{
	static const int flags[] = { MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE, MS_SYNC | MS_ASYNC };
	struct mapping *mapping = run_pick_mapping(run);
	int advice = advices[run_below(run, COUNT(advices))];
	struct range range;

	if (mapping == NULL)
		return;
	if (advice == MADV_PAGEOUT && !run->pageout)
		advice = MADV_COLD;
	/* It leaves a hole in a child, which the kernel gives to who asks next: to one of the two runs, perhaps. */
	if (advice == MADV_DONTFORK && !mapping->placed)
		advice = MADV_DOFORK;
	range = run_pick_range(run, mapping);
	switch (run_below(run, 6)) {
	case 0:
		run_log(run, "posix_madvise");
		run_log_range(run, mapping, &range);
		run_log(run, " %d = %d", advice % 7, posix_madvise((void *)range.addr, range.length, advice % 7));
		break;
	case 1:
		run_log(run, "msync");
		run_log_range(run, mapping, &range);
		run_log_result(run, msync((void *)range.addr, range.length, flags[run_below(run, COUNT(flags))]));
		break;
	default:
		run_log(run, "madvise");
		run_log_range(run, mapping, &range);
		run_log(run, " %d", advice);
		run_log_result(run, madvise((void *)range.addr, range.length, advice));
	}
}

void op_lock(struct run *run)
{
	struct mapping *mapping = run_pick_mapping(run);
	struct range range;

	if (mapping == NULL)
		return;
	range = run_pick_range(run, mapping);
	/* Without locks for huge pages, which would show in what MADV_DONTNEED returns. */
	switch (mapping->stuck ? 4 + run_below(run, 4) : run_below(run, 8)) {
	case 0:
	case 1:
	case 2:
		run_log(run, "mlock");
		run_log_range(run, mapping, &range);
		run_log_result(run, mlock((void *)range.addr, range.length));
		break;
	case 3:
		run_log(run, "mlock2");
		run_log_range(run, mapping, &range);
		run_log_result(run, mlock2((void *)range.addr, range.length, MLOCK_ONFAULT));
		break;
	case 4:
		/* Of the program itself everything must be unlocked again soon: it slows down fork. */
		run_log(run, "mlockall(MCL_CURRENT)");
		run_log_result(run, mlockall(MCL_CURRENT | (run_chance(run, 30) ? MCL_ONFAULT : 0)));
		run_log_result(run, munlockall());
		break;
	default:
		run_log(run, "munlock");
		run_log_range(run, mapping, &range);
		run_log_result(run, munlock((void *)range.addr, range.length));
	}
}

/*
 * What comes from an arena to a place of the kernel's choice is not to be left out by fork(): see op_advise().  That
 * advice, if it was given, goes with the mapping.
 */
static void keep_on_fork(uintptr_t addr, size_t pages)
{
	if (!run_in_arena(addr))
		madvise((void *)addr, pages * PAGE, MADV_DOFORK);
}

/* Where the mapping is now.  Whether one that the kernel placed could stay where it was depends on its neighbours. */
static void moved(struct run *run, struct mapping *mapping, uintptr_t to, size_t pages)
{
	if (run_in_arena(to))
		run_log(run, " = %lx", (unsigned long)to);
	else
		run_log(run, " = somewhere+%lx", (unsigned long)to % PAGE);
	if (mapping->placed)
		keep_on_fork(to, pages);
	*mapping = (struct mapping){ .base = to, .pages = pages, .placed = run_in_arena(to) };
}

static void resize(struct run *run, struct mapping *mapping)
{
	size_t pages = 1 + run_below(run, MAX_PAGES);
	size_t old = mapping->pages;
	void *result;

	run->grown |= !mapping->placed && pages > old;
	run_log(run, "mremap(m%d, %zu pages, %zu pages)", run_mapping_index(run, mapping), old, pages);
	result = mremap((void *)mapping->base, old * PAGE, pages * PAGE, mapping->placed && run_chance(run, 70) ? 0 : MREMAP_MAYMOVE);
	if (result == MAP_FAILED) {
		run_log(run, " = %s", strerrorname_np(errno));
		return;
	}
	if (!mapping->placed && pages < old && (uintptr_t)result == mapping->base) {
		run_log(run, " = somewhere+0");
		run_plug(run, mapping, mapping->base + pages * PAGE, (old - pages) * PAGE);
		return;
	}
	moved(run, mapping, (uintptr_t)result, pages);
}

/* A part, or all of it, to a place of our choice, over whatever is there. */
static void move_part(struct run *run, struct mapping *mapping)
{
	struct range range = run_pick_range(run, mapping);
	uintptr_t to = ARENA(run_below(run, ARENAS)) + run_below(run, 128) * PAGE;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (run_chance(run, 20) ? MREMAP_DONTUNMAP : 0);
	size_t length = run_chance(run, 80) ? range.length : PAGE * (1 + run_below(run, MAX_PAGES));
	void *result;

	run_log(run, "mremap");
	run_log_range(run, mapping, &range);
	run_log(run, " to %lx, %zu, %x", (unsigned long)to, length, (unsigned int)flags);
	if (!run_has_room(run))
		return;
	result = mremap((void *)range.addr, range.length, length, flags, (void *)to);
	if (result == MAP_FAILED) {
		run_log(run, " = %s", strerrorname_np(errno));
		return;
	}
	run_log(run, " = %lx", (unsigned long)result);
	if (!(flags & MREMAP_DONTUNMAP) && range.length > 0)
		forget_if_gone(run, mapping, &range);
	run_add_mapping(run, to, (length + PAGE - 1) / PAGE);
}

static void double_it(struct run *run, struct mapping *mapping)
{
	void *result;

	run_log(run, "mremap(m%d, 0, %zu pages)", run_mapping_index(run, mapping), mapping->pages);
	if (!run_has_room(run))
		return;
	result = mremap((void *)mapping->base, 0, mapping->pages * PAGE, MREMAP_MAYMOVE);
	if (result == MAP_FAILED) {
		run_log(run, " = %s", strerrorname_np(errno));
		return;
	}
	run_log(run, " = somewhere+%lx", (unsigned long)result % PAGE);
	if (mapping->placed)
		keep_on_fork((uintptr_t)result, mapping->pages);
	run_add_mapping(run, (uintptr_t)result, mapping->pages);
}

void op_remap(struct run *run)
{
	struct mapping *mapping = run_pick_mapping(run);
	struct range range;

	if (mapping == NULL || mapping->stuck)
		return;
	switch (run_below(run, 8)) {
	case 0:
	case 1:
		resize(run, mapping);
		break;
	case 2:
	case 3:
	case 4:
		move_part(run, mapping);
		break;
	case 5:
	case 6:
		double_it(run, mapping);
		break;
	default:
		if (!run->remap_file_pages)
			break;
		range = run_pick_range(run, mapping);
		run_log(run, "remap_file_pages");
		run_log_range(run, mapping, &range);
		run_log_result(run, remap_file_pages((void *)range.addr, range.length, 0, run_below(run, 8), 0));
	}
}

/* How many pages are in memory, where that is the same for the library's pages. */
void op_residency(struct run *run)
{
	struct mapping *mapping = run_pick_mapping(run);
	unsigned char pages[MAX_PAGES * 2 + 16] = { 0 };
	struct range range;
	int result, count = 0;

	if (mapping == NULL)
		return;
	range = run_pick_range(run, mapping);
	run_log(run, "mincore");
	run_log_range(run, mapping, &range);
	result = mincore((void *)range.addr, range.length, pages);
	run_log_result(run, result);
	if (result != 0 || !run->residency || run->pageout)
		return;
	for (size_t i = 0; i < (range.length + PAGE - 1) / PAGE; i++)
		count += pages[i] & 1;
	run_log(run, " %d pages", count);
}
