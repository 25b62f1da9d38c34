/* Uncertainty of a learned representation: how far the latent of a candidate moved, epoch by epoch, while the model trained (morph.md
 * 5.2). `uncertainty` takes the largest; `soft-uncertainty` draws without replacement with probabilities softmax(10 u), by adding a
 * Gumbel number to 10 u and taking the largest (Efraimidis & Spirakis 2006; Kool et al. 2019), so that rules act inside the choice.
 * Candidates that have no latent come last, at random. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"

static const double sharpness = 10; /* of the softmax, as published */

void sow_i_softmax(double *p, const double *x, sow_index n, double scale)
{
    double most = -INFINITY, sum = 0;
    for (sow_index i = 0; i < n; i++)
        if (scale * x[i] > most) most = scale * x[i];
    for (sow_index i = 0; i < n; i++) {
        p[i] = isnan(x[i]) ? 0 : exp(scale * x[i] - most);
        sum += p[i];
    }
    for (sow_index i = 0; i < n && sum > 0; i++)
        p[i] /= sum;
}

static sow_status pick_uncertainty(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                   const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_index picked = 0;
    while (picked < batch) {
        const sow_index i = sow_i_best(view, view->drift);
        if (i < 0) break;
        sow_i_take(&picks[picked++], view, i, view->drift[i], "least settled: its latent moved %.3g an epoch in training", view->drift[i]);
    }
    return sow_i_take_unknown(picks, &picked, batch, view, view->drift, "no latent, so no uncertainty: drawn at random", err);
}

static sow_status pick_soft_uncertainty(sow_pick *picks, sow_index batch, const sow_pool_view *view,
                                        const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_status st = SOW_OK;
    sow_rng rng = view->rng;
    sow_index picked = 0;
    double *key = NULL, *p = NULL;
    SOW_NEW(key, view->n);
    SOW_NEW(p, view->n);
    sow_i_softmax(p, view->drift, view->n, sharpness);
    for (sow_index i = 0; i < view->n; i++) /* drawn for all, so that a draw does not depend on who has a latent; NaN stays NaN */
        key[i] = sharpness * view->drift[i] - log(-log(sow_rng_uniform(&rng)));
    while (picked < batch) {
        const sow_index i = sow_i_best(view, key);
        if (i < 0) break;
        sow_i_take(&picks[picked++], view, i, view->drift[i], "drawn with probability %.2g: its latent moved %.3g an epoch in training",
                   p[i], view->drift[i]);
    }
    SOW_TRY(sow_i_take_unknown(picks, &picked, batch, view, view->drift, "no latent, so no uncertainty: drawn at random", err));
done:
    free(key);
    free(p);
    return st;
}

const sow_strategy sow_i_strategy_uncertainty = {
    .name = "uncertainty",
    .aliases = "latent-drift",
    .summary = "the candidates whose learned latent moved most while the model trained",
    .needs = SOW_NEED_DRIFT,
    .pick = pick_uncertainty,
};

const sow_strategy sow_i_strategy_soft_uncertainty = {
    .name = "soft-uncertainty",
    .aliases = "softuncertain,uncertainty-random",
    .summary = "drawn at random, the more often the more the learned latent moved while the model trained",
    .needs = SOW_NEED_DRIFT,
    .pick = pick_soft_uncertainty,
};
