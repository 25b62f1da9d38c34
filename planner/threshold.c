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

/* The measured of all target contexts: oriented values, and which were hits by the column. */
typedef struct {
    sow_index n;
    double *value;
    unsigned char *hit;
} measured_values;

/* A top share counts the pool's: a positive control or an extra result is none of them. */
static sow_status gather(measured_values *m, const sow_campaign *c, int by_column, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(m->value, c->n_sites * c->n);
    SOW_NEW(m->hit, c->n_sites * c->n);
    for (sow_index s = 0; s < c->n_sites; s++) {
        const sow_i_site *site = &c->site[s];
        for (sow_index i = 0; i < site->training.n_target; i++) {
            const sow_index q = site->training.perturbation[i];
            if (!by_column && !site->in_pool[q]) continue;
            m->hit[m->n] = (unsigned char)sow_i_is_hit_value(c, site->item[q].hit);
            m->value[m->n++] = sow_i_orientation(c) * site->training.y[i];
        }
    }
done:
    return st;
}

static sow_status column_threshold(double *out, const measured_values *m, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL, hits = 0;
    *out = NAN;
    SOW_NEW(order, m->n);
    for (sow_index i = 0; i < m->n; i++)
        hits += m->hit[i];
    if (hits == 0 || hits == m->n) goto done;
    SOW_TRY(sow_order_descending(order, m->value, NULL, m->n, err));
    /* cut after position i: hits below it and non-hits above it are errors */
    sow_index errors = hits, best = m->n + 1;
    for (sow_index i = 0; i + 1 < m->n; i++) {
        errors += m->hit[order[i]] ? -1 : 1;
        if (errors >= best) continue;
        best = errors;
        *out = 0.5 * (m->value[order[i]] + m->value[order[i + 1]]);
    }
done:
    free(order);
    return st;
}

sow_status sow_i_hit_threshold(double *out, const sow_campaign *c, const double *mean, const double *var, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    measured_values m = {0};
    *out = NAN;
    if (c->d != 1 || strcmp(c->config->objective.kind, "hits") != 0) return SOW_OK;
    const int by_column = c->config->objective.column != NULL;
    SOW_TRY(gather(&m, c, by_column, err));
    if (by_column) SOW_TRY(column_threshold(out, &m, err));
    else if (mean && var && n + m.n > 0)
        *out = share_threshold((double)sow_i_hit_count(c), m.value, m.n, mean, var, n);
done:
    free(m.value);
    free(m.hit);
    return st;
}
