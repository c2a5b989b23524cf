/* SPDX-License-Identifier: PostgreSQL */
/*
 * real.h - the calls behind the ones we interpose, and every other system call of the library.
 *
 * They go to the kernel directly: no symbol to look up, so they work before any constructor ran, and no
 * errno, so a redirection that ends well leaves the program's errno alone.  Each returns what the kernel
 * returns: a result, or -errno.  errno is set by edge(), at the public functions and nowhere else.
 */
#ifndef MSHARE_REAL_H
#define MSHARE_REAL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "msharefs exists on x86-64 only"
#endif

#define PAGE_BYTES	4096UL

#ifndef PROT_SEM
#define PROT_SEM	8
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

static inline long real_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define REAL1(nr, a)		real_syscall(nr, (long)(a), 0, 0, 0, 0, 0)
#define REAL2(nr, a, b)		real_syscall(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define REAL3(nr, a, b, c)	real_syscall(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define REAL4(nr, a, b, c, d)	real_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The kernel's own test: results of mmap are addresses, of which the top page is never one. */
static inline bool failed(long ret)
{
	return (unsigned long)ret > -PAGE_BYTES;
}

/* The way out to the program: errno is touched on failure only. */
static inline long edge(long ret)
{
	if (!failed(ret))
		return ret;
	errno = (int)-ret;
	return -1;
}

static inline long real_mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, long offset)
{
	return real_syscall(SYS_mmap, (long)addr, (long)length, prot, flags, fd, offset);
}

static inline long real_munmap(uintptr_t addr, size_t length)
{
	return REAL2(SYS_munmap, addr, length);
}

static inline long real_mremap(uintptr_t addr, size_t length, size_t new_length, int flags, uintptr_t to)
{
	return real_syscall(SYS_mremap, (long)addr, (long)length, (long)new_length, flags, (long)to, 0);
}

static inline long real_mprotect(uintptr_t addr, size_t length, int prot)
{
	return REAL3(SYS_mprotect, addr, length, prot);
}

static inline long real_madvise(uintptr_t addr, size_t length, int advice)
{
	return REAL3(SYS_madvise, addr, length, advice);
}

static inline long real_mincore(uintptr_t addr, size_t length, unsigned char *vec)
{
	return REAL3(SYS_mincore, addr, length, vec);
}

static inline long real_shmat(int shmid, uintptr_t addr, int flags)
{
	return REAL3(SYS_shmat, shmid, addr, flags);
}

static inline long real_shmdt(uintptr_t addr)
{
	return REAL1(SYS_shmdt, addr);
}

static inline long real_shmctl(int shmid, int command, void *buffer)
{
	return REAL3(SYS_shmctl, shmid, command, buffer);
}

/* Not by open(), which is forbidden in sandboxes that know what libc uses. */
static inline long real_open(const char *path, int flags, unsigned int mode)
{
	return REAL4(SYS_openat, AT_FDCWD, path, flags, mode);
}

static inline long real_close(int fd)
{
	return REAL1(SYS_close, fd);
}

static inline long real_ioctl(int fd, unsigned long request, void *argument)
{
	return REAL3(SYS_ioctl, fd, request, argument);
}

/* mask and old are the kernel's sigset: 64 bits, also the two signals that glibc keeps for itself. */
static inline void real_sigprocmask(int how, const uint64_t *mask, uint64_t *old)
{
	REAL4(SYS_rt_sigprocmask, how, mask, old, sizeof(*mask));
}

/* From the constructor: looks up what signal handlers may call, because dlsym() is nothing for them. */
void real_init(void);

/*
 * msync() is a cancellation point, which a bare system call is not: the one call that has to go through
 * libc (or the next interposer).  Returns -errno like the others.
 */
long real_msync(uintptr_t addr, size_t length, int flags);

/* The first size - 1 bytes of a file, as a string: all of what /proc and /sys have in small files.  False: it cannot be read. */
bool real_read_text(const char *path, char *text, size_t size);

static inline uintptr_t round_up(uintptr_t value, uintptr_t unit)
{
	return (value + unit - 1) & ~(unit - 1);
}

#endif
