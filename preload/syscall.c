/* SPDX-License-Identifier: PostgreSQL */
/*
 * syscall.c - syscall() with the numbers of calls that concern us, which is also how libnuma makes its calls.
 *
 * All others must find registers and stack as the program left them: some make a child that goes on here with another
 * stack.  So what decides is not in C.
 */
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>

#include "attach.h"
#include "calls.h"
#include "export.h"
#include "real.h"

#ifndef SYS_clone3
#define SYS_clone3	435
#endif

enum kind {
	KIND_OTHER,
	KIND_OURS,
	KIND_CHILD,	/* makes one: what we have may be in another process from now on */
};

#define LAST	SYS_mseal

__attribute__((used, visibility("hidden"))) const unsigned char syscall_kinds[LAST + 1] = {
	[SYS_mmap] = KIND_OURS,		  [SYS_munmap] = KIND_OURS,
	[SYS_mremap] = KIND_OURS,	  [SYS_mprotect] = KIND_OURS,
	[SYS_pkey_mprotect] = KIND_OURS,  [SYS_madvise] = KIND_OURS,
	[SYS_process_madvise] = KIND_OURS, [SYS_msync] = KIND_OURS,
	[SYS_mincore] = KIND_OURS,	  [SYS_mlock] = KIND_OURS,
	[SYS_mlock2] = KIND_OURS,	  [SYS_munlock] = KIND_OURS,
	[SYS_mlockall] = KIND_OURS,	  [SYS_munlockall] = KIND_OURS,
	[SYS_remap_file_pages] = KIND_OURS, [SYS_shmget] = KIND_OURS,
	[SYS_shmat] = KIND_OURS,	  [SYS_shmdt] = KIND_OURS,
	[SYS_mbind] = KIND_OURS,	  [SYS_set_mempolicy_home_node] = KIND_OURS,
	[SYS_get_mempolicy] = KIND_OURS,  [SYS_move_pages] = KIND_OURS,
	[SYS_mseal] = KIND_OURS,	  [SYS_fork] = KIND_CHILD,
	[SYS_clone] = KIND_CHILD,	  [SYS_clone3] = KIND_CHILD,
};

__attribute__((used, visibility("hidden"))) long syscall_failed(long ret);
long syscall_failed(long ret)
{
	return edge(ret);
}

__attribute__((used, visibility("hidden"))) void syscall_child(long nr, long flags);
void syscall_child(long nr, long flags)
{
	/* A thread, or as good as one. */
	if (nr == SYS_clone && flags & CLONE_VM)
		return;
	attach_fork_prepare();
	attach_fork_done();
}

/* The rest of syscall_ours(): calls about nodes, segments, and what has no function. */
static long others(long nr, long a, long b, long c, long d, long e, long f)
{
	switch (nr) {
	case SYS_shmget:
		return shmget((key_t)a, (size_t)b, (int)c);
	case SYS_shmat:
		return (long)shmat((int)a, (void *)b, (int)c);
	case SYS_shmdt:
		return shmdt((void *)a);
	case SYS_mbind:
		return edge(call_mbind((uintptr_t)a, (size_t)b, c, d, e, (unsigned int)f));
	case SYS_set_mempolicy_home_node:
		return edge(call_set_home_node((uintptr_t)a, (size_t)b, c, d));
	case SYS_get_mempolicy:
		return edge(call_get_mempolicy(a, b, c, (uintptr_t)d, (unsigned long)e));
	case SYS_move_pages:
		return edge(call_move_pages((pid_t)a, (size_t)b, (void *const *)c, d, e, f));
	case SYS_mseal:
		return edge(call_mseal((uintptr_t)a, (size_t)b, c));
	case SYS_process_madvise:
		return process_madvise((int)a, (const struct iovec *)b, (size_t)c, (int)d, (unsigned int)e);
	default:
		return edge(real_syscall(nr, a, b, c, d, e, f));
	}
}

/* What the kernel takes as a long and libc as an int: the upper half means something to the kernel only. */
static bool only_for_kernel(long nr, long c, long d, long e)
{
	const long upper = (long)(~0UL << 32);

	switch (nr) {
	case SYS_mmap:
		return (c | d) & upper;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return c & upper;
	case SYS_mremap:
		return d & upper;
	case SYS_remap_file_pages:
		return (c | e) & upper;
	default:
		return false;
	}
}

/* The arguments lie where syscall() got them. */
__attribute__((used, visibility("hidden"))) long syscall_ours(long nr, long a, long b, long c, long d, long e, long f);
long syscall_ours(long nr, long a, long b, long c, long d, long e, long f)
{
	void *addr = (void *)a;

	if (only_for_kernel(nr, c, d, e))
		return edge(real_syscall(nr, a, b, c, d, e, f));
	switch (nr) {
	case SYS_mmap:
		return (long)mmap(addr, (size_t)b, (int)c, (int)d, (int)e, f);
	case SYS_munmap:
		return munmap(addr, (size_t)b);
	case SYS_mremap:
		return (long)mremap(addr, (size_t)b, (size_t)c, (int)d, (void *)e);
	case SYS_mprotect:
		return mprotect(addr, (size_t)b, (int)c);
	case SYS_pkey_mprotect:
		return pkey_mprotect(addr, (size_t)b, (int)c, (int)d);
	case SYS_madvise:
		return madvise(addr, (size_t)b, (int)c);
	case SYS_msync:
		return edge(call_msync((uintptr_t)a, (size_t)b, (int)c));
	case SYS_mincore:
		return mincore(addr, (size_t)b, (unsigned char *)c);
	case SYS_mlock:
		return mlock(addr, (size_t)b);
	case SYS_mlock2:
		return mlock2(addr, (size_t)b, (unsigned int)c);
	case SYS_munlock:
		return munlock(addr, (size_t)b);
	case SYS_mlockall:
		return mlockall((int)a);
	case SYS_munlockall:
		return munlockall();
	case SYS_remap_file_pages:
		return remap_file_pages(addr, (size_t)b, (int)c, (size_t)d, (int)e);
	default:
		return others(nr, a, b, c, d, e, f);
	}
}

_Static_assert(KIND_OURS == 1 && LAST == 462, "the code below has them as numbers");

__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	cmpq	$462, %rdi\n"
	"	ja	1f\n"
	"	leaq	syscall_kinds(%rip), %rax\n"
	"	movzbl	(%rax,%rdi), %eax\n"
	"	testl	%eax, %eax\n"
	"	je	1f\n"
	"	cmpl	$1, %eax\n"
	"	je	syscall_ours\n"
	/* It makes a child: say so, and go on with the arguments as they were. */
	"	pushq	%rdi\n	pushq	%rsi\n	pushq	%rdx\n	pushq	%rcx\n	pushq	%r8\n	pushq	%r9\n"
	"	subq	$8, %rsp\n"
	"	.cfi_adjust_cfa_offset 56\n"
	"	call	syscall_child\n"
	"	addq	$8, %rsp\n"
	"	popq	%r9\n	popq	%r8\n	popq	%rcx\n	popq	%rdx\n	popq	%rsi\n	popq	%rdi\n"
	"	.cfi_adjust_cfa_offset -56\n"
	"1:	movq	%rdi, %rax\n"
	"	movq	%rsi, %rdi\n"
	"	movq	%rdx, %rsi\n"
	"	movq	%rcx, %rdx\n"
	"	movq	%r8, %r10\n"
	"	movq	%r9, %r8\n"
	"	movq	8(%rsp), %r9\n"
	"	syscall\n"
	"	cmpq	$-4095, %rax\n"
	"	jae	2f\n"
	"	ret\n"
	"2:	movq	%rax, %rdi\n"
	"	jmp	syscall_failed\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n");
