/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * library.c
 *		What libmshare_preload.so is asked, whatever its version.
 *
 * The server must be able to run without the library, with one that is older
 * than we are and lacks functions, and with one that is newer.  So every
 * function is looked up by its name, each on its own, and every struct says
 * its size: bytes that only one side knows stay zero.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dlfcn.h>

#include "library.h"

typedef unsigned int (*version_function) (void);
typedef int (*query_function) (const void *addr, struct mshare_info *info);
typedef int (*region_function) (const void *addr, struct mshare_region *region);
typedef int (*prefault_function) (const void *addr, uint64_t length);
typedef const char *(*reason_function) (unsigned int reason);

/*
 * Is the library in this process?
 */
bool
library_loaded(void)
{
	return dlsym(RTLD_DEFAULT, "mshare_version") != NULL;
}

/*
 * What the library knows about the mapping at an address.  False: nothing;
 * errno is ENOENT if it does not know it, ENOSYS if it cannot be asked.
 */
bool
library_query(const void *addr, struct mshare_info *info)
{
	query_function query = (query_function) dlsym(RTLD_DEFAULT, "mshare_query");

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	if (query == NULL)
	{
		errno = ENOSYS;
		return false;
	}
	return query(addr, info) == 0;
}

/*
 * The kernel's figures of the region that an address is in.  False with
 * errno set as above, or as the kernel set it.
 */
bool
library_region(const void *addr, struct mshare_region *region)
{
	region_function read_region = (region_function) dlsym(RTLD_DEFAULT,
														  "mshare_region_stats");

	memset(region, 0, sizeof(*region));
	region->size = sizeof(*region);
	if (read_region == NULL)
	{
		errno = ENOSYS;
		return false;
	}
	return read_region(addr, region) == 0;
}

/*
 * Have a part of a view faulted in.  Returns 0 or errno: ENOSYS if the
 * library cannot do it, ENOENT if the part is in no view of its.
 */
int
library_prefault(void *addr, uint64 length)
{
	prefault_function prefault = (prefault_function) dlsym(RTLD_DEFAULT,
														   "mshare_prefault");

	if (prefault == NULL)
		return ENOSYS;
	return prefault(addr, length) == 0 ? 0 : errno;
}

/*
 * English for a reason; of a reason newer than we are, too.
 */
const char *
library_reason_text(unsigned int reason)
{
	reason_function text = (reason_function) dlsym(RTLD_DEFAULT,
												   "mshare_reason_text");

	return text != NULL ? text(reason) : "the library does not say why";
}
