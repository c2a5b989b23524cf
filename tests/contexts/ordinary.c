/* SPDX-License-Identifier: PostgreSQL */
/*
 * ordinary.c - every interposed call, on memory that is none of the library's: for syscalls.t, which compares what
 * the kernel is asked for with and without the library.
 *
 * Between two marks nothing is done but these calls.  Threads are left out: they make their calls in any order.
 */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096UL
#define RW	(PROT_READ | PROT_WRITE)

extern char **environ;

/* No descriptor is that large: it can be found in the trace and does nothing. */
static void mark(void)
{
	syscall(SYS_close, 12345);
}

static char *map(int flags, int fd)
{
	char *memory = mmap(NULL, 4 * PAGE, RW, flags, fd, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	*memory = 1;
	return memory;
}

static void change(char *memory)
{
	unsigned char resident[4];

	mprotect(memory, PAGE, PROT_READ);
	pkey_mprotect(memory, PAGE, RW, -1);
	madvise(memory, PAGE, MADV_NORMAL);
	posix_madvise(memory, PAGE, POSIX_MADV_SEQUENTIAL);
	msync(memory, PAGE, MS_ASYNC);
	mlock(memory, PAGE);
	mlock2(memory, PAGE, MLOCK_ONFAULT);
	munlock(memory, PAGE);
	mincore(memory, 4 * PAGE, resident);
	memory = mremap(memory, 4 * PAGE, 2 * PAGE, 0);
	mmap(memory, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	munmap(memory, 2 * PAGE);
}

static void segment(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	void *memory = shmat(id, NULL, 0), *again;
	struct shmid_ds state;

	if (memory == (void *)-1)
		err(1, "shmat");
	shmctl(id, IPC_RMID, NULL);
	again = shmat(id, NULL, SHM_RDONLY);
	shmctl(id, IPC_STAT, &state);
	shmdt(again);
	/* The same place again, now because the program says so. */
	shmdt(shmat(id, again, 0));
	shmdt(memory);
}

static void children(void)
{
	char *arguments[] = { "/bin/true", NULL };
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	child = _Fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	child = vfork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	/* Without the library, which would be loaded anew. */
	unsetenv("LD_PRELOAD");
	if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0)
		waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	int file = open(argc > 1 ? argv[1] : "/proc/self/exe", O_RDWR);
	int memory = memfd_create("ordinary", 0);

	if (file < 0 || ftruncate(file, 4 * PAGE) != 0 || ftruncate(memory, 4 * PAGE) != 0)
		err(1, "a file of %lu bytes", 4 * PAGE);
	mark();
	change(map(MAP_PRIVATE | MAP_ANONYMOUS, -1));
	change(map(MAP_SHARED | MAP_ANONYMOUS, -1));
	change(map(MAP_SHARED, file));
	change(map(MAP_SHARED, memory));
	/* Private, so not ours however large. */
	munmap(mmap(NULL, 1UL << 30, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), 1UL << 30);
	remap_file_pages(NULL, PAGE, 0, 0, 0);
	munlockall();
	free(malloc(64UL << 20));
	segment();
	children();
	mark();
	return 0;
}
