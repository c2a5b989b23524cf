/* SPDX-License-Identifier: PostgreSQL */
/*
 * deepbound.c - a library for deepbind.c: opened with RTLD_DEEPBIND its calls go to libc, past the library.
 */
#include "deepbound.h"

#include <sys/mman.h>

char *deep_map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

int deep_unmap(char *memory, size_t size)
{
	return munmap(memory, size);
}

int deep_protect(char *memory, size_t size, int prot)
{
	return mprotect(memory, size, prot);
}
