/* SPDX-License-Identifier: PostgreSQL */
/*
 * redirect.h - a call by the first backend that can.
 */
#ifndef MSHARE_REDIRECT_H
#define MSHARE_REDIRECT_H

#include "backend.h"
#include "request.h"
#include "view.h"

/* An address; or 0, with *refusal filled: without a reason if the call itself fails, whoever makes it. */
typedef uintptr_t (*redirect_try)(enum backend backend, void *call, struct refusal *refusal);

/*
 * Tries call with each backend that is to be used, in order, and tells what a try tells; *refusal is then that of the
 * first.  what: the call, in the log.  With the attachment table locked.
 */
uintptr_t redirect_by_backends(redirect_try try, void *call, const char *what, struct refusal *refusal);

/* With the attachment table locked, and the way made.  An address or -errno, as the program gets it. */
long redirect_map(const struct map_request *request);

/* The ordinary mapping. */
long redirect_none(const struct map_request *request);

#endif
