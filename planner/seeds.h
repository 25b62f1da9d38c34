/* Seeds: which perturbations to measure first in a new context (the campaign's target), and what that buys.
 *
 * The reference contexts say both. Each of them in turn is taken for new, the others being known: a strategy chooses seeds among what it and the target's pool have, the campaign's model is fitted on
 * the seeds and the other references, and its predictions of the rest are compared with what was measured. docs/seeds.md. */
#ifndef SOWER_PLANNER_SEEDS_H
#define SOWER_PLANNER_SEEDS_H

#include "core/env.h"
#include "core/status.h"
#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index n;            /* seeds wanted, >= 1 */
    const char *strategies; /* names with commas between; NULL = every one that chooses from references, a list or chance */
    sow_index draws;        /* replays of strategies that depend on chance, >= 1 */
    const char *dir;        /* folder for the results; NULL = NAME.seeds beside the YAML */
    const char *cache;      /* as sow_campaign_options */
} sow_seeds_options;
#define SOW_SEEDS_OPTIONS_INIT {20, NULL, 3, NULL, NULL}

/** Chooses seeds for the target of the campaign file and writes seeds.csv (rank, perturbation, strategy, reason, score), seeds_accuracy.csv (strategy, seeds, metric, mean, low, high, replays) and seeds.html
 *  into the folder, all computed before the first is written. With one reference context there is a list and no accuracy. `*json` (may be NULL; caller frees): what --json prints. Looks at nothing that the
 *  target measured, and works before anything is. The same bytes for any number of threads. SOW_E_CONFIG: no reference, an unknown strategy or one that needs more than there is, more seeds than the pool
 *  has. Cost: a fit of the model for every reference, strategy, draw and number of seeds. */
SOW_MUST_CHECK sow_status sow_choose_seeds(char **json, const sow_config *config, const sow_seeds_options *options, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
