// SPDX-License-Identifier: PostgreSQL
/*
 * storm-object.c - the shared object of sga-storm.
 *
 * It is far larger than memory, and so are 300 GB of shared buffers in the machine that has them compared with
 * the one that shows what their page tables cost.  Only one page of each stride is ever touched; so nothing is
 * reserved, and the object is as large in memory as what was written to it.
 */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define ADVICE	"; is vm.overcommit_memory 2, or kernel.shmmax, kernel.shmall or ulimit -v smaller than that?"

static void *object_sysv(uint64_t size)
{
	void *addr;
	int id;

	id = shmget(IPC_PRIVATE, size, 0600 | SHM_NORESERVE);
	if (id < 0)
		storm_die(2, "shmget of %s: %s" ADVICE, storm_size(size), strerror(errno));
	addr = shmat(id, NULL, 0);
	/* From now on it goes with its last process. */
	shmctl(id, IPC_RMID, NULL);
	if (addr == (void *)-1)
		storm_die(2, "shmat of %s: %s" ADVICE, storm_size(size), strerror(errno));
	return addr;
}

static void *object_mmap(uint64_t size, int fd)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (addr == MAP_FAILED)
		storm_die(2, "mmap of %s: %s" ADVICE, storm_size(size), strerror(errno));
	return addr;
}

static void *object_file(uint64_t size, const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	void *addr;

	if (fd < 0)
		storm_die(2, "--dir: cannot make a file in \"%s\": %s", dir, strerror(errno));
	if (ftruncate(fd, size))
		storm_die(2, "--dir: a file of %s in \"%s\": %s", storm_size(size), dir, strerror(errno));
	addr = object_mmap(size, fd);
	close(fd);
	return addr;
}

/* The memory, as an array of words.  Call it with signals blocked: a SysV segment has a name for a moment. */
uint64_t *storm_object(const struct storm_options *options)
{
	switch (options->type) {
	case STORM_SYSV: return object_sysv(options->size);
	case STORM_MMAP: return object_mmap(options->size, -1);
	case STORM_FILE: return object_file(options->size, options->dir);
	}
	return NULL;
}
