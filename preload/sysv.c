/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv.c - shmget, shmat and shmdt.
 *
 * Nothing of SysV is imitated: the shadow is a real attach, so ipcs, shm_nattch, permissions and IPC_RMID are the
 * kernel's.  For the same reason a redirection that fails does not detach and attach again, which would
 * change shm_dtime and shm_lpid: the shadow itself becomes what the program gets.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "attach.h"
#include "export.h"
#include "log.h"
#include "options.h"
#include "place.h"
#include "placement.h"
#include "real.h"
#include "redirect.h"
#include "stock.h"
#include "view.h"

struct attach_request {
	int shmid;
	uintptr_t addr;		/* rounded as SHM_RND asks */
	int flags;
	size_t size;		/* of the segment, bytes */
};

/*
 * Segments that are known to be too small for us, so that attaching them needs no system call to find that out: by
 * identifier, a later one in place of an earlier one.  Identifiers are not used again before 32768 others were, and to be
 * wrong costs a saving, not more.
 */
#define SMALL_MAX	256
static SELDOM_WRITTEN _Atomic int small_ids[SMALL_MAX];	/* plus 1; 0 for none */

static void remember_small(int shmid)
{
	atomic_store_explicit(&small_ids[shmid % SMALL_MAX], shmid + 1, memory_order_relaxed);
}

static bool known_small(int shmid)
{
	return shmid >= 0 &&
	       atomic_load_explicit(&small_ids[shmid % SMALL_MAX], memory_order_relaxed) == shmid + 1;
}

/* 0 where it cannot be known: then shmat() fails as well, for the same reason. */
static size_t segment_size(int shmid)
{
	struct shmid_ds segment;

	if (failed(real_shmctl(shmid, IPC_STAT, &segment)))
		return 0;
	if (segment.shm_segsz < options_get()->min_size)
		remember_small(shmid);
	return segment.shm_segsz;
}

static bool redirectable(const struct attach_request *request)
{
	if (request->flags & ~(SHM_RDONLY | SHM_RND) || request->addr % PAGE_BYTES != 0)
		return false;
	return request->size != 0 && request->size >= options_get()->min_size;
}

static long plain(const struct attach_request *request)
{
	return real_shmat(request->shmid, request->addr, request->flags);
}

/* After all backends; shadow: the attach that they tried with, or 0. */
static long stay_plain(const struct attach_request *request, const struct refusal *refusal, long shadow)
{
	bool strict = options_get()->strict;
	long addr = shadow;

	if (shadow != 0 && (request->addr != 0 || strict)) {
		real_shmdt((uintptr_t)shadow);
		shadow = 0;
	}
	if (strict)
		addr = -ENOMEM;
	else if (shadow == 0)
		addr = plain(request);
	if (strict || !failed(addr))
		view_refused(refusal, failed(addr) ? 0 : (uintptr_t)addr, request->size);
	return addr;
}

static struct attachment describe(const struct attach_request *request, long shadow)
{
	bool readonly = request->flags & SHM_RDONLY;

	return (struct attachment){ .shadow = (uintptr_t)shadow,
				    .length = request->size,
				    .prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE,
				    .kind = ATTACH_SYSV,
				    .readonly = readonly,
				    .shmid = request->shmid };
}

/* The attach that becomes the shadow, made once for all backends; false: as a plain one would fail too. */
static bool attach_shadow(const struct attach_request *request, long *shadow)
{
	if (*shadow == 0)
		*shadow = real_shmat(request->shmid, 0, request->flags & ~SHM_RND);
	return !failed(*shadow);
}

/* A place_mapper. */
static long attach_there(const void *what, uintptr_t addr)
{
	const struct attachment *attach = what;

	return real_shmat(attach->shmid, addr, attach->readonly ? SHM_RDONLY : 0);
}

long stock_attach_at(const struct attachment *attach, size_t room, size_t alignment)
{
	struct place place = { room, alignment, 0 };
	long addr = place_map(&place, attach_there, attach);

	/* In this order: what is removed already ends with its last attach. */
	if (!failed(addr))
		real_shmdt(attach->shadow);
	return addr;
}

static uintptr_t msharefs_view(const struct attach_request *request, long *shadow, struct refusal *refusal)
{
	struct redirection redirection;
	struct attachment at;
	uintptr_t view = 0;

	if (!redirection_begin(&redirection, request->addr, request->size)) {
		*refusal = redirection.refusal;
		return 0;
	}
	redirection.populate = options_get()->prefault;
	if (attach_shadow(request, shadow)) {
		at = describe(request, *shadow);
		view = redirection_view(&redirection, &at);
		*refusal = redirection.refusal;
	}
	redirection_end(&redirection);
	return view;
}

/* A redirect_try; the attach that backends try with is made by the first that gets so far. */
struct attach_call {
	const struct attach_request *request;
	long shadow;
};

static uintptr_t attach_by(enum backend backend, void *context, struct refusal *refusal)
{
	struct attach_call *call = context;
	struct attachment at;

	*refusal = (struct refusal){ 0 };
	if (backend == BACKEND_MSHAREFS)
		return msharefs_view(call->request, &call->shadow, refusal);
	if (backend == BACKEND_NONE || call->request->addr != 0) {
		refusal->reason = backend == BACKEND_NONE ? MSHARE_REASON_BACKEND_NONE : MSHARE_REASON_NO_PLACE;
		return 0;
	}
	if (!attach_shadow(call->request, &call->shadow))
		return 0;
	at = describe(call->request, call->shadow);
	return backend == BACKEND_HUGETLB ? hugetlb_adopt(&at, refusal) : thp_adopt(&at, refusal);
}

static long redirect(const struct attach_request *request)
{
	struct attach_call call = { request, 0 };
	struct refusal refusal;
	char what[32];
	uintptr_t addr;

	snprintf(what, sizeof(what), "segment %d", request->shmid);
	addr = redirect_by_backends(attach_by, &call, what, &refusal);
	if (addr != 0)
		return (long)addr;
	return refusal.reason == MSHARE_REASON_NONE ? plain(request) : stay_plain(request, &refusal, call.shadow);
}

/*
 * Before an attach at a fixed place.  Without SHM_REMAP the kernel refuses a place in use, and a view is one
 * that the program knows of; windows and shadows it does not.
 */
static long make_way(const struct attach_request *request)
{
	size_t length = round_up(request->size, PAGE_BYTES);
	struct attachment *at = attach_find(request->addr, length);

	if (at == NULL || !view_range_valid(request->addr, length))
		return 0;
	if (!(request->flags & SHM_REMAP) && request->addr < at->view + at->length &&
	    at->view < request->addr + length)
		return 0;
	return view_demote_range(request->addr, length);
}

static long attach_segment(const struct attach_request *request)
{
	long ret = 0;

	attach_lock();
	if (request->addr != 0)
		ret = make_way(request);
	if (!failed(ret))
		ret = redirectable(request) ? redirect(request) : plain(request);
	if (request->flags & SHM_REMAP && request->addr != 0) {
		ret = view_answer(request->addr, request->size, ret);
		if (!failed(ret))
			attach_forget(request->addr, request->size);
	}
	attach_unlock();
	return ret;
}

EXPORT void *shmat(int shmid, const void *addr, int flags)
{
	struct attach_request request = { shmid, (uintptr_t)addr, flags, 0 };

	/* At a fixed place it may be in the way of what is ours; the length is below that. */
	if (known_small(shmid) &&
	    (addr == NULL || !attach_touches(request.addr & -PAGE_BYTES, options_get()->min_size)))
		return (void *)edge(plain(&request));
	if (!options_get()->on)
		return (void *)edge(plain(&request));
	if (flags & SHM_RND)
		request.addr &= -PAGE_BYTES;
	/* Rounded down to 0 is an address for the kernel, and one it refuses. */
	if (addr != NULL && request.addr == 0)
		return (void *)edge(real_shmat(shmid, (uintptr_t)addr, flags));
	request.size = segment_size(shmid);
	if (!redirectable(&request) && (addr == NULL || !attach_touches(request.addr, request.size)))
		return (void *)edge(plain(&request));
	return (void *)edge(attach_segment(&request));
}

static long detach_locked(uintptr_t addr)
{
	struct attachment *at = attach_find(addr, 1);
	uintptr_t shadow;
	size_t length;
	long ret;

	if (at == NULL) {
		at = attach_find_view(addr, 1);
		length = at != NULL && addr == at->view && at->kind == ATTACH_SYSV ? at->region : 0;
		ret = real_shmdt(addr);
		if (!failed(ret) && length != 0)
			attach_forget(addr, length);
		return ret;
	}
	/* The program never attached anything at the shadow's address. */
	if (at->shadow != 0 && addr - at->shadow < at->length)
		return -EINVAL;
	if (at->kind != ATTACH_SYSV || addr != at->view)
		return real_shmdt(addr);
	shadow = at->shadow;
	if (shadow == 0) {
		ret = real_shmdt(addr);
		if (!failed(ret))
			attach_remove(at);
		return ret;
	}
	ret = view_unmap(at);
	return failed(ret) ? ret : real_shmdt(shadow);
}

EXPORT int shmdt(const void *addr)
{
	long ret;

	if (!attach_touches((uintptr_t)addr, 1))
		return (int)edge(real_shmdt((uintptr_t)addr));
	attach_lock();
	ret = detach_locked((uintptr_t)addr);
	attach_unlock();
	return (int)edge(ret);
}

/* Only where it was named: others see that a segment is of huge pages, when they attach it at a place of their choice. */
static bool wants_huge_segment(size_t size, int flags)
{
	const struct options *options = options_get();

	if (!options->on || !options->backends_named || size < options->min_size || flags & SHM_HUGETLB)
		return false;
	for (unsigned int i = 0; i < options->backend_count; i++)
		if (options->backends[i] == BACKEND_HUGETLB)
			return options->huge != HUGE_NEVER;
	return false;
}

/* EACCES: its mode does not let this process fault it in. */
static enum mshare_reason why_not_huge(long error)
{
	if (error == -EPERM)
		return MSHARE_REASON_HUGE_RIGHTS;
	return error == -ENOMEM ? MSHARE_REASON_HUGE_PAGES : MSHARE_REASON_OBJECT;
}

static long get_segment(key_t key, size_t size, int flags)
{
	enum mshare_reason reason;
	long id;

	if ((key == IPC_PRIVATE || flags & IPC_CREAT) && wants_huge_segment(size, flags)) {
		attach_lock();
		id = hugetlb_segment(key, size, flags);
		attach_unlock();
		if (!failed(id))
			return id;
		if (id == -EEXIST)
			return REAL3(SYS_shmget, key, size, flags);
		reason = why_not_huge(id);
		if (log_first(reason))
			log_line(LOG_LEVEL_WARN, "a segment of %zu bytes is not made of huge pages: %s (%s)", size,
				 mshare_reason_text(reason), strerrordesc_np((int)-id));
	}
	return REAL3(SYS_shmget, key, size, flags);
}

EXPORT int shmget(key_t key, size_t size, int flags)
{
	long id = get_segment(key, size, flags);

	/* Without IPC_EXCL it may be an older and larger one. */
	if (!failed(id) && size < options_get()->min_size && (key == IPC_PRIVATE || flags & IPC_EXCL))
		remember_small((int)id);
	return (int)edge(id);
}
