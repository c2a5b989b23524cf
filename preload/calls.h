/* SPDX-License-Identifier: PostgreSQL */
/*
 * calls.h - calls that glibc 2.36 has no function for, or that libnuma makes: they come by syscall().
 *
 * Each returns a result or -errno.
 */
#ifndef MSHARE_CALLS_H
#define MSHARE_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if !__GLIBC_PREREQ(2, 36)
#error "libmshare_preload needs glibc 2.36 (Debian 12) or later"
#endif

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node	450
#endif
#ifndef SYS_mseal
#define SYS_mseal	462
#endif

/* advise.c; no cancellation point, as no system call is. */
long call_msync(uintptr_t addr, size_t length, int flags);

/* policy.c */
long call_mbind(uintptr_t addr, size_t length, long mode, long nodes, long max_node, unsigned int flags);
long call_set_home_node(uintptr_t addr, size_t length, long node, long flags);
long call_get_mempolicy(long mode, long nodes, long max_node, uintptr_t addr, unsigned long flags);
long call_move_pages(pid_t pid, size_t count, void *const *pages, long nodes, long status, long flags);

/* protect.c */
long call_mseal(uintptr_t addr, size_t length, long flags);

#endif
