/* Max-variance: the least known candidate, again and again; each pick lowers the variance of those it informs about, so that a batch
 * spreads (greedy determinant maximisation). Without a joint posterior the largest variances are taken independently. */
#include "acquisition/strategy_internal.h"

static sow_status pick_max_variance(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                    const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    sow_i_conditioning c = {0};
    SOW_TRY(sow_i_require_variance(view, "max-variance", err));
    SOW_TRY(sow_i_conditioning_init(&c, view, batch, err));
    for (sow_index k = 0; k < batch; k++) {
        const sow_index i = sow_i_best(view, c.var);
        if (i < 0) {
            st = sow_i_stuck(view, k, batch, err);
            goto done;
        }
        if (view->posterior)
            sow_i_take(&picks[k], view, i, c.var[i], "least known: variance %.3g given the picks before it, %.3g alone", c.var[i],
                       view->var[i]);
        else
            sow_i_take(&picks[k], view, i, c.var[i], "least known: predicted variance %.3g", c.var[i]);
        SOW_TRY(sow_i_condition_on(&c, i, err));
        SOW_TRY(sow_progress(env, "choosing", (double)(k + 1) / (double)batch, err));
    }
done:
    sow_i_conditioning_clear(&c);
    return st;
}

const sow_strategy sow_i_strategy_max_variance = {
    .name = "max-variance",
    .aliases = "uncertainty,topuncertain,top-uncertainty,maxdet",
    .summary = "the largest predictive variance, given the picks already in the batch",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT,
    .pick = pick_max_variance,
};
