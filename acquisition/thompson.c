/* Thompson sampling: one joint draw of the posterior per pick; the pick is the draw's best candidate not yet taken.
 *
 * Large pools are restricted to the candidates of largest mean + 3 sd, which hold nearly every draw's best; their joint covariance
 * is put together from posterior columns. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/linalg.h"
#include "core/memory.h"
#include "core/stats.h"

enum { MOST_DRAWN = 4000, RESTRICTED_TO = 1000 };

static const double jitter_share = 1e-8; /* of the largest variance, for the Cholesky factor of the restricted covariance */

/* Candidates of largest mean + 3 sd, in position order. */
static sow_status find_promising(sow_index *subset, sow_index m, const sow_pool_view *view, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_posterior *p = view->posterior;
    double *bound = NULL;
    sow_index *order = NULL, n = 0;
    unsigned char *in = NULL;
    SOW_NEW(bound, view->n);
    SOW_NEW(order, view->n);
    SOW_NEW(in, view->n);
    for (sow_index i = 0; i < view->n; i++)
        bound[i] = p->mean[i] + 3 * sqrt(p->var[i] > 0 ? p->var[i] : 0);
    SOW_TRY(sow_order_descending(order, bound, view->name, view->n, err));
    for (sow_index k = 0; k < m; k++)
        in[order[k]] = 1;
    for (sow_index i = 0; i < view->n; i++)
        if (in[i]) subset[n++] = i;
done:
    free(bound);
    free(order);
    free(in);
    return st;
}

typedef struct {
    const sow_pool_view *view;
    const sow_index *subset;
    sow_index m;
    double *covariance; /* [m, m] */
} subset_rows;

static sow_status fill_row(void *user, sow_index a, sow_error *err)
{
    sow_status st = SOW_OK;
    const subset_rows *r = user;
    double *column = NULL;
    SOW_NEW(column, r->view->n);
    SOW_TRY(r->view->posterior->column(r->view->posterior, r->subset[a], column, err));
    for (sow_index b = 0; b < r->m; b++)
        r->covariance[a * r->m + b] = column[r->subset[b]];
done:
    free(column);
    return st;
}

/* Lower Cholesky factor of the covariance of the subset, [m, m]. */
static sow_status factor_subset(double *factor, const sow_index *subset, sow_index m, const sow_pool_view *view, const sow_env *env,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    subset_rows rows = {.view = view, .subset = subset, .m = m, .covariance = factor};
    double largest = 0;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), m, fill_row, &rows, err));
    for (sow_index a = 0; a < m; a++)
        largest = factor[a * m + a] > largest ? factor[a * m + a] : largest;
    for (sow_index a = 0; a < m; a++)
        factor[a * m + a] += jitter_share * largest;
    SOW_TRY(sow_cholesky(sow_env_threads(env), m, factor, m, err));
done:
    return st;
}

/* draws [s, n]; NaN outside the subset. */
static sow_status draw_restricted(double *draws, sow_index s, const sow_pool_view *view, sow_rng *rng, const sow_env *env,
                                  sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index m = RESTRICTED_TO, n = view->n;
    sow_index *subset = NULL;
    double *factor = NULL, *z = NULL, *sample = NULL;
    SOW_NEW(subset, m);
    SOW_NEW(factor, m * m);
    SOW_NEW(z, s * m);
    SOW_NEW(sample, s * m);
    SOW_TRY(find_promising(subset, m, view, err));
    SOW_TRY(factor_subset(factor, subset, m, view, env, err));
    for (sow_index i = 0; i < s * m; i++)
        z[i] = sow_rng_normal(rng);
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, s, m, m, 1.0, z, m, factor, m, 0.0, sample, m, err));
    for (sow_index i = 0; i < s * n; i++)
        draws[i] = NAN;
    for (sow_index k = 0; k < s; k++)
        for (sow_index a = 0; a < m; a++)
            draws[k * n + subset[a]] = view->posterior->mean[subset[a]] + sample[k * m + a];
done:
    free(subset);
    free(factor);
    free(z);
    free(sample);
    return st;
}

/* A draw whose candidates may none be picked gives way to the predicted mean. */
static sow_status take_from_draw(sow_pick *pick, const sow_pool_view *view, const double *draw, sow_index k, sow_index batch,
                                 sow_error *err)
{
    const sow_posterior *p = view->posterior;
    sow_index i = sow_i_best(view, draw);
    if (i >= 0) {
        sow_i_take(pick, view, i, draw[i], "best of joint draw %lld at %.3g; predicted %.3g +- %.2g", (long long)(k + 1), draw[i],
                   p->mean[i], sqrt(p->var[i] > 0 ? p->var[i] : 0));
        return SOW_OK;
    }
    i = sow_i_best(view, p->mean);
    if (i < 0) return sow_i_stuck(view, k, batch, err);
    sow_i_take(pick, view, i, p->mean[i], "no drawn candidate may be picked; the largest predicted value %.3g", p->mean[i]);
    return SOW_OK;
}

static sow_status pick_thompson(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    sow_rng rng = view->rng;
    double *draws = NULL;
    SOW_NEW(draws, batch * view->n);
    if (view->n <= MOST_DRAWN)
        SOW_TRY(view->posterior->draw(view->posterior, &rng, batch, draws, err));
    else
        SOW_TRY(draw_restricted(draws, batch, view, &rng, env, err));
    for (sow_index k = 0; k < batch; k++)
        SOW_TRY(take_from_draw(&picks[k], view, draws + k * view->n, k, batch, err));
done:
    free(draws);
    return st;
}

const sow_strategy sow_i_strategy_thompson = {
    .name = "thompson",
    .aliases = "ts,thompson-sampling",
    .summary = "the best candidate of one joint posterior draw per pick",
    .needs = SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_thompson,
};
