// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: what workers do, apart from single pages; see stress.h.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "stress.h"
#include "stress_views.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

struct worker worker;

static void pages(struct view *v)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (page_op(v, &worker.random))
			continue;
		view_close(v);
		return;
	}
}

static void truncate_tail(struct view *v)
{
	truncate_op(v, &worker.random);
}

/* Advice that changes no contents, by the window and on the region. */
static void advise(struct view *v)
{
	static const int advice[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_COLLAPSE, MADV_DONTNEED, MADV_NORMAL, MADV_RANDOM,
		MADV_SEQUENTIAL,
	};
	const struct object *o = &objects[v->object];
	int what = advice[any(&worker.random, ARRAY_SIZE(advice))];
	unsigned long first = any(&worker.random, o->pages);
	unsigned long nr = 1 + any(&worker.random, o->pages - first);
	char *p = v->p + first * o->page_size;

	if (any(&worker.random, 2)) {
		first = 0;
		nr = o->pages;
		p = v->p;
	}
	/* All of these may fail, for want of memory or while it is truncated. */
	switch (any(&worker.random, 3)) {
	case 0:
		madvise(p, nr * o->page_size, what);
		break;
	case 1:
		/* All of it: in two vmas it could not be opened any more. */
		madvise(o->plain, o->pages * o->page_size, what);
		break;
	default:
		region_advise(v->fd, p - v->base, nr * o->page_size, what);
		break;
	}
}

static void lock_populate(struct view *v)
{
	const struct object *o = &objects[v->object];
	size_t bytes = o->pages * o->page_size;

	switch (any(&worker.random, 4)) {
	case 0:
		region_lock(v->fd, v->p - v->base, bytes, 1);
		break;
	case 1:
		region_lock(v->fd, v->p - v->base, bytes, 0);
		break;
	case 2:
		region_populate(v->fd, v->p - v->base, bytes);
		break;
	default:
		mlock(v->p, bytes);
		break;
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0;
	close(fd);
}

static void migrate(struct view *v)
{
	const struct object *o = &objects[v->object];
	int nodes[16], status[16], i;
	void *page[16];

	if (!any(&worker.random, 8)) {
		write_file("/proc/sys/vm/compact_memory", "1");
		return;
	}
	for (i = 0; i < 16; i++) {
		page[i] = (any(&worker.random, 2) ? v->p : o->plain) +
			any(&worker.random, o->pages) * o->page_size;
		nodes[i] = any(&worker.random, 2);
	}
	syscall(SYS_move_pages, 0, 16UL, page,
		any(&worker.random, 3) ? nodes : NULL, status, 1 << 1);
}

static void slurp(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC), reads = 0;

	if (fd < 0)
		return;
	while (read(fd, text, sizeof(text)) > 0 && ++reads < 256)
		;
	close(fd);
}

static void look(struct view *v)
{
	char path[64];
	__u64 entries[64];
	int fd;

	switch (any(&worker.random, 6)) {
	case 0:
		slurp("/proc/self/smaps");
		break;
	case 1:
		slurp("/proc/self/smaps_rollup");
		break;
	case 2:
		slurp("/proc/self/numa_maps");
		break;
	case 3:
		slurp(MSHARE_MNT "/mshare_regions");
		break;
	case 4:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", v->fd);
		slurp(path);
		break;
	default:
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		if (pread(fd, entries, sizeof(entries),
			  (uintptr_t)v->p / PAGE_SZ * 8) < 0)
			fail("pagemap: %s", strerror(errno));
		close(fd);
		break;
	}
}

static void try_umount(struct view *v)
{
	if (!umount2(MSHARE_MNT, 0) || errno != EBUSY)
		fail("umount in use: %s", strerror(errno));
}

/* Children, all of them gone when the operation is over */

static int child_pages(void *arg)
{
	struct view *v = arg;
	int i;

	worker.random ^= getpid();
	for (i = 0; i < 30 && page_op(v, &worker.random); i++)
		;
	if (any(&worker.random, 2))
		munmap(v->base, v->bytes);
	return 0;
}

static void fork_child(struct view *v)
{
	bool killed = any(&worker.random, 2);
	pid_t pid = child_run(child_pages, v);
	int status;

	if (pid < 0)
		return;
	if (!killed) {
		status = child_wait(pid);
		if (status)
			fail("child: status %d", status);
		return;
	}
	usleep(any(&worker.random, 20000));
	child_kill(pid);
	pages_repair(worker.nr);
}

static int child_exec(void *arg)
{
	execl("/bin/true", "true", NULL);
	return 1;
}

static void exec_child(struct view *v)
{
	int status = child_wait(child_run(child_exec, NULL));

	if (status)
		fail("exec: status %d", status);
}

struct thread {
	pthread_t id;
	struct view *view;
	__u64 random;
};

static void *thread_pages(void *arg)
{
	struct thread *t = arg;
	int i;

	for (i = 0; i < 30 && page_op(t->view, &t->random); i++)
		;
	return NULL;
}

static void threads(struct view *v)
{
	struct thread t[3];
	int i, nr;

	for (nr = 0; nr < 3; nr++) {
		t[nr].view = v;
		t[nr].random = worker.random ^ (nr + 1) * 0x9e3779b9ULL;
		if (pthread_create(&t[nr].id, NULL, thread_pages, &t[nr]))
			break;
	}
	for (i = 0; i < nr; i++)
		pthread_join(t[i].id, NULL);
}

struct op {
	const char *name;
	unsigned int weight;
	void (*fn)(struct view *v);
};

static const struct op ops[] = {
	{ "pages", 40, pages },
	{ "truncate", 8, truncate_tail },
	{ "advise", 20, advise },
	{ "lock, populate", 5, lock_populate },
	{ "migrate", 5, migrate },
	{ "look", 6, look },
	{ "umount", 2, try_umount },
	{ "fork", 6, fork_child },
	{ "exec", 2, exec_child },
	{ "threads", 5, threads },
	{ "mprotect", 8, view_protect },
	{ "PROTECT", 4, view_region_protect },
	{ "close", 8, view_close },
	{ "scratch region", 4, scratch_region },
	{ "private object", 4, private_object },
	{ "owner exit", 3, owner_exit },
};

static const struct op *any_op(void)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		sum += ops[i].weight;
	at = any(&worker.random, sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return &ops[i];
}

int worker_run(unsigned int nr, unsigned int generation)
{
	const struct op *op;
	struct view *v;

	worker.nr = nr;
	worker.random = seed ^ (nr + 1) * 0x9e3779b97f4a7c15ULL ^
		(__u64)generation << 32;
	faults_catch();
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&shared->failed, __ATOMIC_RELAXED)) {
		v = &worker.views[any(&worker.random, NR_VIEWS)];
		worker.op = "open";
		if (!v->base)
			view_open(v);
		if (!v->base)
			continue;
		op = any_op();
		worker.op = op->name;
		op->fn(v);
		/* Exit, with all that is mapped. */
		if (!any(&worker.random, 500))
			return 0;
	}
	return 0;
}
