/* Upper confidence bound: mean + beta sd, the sd given the picks already in the batch (GP-BUCB, Desautels et al. 2014). */
#include <math.h>
#include <stdio.h>

#include "acquisition/strategy_internal.h"

static double bound(double mean, double var, const void *how)
{
    const sow_strategy_options *options = how;
    return mean + options->beta * sqrt(var);
}

static void explain(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how)
{
    (void)score;
    (void)how;
    snprintf(text, size, "%s", sow_i_describe(view, i, view->threshold).text);
}

static sow_status pick_ucb(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                           const sow_env *env, sow_error *err)
{
    const sow_i_rule rule = {.score = bound, .explain = explain, .how = options};
    return sow_i_pick_one_by_one(picks, batch, view, "ucb", &rule, env, err);
}

const sow_strategy sow_i_strategy_ucb = {
    .name = "ucb",
    .aliases = "upper-confidence-bound",
    .summary = "predicted mean + beta standard deviations, given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_ucb,
};
