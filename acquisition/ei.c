/* Expected improvement over the hit threshold, or over the best measured value when there is no threshold:
 * EI = (m - y) F(z) + s f(z), z = (m - y) / s (Jones et al. 1998), s given the picks already in the batch. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"
#include "core/stats.h"

static double improvement(double mean, double var, double incumbent)
{
    const double gain = mean - incumbent, sd = sqrt(var);
    if (!(sd > 0)) return gain > 0 ? gain : 0;
    return gain * sow_normal_cdf(gain / sd) + sd * sow_normal_pdf(gain / sd);
}

/* Without anything measured: the largest predicted mean. */
static double incumbent_of(const sow_pool_view *view)
{
    if (isfinite(view->threshold)) return view->threshold;
    const double *x = view->n_measured > 0 ? view->measured : view->mean;
    const sow_index n = view->n_measured > 0 ? view->n_measured : view->n;
    double best = x[0];
    for (sow_index i = 1; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

static sow_status pick_ei(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                          const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    sow_i_conditioning c = {0};
    double *score = NULL;
    const double incumbent = incumbent_of(view);
    SOW_TRY(sow_i_require_variance(view, "ei", err));
    SOW_TRY(sow_i_conditioning_init(&c, view, batch, err));
    SOW_NEW(score, view->n);
    for (sow_index k = 0; k < batch; k++) {
        for (sow_index i = 0; i < view->n; i++) score[i] = improvement(view->mean[i], c.var[i], incumbent);
        const sow_index i = sow_i_best(view, score);
        if (i < 0) {
            st = sow_i_stuck(view, k, batch, err);
            goto done;
        }
        sow_i_take(&picks[k], view, i, score[i], "expected gain %.3g over %.3g; predicted %.3g +- %.2g", score[i], incumbent, view->mean[i],
                   sqrt(view->var[i]));
        SOW_TRY(sow_i_condition_on(&c, i, err));
        SOW_TRY(sow_progress(env, "choosing", (double)(k + 1) / (double)batch, err));
    }
done:
    free(score);
    sow_i_conditioning_clear(&c);
    return st;
}

const sow_strategy sow_i_strategy_ei = {
    .name = "ei",
    .aliases = "expected-improvement",
    .summary = "expected improvement over the hit threshold (or the best measured), given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_ei,
};
