// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: the objects that workers show in regions; see stress.h.
 */
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "stress.h"

#define SMALL_BYTES	(MAX_PAGES * PAGE_SZ)
#define HUGE_PAGES	6

struct object objects[NR_OBJECTS];

static int reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void add(int nr, int fd, char *plain, size_t bytes, size_t page_size)
{
	struct object *o = &objects[nr];

	o->fd = fd;
	o->readonly = fd >= 0 ? reopen(fd) : -1;
	o->plain = plain;
	o->page_size = page_size;
	o->pages = plain == MAP_FAILED ? 0 : bytes / page_size;
}

static void add_file(int nr, int fd, size_t bytes, size_t page_size)
{
	char *plain = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, bytes))
		plain = mmap(NULL, bytes, RW, MAP_SHARED, fd, 0);
	add(nr, fd, plain, bytes, page_size);
}

static char *sysv_attach(void)
{
	int id = shmget(IPC_PRIVATE, SMALL_BYTES, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0);

	shmctl(id, IPC_RMID, NULL);
	return p;
}

const char *objects_make(bool huge)
{
	add(ANON, -1, shared_anon(SMALL_BYTES), SMALL_BYTES, PAGE_SZ);
	add(SYSV, -1, sysv_attach(), SMALL_BYTES, PAGE_SZ);
	add_file(MEMFD, memfd_create("stress", MFD_CLOEXEC), SMALL_BYTES,
		 PAGE_SZ);
	add_file(TMPFS, open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
		 SMALL_BYTES, PAGE_SZ);
	if (!objects[ANON].pages || !objects[SYSV].pages ||
	    !objects[MEMFD].pages || !objects[TMPFS].pages)
		return strerror(errno);
	if (huge)
		add_file(HUGETLB, memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB),
			 HUGE_PAGES * HUGE_SZ, HUGE_SZ);
	if (huge && !objects[HUGETLB].pages)
		return strerror(errno);
	return NULL;
}

void objects_drop(void)
{
	int i;

	for (i = 0; i < NR_OBJECTS; i++) {
		struct object *o = &objects[i];

		if (!o->pages)
			continue;
		if (i == SYSV)
			shmdt(o->plain);
		else
			munmap(o->plain, o->pages * o->page_size);
		if (o->fd >= 0) {
			close(o->fd);
			close(o->readonly);
		}
	}
}
