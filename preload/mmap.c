/* SPDX-License-Identifier: PostgreSQL */
/*
 * mmap.c - mmap, munmap, mremap: how shared anonymous mappings come, go and move.
 */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "attach.h"
#include "export.h"
#include "msharefs.h"
#include "options.h"
#include "real.h"
#include "view.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#ifndef MAP_HUGE_MASK
#define MAP_HUGE_MASK	0x3f
#endif

#define FIXED_FLAGS	(MAP_FIXED | MAP_FIXED_NOREPLACE)

/* Whatever else is asked (MAP_LOCKED, MAP_32BIT, MAP_GROWSDOWN, MAP_STACK, ...) a view does not have. */
#define VIEW_FLAGS                                                                                          \
	(MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_HUGETLB |           \
	 (int)((unsigned int)MAP_HUGE_MASK << MAP_HUGE_SHIFT) | FIXED_FLAGS)

struct map_request {
	uintptr_t addr;
	size_t length;
	int prot;
	int flags;
	int fd;
	long offset;
};

/* Cheapest test first: this is all that a call which is not ours pays. */
static bool redirectable(const struct map_request *request)
{
	if ((request->flags & (MAP_TYPE | MAP_ANONYMOUS)) != (MAP_SHARED | MAP_ANONYMOUS))
		return false;
	if (request->flags & ~VIEW_FLAGS || !msharefs_can_protect(request->prot))
		return false;
	/* Addresses that the kernel takes otherwise, or not at all. */
	if (request->flags & FIXED_FLAGS && (request->addr == 0 || request->addr % PAGE_BYTES != 0))
		return false;
	return options_get()->on && request->length >= options_get()->min_size;
}

static long plain(const struct map_request *request)
{
	return real_mmap(request->addr, request->length, request->prot, request->flags, request->fd,
			 request->offset);
}

/* The shadow: what was asked, anywhere, and nothing in it yet. */
static long map_shadow(const struct map_request *request)
{
	int flags = request->flags & ~(FIXED_FLAGS | MAP_POPULATE | MAP_NONBLOCK);

	return real_mmap(0, request->length, request->prot, flags, request->fd, request->offset);
}

/*
 * The kernel rounds the length of a huge page mapping up, and refuses to unmap it by any other.  So the
 * smallest page size that it takes is the right one.
 */
static void unmap_shadow(uintptr_t shadow, size_t length)
{
	static const size_t page_sizes[] = { PAGE_BYTES, 2UL << 20, 1UL << 30 };

	for (size_t i = 0; i < sizeof(page_sizes) / sizeof(page_sizes[0]); i++)
		if (!failed(real_munmap(shadow, round_up(length, page_sizes[i]))))
			return;
}

static long stay_plain(const struct map_request *request, const struct refusal *refusal)
{
	long addr = options_get()->strict ? -ENOMEM : plain(request);

	view_refused(refusal, failed(addr) ? 0 : (uintptr_t)addr, request->length);
	return addr;
}

static long redirect(const struct map_request *request)
{
	struct redirection redirection;
	struct attachment at;
	uintptr_t view = 0;
	long shadow;

	if (!redirection_begin(&redirection, request->addr & -PAGE_BYTES, request->length))
		return stay_plain(request, &redirection.refusal);
	/* What may not be accessed is not populated. */
	redirection.populate = request->prot != PROT_NONE &&
			       (request->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	shadow = map_shadow(request);
	if (!failed(shadow)) {
		at = (struct attachment){ .shadow = (uintptr_t)shadow, .length = request->length,
					  .prot = request->prot, .kind = ATTACH_MMAP };
		view = redirection_view(&redirection, &at);
		if (view == 0)
			unmap_shadow((uintptr_t)shadow, request->length);
	}
	redirection_end(&redirection);
	if (view != 0)
		return (long)view;
	/* Not ours to judge when the kernel does not even give the ordinary mapping. */
	return failed(shadow) ? plain(request) : stay_plain(request, &redirection.refusal);
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
		ret = ours ? redirect(request) : plain(request);
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
	return (void *)edge(plain(&request));
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
	long ret;

	if (at != NULL && unmaps_view(at, addr, length)) {
		uintptr_t shadow = at->shadow;
		size_t shadow_length = at->length;

		ret = view_unmap(at);
		return failed(ret) ? ret : real_munmap(shadow, shadow_length);
	}
	/* All or nothing, as the kernel does it: so let it do it. */
	ret = view_demote_range(addr, length);
	return failed(ret) ? ret : real_munmap(addr, length);
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
	long ret = 0;

	if (view_range_valid(addr, 1))
		ret = view_demote_range(addr, length != 0 ? length : 1);
	if (!failed(ret) && flags & MREMAP_FIXED && view_range_valid(to, new_length))
		ret = view_demote_range(to, new_length);
	return failed(ret) ? ret : real_mremap(addr, length, new_length, flags, to);
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
