/* Where hits begin, as far as what is measured can say.
 *
 * Top share: the pool holds a known number of hits h, so the threshold t solves
 *     #{measured >= t} + sum over candidates of P(value >= t) = h
 * by bisection; the probability is of the adjusted noise-free value. A hit column: t separates the measured hits from the measured
 * others with the fewest errors. Without a measured hit (or non-hit) there is no threshold yet: NaN. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/campaign_internal.h"

static double expected_hits(double t, const double *measured, sow_index m, const double *mean, const double *var, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < m; i++)
        sum += measured[i] >= t;
    for (sow_index i = 0; i < n; i++)
        sum += sow_normal_cdf((mean[i] - t) / sqrt(fmax(var[i], 1e-12)));
    return sum;
}

static double share_threshold(double wanted, const double *measured, sow_index m, const double *mean, const double *var, sow_index n)
{
    double low = INFINITY, high = -INFINITY;
    for (sow_index i = 0; i < m; i++) {
        low = fmin(low, measured[i]);
        high = fmax(high, measured[i]);
    }
    for (sow_index i = 0; i < n; i++) {
        low = fmin(low, mean[i] - 6 * sqrt(var[i]));
        high = fmax(high, mean[i] + 6 * sqrt(var[i]));
    }
    for (int step = 0; step < 60; step++) {
        double mid = 0.5 * (low + high);
        if (expected_hits(mid, measured, m, mean, var, n) > wanted) low = mid;
        else high = mid;
    }
    return 0.5 * (low + high);
}

static sow_status column_threshold(double *out, const sow_campaign *c, const sow_i_training *t, const double *measured, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL, hits = 0, m = t->n_target;
    *out = NAN;
    SOW_NEW(order, m);
    for (sow_index i = 0; i < m; i++)
        hits += sow_i_is_hit_value(c, c->item[t->perturbation[i]].hit);
    if (hits == 0 || hits == m) goto done;
    SOW_TRY(sow_order_descending(order, measured, NULL, m, err));
    /* cut after position i: hits below it and non-hits above it are errors */
    sow_index errors = hits, best = m + 1;
    for (sow_index i = 0; i + 1 < m; i++) {
        errors += sow_i_is_hit_value(c, c->item[t->perturbation[order[i]]].hit) ? -1 : 1;
        if (errors >= best) continue;
        best = errors;
        *out = 0.5 * (measured[order[i]] + measured[order[i + 1]]);
    }
done:
    free(order);
    return st;
}

sow_status sow_i_hit_threshold(double *out, const sow_campaign *c, const sow_i_training *t, const double *mean, const double *var, sow_index n,
                           sow_error *err)
{
    sow_status st = SOW_OK;
    double *measured = NULL;
    *out = NAN;
    if (c->d != 1 || strcmp(c->config->objective.kind, "hits") != 0) return SOW_OK;
    int by_column = c->config->objective.column != NULL;
    sow_index m = 0;
    SOW_NEW(measured, t->n_target);
    for (sow_index i = 0; i < t->n_target; i++) /* h counts the pool's: a positive control or an extra result is none of them */
        if (by_column || c->in_pool[t->perturbation[i]]) measured[m++] = sow_i_orientation(c) * t->y[i];
    if (by_column) SOW_TRY(column_threshold(out, c, t, measured, err));
    else if (mean && var && n + m > 0)
        *out = share_threshold((double)sow_i_hit_count(c), measured, m, mean, var, n);
done:
    free(measured);
    return st;
}
