/* Candidates of several target contexts at once: a pair is asked of the model of its own site, and the answers are put in the order of the pairs. */
#ifndef SOWER_PLANNER_PAIRS_H
#define SOWER_PLANNER_PAIRS_H

#include "planner/campaign_internal.h"

/** The pairs of one site among a list: their places in it and their perturbations, in the order of the list. */
typedef struct {
    sow_index n, *at, *perturbation;
} sow_i_block;
SOW_MUST_CHECK sow_status sow_i_block_of(sow_i_block *b, const sow_campaign *c, const sow_index *pair, sow_index n, sow_index site, sow_error *err);
void sow_i_block_clear(sow_i_block *b);

/** Fits what is not fitted. mean, var and noise [n, d]; var and noise may be NULL. Leaves the first site in hand. */
SOW_MUST_CHECK sow_status sow_i_predict_pairs(double *mean, double *var, double *noise, sow_campaign *c, const sow_index *pair, sow_index n, const sow_env *env, sow_error *err);
/** The same of measurements with so many cells each, which the noise depends on; NaN = as many as usual. */
SOW_MUST_CHECK sow_status sow_i_predict_pairs_with(double *mean, double *var, double *noise, sow_campaign *c, const sow_index *pair, sow_index n, double cells, const sow_env *env, sow_error *err);
/** One joint posterior; pairs of different sites are independent in it, for each site has a model of its own. Likewise. */
SOW_MUST_CHECK sow_status sow_i_posterior_of_pairs(sow_posterior **out, sow_campaign *c, const sow_index *pair, sow_index n, const sow_env *env, sow_error *err);

#endif
