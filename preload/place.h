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

/*
 * Gives back all but the first length bytes from place->addr on.  These are not ours any more once a call was to map
 * something there, even where it failed: some of its failures come after the kernel took the old mapping away, and then it may
 * be another thread's by now.
 */
void place_release(const struct place *place, size_t length);

/*
 * Moves the mapping at `from` to such an address.  It must be empty: see hugetlb_before_move().  Returns the new address, or
 * -errno with the mapping where it was.
 */
long place_move(uintptr_t from, size_t length, size_t alignment, size_t remainder);

#endif
