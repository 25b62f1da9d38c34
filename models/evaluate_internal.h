/* What the evaluations of profiles and of cells share. */
#ifndef SOWER_MODELS_EVALUATE_INTERNAL_H
#define SOWER_MODELS_EVALUATE_INTERNAL_H

#include "core/stats.h"
#include "models/evaluate.h"

/** Pearson correlation over the features in `set` [n], or over 0..n-1 but `own` when set is NULL; `reference` (NULL = nothing) is taken from both sides. NaN for
 *  fewer than 2 features, or where the spread of a side is nothing but rounding. */
double sow_i_pearson_over(const double *truth, const double *mean, const double *reference, const sow_index *set, sow_index n, sow_index own);
/** Bootstrap mean of the defined values of x [n]; all NaN when there is none. x is reordered. */
SOW_MUST_CHECK sow_status sow_i_mean_of_defined(sow_interval *out, double *x, sow_index n, sow_rng *rng, sow_error *err);
/** -1, 0 or 1. */
int sow_i_sign(double x);

#endif
