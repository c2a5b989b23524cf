/* SPDX-License-Identifier: PostgreSQL */
/*
 * malloc.c - a program with a malloc of its own: no memory call of it comes to that, nor to any other, and it stays
 * the one that everybody gets.
 * Expects: redirected=42 demoted=2
 */
#include <stdalign.h>
#include <stddef.h>

#include "snippet.h"

/* More than the library's static table holds */
#define MANY	40

static alignas(max_align_t) char arena[8 * MEGA];
static size_t used;
static volatile bool watching;
static volatile unsigned int calls;

/* What is freed is lost; the size is in front of each block. */
void *malloc(size_t size)
{
	size_t *block = (size_t *)(arena + used);

	calls += watching;
	if (size > sizeof(arena) - used - 64)
		return NULL;
	used += (size + 2 * alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	*block = size;
	return (char *)block + alignof(max_align_t);
}

void free(void *block)
{
	calls += watching && block != NULL;
}

void *calloc(size_t count, size_t size)
{
	/* An arena's memory is zero, and handed out once. */
	return count != 0 && size > sizeof(arena) / count ? NULL : malloc(count * size);
}

void *realloc(void *old, size_t size)
{
	char *block = malloc(size);

	if (block != NULL && old != NULL) {
		size_t known = *(size_t *)((char *)old - alignof(max_align_t));

		memcpy(block, old, known < size ? known : size);
	}
	return block;
}

static int failures;

static void need(bool good)
{
	failures += !good;
}

static void many_mappings(void)
{
	char *memory[MANY];

	for (int i = 0; i < MANY; i++)
		need((memory[i] = mmap(NULL, MEGA, RW, SHARED, -1, 0)) != MAP_FAILED);
	for (int i = 0; i < MANY; i++)
		*memory[i] = (char)i;
	for (int i = 0; i < MANY; i++)
		need(*memory[i] == (char)i && munmap(memory[i], MEGA) == 0);
}

static void changes(void)
{
	char *memory = mmap(NULL, SIZE, RW, SHARED, -1, 0);

	need(msync(memory, SIZE, MS_SYNC) == 0);
	need(madvise(memory, SIZE, MADV_WILLNEED) == 0);
	need(mprotect(memory, SIZE, PROT_READ) == 0);
	need(mprotect(memory, PAGE, RW) == 0);
	need(mremap(memory, SIZE, SIZE / 2, 0) == memory);
	need(munmap(memory, SIZE / 2) == 0);
}

static void segment(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	char *memory = shmat(id, NULL, 0);
	pid_t child;
	int status;

	need(shmctl(id, IPC_RMID, NULL) == 0);
	*memory = 1;
	/* fork() itself may use malloc: it is the library's part of it that is watched. */
	child = _Fork();
	if (child == 0) {
		*memory = 2;
		need(mlock(memory, SIZE) == 0 || errno == ENOMEM || errno == EPERM);
		_exit(calls != 0 || failures != 0);
	}
	need(waitpid(child, &status, 0) == child && status == 0 && *memory == 2);
	need(mlock(memory, SIZE) == 0 || errno == ENOMEM || errno == EPERM);
	need(shmdt(memory) == 0);
}

int main(void)
{
	void *(*everybodys)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");

	printf("malloc is the program's own: %d\n", everybodys == malloc);
	watching = true;
	many_mappings();
	changes();
	segment();
	watching = false;
	printf("%u calls of malloc and free, %d failures\n", calls, failures);
	return 0;
}
