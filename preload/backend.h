/* SPDX-License-Identifier: PostgreSQL */
/*
 * backend.h - the ways to save page tables, by their names in MSHARE_BACKEND.
 */
#ifndef MSHARE_BACKEND_H
#define MSHARE_BACKEND_H

enum backend {
	BACKEND_NONE,		/* the ordinary mapping */
	BACKEND_MSHAREFS,	/* a window on the object's region */
	BACKEND_HUGETLB,	/* huge pages at a multiple of 1 GB, where the kernel shares their page tables */
	BACKEND_THP,		/* transparent huge pages */
	BACKEND_COUNT
};

static const char *const backend_names[BACKEND_COUNT] = {
	[BACKEND_NONE] = "none",
	[BACKEND_MSHAREFS] = "msharefs",
	[BACKEND_HUGETLB] = "hugetlb",
	[BACKEND_THP] = "thp",
};

#endif
