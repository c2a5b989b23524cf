/* SPDX-License-Identifier: PostgreSQL */
/*
 * protect.c - mprotect, pkey_mprotect, mseal, remap_file_pages, and the mlock family.
 *
 * A window takes one protection as a whole; anything else, and every lock, needs page tables of this process
 * and so an ordinary mapping.
 */
#include <sys/mman.h>

#include "attach.h"
#include "calls.h"
#include "export.h"
#include "msharefs.h"
#include "options.h"
#include "real.h"
#include "view.h"

/* Whatever else is in it, the kernel refuses. */
#define KNOWN_PROT	(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP)

/* Does the call fit what a window can do? */
static bool whole_view(const struct attachment *at, uintptr_t addr, size_t length, int prot)
{
	return at != NULL && addr == at->view && round_up(length, PAGE_BYTES) == at->length &&
	       msharefs_can_protect(prot);
}

static long protect_locked(uintptr_t addr, size_t length, int prot)
{
	struct attachment *at = attach_find_view(addr, length);
	long ret;

	if (at != NULL && at->plain) {
		ret = real_mprotect(addr, length, prot);
		if (!failed(ret) && addr == at->view && round_up(length, PAGE_BYTES) == at->length)
			at->prot = prot;
		return ret;
	}
	if (whole_view(at, addr, length, prot)) {
		ret = real_mprotect(at->window, at->region, prot);
		if (!failed(ret))
			at->prot = prot;
		/* EACCES is what the ordinary mapping would say too: read-only attachments stay so. */
		if (!failed(ret) || ret == -EACCES)
			return ret;
	}
	ret = view_demote_range(addr, length);
	length = view_length(addr, length);
	return failed(ret) ? ret : view_answer(addr, length, real_mprotect(addr, length, prot));
}

/* For calls that no view can take; *length as for view_length(). */
static long make_ordinary(uintptr_t addr, size_t *length)
{
	long error;

	if (!view_concerned(addr, *length))
		return 0;
	attach_lock();
	error = view_demote_range(addr, *length);
	*length = view_length(addr, *length);
	attach_unlock();
	return error;
}

EXPORT int mprotect(void *addr, size_t length, int prot)
{
	long ret;

	if (prot & ~KNOWN_PROT || !view_concerned((uintptr_t)addr, length))
		return (int)edge(real_mprotect((uintptr_t)addr, length, prot));
	attach_lock();
	ret = protect_locked((uintptr_t)addr, length, prot);
	attach_unlock();
	return (int)edge(ret);
}

/* view_answer() for those who do not hold the lock. */
static long answer(uintptr_t addr, size_t length, long ret)
{
	if (ret != -EINVAL || !attach_touches(addr, length))
		return ret;
	attach_lock();
	ret = view_answer(addr, length, ret);
	attach_unlock();
	return ret;
}

EXPORT int pkey_mprotect(void *addr, size_t length, int prot, int pkey)
{
	long ret;

	/* glibc: a key of -1 is mprotect(), also on kernels without keys. */
	if (pkey == -1)
		return mprotect(addr, length, prot);
	ret = make_ordinary((uintptr_t)addr, &length);
	if (!failed(ret))
		ret = answer((uintptr_t)addr, length, REAL4(SYS_pkey_mprotect, addr, length, prot, pkey));
	return (int)edge(ret);
}

/* What is sealed is so for ever: a view could not be made ordinary any more. */
long call_mseal(uintptr_t addr, size_t length, long flags)
{
	long error = make_ordinary(addr, &length);

	return failed(error) ? error : REAL3(SYS_mseal, addr, length, flags);
}

/* The kernel rounds both down. */
EXPORT int remap_file_pages(void *addr, size_t size, int prot, size_t pgoff, int flags)
{
	uintptr_t start = (uintptr_t)addr & -PAGE_BYTES;
	long error;

	size &= -PAGE_BYTES;
	error = make_ordinary(start, &size);
	return (int)edge(failed(error) ? error : real_syscall(SYS_remap_file_pages, (long)start, (long)size, prot,
							      (long)pgoff, flags, 0));
}

EXPORT int mlock(const void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr & -PAGE_BYTES;
	long error;

	/* It rounds its start down itself. */
	length += (uintptr_t)addr - start;
	error = make_ordinary(start, &length);
	return (int)edge(failed(error) ? error : REAL2(SYS_mlock, start, length));
}

EXPORT int mlock2(const void *addr, size_t length, unsigned int flags)
{
	uintptr_t start = (uintptr_t)addr & -PAGE_BYTES;
	long error;

	if (flags == 0)
		return mlock(addr, length);
	length += (uintptr_t)addr - start;
	error = make_ordinary(start, &length);
	return (int)edge(failed(error) ? error : REAL3(SYS_mlock2, start, length, flags));
}

/* A view is never locked, so there is nothing to undo in it. */
EXPORT int munlock(const void *addr, size_t length)
{
	uintptr_t start = (uintptr_t)addr & -PAGE_BYTES;
	struct attachment *at = NULL;
	long ret = 0;

	length += (uintptr_t)addr - start;
	if (view_concerned(start, length)) {
		attach_lock();
		ret = view_settle(start, length, &at);
		attach_unlock();
	}
	if (failed(ret) || at != NULL)
		return (int)edge(ret);
	return (int)edge(REAL2(SYS_munlock, start, length));
}

EXPORT int mlockall(int flags)
{
	long ret = 0;

	if (!options_get()->on || !(flags & MCL_FUTURE || view_refuses_all() || attach_touches(0, SIZE_MAX)))
		return (int)edge(REAL1(SYS_mlockall, flags));
	attach_lock();
	if (flags & MCL_CURRENT)
		ret = view_demote_range(0, SIZE_MAX);
	if (!failed(ret))
		ret = REAL1(SYS_mlockall, flags);
	if (!failed(ret))
		view_refuse_all(flags & MCL_FUTURE);
	attach_unlock();
	return (int)edge(ret);
}

EXPORT int munlockall(void)
{
	long ret;

	if (!view_refuses_all())
		return (int)edge(REAL1(SYS_munlockall, 0));
	attach_lock();
	ret = REAL1(SYS_munlockall, 0);
	if (!failed(ret))
		view_refuse_all(false);
	attach_unlock();
	return (int)edge(ret);
}
