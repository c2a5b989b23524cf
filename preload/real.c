/* SPDX-License-Identifier: PostgreSQL */
/*
 * real.c - what is more than one bare system call: see real.h.
 */
#include "real.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/mman.h>

typedef int (*msync_function)(void *, size_t, int);

static _Atomic(msync_function) next_msync;

void real_init(void)
{
	atomic_store_explicit(&next_msync, (msync_function)dlsym(RTLD_NEXT, "msync"), memory_order_relaxed);
}

long real_msync(uintptr_t addr, size_t length, int flags)
{
	msync_function function = atomic_load_explicit(&next_msync, memory_order_relaxed);
	int saved = errno;
	int ret;

	/* Before our constructor. */
	if (function == NULL) {
		real_init();
		function = atomic_load_explicit(&next_msync, memory_order_relaxed);
	}
	if (function == NULL)
		return REAL3(SYS_msync, addr, length, flags);
	ret = function((void *)addr, length, flags);
	if (ret == -1)
		ret = -errno;
	errno = saved;
	return ret;
}

bool real_read_text(const char *path, char *text, size_t size)
{
	long fd = real_open(path, O_RDONLY | O_CLOEXEC, 0);
	long length;

	if (failed(fd))
		return false;
	length = REAL3(SYS_read, fd, text, size - 1);
	real_close((int)fd);
	if (failed(length))
		return false;
	text[length] = '\0';
	return true;
}
