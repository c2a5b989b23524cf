/* SPDX-License-Identifier: PostgreSQL */
/*
 * policy.c - mbind, set_mempolicy_home_node, get_mempolicy, move_pages: on which node memory is.
 *
 * The policy of shared memory is the object's: so what concerns all of a view is done to the shadow.  On a part it
 * would split the shadow, and what moves pages looks for them in this process' page tables: that takes an ordinary mapping.
 */
#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "attach.h"
#include "calls.h"
#include "real.h"
#include "view.h"

/* Page tables of this process for what is in memory: where it was ordinary all the time it would have them. */
static void fault_resident(uintptr_t addr, size_t length)
{
	unsigned char resident;

	for (uintptr_t page = addr; page < addr + length; page += PAGE_BYTES)
		if (!failed(real_mincore(page, PAGE_BYTES, &resident)) && resident & 1)
			real_madvise(page, PAGE_BYTES, MADV_POPULATE_READ);
}

/*
 * Where to carry a call on the range out: *addr becomes the shadow's for a whole view, else nothing of the range is a
 * view any more.
 */
static long settle(uintptr_t *addr, size_t length, bool moves)
{
	struct attachment *at = attach_find_view(*addr, length);
	bool demotes = attach_find(*addr, length) != NULL;
	long ret;

	if (at != NULL && at->backend == BACKEND_MSHAREFS && at->view == *addr && at->length == length && !moves) {
		*addr = at->shadow;
		return 0;
	}
	ret = view_demote_range(*addr, length);
	if (!failed(ret) && demotes && moves)
		fault_resident(*addr, length);
	return ret;
}

long call_mbind(uintptr_t addr, size_t length, long mode, long nodes, long max_node, unsigned int flags)
{
	uintptr_t target = addr;
	long ret = 0;

	if (!view_concerned(addr, length))
		return real_syscall(SYS_mbind, (long)addr, (long)length, mode, nodes, max_node, flags);
	attach_lock();
	ret = settle(&target, round_up(length, PAGE_BYTES), flags != 0);
	if (!failed(ret))
		ret = real_syscall(SYS_mbind, (long)target, (long)length, mode, nodes, max_node, flags);
	ret = view_answer(addr, length, ret);
	attach_unlock();
	return ret;
}

long call_set_home_node(uintptr_t addr, size_t length, long node, long flags)
{
	uintptr_t target = addr;
	long ret = 0;

	if (!view_concerned(addr, length))
		return REAL4(SYS_set_mempolicy_home_node, addr, length, node, flags);
	attach_lock();
	ret = settle(&target, round_up(length, PAGE_BYTES), false);
	if (!failed(ret))
		ret = REAL4(SYS_set_mempolicy_home_node, target, length, node, flags);
	ret = view_answer(addr, length, ret);
	attach_unlock();
	return ret;
}

/* MPOL_F_NODE asks for the node that a page is on, which the view knows, without it for the policy. */
long call_get_mempolicy(long mode, long nodes, long max_node, uintptr_t addr, unsigned long flags)
{
	const struct attachment *at;
	long ret;

	if (flags != MPOL_F_ADDR || !attach_touches(addr, 1))
		return real_syscall(SYS_get_mempolicy, mode, nodes, max_node, (long)addr, (long)flags, 0);
	attach_lock();
	at = attach_find_view(addr, 1);
	if (at != NULL && at->backend == BACKEND_MSHAREFS)
		addr = at->shadow + (addr - at->view);
	ret = real_syscall(SYS_get_mempolicy, mode, nodes, max_node, (long)addr, (long)flags, 0);
	attach_unlock();
	return ret;
}

/* Those of the pages that are in a view which is demoted for the first of them. */
static void fault_pages(size_t count, void *const *pages, uintptr_t view, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if ((uintptr_t)pages[i] - view < length)
			fault_resident((uintptr_t)pages[i] & -PAGE_BYTES, PAGE_BYTES);
}

static long move_locked(size_t count, void *const *pages)
{
	for (size_t i = 0; i < count; i++) {
		struct attachment *at = attach_find((uintptr_t)pages[i], 1);
		uintptr_t view = at != NULL ? at->view : 0;
		size_t length = at != NULL ? at->length : 0;
		long ret = at != NULL ? view_demote(at) : 0;

		if (failed(ret))
			return ret;
		fault_pages(length != 0 ? count : 0, pages, view, length);
	}
	return 0;
}

/*
 * Can the kernel read the addresses?  It is asked where each of the pages is, which changes nothing; if not, it tells the
 * program.
 */
static bool readable(size_t count, void *const *pages)
{
	enum { AT_A_TIME = 32 };
	int status[AT_A_TIME];

	for (size_t done = 0; done < count; done += AT_A_TIME) {
		size_t some = count - done < AT_A_TIME ? count - done : AT_A_TIME;

		if (failed(real_syscall(SYS_move_pages, 0, (long)some, (long)(pages + done), 0, (long)status, 0)))
			return false;
	}
	return true;
}

long call_move_pages(pid_t pid, size_t count, void *const *pages, long nodes, long status, long flags)
{
	long ret = 0;

	if (attach_touches(0, SIZE_MAX) && (pid == 0 || pid == (pid_t)REAL1(SYS_getpid, 0)) && readable(count, pages)) {
		attach_lock();
		ret = move_locked(count, pages);
		attach_unlock();
	}
	return failed(ret) ? ret :
			     real_syscall(SYS_move_pages, pid, (long)count, (long)pages, nodes, status, flags);
}
