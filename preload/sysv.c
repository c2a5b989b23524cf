/* SPDX-License-Identifier: PostgreSQL */
/*
 * sysv.c - shmat and shmdt.
 *
 * Nothing of SysV is imitated: the shadow is a real attach, so ipcs, shm_nattch, permissions and IPC_RMID are the
 * kernel's.  For the same reason a redirection that fails does not detach and attach again, which would
 * change shm_dtime and shm_lpid: the shadow itself becomes what the program gets.
 */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "attach.h"
#include "export.h"
#include "options.h"
#include "real.h"
#include "view.h"

struct attach_request {
	int shmid;
	uintptr_t addr;		/* rounded as SHM_RND asks */
	int flags;
	size_t size;		/* of the segment, bytes */
};

/* 0 where it cannot be known: then shmat() fails as well, for the same reason. */
static size_t segment_size(int shmid)
{
	struct shmid_ds segment;

	return failed(real_shmctl(shmid, IPC_STAT, &segment)) ? 0 : segment.shm_segsz;
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

/* After a redirection that failed; the reserved slot is free again. */
static long stay_plain(const struct attach_request *request, const struct refusal *refusal, long shadow)
{
	long addr = shadow;

	if (shadow != 0 && (request->addr != 0 || options_get()->strict)) {
		real_shmdt((uintptr_t)shadow);
		shadow = 0;
	}
	if (options_get()->strict)
		addr = -ENOMEM;
	else if (shadow == 0)
		addr = plain(request);
	view_refused(refusal, failed(addr) ? 0 : (uintptr_t)addr, request->size);
	return addr;
}

static long redirect(const struct attach_request *request)
{
	bool readonly = request->flags & SHM_RDONLY;
	struct redirection redirection;
	struct attachment at;
	uintptr_t view = 0;
	long shadow;

	if (!redirection_begin(&redirection, request->addr, request->size))
		return stay_plain(request, &redirection.refusal, 0);
	shadow = real_shmat(request->shmid, 0, request->flags & ~SHM_RND);
	if (!failed(shadow)) {
		at = (struct attachment){ .shadow = (uintptr_t)shadow, .length = request->size,
					  .prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE,
					  .kind = ATTACH_SYSV, .readonly = readonly,
					  .shmid = request->shmid };
		view = redirection_view(&redirection, &at);
	}
	redirection_end(&redirection);
	if (view != 0)
		return (long)view;
	return failed(shadow) ? plain(request) : stay_plain(request, &redirection.refusal, shadow);
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
	attach_unlock();
	return ret;
}

EXPORT void *shmat(int shmid, const void *addr, int flags)
{
	struct attach_request request = { shmid, (uintptr_t)addr, flags, 0 };

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
	long ret;

	/* The program never attached anything at the shadow's address. */
	if (at != NULL && addr - at->shadow < at->length)
		return -EINVAL;
	if (at == NULL || at->kind != ATTACH_SYSV || addr != at->view)
		return real_shmdt(addr);
	shadow = at->shadow;
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
