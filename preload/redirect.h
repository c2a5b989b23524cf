/* SPDX-License-Identifier: PostgreSQL */
/*
 * redirect.h - an mmap() by the first backend that can.
 */
#ifndef MSHARE_REDIRECT_H
#define MSHARE_REDIRECT_H

#include "request.h"

/* With the attachment table locked, and the way made.  An address or -errno, as the program gets it. */
long redirect_map(const struct map_request *request);

/* The ordinary mapping. */
long redirect_none(const struct map_request *request);

#endif
