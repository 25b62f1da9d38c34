#include "core/adjust.h"
#include "core/memory.h"
#include "core/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int all_finite(const double *x, sow_index n)
{
    for (sow_index i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

static int any_finite(const double *x, sow_index n)
{
    for (sow_index i = 0; i < n; i++)
        if (isfinite(x[i])) return 1;
    return 0;
}

/* Weighted mean covariate over the rows that the fit of some feature uses. */
static void mean_covariate(sow_adjust *a, const double *y, sow_index n, const double *covariate, const double *weight)
{
    sow_index d = a->n_features, p = a->n_covariates;
    double total = 0;
    for (sow_index i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        if (!(w > 0) || !isfinite(w) || !all_finite(covariate + i * p, p) || !any_finite(y + i * d, d)) continue;
        total += w;
        for (sow_index j = 0; j < p; j++) a->centre[j] += w * covariate[i * p + j];
    }
    for (sow_index j = 0; j < p; j++) a->centre[j] = total > 0 ? a->centre[j] / total : 0;
}

static sow_index usable_rows(const double *y, sow_index n, const double *covariate, sow_index p, const double *weight)
{
    sow_index usable = 0;
    for (sow_index i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        usable += w > 0 && isfinite(w) && isfinite(y[i]) && all_finite(covariate + i * p, p);
    }
    return usable;
}

static sow_status fit_slopes(sow_adjust *a, const double *y, sow_index n, const double *covariate, const double *weight, sow_error *err)
{
    sow_status st = SOW_OK;
    double *column = NULL, *beta = NULL;
    sow_index d = a->n_features, p = a->n_covariates;
    SOW_NEW(column, n);
    SOW_NEW(beta, p + 1);
    for (sow_index j = 0; j < d; j++) {
        for (sow_index i = 0; i < n; i++) column[i] = y[i * d + j];
        if (usable_rows(column, n, covariate, p, weight) < p + 2) continue;
        SOW_TRY(sow_least_squares(beta, covariate, column, weight, n, p, err));
        memcpy(a->slope + j * p, beta + 1, (size_t)p * sizeof *beta);
    }
done:
    free(beta);
    free(column);
    return st;
}

sow_status sow_adjust_fit(sow_adjust *out, const double *y, sow_index n, sow_index d, const double *covariate, sow_index p,
                          const double *weight, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_adjust a = {.n_features = d, .n_covariates = p};
    memset(out, 0, sizeof *out);
    SOW_NEW(a.slope, d * p);
    SOW_NEW(a.centre, p);
    if (p > 0) {
        mean_covariate(&a, y, n, covariate, weight);
        SOW_TRY(fit_slopes(&a, y, n, covariate, weight, err));
    }
    *out = a;
    memset(&a, 0, sizeof a);
done:
    sow_adjust_clear(&a);
    return st;
}

void sow_adjust_apply(const sow_adjust *a, double *y, sow_index n, const double *covariate)
{
    sow_index d = a->n_features, p = a->n_covariates;
    if (p == 0) return;
    for (sow_index i = 0; i < n; i++) {
        const double *c = covariate + i * p;
        if (!all_finite(c, p)) continue;
        for (sow_index j = 0; j < d; j++)
            for (sow_index k = 0; k < p; k++) y[i * d + j] -= a->slope[j * p + k] * (c[k] - a->centre[k]);
    }
}

void sow_adjust_clear(sow_adjust *a)
{
    if (!a) return;
    free(a->slope);
    free(a->centre);
    memset(a, 0, sizeof *a);
}
