/* SPDX-License-Identifier: PostgreSQL */
/*
 * syscalls.c - memory calls by syscall(), which is how libnuma makes them too, and calls without a function in glibc.
 * Expects: redirected=7 demoted=4
 */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "snippet.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif
#define MPOL_PREFERRED	1
#define MPOL_F_ADDR	2

static char *map(void)
{
	return SHOW_ADDRESS((void *)syscall(SYS_mmap, NULL, SIZE, RW, SHARED, -1, 0L), NULL);
}

static void basic(void)
{
	unsigned char vec[SIZE / PAGE];
	char *memory = map(), *moved;

	fill(memory, SIZE, 1);
	SHOW(syscall(SYS_mprotect, memory, SIZE, PROT_READ));
	SHOW_ACCESS(memory);
	SHOW(syscall(SYS_mprotect, memory, SIZE, 0x7f0));
	SHOW(syscall(SYS_mprotect, memory, SIZE, RW));
	SHOW(syscall(SYS_mincore, memory, SIZE, vec));
	SHOW(syscall(SYS_msync, memory, SIZE, MS_SYNC));
	SHOW(syscall(SYS_madvise, memory, SIZE, MADV_WILLNEED));
	SHOW(syscall(SYS_madvise, memory, SIZE, 1000));
	SHOW(syscall(SYS_munlock, memory, SIZE));
	moved = SHOW_ADDRESS((void *)syscall(SYS_mremap, memory, SIZE, SIZE / 2, 0, NULL), memory);
	printf("%zu wrong\n", wrong_pages(moved, SIZE / 2, 1));
	SHOW_ACCESS(memory + SIZE / 2);
	SHOW(syscall(SYS_munmap, moved, SIZE / 2));
	SHOW_ADDRESS((void *)syscall(SYS_mmap, NULL, 0, RW, SHARED, -1, 0L), NULL);
}

static void segment(void)
{
	int id = (int)syscall(SYS_shmget, IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	char *memory = SHOW_ADDRESS((void *)syscall(SYS_shmat, id, NULL, 0), NULL);

	SHOW(shmctl(id, IPC_RMID, NULL));
	fill(memory, SIZE, 2);
	printf("nattch %ld\n", nattch(id));
	SHOW(syscall(SYS_shmdt, memory + PAGE));
	SHOW(syscall(SYS_shmdt, memory));
	printf("nattch %ld\n", nattch(id));
}

static void show_policy(const char *memory)
{
	int mode = -1;

	SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0L, memory, (unsigned long)MPOL_F_ADDR));
	printf("mode %d\n", mode);
}

/* On node 0, which is always there. */
static void policies(void)
{
	unsigned long nodes = 1;
	char *memory = map();

	fill(memory, SIZE, 3);
	SHOW(syscall(SYS_mbind, memory, SIZE, MPOL_PREFERRED, &nodes, 8L, 0));
	show_policy(memory);
	SHOW(syscall(SYS_mbind, memory + 1, SIZE, MPOL_PREFERRED, &nodes, 8L, 0));
	SHOW(syscall(SYS_mbind, memory, SIZE, 77, &nodes, 8L, 0));
	SHOW(syscall(SYS_mbind, memory + 2 * MEGA, 2 * MEGA, 0, NULL, 0L, 0));
	show_policy(memory);
	show_policy(memory + 2 * MEGA);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 3));
	SHOW(syscall(SYS_munmap, memory, SIZE));
}

static void pages(void)
{
	char *memory = map();
	void *addresses[] = { memory, memory + MEGA, memory + 2 * MEGA };
	int status[] = { -1, -1, -1 };

	fill(memory, 2 * MEGA, 4);
	SHOW(syscall(SYS_move_pages, 0, 2L, addresses, NULL, status, 0));
	printf("%d %d\n", status[0], status[1]);
	SHOW(syscall(SYS_move_pages, 0, 2L, (void *)16, NULL, status, 0));
	SHOW(syscall(SYS_move_pages, 0, 2L, NULL, NULL, status, 0));
	SHOW(syscall(SYS_move_pages, 0, 0L, NULL, NULL, status, 0));
	printf("%zu wrong\n", wrong_pages(memory, 2 * MEGA, 4));
	SHOW(munmap(memory, SIZE));
}

static void advised(void)
{
	char *memory = map();
	struct iovec ranges[] = { { memory, MEGA }, { memory + 2 * MEGA, MEGA }, { memory + 1, PAGE } };
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	fill(memory, SIZE, 5);
	SHOW(syscall(SYS_process_madvise, pidfd, ranges, 2L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, ranges, 3L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, ranges + 2, 1L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, ranges, 2L, MADV_COLD, 1));
	SHOW(syscall(SYS_process_madvise, pidfd, ranges, 2L, MADV_HWPOISON, 0));
	SHOW(syscall(SYS_process_madvise, -1, ranges, 2L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, (void *)16, 2L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, NULL, 2L, MADV_COLD, 0));
	SHOW(syscall(SYS_process_madvise, pidfd, NULL, 0L, MADV_COLD, 0));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 5));
	SHOW(close(pidfd));
	SHOW(munmap(memory, SIZE));
}

/* What is sealed stays until the process ends. */
static void sealed(void)
{
	char *memory = map();

	fill(memory, SIZE, 6);
	SHOW(syscall(SYS_mseal, memory, 2 * MEGA, 1L));
	SHOW(syscall(SYS_mseal, memory, 2 * MEGA, 0L));
	SHOW(munmap(memory, SIZE));
	SHOW(mprotect(memory, 2 * MEGA, PROT_READ));
	SHOW(mprotect(memory + 2 * MEGA, 2 * MEGA, PROT_READ));
	SHOW_ACCESS(memory);
	SHOW_ACCESS(memory + 2 * MEGA);
}

static int in_child(void *memory)
{
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 7));
	fill(memory, SIZE, 8);
	SHOW(munmap((char *)memory + 2 * MEGA, 2 * MEGA));
	fflush(stdout);
	return 3;
}

static void wait_for(long child)
{
	int status = -1;

	printf("%d ", waitpid((pid_t)child, &status, 0) == child);
	printf("ended with %d\n", status);
}

/* Children of which no handler of pthread_atfork() hears; and one that shares our memory, on a stack of its own. */
static void children(void)
{
	static char stack[256 << 10] __attribute__((aligned(16)));
	char *memory = map();
	long child;

	for (int way = 0; way < 3; way++) {
		fill(memory, SIZE, 7);
		fflush(stdout);
		if (way == 0)
			child = clone(in_child, stack + sizeof(stack), SIGCHLD, memory);
		else
			child = way == 1 ? syscall(SYS_fork) : syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
		if (child == 0)
			_exit(in_child(memory));
		wait_for(child);
		printf("%zu wrong\n", wrong_pages(memory, SIZE, 8));
	}
	fflush(stdout);
	SHOW(syscall(SYS_close, 12345));
	printf("%d\n", syscall(SYS_getpid) == getpid());
	SHOW(syscall(100000));
	SHOW(munmap(memory, SIZE));
}

int main(void)
{
	basic();
	segment();
	policies();
	pages();
	advised();
	sealed();
	children();
	return 0;
}
