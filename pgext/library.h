/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * library.h
 *		What libmshare_preload.so is asked, whatever its version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PG_MSHARE_LIBRARY_H
#define PG_MSHARE_LIBRARY_H

#include "mshare.h"

extern bool library_loaded(void);
extern bool library_query(const void *addr, struct mshare_info *info);
extern bool library_region(const void *addr, struct mshare_region *region);
extern int	library_prefault(void *addr, uint64 length);
extern const char *library_reason_text(unsigned int reason);

#endif							/* PG_MSHARE_LIBRARY_H */
