/* Metrics of predictions against held-out truth. Pure functions over arrays; the planner decides what is held out. */
#ifndef SOWER_MODELS_EVALUATE_H
#define SOWER_MODELS_EVALUATE_H

#include "core/rng.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *metric;      /* "spearman" ... see design words; static string */
    double value, low, high; /* 95 % bootstrap interval over held-out perturbations; NaN where undefined */
} sow_metric;
#define SOW_METRICS_MAX 24

/** Scalar readout. truth, mean [n]; var, noise [n] or NULL (then no nll and coverage90). Writes spearman, rmse, nll, coverage90 into out
 *  (capacity SOW_METRICS_MAX), returns how many in *n_out. nll is the mean Gaussian negative log density of a measurement, coverage90 the
 *  share of truths inside mean +- 1.6449 sqrt(var + noise). */
SOW_MUST_CHECK sow_status sow_evaluate_scalar(sow_metric *out, sow_index *n_out, const double *truth, const double *mean, const double *var,
                                              const double *noise, sow_index n, sow_rng *rng, sow_error *err);

/** Profile readout: truth, mean [n, d] responses (changes against control). `reference` [d] is subtracted from both for the centred metric.
 *  `own` [n] is the feature measuring the perturbation itself (left out of its metrics) or -1; NULL = none.
 *  Writes pearson_delta_all, pearson_delta_centred (0 where undefined), rmse_all, direction_all, pearson_top20_abs. */
SOW_MUST_CHECK sow_status sow_evaluate_profile(sow_metric *out, sow_index *n_out, const double *truth, const double *mean,
                                               const double *reference, const sow_index *own, sow_index n, sow_index d, sow_rng *rng,
                                               sow_error *err);

/* One perturbation's metrics over the features, for a profile: truth and mean [d], `reference` [d] is subtracted from both (NULL = nothing),
 * feature `own` is left out (-1 = none). */

/** Pearson correlation; NaN for fewer than 2 features or a constant side. */
double sow_metric_pearson(const double *truth, const double *mean, const double *reference, sow_index own, sow_index d);
/** Root mean squared difference (any reference cancels); NaN for no feature. */
double sow_metric_rmse(const double *truth, const double *mean, sow_index own, sow_index d);
/** Share of features that change in the same direction; no change (exactly 0) is a direction of its own; NaN for no feature. */
double sow_metric_direction(const double *truth, const double *mean, const double *reference, sow_index own, sow_index d);
/** Pearson over the `top` features of largest |truth - reference|, ties to the lowest position. SOW_E_NOMEM only; *out NaN where undefined. */
SOW_MUST_CHECK sow_status sow_metric_pearson_top(double *out, const double *truth, const double *mean, const double *reference,
                                                 sow_index own, sow_index d, sow_index top, sow_error *err);
/** The `top` features of largest |x|, largest first, ties to the lowest position, feature `own` left out and every feature that is exactly 0; writes how many into *n. set [top]. */
SOW_MUST_CHECK sow_status sow_metric_top(sow_index *set, sow_index *n, const double *x, sow_index own, sow_index d, sow_index top, sow_error *err);
/** Share of the truth's `top` features (of largest |truth - reference|) that are among the prediction's. NaN where there are no more than `top` features (every list is then the same) or the
 *  truth does not change; 0 where the prediction does not. SOW_E_NOMEM only. */
SOW_MUST_CHECK sow_status sow_metric_recall_top(double *out, const double *truth, const double *mean, const double *reference, sow_index own, sow_index d, sow_index top, sow_error *err);
/* The same of chosen features, set [n]: Pearson as above; mean squared and mean absolute difference, NaN for no feature. */
double sow_metric_pearson_over(const double *truth, const double *mean, const sow_index *set, sow_index n);
double sow_metric_mse_over(const double *truth, const double *mean, const sow_index *set, sow_index n);
double sow_metric_mae_over(const double *truth, const double *mean, const sow_index *set, sow_index n);

#ifdef __cplusplus
}
#endif
#endif
