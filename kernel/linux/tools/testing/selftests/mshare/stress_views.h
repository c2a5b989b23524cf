/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mshare_stress: windows, the regions behind them, and regions that live as
 * long as one operation; see stress.h.
 */
#ifndef STRESS_VIEWS_H
#define STRESS_VIEWS_H

#include "stress.h"

/* One of all kinds, or v->base stays NULL. */
void view_open(struct view *v);
void view_close(struct view *v);
void view_protect(struct view *v);
/* MSHAREFS_PROTECT, where that is this worker's to do. */
void view_region_protect(struct view *v);

void scratch_region(struct view *v);
void private_object(struct view *v);
void owner_exit(struct view *v);

#endif /* STRESS_VIEWS_H */
