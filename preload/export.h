/* SPDX-License-Identifier: PostgreSQL */
/*
 * export.h - marks what the program sees: see also libmshare_preload.map.
 */
#ifndef MSHARE_EXPORT_H
#define MSHARE_EXPORT_H

#define EXPORT	__attribute__((visibility("default")))

#endif
