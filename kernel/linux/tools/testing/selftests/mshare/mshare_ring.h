/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The least of io_uring: one request at a time.
 */
#ifndef MSHARE_RING_H
#define MSHARE_RING_H

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "mshare_test.h"

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqe;
	size_t rings_size;
};

static inline int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->params);
	if (r->fd < 0)
		return -1;
	r->rings_size = PAGE_SZ;
	r->rings = mmap(NULL, r->rings_size, RW, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqe = mmap(NULL, PAGE_SZ, RW, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->rings == MAP_FAILED || r->sqe == MAP_FAILED ? -1 : 0;
}

static inline void ring_close(struct ring *r)
{
	munmap(r->rings, r->rings_size);
	munmap(r->sqe, PAGE_SZ);
	close(r->fd);
}

static inline __u32 *ring_word(struct ring *r, __u32 offset)
{
	return (__u32 *)(r->rings + offset);
}

/* The result of one operation; the _FIXED ones are on buffer 0. */
static inline int ring_rw(struct ring *r, int op, int fd, void *addr,
			  unsigned int len)
{
	__u32 *tail = ring_word(r, r->params.sq_off.tail);
	__u32 *head = ring_word(r, r->params.cq_off.head);
	__u32 mask = *ring_word(r, r->params.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(r->rings + r->params.cq_off.cqes);
	int result;

	memset(r->sqe, 0, sizeof(*r->sqe));
	r->sqe->opcode = op;
	r->sqe->fd = fd;
	r->sqe->addr = (uintptr_t)addr;
	r->sqe->len = len;
	ring_word(r, r->params.sq_off.array)[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	result = cqes[*head & mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static inline int ring_register(struct ring *r, void *addr, size_t len)
{
	struct iovec vec = { addr, len };

	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
		       &vec, 1);
}

#endif /* MSHARE_RING_H */
