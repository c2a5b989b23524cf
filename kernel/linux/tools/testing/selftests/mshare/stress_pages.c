// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: reads and writes of single pages; see stress.h.
 */
#include <linux/falloc.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "stress.h"

/* Ways to the contents of a page. */
enum way { MEMORY, CROSS, DIRECT, NR_WAYS };
static const char * const way_names[] = {
	"load/store", "process_vm_readv", "O_DIRECT",
};

static __thread sigjmp_buf fault_env;
static __thread int fault_armed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (load(&fault_armed)) {
		store(&fault_armed, 0);
		siglongjmp(fault_env, sig);
	}
	fail("signal %d at %p", sig, info->si_addr);
	_exit(1);
}

void faults_catch(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static int guarded_copy(char *to, const char *from, size_t bytes)
{
	int sig = sigsetjmp(fault_env, 0);

	if (sig)
		return sig;
	store(&fault_armed, 1);
	/* Not before, and not after. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(to, from, bytes);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	store(&fault_armed, 0);
	return 0;
}

int guarded_load(char *p)
{
	char byte;

	return guarded_copy(&byte, p, 1);
}

static int cross(char *p, __u64 *words, bool write)
{
	struct iovec mine = { words, PAGE_SZ }, other = { p, PAGE_SZ };
	ssize_t len = write ?
		process_vm_writev(getpid(), &mine, 1, &other, 1, 0) :
		process_vm_readv(getpid(), &mine, 1, &other, 1, 0);

	if (len != (ssize_t)PAGE_SZ && errno != EFAULT)
		fail("process_vm: %zd: %s", len, strerror(errno));
	return len == (ssize_t)PAGE_SZ ? 0 : SIGSEGV;
}

/* Through block @at of the disk, which nobody else uses meanwhile. */
static int direct(char *p, off_t at, __u64 *words, bool write)
{
	static __thread char space[2 * PAGE_SZ];
	char *bounce = (char *)(((uintptr_t)space + PAGE_SZ) & -PAGE_SZ);
	ssize_t len;

	if (write) {
		memcpy(bounce, words, PAGE_SZ);
		len = pwrite(disk, bounce, PAGE_SZ, at);
		if (len == (ssize_t)PAGE_SZ)
			len = pread(disk, p, PAGE_SZ, at);
	} else {
		len = pwrite(disk, p, PAGE_SZ, at);
		if (len == (ssize_t)PAGE_SZ)
			len = pread(disk, bounce, PAGE_SZ, at);
		memcpy(words, bounce, PAGE_SZ);
	}
	if (len != (ssize_t)PAGE_SZ && errno != EFAULT)
		fail("O_DIRECT: %zd: %s", len, strerror(errno));
	return len == (ssize_t)PAGE_SZ ? 0 : SIGSEGV;
}

/* The caller has the page's lock, and with it a block of the disk. */
static int transfer(struct view *v, unsigned long nr, enum way way,
		    __u64 *words, bool write)
{
	char *p = v->p + nr * objects[v->object].page_size;
	off_t at = (v->object * MAX_PAGES + nr) * PAGE_SZ;

	if (way == CROSS)
		return cross(p, words, write);
	if (way == DIRECT && disk >= 0)
		return direct(p, at, words, write);
	return write ? guarded_copy(p, (char *)words, PAGE_SZ) :
		       guarded_copy((char *)words, p, PAGE_SZ);
}

/* False: the view is dead, which is all right for a foreign one only. */
static bool view_signal(struct view *v, int sig, bool write, enum way way)
{
	bool allowed = v->prot & (write ? PROT_WRITE : PROT_READ);

	if (!allowed && !sig)
		fail("object %d: %s by %s without the right to", v->object,
		     write ? "written" : "read", way_names[way]);
	if (sig && sig != SIGSEGV)
		fail("object %d: signal %d, %s", v->object, sig,
		     way_names[way]);
	if (allowed && sig && !v->foreign)
		fail("object %d: cannot be %s, %s", v->object,
		     write ? "written" : "read", way_names[way]);
	return !(allowed && sig);
}

static bool read_page(struct view *v, unsigned long nr, enum way way)
{
	__u64 words[NR_WORDS];
	int sig = transfer(v, nr, way, words, false);

	if (!sig)
		page_check(v->object, nr, words, way_names[way]);
	return view_signal(v, sig, false, way);
}

static void check_plain(int object, unsigned long nr)
{
	page_check(object, nr, (__u64 *)page_plain(object, nr), "plain mapping");
}

static bool write_page(struct view *v, unsigned long nr, enum way way)
{
	__u64 words[NR_WORDS];
	int sig;

	page_pattern(v->object, nr, page_begin(v->object, nr, false), words);
	sig = transfer(v, nr, way, words, true);
	if (sig && v->prot & PROT_WRITE)
		memcpy(page_plain(v->object, nr), words, PAGE_SZ);
	if (!sig || v->prot & PROT_WRITE)
		page_commit(v->object, nr);
	check_plain(v->object, nr);
	return view_signal(v, sig, true, way);
}

/* Written without msharefs: the window shows it. */
static bool write_plain(struct view *v, unsigned long nr)
{
	__u64 words[NR_WORDS];

	page_pattern(v->object, nr, page_begin(v->object, nr, false), words);
	memcpy(page_plain(v->object, nr), words, PAGE_SZ);
	page_commit(v->object, nr);
	return read_page(v, nr, MEMORY);
}

static bool punch_page(struct view *v, unsigned long nr, bool by_window)
{
	const struct object *o = &objects[v->object];
	char *p = v->p + nr * o->page_size;
	int ret;

	page_begin(v->object, nr, true);
	if (by_window)
		ret = region_advise(v->fd, p - v->base, o->page_size,
				    MADV_REMOVE);
	else if (o->fd >= 0)
		ret = fallocate(o->fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, nr * o->page_size,
				o->page_size);
	else
		ret = madvise(page_plain(v->object, nr), o->page_size,
			      MADV_REMOVE);
	/* Not through what is for reading only. */
	if (ret && by_window)
		ret = madvise(page_plain(v->object, nr), o->page_size,
			      MADV_REMOVE);
	if (ret)
		fail("object %d: hole: %s", v->object, strerror(errno));
	page_commit(v->object, nr);
	return read_page(v, nr, MEMORY);
}

static bool futex_page(struct view *v, unsigned long nr)
{
	__u32 *p = (__u32 *)(v->p + nr * objects[v->object].page_size);
	__u64 words[NR_WORDS];
	struct timespec none = { };
	long ret;

	memcpy(words, page_plain(v->object, nr), PAGE_SZ);
	ret = syscall(SYS_futex, p, FUTEX_WAIT, (__u32)words[0] + 1, &none,
		      NULL, 0);
	if (ret != -1 || (errno != EAGAIN && errno != EFAULT))
		fail("object %d: FUTEX_WAIT: %ld, %s", v->object, ret,
		     strerror(errno));
	return view_signal(v, errno == EFAULT ? SIGSEGV : 0, false, CROSS);
}

bool page_op(struct view *v, __u64 *random)
{
	unsigned long nr = any(random, objects[v->object].pages);
	enum way way = any(random, 2) ? MEMORY : any(random, NR_WAYS);
	bool alive;

	if (!page_lock(v->object, nr, worker.nr))
		return true;
	switch (any(random, 10)) {
	case 0:
		alive = punch_page(v, nr, any(random, 2));
		break;
	case 1:
		alive = futex_page(v, nr);
		break;
	case 2:
		alive = write_plain(v, nr);
		break;
	case 3: case 4: case 5:
		alive = write_page(v, nr, way);
		break;
	default:
		alive = read_page(v, nr, way);
		break;
	}
	page_unlock(v->object, nr);
	return alive;
}

/*
 * Does a new mapping read there that may have huge pages?  The plain one may not
 * where its address or a table of small pages is in the way.
 */
static bool read_by_huge_page(const struct object *o, unsigned long nr)
{
	size_t bytes = o->pages * o->page_size, room = bytes + HUGE_SZ;
	char *area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_NORESERVE, -1, 0);
	char *p = (char *)(((unsigned long)area + HUGE_SZ - 1) &
			   ~(HUGE_SZ - 1));
	bool reads = false;

	if (area == MAP_FAILED)
		return false;
	if (mmap(p, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, o->fd, 0) == p) {
		madvise(p, bytes, MADV_HUGEPAGE);
		/*
		 * A fault beyond the end is SIGBUS, whatever is there: it gets
		 * mapped by that of a page before it, by a PMD or fault-around.
		 */
		if (nr)
			guarded_load(p + (nr - 1) * o->page_size);
		reads = !guarded_load(p + nr * o->page_size);
	}
	munmap(area, room);
	return reads;
}

/*
 * Read where nothing should be.  Right only if any mapping reads there: whoever
 * maps a file of hugetlbfs for writing makes it as long as the mapping; and a
 * huge page that somebody holds is not split when its file ends within it, but
 * cleared from there on (truncate_inode_partial_folio()) and mapped whole.
 * Which of the two mappings is asked first must not matter, hence the loop.
 */
static void beyond_end(struct view *v, unsigned long first)
{
	char *window = v->p + first * objects[v->object].page_size;
	int i;

	for (i = 0; i < 100; i++) {
		if (!guarded_load(page_plain(v->object, first)) ||
		    read_by_huge_page(&objects[v->object], first))
			return;
		if (guarded_load(window))
			return;
	}
	fail("object %d: page %lu, beyond its end, is in the window only (foreign %d, prot %d)",
	     v->object, first, v->foreign, v->prot);
}

/* The last pages: SIGBUS while they are gone, zeros when they are back. */
void truncate_op(struct view *v, __u64 *random)
{
	const struct object *o = &objects[v->object];
	unsigned long first, nr;
	int sig;

	if (o->fd < 0)
		return;
	first = o->pages - 1 - any(random, o->pages < 16 ? 2 : 16);
	for (nr = o->pages; nr-- > first; ) {
		if (page_lock(v->object, nr, worker.nr))
			continue;
		while (++nr < o->pages)
			page_unlock(v->object, nr);
		return;
	}
	for (nr = first; nr < o->pages; nr++)
		page_begin(v->object, nr, true);
	if (ftruncate(o->fd, first * o->page_size))
		fail("ftruncate: %s", strerror(errno));
	sig = guarded_load(v->p + first * o->page_size);
	if (sig != SIGBUS && sig != SIGSEGV)
		beyond_end(v, first);
	if (sig == SIGSEGV)
		view_signal(v, sig, false, MEMORY);
	if (ftruncate(o->fd, o->pages * o->page_size))
		fail("ftruncate: %s", strerror(errno));
	for (nr = first; nr < o->pages; nr++) {
		page_commit(v->object, nr);
		check_plain(v->object, nr);
		page_unlock(v->object, nr);
	}
}
