/* SPDX-License-Identifier: PostgreSQL */
/*
 * spoil.c - a library that is wrong on purpose, for equivalence.t: is that noticed?
 *
 * Now and then it spoils what $SPOIL says: the result of mprotect, what mincore tells, memory that mmap made; or it ends
 * the process in mprotect (crash).  Else every call is what it would be without.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORT	__attribute__((visibility("default")))
#define EVERY	20

static bool time_to(const char *what)
{
	static unsigned int calls;
	const char *spoil = getenv("SPOIL");

	return spoil != NULL && strcmp(spoil, what) == 0 && ++calls % EVERY == 0;
}

EXPORT int mprotect(void *addr, size_t length, int prot)
{
	int (*next)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "mprotect");
	int result = next(addr, length, prot);

	if (time_to("crash"))
		abort();
	if (result != 0 || !time_to("mprotect"))
		return result;
	errno = EACCES;
	return -1;
}

EXPORT int mincore(void *addr, size_t length, unsigned char *pages)
{
	int (*next)(void *, size_t, unsigned char *) =
		(int (*)(void *, size_t, unsigned char *))dlsym(RTLD_NEXT, "mincore");
	int result = next(addr, length, pages);

	if (result == 0 && length > 0 && time_to("mincore"))
		pages[0] ^= 1;
	return result;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
	void *memory = next(addr, length, prot, flags, fd, offset);

	if (memory != MAP_FAILED && flags & MAP_SHARED && flags & MAP_ANONYMOUS && prot & PROT_WRITE && time_to("mmap"))
		*(char *)memory = 1;
	return memory;
}
