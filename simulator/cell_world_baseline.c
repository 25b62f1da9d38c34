/* Facts about real screens that the world is drawn from, as small tables.
 *
 * Shares and sizes: quantiles over the 5,000 genes with the largest share of UMIs in K562 (Gasperini et al. 2019; fits distributed with PerturbPlan, MIT).
 * Cells per perturbation: Replogle 2022, K562 essential, as summarised by MORPH (counts cut to multiples of 32: 5 % 32, 330 of 2,033 at 32, median 96, 95 % 320, most 1984;
 * 8,283 batches of 32 over 1,993 perturbations). */
#include <math.h>

#include "simulator/cell_world_internal.h"

/* Log-linear between (x, y) knots; flat beyond the ends. */
double sow_i_between(const double *x, const double *y, int n, double at)
{
    int k = 1;
    if (at <= x[0]) return y[0];
    if (at >= x[n - 1]) return y[n - 1];
    while (x[k] < at)
        k++;
    const double part = (at - x[k - 1]) / (x[k] - x[k - 1]);
    return exp((1 - part) * log(y[k - 1]) + part * log(y[k]));
}

double sow_i_baseline_share(double f)
{
    static const double rank[] = {0, .0005, .002, .005, .01, .02, .03, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1};
    static const double share[] = {1.458e-02, 1.337e-02, 7.196e-03, 5.350e-03, 3.573e-03, 1.428e-03, 7.564e-04, 4.124e-04, 2.270e-04, 1.256e-04,
                                   8.875e-05, 6.913e-05, 5.666e-05, 4.799e-05, 4.068e-05, 3.500e-05, 3.036e-05, 2.642e-05};
    return sow_i_between(rank, share, (int)(sizeof rank / sizeof *rank), f);
}

double sow_i_baseline_size(double f, double u)
{
    enum { BANDS = 6, KNOTS = 9 };
    static const double upto[BANDS] = {.02, .1, .2, .4, .7, 1}; /* rank fraction */
    static const double at[KNOTS] = {0, .01, .05, .25, .5, .75, .95, .99, 1};
    static const double size[BANDS][KNOTS] = {
        {0.778, 1.100, 1.670, 4.06, 5.21, 6.76, 9.30, 9.64, 14.3}, {0.440, 0.685, 0.990, 1.82, 2.37, 3.26, 4.26, 5.30, 6.63},
        {0.247, 0.533, 1.010, 1.81, 2.32, 2.80, 3.38, 3.98, 4.26}, {0.339, 0.593, 1.070, 1.82, 2.27, 2.72, 3.37, 3.68, 4.15},
        {0.151, 0.472, 0.979, 1.96, 2.57, 3.14, 3.93, 4.53, 5.37}, {0.0338, 0.373, 0.955, 2.19, 3.13, 4.04, 5.59, 6.91, 8.89},
    };
    int band = 0;
    while (band + 1 < BANDS && f >= upto[band])
        band++;
    return sow_i_between(at, size[band], KNOTS, u);
}

/* Uncut counts that, cut to multiples of 32, have the published quantiles; the knot at .99 is set by the mean that the number of batches implies (148). */
double sow_i_cells_quantile(double u)
{
    static const double at[] = {0, .05, .162, .5, .95, .99, 1}, cells[] = {32, 32, 64, 96, 330, 640, 1984};
    return sow_i_between(at, cells, (int)(sizeof at / sizeof *at), u);
}
