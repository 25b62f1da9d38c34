/* Expected improvement over the hit threshold, or over the best measured value when there is no threshold:
 * EI = (m - y) F(z) + s f(z), z = (m - y) / s (Jones et al. 1998), s given the picks already in the batch. */
#include <math.h>
#include <stdio.h>

#include "acquisition/strategy_internal.h"
#include "core/stats.h"

static double improvement(double mean, double var, const void *how)
{
    const double gain = mean - *(const double *)how, sd = sqrt(var);
    if (!(sd > 0)) return gain > 0 ? gain : 0;
    return gain * sow_normal_cdf(gain / sd) + sd * sow_normal_pdf(gain / sd);
}

static void explain(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how)
{
    snprintf(text, size, "expected gain %.3g over %.3g; predicted %.3g +- %.2g", score, *(const double *)how, view->mean[i],
             sqrt(view->var[i]));
}

/* Without anything measured: the largest predicted mean. */
static double incumbent_of(const sow_pool_view *view)
{
    if (isfinite(view->threshold)) return view->threshold;
    const double *x = view->n_measured > 0 ? view->measured : view->mean;
    const sow_index n = view->n_measured > 0 ? view->n_measured : view->n;
    double best = x[0];
    for (sow_index i = 1; i < n; i++)
        best = x[i] > best ? x[i] : best;
    return best;
}

static sow_status pick_ei(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                          const sow_env *env, sow_error *err)
{
    (void)options;
    const double incumbent = incumbent_of(view);
    const sow_i_rule rule = {.score = improvement, .explain = explain, .how = &incumbent};
    return sow_i_pick_one_by_one(picks, batch, view, "ei", &rule, env, err);
}

const sow_strategy sow_i_strategy_ei = {
    .name = "ei",
    .aliases = "expected-improvement",
    .summary = "expected improvement over the hit threshold (or the best measured), given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_ei,
};
