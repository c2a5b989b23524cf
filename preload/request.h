/* SPDX-License-Identifier: PostgreSQL */
/*
 * request.h - an mmap() that a program made.
 */
#ifndef MSHARE_REQUEST_H
#define MSHARE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "attach.h"
#include "real.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#ifndef MAP_HUGE_MASK
#define MAP_HUGE_MASK	0x3f
#endif

#define FIXED_FLAGS	(MAP_FIXED | MAP_FIXED_NOREPLACE)

#define HUGE_2MB	(2UL << 20)
#define HUGE_1GB	(1UL << 30)

struct map_request {
	uintptr_t addr;
	size_t length;
	int prot;
	int flags;
	int fd;
	long offset;
};

static inline long request_plain(const struct map_request *request)
{
	return real_mmap(request->addr, request->length, request->prot, request->flags, request->fd,
			 request->offset);
}

/* The same at another address, if nothing is there: a place_mapper. */
static inline long request_there(const void *what, uintptr_t addr)
{
	const struct map_request *request = (const struct map_request *)what;

	return real_mmap(addr, request->length, request->prot, request->flags | MAP_FIXED_NOREPLACE, request->fd,
			 request->offset);
}

static inline bool request_is_file(const struct map_request *request)
{
	return !(request->flags & MAP_ANONYMOUS);
}

static inline enum attach_kind request_kind(const struct map_request *request)
{
	return request_is_file(request) ? ATTACH_FILE : ATTACH_MMAP;
}

/* Where in the file it starts; what is anonymous starts at its own start. */
static inline uint64_t request_offset(const struct map_request *request)
{
	return request_is_file(request) ? (uint64_t)request->offset : 0;
}

/* Does the caller want the memory faulted in?  What may not be accessed is not. */
static inline bool request_populates(const struct map_request *request)
{
	return request->prot != PROT_NONE && (request->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

#endif
