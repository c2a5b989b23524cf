// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: windows and the regions behind them; see stress_views.h.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "stress_views.h"

#define OBJECT_AT	GB(3)	/* in regions with a name */

static size_t object_bytes(int object)
{
	return objects[object].pages * objects[object].page_size;
}

static bool view_map(struct view *v, size_t bytes, int prot)
{
	v->bytes = bytes;
	v->prot = prot;
	v->base = window(v->fd, bytes, prot, NULL);
	if (v->base != MAP_FAILED)
		return true;
	v->base = NULL;
	close(v->fd);
	return false;
}

/* The region of the object itself. */
static void open_object(struct view *v, const char *from, int prot)
{
	size_t bytes = object_bytes(v->object);
	__u32 flags = MSHARE_OBJECT_CLOEXEC | any(&worker.random, 8) << 1;
	struct mshare_stat st;

	v->fd = object_open(root, from, bytes,
			    flags & (MSHARE_OBJECT_CLOEXEC |
				     MSHARE_OBJECT_HUGEPAGE |
				     MSHARE_OBJECT_POPULATE));
	if (v->fd < 0) {
		/* Populating what is being truncated. */
		if (errno != EFAULT && errno != ENOMEM && errno != EINTR)
			fail("object %d: open: %s", v->object, strerror(errno));
		return;
	}
	if (region_stat(v->fd, &st)) {
		fail("MSHAREFS_STAT: %s", strerror(errno));
		return;
	}
	if (!view_map(v, st.region_bytes, prot)) {
		fail("object %d: mmap: %s", v->object, strerror(errno));
		return;
	}
	v->p = v->base + st.object_offset;
}

/* A mapping that allows no more than reading. */
static void open_readonly(struct view *v)
{
	const struct object *o = &objects[v->object];
	char *p = mmap(NULL, object_bytes(v->object), PROT_READ, MAP_SHARED,
		       o->readonly, 0);

	if (p == MAP_FAILED)
		return;
	open_object(v, p, PROT_READ);
	munmap(p, object_bytes(v->object));
}

static void region_name(char *name, unsigned int nr, int object)
{
	sprintf(name, "w%u.%d", nr, object);
}

/* A region that this worker owns, if it has none that shows this object. */
static void open_own(struct view *v)
{
	char name[32];

	region_name(name, worker.nr, v->object);
	v->fd = region_create(root, name, SLOT);
	if (v->fd < 0)
		return;
	if (create_mapping(v->fd, OBJECT_AT, object_bytes(v->object), 0, RW,
			   REGION_FLAGS, objects[v->object].fd)) {
		fail("MSHAREFS_CREATE_MAPPING: %s", strerror(errno));
		return;
	}
	v->own = view_map(v, SLOT, RW);
	if (v->own)
		v->p = v->base + OBJECT_AT;
}

/* One that any worker owns, or has owned. */
static void open_foreign(struct view *v)
{
	char name[32];

	region_name(name, any(&worker.random, MAX_PROCS), v->object);
	v->fd = openat(root, name, O_RDWR | O_CLOEXEC);
	if (v->fd < 0)
		return;
	if (view_map(v, SLOT, any(&worker.random, 4) ? RW : PROT_READ))
		v->p = v->base + OBJECT_AT;
	v->foreign = true;
}

void view_open(struct view *v)
{
	bool file;

	memset(v, 0, sizeof(*v));
	v->object = any(&worker.random, NR_OBJECTS);
	if (!objects[v->object].pages)
		return;
	file = objects[v->object].fd >= 0;
	switch (any(&worker.random, file ? 8 : 3)) {
	case 3: case 4:
		open_own(v);
		break;
	case 5: case 6:
		open_foreign(v);
		break;
	case 7:
		open_readonly(v);
		break;
	default:
		open_object(v, objects[v->object].plain,
			    any(&worker.random, 4) ? RW : PROT_READ);
		break;
	}
}

/* The name goes with the owner's window: others may still have it open. */
void view_close(struct view *v)
{
	char name[32];

	region_name(name, worker.nr, v->object);
	if (v->own && unlinkat(root, name, 0))
		fail("unlink %s: %s", name, strerror(errno));
	if (munmap(v->base, v->bytes))
		fail("munmap: %s", strerror(errno));
	close(v->fd);
	memset(v, 0, sizeof(*v));
}

/* Read-only regions and descriptors: EACCES for PROT_WRITE. */
void view_protect(struct view *v)
{
	static const int prots[] = { RW, RW, PROT_READ, PROT_NONE };
	int prot = prots[any(&worker.random, 4)];

	if (!mprotect(v->base, v->bytes, prot))
		v->prot = prot;
	else if (errno != EACCES || !(prot & PROT_WRITE))
		fail("mprotect: %s", strerror(errno));
}

static int protect_all(struct view *v, int prot)
{
	int ret = region_protect(v->fd, OBJECT_AT, object_bytes(v->object),
				 prot);

	if (ret)
		fail("MSHAREFS_PROTECT: %s", strerror(errno));
	return ret;
}

void view_region_protect(struct view *v)
{
	if (!v->own) {
		if (!v->foreign && (!region_protect(v->fd, v->p - v->base,
						    objects[v->object].page_size,
						    PROT_READ) ||
				    (errno != EPERM && errno != EBADF)))
			fail("MSHAREFS_PROTECT of an object: %s",
			     strerror(errno));
		return;
	}
	if (protect_all(v, PROT_NONE))
		return;
	if (guarded_load(v->p) != SIGSEGV)
		fail("read after MSHAREFS_PROTECT to PROT_NONE");
	protect_all(v, RW);
	page_op(v, &worker.random);
}

/* Memory of a region that has no other user */

static void scratch_check(char *p, int fd)
{
	size_t bytes = PAGE_SZ * (1 + any(&worker.random, 64));
	char value = any(&worker.random, 100) + 1;

	if (create_anon(fd, GB(7), bytes)) {
		fail("anonymous memory: %s", strerror(errno));
		return;
	}
	fill(p, bytes, value);
	if (any(&worker.random, 2))
		madvise(p, bytes, MADV_PAGEOUT);
	if (!filled(p, bytes, value))
		fail("anonymous memory has changed");
	if (unmap(fd, GB(7), bytes))
		fail("MSHAREFS_UNMAP: %s", strerror(errno));
	if (guarded_load(p) != SIGSEGV)
		fail("read after MSHAREFS_UNMAP");
}

void scratch_region(struct view *unused)
{
	char name[32], *base;
	int i, fd;

	sprintf(name, "s%u", worker.nr);
	fd = region_create(root, name, SLOT);
	if (fd < 0) {
		fail("create: %s", strerror(errno));
		return;
	}
	base = window(fd, SLOT, RW, NULL);
	if (base == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	if (unlinkat(root, name, 0))
		fail("unlink: %s", strerror(errno));
	for (i = 0; base != MAP_FAILED && i < 4; i++)
		scratch_check(base + GB(7), fd);
	munmap(base, SLOT);
	close(fd);
}

/* An object that only its region holds at last. */
static void private_check(char *plain, size_t bytes, bool sysv)
{
	int fd = object_open(root, plain, bytes, MSHARE_OBJECT_CLOEXEC);
	char value = any(&worker.random, 100) + 1, *p;

	if (fd < 0) {
		fail("private object: %s", strerror(errno));
		return;
	}
	fill(plain, bytes, value);
	p = object_window(fd, RW, NULL);
	close(fd);
	if (sysv)
		shmdt(plain);
	else
		munmap(plain, bytes);
	if (p == MAP_FAILED || !filled(p, bytes, value))
		fail("private object: not what it held");
	/* Its window is the slot around it. */
	munmap((char *)((uintptr_t)p / SLOT * SLOT), SLOT);
}

void private_object(struct view *unused)
{
	size_t bytes = PAGE_SZ * (1 + any(&worker.random, 256));
	char *p;
	int id;

	if (any(&worker.random, 2)) {
		p = shared_anon(bytes);
		if (p != MAP_FAILED)
			private_check(p, bytes, false);
		return;
	}
	/* With a key, so that it is found when this worker is killed here. */
	id = shmget(KEY_BASE + worker.nr, bytes, IPC_CREAT | IPC_EXCL | 0600);
	p = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (id < 0 || p == (char *)-1)
		fail("private segment: %s", strerror(errno));
	else
		private_check(p, bytes, true);
}

static int short_owner(void *arg)
{
	char *name = arg, *p;
	int fd = region_create(root, name, SLOT);

	if (fd < 0 || create_anon(fd, 0, MB(1)))
		return 1;
	p = window(fd, SLOT, RW, NULL);
	if (p == MAP_FAILED)
		return 1;
	fill(p, MB(1), 1);
	if (any(&worker.random, 2))
		raise(SIGKILL);
	return 0;
}

/* Its owner has exited: nothing is left of a region but the file. */
void owner_exit(struct view *unused)
{
	char name[32], *p;
	int fd, status;

	sprintf(name, "o%u", worker.nr);
	status = child_wait(child_run(short_owner, name));
	if (status && status != 128 + SIGKILL)
		fail("short owner: status %d", status);
	fd = openat(root, name, O_RDWR | O_CLOEXEC);
	unlinkat(root, name, 0);
	p = window(fd, SLOT, RW, NULL);
	if (p == MAP_FAILED || guarded_load(p) != SIGSEGV)
		fail("region without an owner: read, or not mapped: %s",
		     strerror(errno));
	if (create_anon(fd, 0, PAGE_SZ) != -1 || errno != EOWNERDEAD)
		fail("region without an owner: not EOWNERDEAD");
	munmap(p, SLOT);
	close(fd);
}
