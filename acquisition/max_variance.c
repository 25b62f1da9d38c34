/* Max-variance: the least known candidate, again and again; each pick lowers the variance of those it informs about, so that a
 * batch spreads (greedy determinant maximisation). Without a joint posterior the largest variances are taken independently. */
#include <stdio.h>

#include "acquisition/strategy_internal.h"

static double variance(double mean, double var, const void *how)
{
    (void)mean;
    (void)how;
    return var;
}

static void explain(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how)
{
    (void)how;
    if (view->posterior)
        snprintf(text, size, "least known: variance %.3g given the picks before it, %.3g alone", score, view->var[i]);
    else
        snprintf(text, size, "least known: predicted variance %.3g", score);
}

static sow_status pick_max_variance(sow_pick *picks, sow_index batch, const sow_pool_view *view,
                                    const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)options;
    const sow_i_rule rule = {.score = variance, .explain = explain};
    return sow_i_pick_one_by_one(picks, batch, view, "max-variance", &rule, env, err);
}

const sow_strategy sow_i_strategy_max_variance = {
    .name = "max-variance",
    .aliases = "topuncertain,top-uncertainty,maxdet",
    .summary = "the largest predictive variance, given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT,
    .pick = pick_max_variance,
};
