/* Probability of hit: P(value >= threshold), the variance given the picks already in the batch (arXiv 2605.10196 ranks by it once).
 */
#include <math.h>
#include <stdio.h>

#include "acquisition/strategy_internal.h"

static double probability(double mean, double var, const void *how)
{
    return sow_i_probability(mean, var, *(const double *)how);
}

static void explain(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how)
{
    (void)score;
    snprintf(text, size, "%s", sow_i_describe(view, i, *(const double *)how).text);
}

static sow_status pick_poh(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                           const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    double threshold = NAN;
    const sow_i_rule rule = {.score = probability, .explain = explain, .how = &threshold};
    SOW_TRY(sow_i_threshold(&threshold, view, err));
    SOW_TRY(sow_i_pick_one_by_one(picks, batch, view, "probability-of-hit", &rule, env, err));
done:
    return st;
}

const sow_strategy sow_i_strategy_poh = {
    .name = "probability-of-hit",
    .aliases = "poh,pi",
    .summary = "the probability of reaching the hit threshold, given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_poh,
};
