/* SPDX-License-Identifier: PostgreSQL */
/*
 * heap.c - memory of the library's own.
 */
#include "heap.h"

#include <sys/mman.h>

#include "real.h"

void *heap_allocate(size_t bytes)
{
	long memory = real_mmap(0, round_up(bytes, PAGE_BYTES), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return failed(memory) ? NULL : (void *)memory;
}
