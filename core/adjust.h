/* Covariate adjustment of a readout: y - (a + b1 c1 + ...) + mean fitted, by least squares on the measured rows only.
 * The planner refits it each round on what has been measured; the truth for evaluation is fitted on all rows. */
#ifndef SOWER_CORE_ADJUST_H
#define SOWER_CORE_ADJUST_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index n_features, n_covariates;
    double *slope;  /* [n_features, n_covariates] */
    double *centre; /* [n_covariates] mean covariate of the fit; adjusted value = y - slope . (c - centre) */
} sow_adjust;

/** y [n, d], covariate [n, p]. Rows with a non-finite covariate or value are skipped; p == 0 or fewer than p + 2 usable rows gives slope 0.
 *  weight NULL = 1. Caller clears. */
SOW_MUST_CHECK sow_status sow_adjust_fit(sow_adjust *out, const double *y, sow_index n, sow_index d, const double *covariate, sow_index p,
                                         const double *weight, sow_error *err);
/** In place. A row with a non-finite covariate is left as it is. */
void sow_adjust_apply(const sow_adjust *a, double *y, sow_index n, const double *covariate);
void sow_adjust_clear(sow_adjust *a);

#ifdef __cplusplus
}
#endif
#endif
