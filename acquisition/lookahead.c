/* Look-ahead for hits: explore while there are rounds left to profit from it, exploit at the end.
 *
 * Upper confidence bound with a weight that falls with the picks still to come: beta x (picks after this batch) / (picks that were
 * to come after the first chosen batch), so beta in the first chosen round and 0, the predicted mean alone, in the last. The
 * standard deviation is given the picks already in the batch. docs/results.md compares it with the others; scores that add the expected gain
 * in later hit probabilities (Jiang et al. 2017) did no better in a first trial and cost far more. */
#include <math.h>
#include <stdio.h>

#include "acquisition/strategy_internal.h"

/* Share of the campaign that is still to come, rounds before this one taken to be as large as this batch. */
static double share_to_come(const sow_pool_view *view, sow_index batch)
{
    const sow_index earlier = view->round > 1 ? view->round - 1 : 0;
    const double to_come = view->picks_after > 0 ? (double)view->picks_after : 0;
    return to_come > 0 ? to_come / (to_come + (double)earlier * (double)batch) : 0;
}

static double bound(double mean, double var, const void *how)
{
    return mean + *(const double *)how * sqrt(var);
}

static void explain(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how)
{
    (void)score;
    snprintf(text, size, "%s; weight %.2g on what is not known, %lld picks to come", sow_i_describe(view, i, view->threshold).text,
             *(const double *)how, (long long)view->picks_after);
}

static sow_status pick_lookahead(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                 const sow_env *env, sow_error *err)
{
    const double beta = options->beta * share_to_come(view, batch);
    const sow_i_rule rule = {.score = bound, .explain = explain, .how = &beta};
    sow_pool_view last = *view;
    if (!(beta > 0)) last.posterior = NULL; /* only means count: no need to follow the variances */
    return sow_i_pick_one_by_one(picks, batch, &last, "lookahead", &rule, env, err);
}

const sow_strategy sow_i_strategy_lookahead = {
    .name = "lookahead",
    .aliases = "look-ahead",
    .summary = "explores while picks are still to come and exploits in the last batch: ucb with a falling beta",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_lookahead,
};
