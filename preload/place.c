/* SPDX-License-Identifier: PostgreSQL */
/*
 * place.c - addresses with an alignment that the kernel does not choose by itself.
 */
#include "place.h"

#include "real.h"

long place_reserve(struct place *place, size_t length, size_t alignment, size_t remainder)
{
	long start;

	if (length > SIZE_MAX / 2)
		return -ENOMEM;
	length = round_up(length, PAGE_BYTES) + alignment;
	start = real_mmap(0, length, PROT_NONE, PLACE_HOLDER, -1, 0);
	if (failed(start))
		return start;
	*place = (struct place){ .start = (uintptr_t)start, .bytes = length };
	place->addr = round_up(place->start - remainder, alignment) + remainder;
	return 0;
}

void place_release(const struct place *place, size_t length)
{
	uintptr_t end = place->start + place->bytes;

	if (place->addr > place->start)
		real_munmap(place->start, place->addr - place->start);
	length = round_up(length, PAGE_BYTES);
	if (place->addr + length < end)
		real_munmap(place->addr + length, end - place->addr - length);
}

long place_move(uintptr_t from, size_t length, size_t alignment, size_t remainder)
{
	struct place place;
	long addr;

	if (from % alignment == remainder)
		return (long)from;
	addr = place_reserve(&place, length, alignment, remainder);
	if (failed(addr))
		return addr;
	addr = real_mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place.addr);
	place_release(&place, length);
	return addr;
}
