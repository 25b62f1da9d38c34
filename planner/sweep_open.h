/* Opening a sweep: see sweep_open.c. */
#ifndef SOWER_PLANNER_SWEEP_OPEN_H
#define SOWER_PLANNER_SWEEP_OPEN_H

#include "planner/sweep_internal.h"

/** Arms, metrics, baseline and the keys of all jobs; s has config, env, dir and cache. Nothing is written (but caches of single-cell files). */
SOW_MUST_CHECK sow_status sow_i_sweep_open(sow_i_sweep *s, char **problems, sow_error *err);
void sow_i_sweep_clear(sow_i_sweep *s);

#endif
