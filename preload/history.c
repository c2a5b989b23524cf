/* SPDX-License-Identifier: PostgreSQL */
/*
 * history.c - counters, and the mappings that were not redirected, for mshare.h.
 */
#include "history.h"

#include "placement.h"

#define ENTRIES	16

static uint64_t counters[HISTORY_COUNTERS];
static SELDOM_WRITTEN struct history_entry entries[ENTRIES];	/* a ring */
static unsigned int remembered;

void history_count(enum history_counter counter)
{
	counters[counter]++;
}

uint64_t history_counter(enum history_counter counter)
{
	return counters[counter];
}

void history_remember(uintptr_t addr, size_t length, enum mshare_reason reason, int error)
{
	if (addr != 0)
		entries[remembered++ % ENTRIES] = (struct history_entry){ addr, length, reason, error };
}

const struct history_entry *history_find(uintptr_t addr)
{
	for (unsigned int back = 1; back <= ENTRIES; back++) {
		const struct history_entry *entry = &entries[(remembered - back) % ENTRIES];

		if (entry->length != 0 && addr - entry->addr < entry->length)
			return entry;
	}
	return NULL;
}
