/* SPDX-License-Identifier: PostgreSQL */
/*
 * cost.h - what preload-cost measures.
 */
#ifndef COST_H
#define COST_H

#include <stddef.h>

/* How a worker is set up before it measures. */
enum cost_setting {
	COST_BARE,	/* nothing that would be the library's matter */
	COST_ATTACHED,	/* shared memory mapped and touched, which the library may redirect */
	COST_MALLOC,	/* another malloc preloaded beside the library */
	COST_SETTINGS
};

enum cost_limit {
	COST_ADDED,	/* at most so much more than without, in the measure's unit */
	COST_PERCENT
};

struct cost_measure {
	const char *name;
	const char *unit;		/* ns a call, or kB */
	enum cost_setting setting;
	double (*figure)(int count);	/* per call, on average of count; of memory, what the process has */
	int count;
	double limit;
	enum cost_limit kind;
};

/* In the order of settings, and in each in the order in which a worker measures: memory before what leaves traces. */
extern const struct cost_measure cost_measures[];
extern const size_t cost_measure_count;

#endif
