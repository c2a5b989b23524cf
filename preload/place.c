/* SPDX-License-Identifier: PostgreSQL */
/*
 * place.c - addresses with an alignment that the kernel does not choose by itself.
 */
#include "place.h"

#include "real.h"

/* Other threads are fast, but not that often. */
#define TRIES	8

/* An address that is free, or was a moment ago. */
static long find(const struct place *place)
{
	size_t bytes = round_up(place->length, PAGE_BYTES) + place->alignment;
	long start;

	if (place->length > SIZE_MAX / 2)
		return -ENOMEM;
	start = real_mmap(0, bytes, PROT_NONE, PLACE_HOLDER, -1, 0);
	if (failed(start))
		return start;
	real_munmap((uintptr_t)start, bytes);
	return (long)(round_up((uintptr_t)start - place->remainder, place->alignment) + place->remainder);
}

long place_map(const struct place *place, place_mapper map, const void *what)
{
	long addr = -ENOMEM;

	for (int try = 0; try < TRIES; try++) {
		addr = find(place);
		if (failed(addr))
			return addr;
		addr = map(what, (uintptr_t)addr);
		if (addr != -EEXIST && addr != -EINVAL)
			return addr;
	}
	return addr;
}
