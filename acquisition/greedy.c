/* Greedy: the largest predicted means. */
#include "acquisition/strategy_internal.h"

static sow_status pick_greedy(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                              const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    for (sow_index k = 0; k < batch; k++) {
        const sow_index i = sow_i_best(view, view->mean);
        if (i < 0) return sow_i_stuck(view, k, batch, err);
        sow_i_take(&picks[k], view, i, view->mean[i], "%s", sow_i_describe(view, i, view->threshold).text);
    }
    return SOW_OK;
}

const sow_strategy sow_i_strategy_greedy = {
    .name = "greedy",
    .aliases = "exploit,mean",
    .summary = "the largest predicted values",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_HITS,
    .pick = pick_greedy,
};
