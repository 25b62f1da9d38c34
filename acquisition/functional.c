/* Functional: a list of one's own, in its order; when it is done, at random. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"

static sow_status pick_functional(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_status st = SOW_OK;
    double *score = NULL;
    sow_index picked = 0;
    SOW_NEW(score, view->n);
    for (sow_index i = 0; i < view->n; i++) score[i] = view->listed[i] < 0 ? NAN : -(double)view->listed[i];
    while (picked < batch) {
        const sow_index i = sow_i_best(view, score);
        if (i < 0) break;
        sow_i_take(&picks[picked++], view, i, score[i], "place %lld of the list", (long long)view->listed[i] + 1);
    }
    SOW_TRY(sow_i_take_unknown(picks, &picked, batch, view, score, "the list is done: drawn at random", err));
done:
    free(score);
    return st;
}

const sow_strategy sow_i_strategy_functional = {
    .name = "functional",
    .aliases = "list",
    .summary = "a list of one's own (acquisition.list), in its order; then at random",
    .needs = SOW_NEED_LIST,
    .pick = pick_functional,
};
