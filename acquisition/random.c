/* Random: uniform without replacement, from this run's and round's own stream. */
#include <stdio.h>

#include "acquisition/strategy_internal.h"

static sow_status pick_random(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                              const sow_env *env, sow_error *err)
{
    (void)options;
    (void)env;
    sow_rng rng = view->rng;
    sow_index picked = 0;
    char reason[64];
    snprintf(reason, sizeof reason, "drawn at random, %lld of %lld candidates", (long long)batch, (long long)view->n);
    const sow_status st = sow_i_take_at_random(picks, &picked, batch, view, NULL, &rng, reason, err);
    return st == SOW_OK && picked < batch ? sow_i_stuck(view, picked, batch, err) : st;
}

const sow_strategy sow_i_strategy_random = {
    .name = "random",
    .aliases = "uniform",
    .summary = "uniform without replacement, an independent stream for every run and round",
    .needs = 0,
    .pick = pick_random,
};
