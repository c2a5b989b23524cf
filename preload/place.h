/* SPDX-License-Identifier: PostgreSQL */
/*
 * place.h - addresses with an alignment that the kernel does not choose by itself.
 *
 * They are looked for, and then mapped at only if still free.  Not kept by a mapping of ours over which the other is made:
 * where that fails late (too few huge pages: the normal case), the kernel has taken ours away before, and another
 * thread may have the addresses by the time that we give them back.  Nor moved there by mremap(): of huge pages, Linux
 * up to at least 6.18 refuses to move 4 GB (an int in move_hugetlb_page_tables()), and can deadlock if any are there.
 */
#ifndef MSHARE_PLACE_H
#define MSHARE_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/* A mapping that costs a vma and neither memory nor commit charge, and keeps others' mmap() away. */
#define PLACE_HOLDER	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Room for length bytes at an address that is `remainder` more than a multiple of alignment. */
struct place {
	size_t length;
	size_t alignment;
	size_t remainder;
};

/* Maps `what` at addr, or fails with EEXIST or EINVAL if anything is there.  Returns the address or -errno. */
typedef long (*place_mapper)(const void *what, uintptr_t addr);

/* The address or -errno, with nothing changed. */
long place_map(const struct place *place, place_mapper map, const void *what);

#endif
