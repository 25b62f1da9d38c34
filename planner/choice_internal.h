/* Inside planning: the candidates of a round, its rules, and what the strategy is shown. plan.c makes it, view.c and view_learned.c fill it. */
#ifndef SOWER_PLANNER_CHOICE_INTERNAL_H
#define SOWER_PLANNER_CHOICE_INTERNAL_H

#include "planner/campaign_internal.h"

typedef struct {
    sow_pool_view view;
    sow_index n;
    sow_index *candidate; /* [n] pairs (campaign_internal.h), in the order of their names */
    const char **name;    /* [n] */
    char **label;         /* [n] the names, where they are owned */
    char **labelled_name;
    double *features, *labelled_features, *mean, *var, *noise, *measured, *reference;
    double *drift, *loss, *loss_cells, *true_loss;
    const double **delta;                /* into delta_values */
    double *delta_values, *delta_error;
    sow_index *listed;
    sow_index *labelled, *loss_of; /* [n_labelled] pairs of the labelled; [n_losses] */
    unsigned char *has, *labelled_has, *loss_held;
    sow_posterior *posterior;
    sow_constraints *rules;
} sow_i_choice;

void sow_i_choice_clear(sow_i_choice *x);
/** Perturbations still to be picked after `round`. */
sow_index sow_i_picks_after(const sow_campaign *c, sow_index round);
/** Everything that `strategy` declares that it needs. */
SOW_MUST_CHECK sow_status sow_i_choice_view(sow_i_choice *x, sow_campaign *c, const sow_strategy *strategy, sow_index round, const sow_env *env, sow_error *err);

/* plan.c */
/** The campaign's rules for a first batch of `batch` of the candidates of x, into its view. */
SOW_MUST_CHECK sow_status sow_i_rules_of_first(sow_i_choice *x, const sow_campaign *c, sow_index batch, sow_error *err);

/* allocation.c */
/** Cells of a batch's picks, in the order of the picks. */
typedef struct {
    int by_gain, helps;      /* by expected gain: asked for, and something is measured; does any cell take any noise away? */
    sow_index fewest, most;
    sow_index *cells;        /* [batch] */
    double *sd, *above;      /* [batch] of the model's prediction; how many sd it is above the hit threshold, NaN = no threshold */
    double threshold;        /* oriented; NaN = none */
    double left, uniform_left; /* what is left unknown with these cells and with as many for each (core/allocate.h) */
} sow_i_allocation;
/** As design.allocation asks. Caller clears; on failure it is clear. */
SOW_MUST_CHECK sow_status sow_i_allocate(sow_i_allocation *a, sow_campaign *c, const sow_i_choice *x, const sow_pick *picks, sow_index batch, const sow_env *env, sow_error *err);
void sow_i_allocation_clear(sow_i_allocation *a);
/** "; 41 cells: ..." behind the strategy's reason, or nothing. */
void sow_i_allocation_reason(char *text, size_t size, const sow_i_allocation *a, sow_index pick);
/** For plan.json; new reference. */
json_t *sow_i_allocation_json(const sow_i_allocation *a, sow_index batch);

/* diagnose.c */
/** "losses" of plan.json: rank correlations of predicted loss, true loss and cells over the candidates, and what the `batch` highest true losses are. *out NULL where nobody asked (`evaluation.losses`), where the
 *  truth is not known or the strategy does not go by losses. New reference. Costs a prediction of every candidate's cells. */
SOW_MUST_CHECK sow_status sow_i_diagnose_losses(json_t **out, sow_i_choice *x, sow_campaign *c, const sow_strategy *strategy, sow_index batch, const sow_env *env, sow_error *err);

/* view_learned.c */
/** The learned representation, or prior and predicted response together, in place of the priors. */
SOW_MUST_CHECK sow_status sow_i_view_learned(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_view_kernel(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_view_losses(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_view_drift(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_view_true_loss(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);

/** features, has and those of the labelled, `dim` wide and zero, for a representation of one's own; sets view.dim. */
SOW_MUST_CHECK sow_status sow_i_view_room(sow_i_choice *x, sow_index dim, sow_error *err);

/* view_contexts.c */
/** Responses of the candidates in every context but the target, with their errors where there are cells. Before round 0 of cells: in a space of the reference contexts' cells. */
SOW_MUST_CHECK sow_status sow_i_view_deltas(sow_i_choice *x, sow_campaign *c, sow_error *err);
/** Principal components of the mean reference response, in place of the priors. */
SOW_MUST_CHECK sow_status sow_i_view_reference_space(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err);
/** The same of rows at hand: y [n, d], the response of perturbation[i] in some context. */
SOW_MUST_CHECK sow_status sow_i_view_rows_space(sow_i_choice *x, const sow_campaign *c, const sow_index *perturbation, const double *y, sow_index n, sow_index d, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_view_list(sow_i_choice *x, const sow_campaign *c, sow_error *err);

#endif
