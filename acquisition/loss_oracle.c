/* Loss-oracle: the largest true loss of the model, which only a screen measured (or simulated) in full can tell. It bounds what loss
 * prediction can reach; no lab can use it. */
#include <math.h>

#include "acquisition/strategy_internal.h"

static sow_status pick_loss_oracle(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                   const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_index picked = 0;
    while (picked < batch) {
        const sow_index i = sow_i_best(view, view->true_loss);
        if (i < 0) break;
        sow_i_take(&picks[picked++], view, i, view->true_loss[i], "true loss %.3g, above %.0f %% of the candidates", view->true_loss[i],
                   sow_i_percent_below(view->true_loss, view->n, i));
    }
    return sow_i_take_unknown(picks, &picked, batch, view, view->true_loss, "its true loss is not known: drawn at random", err);
}

const sow_strategy sow_i_strategy_loss_oracle = {
    .name = "loss-oracle",
    .aliases = "true-loss",
    .summary = "the largest true loss of the model, known only in a replayed or simulated screen: the bound of loss-prediction",
    .needs = SOW_NEED_TRUTH,
    .pick = pick_loss_oracle,
};
