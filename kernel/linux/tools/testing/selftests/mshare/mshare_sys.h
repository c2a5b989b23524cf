/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What some msharefs tests need of the system: huge pages, swap, a block
 * device, memory cgroups.
 *
 * All of it is taken in main(), before the harness runs, and given back when
 * the program exits: a test that is killed leaves nothing behind either.
 * Where NULL stands for success, anything else is the reason to skip.
 */
#ifndef MSHARE_SYS_H
#define MSHARE_SYS_H

#include <stddef.h>

#define HUGE_SZ	MB(2)

/* Makes a file of /proc/sys or /sys say @value until exit. */
const char *knob_set(const char *path, const char *value);

/* That many free huge pages of 2 MB. */
const char *hugepages_get(long pages);

/* A loop device on memory: its descriptor (of @mode), or -1. */
int loop_open(size_t bytes, int mode, char *path, size_t path_size);

/* Swap space on such a device. */
const char *swap_get(size_t bytes);

/* An ext4 on such a device, mounted at @dir; the caller unmounts it. */
const char *ext4_mount(const char *dir, size_t bytes);

/* @count memory cgroups below the root, cgroup_dir(0) and so on. */
const char *cgroups_get(int count);
const char *cgroup_dir(int nr);
/* Moves the caller there. */
int cgroup_enter(int nr);
/* A number of a file of the cgroup, after @key if the file has keys, or -1. */
long cgroup_read(int nr, const char *file, const char *key);
int cgroup_write(int nr, const char *file, const char *value);

#endif /* MSHARE_SYS_H */
