/* SPDX-License-Identifier: PostgreSQL */
/*
 * place.h - addresses with an alignment that the kernel does not choose by itself.
 *
 * A place is reserved by a mapping that costs a vma and neither memory nor commit charge: what was reserved, no other
 * thread's mmap() can get.  Then something is mapped over it, and what is left over is given back.
 */
#ifndef MSHARE_PLACE_H
#define MSHARE_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define PLACE_HOLDER	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

struct place {
	uintptr_t addr;		/* the address wanted */
	uintptr_t start;	/* what is reserved */
	size_t bytes;
};

/* Room for length bytes at an address that is `remainder` more than a multiple of alignment.  0 or -errno. */
long place_reserve(struct place *place, size_t length, size_t alignment, size_t remainder);

/* Gives back all but the first length bytes from place->addr on; 0: all. */
void place_release(const struct place *place, size_t length);

#endif
