/* SPDX-License-Identifier: PostgreSQL */
/*
 * advise.c - madvise, posix_madvise, process_madvise, msync, mincore.
 *
 * What is about the object goes to the shadow, whose object it is; what is about the pages in memory goes to the
 * view, where they are mapped; what is about this process' mapping alone makes the mapping ordinary.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "attach.h"
#include "calls.h"
#include "export.h"
#include "real.h"
#include "request.h"
#include "view.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

enum target {
	TO_NONE,		/* demote, then do it */
	TO_SHADOW,
	TO_WHOLE_SHADOW,	/* sets vma flags: on a part it would split the shadow */
	TO_VIEW,
	TO_TABLE,		/* MADV_DONTDUMP: a window is not dumped anyway, remember it */
};

static enum target target_of(int advice)
{
	switch (advice) {
	case MADV_REMOVE:
	/* These drop this process' page table entries, and of the object nothing: */
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	/* These shared memory refuses, or takes without any effect: */
	case MADV_FREE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return TO_SHADOW;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
		return TO_WHOLE_SHADOW;
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return TO_VIEW;
	case MADV_DONTDUMP:
		return TO_TABLE;
	default:
		return TO_NONE;
	}
}

static uintptr_t in_shadow(const struct attachment *at, uintptr_t addr)
{
	return at->shadow + (addr - at->view);
}

/* ADVICE_*, or -1: it sets no flags.  On a part flags make vmas of its own, which mremap() can tell. */
static int group_of(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
		return ADVICE_READING;
	case MADV_DONTFORK:
	case MADV_DOFORK:
		return ADVICE_FORK;
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return ADVICE_DUMP;
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return ADVICE_HUGE_PAGES;
	default:
		return -1;
	}
}

/* Within one huge page, which has one protection. */
static long clear_part(uintptr_t addr, size_t length)
{
	uintptr_t page = addr & -HUGE_2MB;
	long ret;

	if (!failed(real_madvise(page, HUGE_2MB, MADV_POPULATE_WRITE))) {
		memset((void *)addr, 0, length);
		return 0;
	}
	/* It may not be written here, so it is up to the kernel; then what that took has to be there again. */
	ret = real_madvise(addr, length, MADV_REMOVE);
	if (failed(ret) || !failed(real_madvise(page, HUGE_2MB, MADV_POPULATE_READ)))
		return ret;
	if (!failed(real_mprotect(page, HUGE_2MB, PROT_READ))) {
		real_madvise(page, HUGE_2MB, MADV_POPULATE_READ);
		real_mprotect(page, HUGE_2MB, PROT_NONE);
	}
	return ret;
}

/*
 * What MADV_REMOVE does to the contents.  The hole itself would give the pages back, and with them the reservation: where
 * others take them, the program's next access would be a SIGBUS.
 */
static long clear(uintptr_t addr, size_t length)
{
	uintptr_t end = addr + length, next;
	long ret = 0;

	for (; addr < end && !failed(ret); addr = next) {
		next = round_up(addr + 1, HUGE_2MB) < end ? round_up(addr + 1, HUGE_2MB) : end;
		ret = clear_part(addr, next - addr);
	}
	return ret;
}

/*
 * Huge pages that the program did not ask for.  Advice that is about when memory is read in, given back to the disk or
 * built of which pages has no effect that the program could tell, but for the vmas; of the rest there is no half of
 * a huge page.
 */
static long advise_huge(struct attachment *at, uintptr_t addr, size_t length, int advice)
{
	bool whole = addr == at->view && round_up(length, PAGE_BYTES) == at->length;
	int group = group_of(advice);

	if (group >= 0 && !whole && !at->inherited)
		return -ENOSYS;
	if (group >= 0 && whole)
		at->advice[group] = (unsigned char)advice;
	switch (target_of(advice)) {
	case TO_SHADOW:
		if (advice == MADV_FREE || advice == MADV_WIPEONFORK)
			return -EINVAL;	/* as of any shared memory */
		if (advice == MADV_REMOVE)
			return at->inherited ? clear(addr, round_up(length, PAGE_BYTES)) : -ENOSYS;
		return 0;
	case TO_WHOLE_SHADOW:
	case TO_TABLE:
		return 0;
	case TO_VIEW:
		/* It has been there since it was made. */
		if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
			return real_madvise(addr & -HUGE_2MB, HUGE_2MB, advice);
		return 0;
	default:
		if (advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE)
			return 0;
		return whole ? real_madvise(at->window, at->region, advice) : -ENOSYS;
	}
}

/* The advice as far as it can be had without demotion; -ENOSYS where it cannot. */
static long advise_view(struct attachment *at, uintptr_t addr, size_t length, int advice)
{
	bool whole = addr == at->view && round_up(length, PAGE_BYTES) == at->length;
	enum target target = target_of(advice);

	if (at->backend == BACKEND_HUGETLB)
		return advise_huge(at, addr, length, advice);
	if (target == TO_SHADOW || (target == TO_WHOLE_SHADOW && whole))
		return real_madvise(in_shadow(at, addr), length, advice);
	if (target == TO_VIEW) {
		long ret = real_madvise(addr, length, advice);

		return failed(ret) ? -ENOSYS : ret;
	}
	if (target == TO_TABLE && whole) {
		at->advice[ADVICE_DUMP] = MADV_DONTDUMP;
		return 0;
	}
	return -ENOSYS;
}

static long advise_locked(uintptr_t addr, size_t length, int advice)
{
	struct attachment *at = attach_find_view(addr, round_up(length, PAGE_BYTES));
	long ret;

	if (at != NULL && at->plain)
		return real_madvise(addr, length, advice);
	ret = at != NULL ? advise_view(at, addr, length, advice) : -ENOSYS;
	if (ret != -ENOSYS)
		return ret;
	ret = view_demote_range(addr, length);
	return failed(ret) ? ret : view_answer(addr, length, real_madvise(addr, length, advice));
}

static long advise(void *addr, size_t length, int advice)
{
	long ret;

	if (!view_concerned((uintptr_t)addr, length))
		return real_madvise((uintptr_t)addr, length, advice);
	attach_lock();
	ret = advise_locked((uintptr_t)addr, length, advice);
	attach_unlock();
	return ret;
}

EXPORT int madvise(void *addr, size_t length, int advice)
{
	return (int)edge(advise(addr, length, advice));
}

/* As in glibc: DONTNEED is ignored, which POSIX allows and Linux' own does not mean; errors are returned. */
EXPORT int posix_madvise(void *addr, size_t length, int advice)
{
	return advice == POSIX_MADV_DONTNEED ? 0 : (int)-advise(addr, length, advice);
}

/* Is it a descriptor of this process?  Only /proc tells. */
static bool is_self(int pidfd)
{
	char path[64], text[512];
	const char *pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (!real_read_text(path, text, sizeof(text)))
		return false;
	pid = strstr(text, "\nPid:");
	return pid != NULL && strtol(pid + strlen("\nPid:"), NULL, 10) == REAL1(SYS_getpid, 0);
}

/* Can the kernel read the ranges?  It does before it refuses an advice that there is not; if not, it tells the program. */
static bool readable(int pidfd, const struct iovec *ranges, size_t count)
{
	return real_syscall(SYS_process_madvise, pidfd, (long)ranges, (long)count, -1, 0, 0) == -EINVAL;
}

static bool any_concerned(const struct iovec *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (view_concerned((uintptr_t)ranges[i].iov_base, ranges[i].iov_len))
			return true;
	return false;
}

/* Range by range, as the kernel does it: the bytes before the first that fails count. */
static long advise_ranges(const struct iovec *ranges, size_t count, int advice)
{
	long done = 0;

	for (size_t i = 0; i < count; i++) {
		long ret = advise(ranges[i].iov_base, ranges[i].iov_len, advice);

		if (failed(ret))
			return done != 0 ? done : ret;
		done += (long)ranges[i].iov_len;
	}
	return done;
}

/* Others' memory is the kernel's business.  With no range at all it only looks at the other arguments. */
EXPORT ssize_t process_madvise(int pidfd, const struct iovec *ranges, size_t count, int advice, unsigned int flags)
{
	long ret;

	if (count > IOV_MAX || !attach_touches(0, SIZE_MAX) || !readable(pidfd, ranges, count) ||
	    !any_concerned(ranges, count) || !is_self(pidfd))
		return edge(real_syscall(SYS_process_madvise, pidfd, (long)ranges, (long)count, advice, flags, 0));
	ret = real_syscall(SYS_process_madvise, pidfd, 0, 0, advice, flags, 0);
	return edge(failed(ret) ? ret : advise_ranges(ranges, count, advice));
}

/* Where to ask about the object's pages: *addr becomes the shadow's address if a view holds the range.  Locked. */
static long to_shadow(uintptr_t *addr, size_t length)
{
	struct attachment *at = NULL;
	long ret = view_settle(*addr, length, &at);

	if (at != NULL)
		*addr = in_shadow(at, *addr);
	return ret;
}

/*
 * It may take long, and is a cancellation point: no lock is held over it.  So another thread may have moved the shadow
 * meanwhile, and then it was not, or not only, the program's memory that was written back: once more.
 */
static long sync_by(long (*call)(uintptr_t, size_t, int), uintptr_t addr, size_t length, int flags)
{
	unsigned int before;
	uintptr_t start;
	long ret;

	if (!view_concerned(addr, length))
		return call(addr, length, flags);
	do {
		before = attach_changes();
		start = addr;
		attach_lock();
		ret = to_shadow(&start, length);
		attach_unlock();
		if (!failed(ret))
			ret = call(start, length, flags);
		/* Any other error is told but once. */
	} while ((ret == 0 || ret == -ENOMEM) && start != addr && attach_changes() != before);
	return ret;
}

EXPORT int msync(void *addr, size_t length, int flags)
{
	return (int)edge(sync_by(real_msync, (uintptr_t)addr, length, flags));
}

static long bare_msync(uintptr_t addr, size_t length, int flags)
{
	return REAL3(SYS_msync, addr, length, flags);
}

long call_msync(uintptr_t addr, size_t length, int flags)
{
	return sync_by(bare_msync, addr, length, flags);
}

EXPORT int mincore(void *addr, size_t length, unsigned char *vec)
{
	uintptr_t start = (uintptr_t)addr;
	long ret;

	if (!view_concerned(start, length))
		return (int)edge(real_mincore(start, length, vec));
	attach_lock();
	ret = to_shadow(&start, length);
	if (!failed(ret))
		ret = real_mincore(start, length, vec);
	attach_unlock();
	return (int)edge(ret);
}
