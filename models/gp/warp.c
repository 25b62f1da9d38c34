/* A monotone map from values to normal scores, so that a skewed readout or a batch chosen at one end does not bend the process.
 *
 * z(y) = Phi^-1((rank - 1/2) / n), ties averaged; back by straight lines between the measured (z, y), beyond them by the slope of the outer tenth.
 * For a latent normal N(m, v) the mean value is E g by 24-point Gauss-Hermite quadrature; the variance given is that of the normal whose central
 * 90 % interval is as wide, because the second moment hangs on how the map goes on beyond the data. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/gp/gp_internal.h"

static const double Z95 = 1.6448536269514722;
enum { HALF = 12 };
static const double node[HALF] = {
    0.3173700966294524, 0.953421922932109, 1.59348042981642, 2.240467851691752, 2.897728643223314, 3.56930676407356,
    4.260383605019905, 4.97804137463912, 5.732747175251201, 6.541675005098634, 7.437890666021663, 8.507803519195257};
static const double weight[HALF] = {
    0.2408701155466404, 0.1614595128670001, 0.07206936401717823, 0.02112634440896756, 0.003976608929181307, 0.0004647187187793964,
    3.209500565274602e-05, 1.217659745442588e-06, 2.26746167348065e-08, 1.718664927964872e-10, 3.7149741527624e-13, 9.39019368904204e-17};

void sow_i_warp_clear(sow_warp *w)
{
    free(w->y);
    free(w->z);
    *w = (sow_warp){0};
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Slope of the line from the knot a tenth of the way in to the outermost; `floor` keeps it monotone. */
static double outer_slope(const sow_warp *w, int top, double floor)
{
    sow_index in = w->n / 10 > 0 ? w->n / 10 : 1, end = top ? w->n - 1 : 0, from = top ? end - in : in;
    return fmax((w->y[end] - w->y[from]) / (w->z[end] - w->z[from]), floor);
}

sow_status sow_i_warp_create(sow_warp *out, const double *y, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_warp w = {0};
    double *sorted = NULL, sd = sqrt(sow_variance(y, n));
    SOW_NEW(sorted, n);
    SOW_NEW(w.y, n);
    SOW_NEW(w.z, n);
    memcpy(sorted, y, (size_t)n * sizeof *y);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    for (sow_index from = 0, to; from < n; from = to) {
        for (to = from; to < n && sorted[to] == sorted[from]; to++) continue;
        w.y[w.n] = sorted[from];
        w.z[w.n++] = sow_normal_quantile(0.5 * (double)(from + to) / (double)n); /* mean rank - 1/2 */
    }
    if (w.n < 2) SOW_FAIL(err, SOW_E_ARG, "a warp needs two different values");
    w.low = outer_slope(&w, 0, 0.1 * sd);
    w.high = outer_slope(&w, 1, 0.1 * sd);
    *out = w;
    w = (sow_warp){0};
done:
    free(sorted);
    sow_i_warp_clear(&w);
    return st;
}

/* The last knot of x [n] not above v, in 0..n-2. */
static sow_index segment(const double *x, sow_index n, double v)
{
    sow_index low = 0, high = n - 1;
    while (high - low > 1) {
        sow_index middle = low + (high - low) / 2;
        if (x[middle] <= v)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double sow_i_warp_value(const sow_warp *w, double z)
{
    if (z <= w->z[0]) return w->y[0] + w->low * (z - w->z[0]);
    if (z >= w->z[w->n - 1]) return w->y[w->n - 1] + w->high * (z - w->z[w->n - 1]);
    sow_index k = segment(w->z, w->n, z);
    return w->y[k] + (w->y[k + 1] - w->y[k]) * (z - w->z[k]) / (w->z[k + 1] - w->z[k]);
}

double sow_i_warp_score(const sow_warp *w, double y)
{
    sow_index k = segment(w->y, w->n, y);
    return y == w->y[k] ? w->z[k] : w->z[k + 1];
}

double sow_i_warp_mean(const sow_warp *w, double m, double v)
{
    double sd = sqrt(v), sum = 0, centre = sow_i_warp_value(w, m);
    for (int k = 0; k < HALF; k++)
        sum += weight[k] * (sow_i_warp_value(w, m + sd * node[k]) + sow_i_warp_value(w, m - sd * node[k]) - 2 * centre);
    return centre + sum;
}

double sow_i_warp_variance(const sow_warp *w, double m, double v)
{
    double reach = Z95 * sqrt(v), sd = (sow_i_warp_value(w, m + reach) - sow_i_warp_value(w, m - reach)) / (2 * Z95);
    return sd * sd;
}
