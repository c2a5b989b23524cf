/* SPDX-License-Identifier: PostgreSQL */
/*
 * mmap.c - mmap, munmap, mremap: how shared mappings come, go and move.
 */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "attach.h"
#include "export.h"
#include "msharefs.h"
#include "options.h"
#include "real.h"
#include "request.h"
#include "redirect.h"
#include "stock.h"
#include "view.h"

/* Whatever else is asked (MAP_LOCKED, MAP_32BIT, MAP_GROWSDOWN, MAP_STACK, ...) a view does not have. */
#define VIEW_FLAGS                                                                                          \
	(MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_HUGETLB |           \
	 (int)((unsigned int)MAP_HUGE_MASK << MAP_HUGE_SHIFT) | FIXED_FLAGS)

/* Cheapest test first: this is all that a call which is not ours pays. */
static bool redirectable(const struct map_request *request)
{
	if ((request->flags & MAP_TYPE) != MAP_SHARED || request->length < options_get()->min_size)
		return false;
	if (request->flags & ~VIEW_FLAGS || !msharefs_can_protect(request->prot))
		return false;
	/* Offsets and addresses that the kernel takes otherwise, or not at all. */
	if (request->offset % (long)PAGE_BYTES != 0)
		return false;
	if (request->flags & FIXED_FLAGS && (request->addr == 0 || request->addr % PAGE_BYTES != 0))
		return false;
	return options_get()->on && (!request_is_file(request) || view_takes_file(request->fd));
}

/* Before something is mapped at a fixed place: no window and no shadow may stand in its way. */
static long make_way(const struct map_request *request)
{
	struct attachment *at = attach_find(request->addr, request->length);

	if (at == NULL || !view_range_valid(request->addr, request->length))
		return 0;
	/* The program knows of the view, and so will the kernel: EEXIST. */
	if (request->flags & MAP_FIXED_NOREPLACE && request->addr < at->view + at->length &&
	    at->view < request->addr + request->length)
		return 0;
	return view_demote_range(request->addr, request->length);
}

/* The calls that make or may remove a view. */
static long map_locked(const struct map_request *request, bool ours)
{
	long ret = 0;

	attach_lock();
	if (request->flags & FIXED_FLAGS)
		ret = make_way(request);
	if (!failed(ret))
		ret = ours ? redirect_map(request) : redirect_none(request);
	attach_unlock();
	return ret;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct map_request request = { (uintptr_t)addr, length, prot, flags, fd, offset };

	if (redirectable(&request))
		return (void *)edge(map_locked(&request, true));
	if (flags & FIXED_FLAGS && attach_touches(request.addr, length))
		return (void *)edge(map_locked(&request, false));
	return (void *)edge(request_plain(&request));
}

EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
	__attribute__((alias("mmap")));

/* Does it end the view, and nothing else?  The rest of its slots is free for all that the program knows. */
static bool unmaps_view(const struct attachment *at, uintptr_t addr, size_t length)
{
	uintptr_t end = addr + round_up(length, PAGE_BYTES);

	return at->window <= addr && addr <= at->view && at->view + at->length <= end &&
	       end <= at->window + at->region;
}

static long unmap_locked(uintptr_t addr, size_t length)
{
	struct attachment *at = attach_find(addr, length);
	uintptr_t shadow;
	size_t shadow_length;
	long ret;

	if (at == NULL)
		at = attach_find_view(addr, 1);
	if (at != NULL && !at->plain && unmaps_view(at, addr, length)) {
		shadow = at->shadow;
		shadow_length = at->length;
		ret = view_unmap(at);
		return failed(ret) || shadow == 0 ? ret : real_munmap(shadow, shadow_length);
	}
	/* All or nothing, as the kernel does it: so let it do it. */
	ret = view_demote_range(addr, length);
	if (!failed(ret))
		ret = view_answer(addr, length, real_munmap(addr, length));
	if (!failed(ret))
		attach_forget(addr, length);
	return ret;
}

EXPORT int munmap(void *addr, size_t length)
{
	long ret;

	if (!view_concerned((uintptr_t)addr, length))
		return (int)edge(real_munmap((uintptr_t)addr, length));
	attach_lock();
	ret = unmap_locked((uintptr_t)addr, length);
	attach_unlock();
	return (int)edge(ret);
}

/* A length of 0 asks for a second mapping of a shared one: its first page says which. */
static bool remap_touches(uintptr_t addr, size_t length, size_t new_length, int flags, uintptr_t to)
{
	return attach_touches(addr, length != 0 ? length : 1) ||
	       (flags & MREMAP_FIXED && attach_touches(to, new_length));
}

static long remap_locked(uintptr_t addr, size_t length, size_t new_length, int flags, uintptr_t to)
{
	size_t touched = length != 0 ? length : 1;
	bool fixed = flags & MREMAP_FIXED && view_range_valid(to, new_length);
	long ret = 0;

	if (view_range_valid(addr, touched))
		ret = view_demote_range(addr, touched);
	if (!failed(ret) && fixed)
		ret = view_demote_range(to, new_length);
	if (failed(ret))
		return ret;
	hugetlb_before_move(addr, touched);
	ret = view_answer(addr, touched, real_mremap(addr, length, new_length, flags, to));
	if (failed(ret))
		return ret;
	/* Of what moved or shrank, the old entry is wrong; of what was duplicated, it would be right. */
	if (length != 0)
		attach_forget(addr, touched);
	if (fixed)
		attach_forget(to, new_length);
	return ret;
}

EXPORT void *mremap(void *addr, size_t length, size_t new_length, int flags, ...)
{
	uintptr_t to = 0;
	va_list args;
	long ret;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_start(args, flags);
		to = (uintptr_t)va_arg(args, void *);
		va_end(args);
	}
	if (!remap_touches((uintptr_t)addr, length, new_length, flags, to))
		return (void *)edge(real_mremap((uintptr_t)addr, length, new_length, flags, to));
	attach_lock();
	ret = remap_locked((uintptr_t)addr, length, new_length, flags, to);
	attach_unlock();
	return (void *)edge(ret);
}
