/* The statistics of a sweep: pure functions of numbers, no files and no campaigns.
 *
 * A curve is one campaign's metric, y, at each of its rounds against what it had used by then, x (perturbations measured, or money), ascending. Arms are compared
 * pair by pair: the difference of two arms that were played with the same seed. Not thread-dependent. docs/simulate.md has the definitions and how well the
 * intervals cover. */
#ifndef SOWER_PLANNER_SWEEP_STATS_H
#define SOWER_PLANNER_SWEEP_STATS_H

#include "core/stats.h"

/** Mean height of the curve between low and high: its trapezoid area there over high - low. NaN unless x[0] <= low < high <= x[n - 1] and every y is finite. */
double sow_i_curve_height(const double *x, const double *y, sow_index n, double low, double high);
/** Where the curve first reaches `level`, with straight lines between rounds; `sign` +1: higher is better, -1: lower. NaN when it never gets there, or was there before its first round, nobody knows
 *  when. */
double sow_i_curve_reach(const double *x, const double *y, sow_index n, double level, int sign);
/** What b used less what a used until both were as good as the worse of the two ended: > 0, a saved that much. NaN where one of them was that good before its first round. */
double sow_i_curve_saved(const double *xa, const double *ya, sow_index na, const double *xb, const double *yb, sow_index nb, int sign);

typedef struct {
    sow_index n;              /* finite pairs */
    double mean, low, high;   /* Student's t interval; NaN for n < 2 */
    double p;                 /* two-sided; 1 when all differences are 0; NaN for n < 2 */
    double sd;
} sow_i_difference;
/** Of d [n]; those that are not finite are left out. */
void sow_i_difference_of(sow_i_difference *out, const double *d, sow_index n, double level);
/** Smallest true mean of n normal differences of standard deviation sd whose two-sided t test at `alpha` rejects with probability `power`. NaN for n < 2. */
double sow_i_detectable(double sd, sow_index n, double alpha, double power);
/** Holm's step-down: adjusted p values that hold for all comparisons together. NaN stays NaN and is not counted. adjusted may be p. SOW_E_NOMEM. */
SOW_MUST_CHECK sow_status sow_i_holm(double *adjusted, const double *p, sow_index n, sow_error *err);

/** An interval for a statistic of the mean curves of paired seeds: stat(user, leave) is its value without pair `leave` (-1: with all). Jackknife pseudo-values, which are as
 *  many numbers as seeds, and Student's t over them. n < 3: low and high NaN. SOW_E_NOMEM. */
SOW_MUST_CHECK sow_status sow_i_jackknife(sow_interval *out, sow_index n, double (*stat)(void *user, sow_index leave), void *user, double level, sow_error *err);

#endif
