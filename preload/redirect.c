/* SPDX-License-Identifier: PostgreSQL */
/*
 * redirect.c - a call by the first backend that can, and mmap() so.
 */
#include "redirect.h"

#include <stdio.h>

#include "fork.h"
#include "log.h"
#include "options.h"
#include "stock.h"

uintptr_t redirect_by_backends(redirect_try try, void *call, const char *what, struct refusal *refusal)
{
	struct refusal first = { MSHARE_REASON_LOCKED, 0 };

	log_share_once();
	/* It may be a constructor that runs before ours. */
	fork_watch();
	for (unsigned int i = 0; i < options_get()->backend_count && !view_refuses_all(); i++) {
		enum backend backend = options_get()->backends[i];
		uintptr_t addr = try(backend, call, refusal);

		if (addr != 0 || refusal->reason == MSHARE_REASON_NONE)
			return addr;
		log_line(LOG_LEVEL_DEBUG, "%s: not for %s: %s (%d)", backend_names[backend], what,
			 mshare_reason_text(refusal->reason), refusal->error);
		if (i == 0)
			first = *refusal;
	}
	*refusal = first;
	return 0;
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
	static const size_t page_sizes[] = { PAGE_BYTES, HUGE_2MB, HUGE_1GB };

	for (size_t i = 0; i < sizeof(page_sizes) / sizeof(page_sizes[0]); i++)
		if (!failed(real_munmap(shadow, round_up(length, page_sizes[i]))))
			return;
}

/* *refusal without a reason: the kernel does not even give the ordinary mapping, which is not ours to judge. */
static uintptr_t msharefs_view(const struct map_request *request, struct refusal *refusal)
{
	struct redirection redirection;
	struct attachment at;
	uintptr_t view = 0;
	long shadow;

	*refusal = (struct refusal){ 0 };
	if (!redirection_begin(&redirection, request->addr & -PAGE_BYTES, request->length)) {
		*refusal = redirection.refusal;
		return 0;
	}
	redirection.populate = request_populates(request) || options_get()->prefault;
	shadow = map_shadow(request);
	if (!failed(shadow)) {
		at = (struct attachment){ .shadow = (uintptr_t)shadow,
					  .length = request->length,
					  .prot = request->prot,
					  .kind = request_kind(request),
					  .offset = request_offset(request) };
		view = redirection_view(&redirection, &at);
		if (view == 0)
			unmap_shadow((uintptr_t)shadow, request->length);
		*refusal = redirection.refusal;
	}
	redirection_end(&redirection);
	return view;
}

static uintptr_t map_by(enum backend backend, void *call, struct refusal *refusal)
{
	const struct map_request *request = call;

	switch (backend) {
	case BACKEND_MSHAREFS:
		return msharefs_view(request, refusal);
	case BACKEND_HUGETLB:
		return hugetlb_map(request, refusal);
	case BACKEND_THP:
		return thp_map(request, refusal);
	default:
		*refusal = (struct refusal){ MSHARE_REASON_BACKEND_NONE, 0 };
		return 0;
	}
}

long redirect_none(const struct map_request *request)
{
	long addr = request_plain(request);

	/* What was there before is not, whatever is there now. */
	if (request->flags & FIXED_FLAGS) {
		addr = view_answer(request->addr, request->length, addr);
		if (!failed(addr))
			attach_forget(request->addr, request->length);
	}
	return addr;
}

static long stay_plain(const struct map_request *request, const struct refusal *refusal)
{
	bool strict = options_get()->strict;
	long addr = strict ? -ENOMEM : redirect_none(request);

	if (strict || !failed(addr))
		view_refused(refusal, failed(addr) ? 0 : (uintptr_t)addr, request->length);
	return addr;
}

long redirect_map(const struct map_request *request)
{
	struct map_request call = *request;
	struct refusal refusal;
	char what[32];
	uintptr_t addr;

	snprintf(what, sizeof(what), "%zu bytes", request->length);
	addr = redirect_by_backends(map_by, &call, what, &refusal);
	if (addr != 0)
		return (long)addr;
	return refusal.reason == MSHARE_REASON_NONE ? redirect_none(request) : stay_plain(request, &refusal);
}
