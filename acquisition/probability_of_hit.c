/* Probability of hit: P(value >= threshold), the variance given the picks already in the batch (arXiv 2605.10196 ranks by it once). */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"

static sow_status pick_poh(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                           const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    sow_i_conditioning c = {0};
    double *score = NULL, threshold = NAN;
    SOW_TRY(sow_i_require_variance(view, "probability-of-hit", err));
    SOW_TRY(sow_i_threshold(&threshold, view, err));
    SOW_TRY(sow_i_conditioning_init(&c, view, batch, err));
    SOW_NEW(score, view->n);
    for (sow_index k = 0; k < batch; k++) {
        for (sow_index i = 0; i < view->n; i++) score[i] = sow_i_probability(view->mean[i], c.var[i], threshold);
        const sow_index i = sow_i_best(view, score);
        if (i < 0) {
            st = sow_i_stuck(view, k, batch, err);
            goto done;
        }
        sow_i_take(&picks[k], view, i, score[i], "%s", sow_i_describe(view, i, threshold).text);
        SOW_TRY(sow_i_condition_on(&c, i, err));
        SOW_TRY(sow_progress(env, "choosing", (double)(k + 1) / (double)batch, err));
    }
done:
    free(score);
    sow_i_conditioning_clear(&c);
    return st;
}

const sow_strategy sow_i_strategy_poh = {
    .name = "probability-of-hit",
    .aliases = "poh,pi",
    .summary = "the probability of reaching the hit threshold, given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_poh,
};
