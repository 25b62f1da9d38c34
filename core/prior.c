#include "core/prior.h"

#include <stdlib.h>
#include <string.h>

void sow_prior_clear(sow_prior *prior)
{
    if (!prior) return;
    free(prior->name);
    free(prior->has);
    free(prior->x);
    free(prior->start);
    free(prior->member);
    sow_names_destroy(prior->columns);
    memset(prior, 0, sizeof *prior);
}

void sow_prior_set_clear(sow_prior_set *set)
{
    if (!set) return;
    for (sow_index i = 0; set->priors && i < set->n_priors; i++) sow_prior_clear(&set->priors[i]);
    free(set->priors);
    free(set->fused);
    free(set->has_any);
    free(set->fit_rows);
    memset(set, 0, sizeof *set);
}
