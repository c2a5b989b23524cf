/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ioctls that act on what a region has mapped, for everyone at once.
 */
#ifndef MSHARE_IOCTL_H
#define MSHARE_IOCTL_H

#include <sys/ioctl.h>

#include "mshare_test.h"

static inline int region_protect(int fd, __u64 offset, __u64 size, __u32 prot)
{
	struct mshare_protect arg = {
		.region_offset = offset,
		.size = size,
		.prot = prot,
	};

	return ioctl(fd, MSHAREFS_PROTECT, &arg);
}

static inline int region_advise(int fd, __u64 offset, __u64 size, __u32 advice)
{
	struct mshare_advise arg = {
		.region_offset = offset,
		.size = size,
		.advice = advice,
	};

	return ioctl(fd, MSHAREFS_ADVISE, &arg);
}

static inline int region_lock(int fd, __u64 offset, __u64 size, __u32 on)
{
	struct mshare_lock arg = {
		.region_offset = offset,
		.size = size,
		.on = on,
	};

	return ioctl(fd, MSHAREFS_LOCK, &arg);
}

static inline int region_populate(int fd, __u64 offset, __u64 size)
{
	struct mshare_populate arg = {
		.region_offset = offset,
		.size = size,
	};

	return ioctl(fd, MSHAREFS_POPULATE, &arg);
}

/* 4 KB pages that the region's page tables map, or -1. */
static inline long resident(int fd)
{
	struct mshare_stat st;

	return region_stat(fd, &st) ? -1 : (long)st.resident_pages;
}

#endif /* MSHARE_IOCTL_H */
