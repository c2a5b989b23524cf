/* SPDX-License-Identifier: PostgreSQL */
/*
 * heap.h - memory of the library's own.
 *
 * The program's malloc is neither used, because it may be what called us, nor replaced.  Nothing is allocated, and
 * no page touched, before the first call.  Called with the attachment table locked.
 */
#ifndef MSHARE_HEAP_H
#define MSHARE_HEAP_H

#include <stddef.h>

/* Whole pages, all zero, for good; NULL: no memory.  errno is not changed. */
void *heap_allocate(size_t bytes);

#endif
