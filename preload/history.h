/* SPDX-License-Identifier: PostgreSQL */
/*
 * history.h - counters, and the mappings that were not redirected, for mshare.h.
 *
 * Called with the attachment table locked.
 */
#ifndef MSHARE_HISTORY_H
#define MSHARE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "mshare.h"

enum history_counter {
	HISTORY_REDIRECTED,
	HISTORY_FALLBACK,
	HISTORY_DEMOTED,
	HISTORY_COUNTERS
};

struct history_entry {
	uintptr_t addr;
	size_t length;
	enum mshare_reason reason;
	int error;
};

void history_count(enum history_counter counter);

uint64_t history_counter(enum history_counter counter);

/* addr 0 is not remembered: a call that failed mapped nothing. */
void history_remember(uintptr_t addr, size_t length, enum mshare_reason reason, int error);

/* The youngest entry that addr is in, or NULL. */
const struct history_entry *history_find(uintptr_t addr);

#endif
