/* SPDX-License-Identifier: PostgreSQL */
/*
 * deepbound.h - calls of deepbound.c: mmap(), munmap() and mprotect() of libc.
 */
#ifndef DEEPBOUND_H
#define DEEPBOUND_H

#include <stddef.h>

#define EXPORT	__attribute__((visibility("default")))

EXPORT char *deep_map(size_t size);
EXPORT int deep_unmap(char *memory, size_t size);
EXPORT int deep_protect(char *memory, size_t size, int prot);

#endif
