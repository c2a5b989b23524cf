/* SPDX-License-Identifier: PostgreSQL */
/*
 * msharefs.h - all that the library knows of the kernel's msharefs.
 *
 * Functions return -errno on failure.  No descriptor outlives the redirection that opened it.
 */
#ifndef MSHARE_MSHAREFS_H
#define MSHARE_MSHAREFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one page of the table level that is shared covers (P4D_SIZE): windows are whole slots. */
#define MSHAREFS_SLOT	(1UL << 39)

struct mshare_region;

/* The region of an object, open. */
struct region {
	int fd;
	size_t bytes;		/* length of a window on it */
	size_t offset;		/* where in it the object starts */
	size_t length;		/* of the object, rounded up to its pages */
	size_t page_size;	/* of the object */
};

struct region_request {
	uintptr_t addr;		/* a shared mapping of the object in this process */
	size_t length;		/* bytes, need not be rounded */
	uintptr_t wanted;	/* where the program wants to see addr's byte, or 0 */
	bool populate;		/* fault everything in */
	bool huge;		/* ask for huge pages, if this makes the region */
};

/* A descriptor of the root directory; -ENOTTY if it is one of another filesystem. */
int msharefs_open_root(const char *mount);

int msharefs_open_object(int root, const struct region_request *request, struct region *region);

/* Maps a window, at base where that is not 0, replacing what is there.  prot: one that msharefs_can_protect(). */
long msharefs_map(const struct region *region, uintptr_t base, int prot);

/*
 * Can a window have this protection?  It knows none, read, and read and write.  Writing without reading is no use:
 * the processor cannot do it, but the kernel refuses to read there on the program's behalf.
 */
bool msharefs_can_protect(int prot);

void msharefs_close(const struct region *region);

/* Fills stats, but for its size. */
int msharefs_stats(const struct region *region, struct mshare_region *stats);

/* The slots that hold [addr, addr + length). */
static inline uintptr_t msharefs_slot_start(uintptr_t addr)
{
	return addr & ~(MSHAREFS_SLOT - 1);
}

static inline size_t msharefs_slot_bytes(uintptr_t addr, size_t length)
{
	return ((addr + length + MSHAREFS_SLOT - 1) & ~(MSHAREFS_SLOT - 1)) - msharefs_slot_start(addr);
}

#endif
