/* Statistics that several folders need. Degenerate input (n too small, zero variance) gives NaN unless said otherwise. */
#ifndef SOWER_CORE_STATS_H
#define SOWER_CORE_STATS_H

#include "core/rng.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

double sow_mean(const double *x, sow_index n);               /* NaN for n == 0 */
double sow_variance(const double *x, sow_index n);           /* n - 1 in the denominator, two passes; NaN for n < 2 */
double sow_pearson(const double *x, const double *y, sow_index n); /* NaN for n < 2 or a constant side */
/** Spearman: Pearson of average ranks. SOW_E_NOMEM only. `*out` NaN when undefined, or when a number is NaN. */
SOW_MUST_CHECK sow_status sow_spearman(double *out, const double *x, const double *y, sow_index n, sow_error *err);
/** 1-based ranks, ties averaged, into ranks [n]. No NaN in x. Cost n log n. */
SOW_MUST_CHECK sow_status sow_ranks(double *ranks, const double *x, sow_index n, sow_error *err);
/** Quantile q in [0,1] (else SOW_E_ARG), linear interpolation (type 7), x unsorted and untouched. NaN when n == 0 or a number is NaN. */
SOW_MUST_CHECK sow_status sow_quantile(double *out, const double *x, sow_index n, double q, sow_error *err);
/** Positions that sort x descending, ties by `names` (strcmp) when given, else by position. Values within 1e-6 (of
 *  the spread of the finite ones when that is below 1) of the largest of their group are tied. NaN sorts last. order [n]. */
SOW_MUST_CHECK sow_status sow_order_descending(sow_index *order, const double *x, const char *const *names, sow_index n, sow_error *err);
/** Benjamini-Hochberg adjusted p values into q [n]. NaN p stays NaN and is not counted. */
SOW_MUST_CHECK sow_status sow_bh(double *q, const double *p, sow_index n, sow_error *err);

double sow_normal_pdf(double z);
double sow_normal_cdf(double z);
double sow_normal_quantile(double p);              /* Wichura AS241, relative error 1e-15 */
double sow_student_quantile(double p, double df);  /* df > 0 */
double sow_student_two_sided(double t, double df); /* P(|T| > |t|), relative error 1e-12; NaN for a NaN or df <= 0 */
/** P(X <= k) and P(X > k) of a negative-binomial count (variance mean + mean^2 / size), each without the cancellation of 1 - the other: the incomplete beta function at size / (size + mean).
 *  k below 0 gives 0 and 1; mean > 0, size > 0, else NaN. Relative error 1e-9, of sizes about 1e8 1e-6. Cost about sqrt(size + k) steps. */
void sow_nb_cdf(double *below, double *above, double k, double mean, double size);

typedef struct {
    double value, low, high; /* estimate and interval */
} sow_interval;

/** Percentile bootstrap of the mean of x [n]: `level` in (0,1), `draws` resamples from `rng`. n < 2: low = high = value. */
SOW_MUST_CHECK sow_status sow_bootstrap_mean(sow_interval *out, const double *x, sow_index n, double level, sow_index draws, sow_rng *rng,
                                             sow_error *err);
/** Percentile bootstrap of a statistic of a resampled index set: stat(user, idx, n). Resamples for which it is NaN are left out. SOW_E_ARG for
 *  a level outside (0,1) or no draws. */
SOW_MUST_CHECK sow_status sow_bootstrap(sow_interval *out, sow_index n, double (*stat)(void *user, const sow_index *idx, sow_index n),
                                        void *user, double level, sow_index draws, sow_rng *rng, sow_error *err);
/** Student-t interval of the mean of the paired differences a - b [n]; n < 2: low and high NaN. */
SOW_MUST_CHECK sow_status sow_paired_interval(sow_interval *out, const double *a, const double *b, sow_index n, double level, sow_error *err);

/** Weighted least squares y ~ intercept + X beta, rows with weight 0 or a NaN skipped. x [n,p] row-major, weight NULL = 1, beta [p+1] with the
 *  intercept first. Columns that are constant or collinear get 0 (minimum-norm solution). SOW_E_DATA when no row is left. */
SOW_MUST_CHECK sow_status sow_least_squares(double *beta, const double *x, const double *y, const double *weight, sow_index n, sow_index p,
                                            sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
