/* Reference: rank by the value measured in a reference context; candidates that it did not measure come last, in random order. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"

/* The reference value; for the unmeasured a random number in the unit below the lowest of them. */
static void score_all(double *score, const sow_pool_view *view)
{
    sow_rng rng = view->rng;
    double lowest = INFINITY;
    for (sow_index i = 0; i < view->n; i++)
        if (view->reference[i] < lowest) lowest = view->reference[i];
    for (sow_index i = 0; i < view->n; i++) {
        const double u = sow_rng_uniform(&rng);
        score[i] = isnan(view->reference[i]) ? lowest - 1 + 0.999 * u : view->reference[i];
    }
}

/* A candidate's place among those with a value, 1 the highest. */
static sow_index place_of(sow_index candidate, const sow_pool_view *view)
{
    sow_index place = 1;
    for (sow_index i = 0; i < view->n; i++) place += view->reference[i] > view->reference[candidate];
    return place;
}

static sow_status pick_reference(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                 const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_status st = SOW_OK;
    double *score = NULL;
    SOW_NEW(score, view->n);
    score_all(score, view);
    for (sow_index k = 0; k < batch; k++) {
        const sow_index i = sow_i_best(view, score);
        if (i < 0) {
            st = sow_i_stuck(view, k, batch, err);
            goto done;
        }
        if (isnan(view->reference[i]))
            sow_i_take(&picks[k], view, i, score[i], "no value in the reference context: drawn at random");
        else
            sow_i_take(&picks[k], view, i, score[i], "%.3g in the reference context, place %lld of the candidates there",
                       score[i], (long long)place_of(i, view));
    }
done:
    free(score);
    return st;
}

const sow_strategy sow_i_strategy_reference = {
    .name = "reference",
    .aliases = "by-reference",
    .summary = "rank by the value in a reference context; what it did not measure comes last",
    .needs = SOW_NEED_REFERENCE | SOW_NEED_HITS,
    .pick = pick_reference,
};
