/* Parts of a profile's process: profile.c has the process, profile_mean.c what it is a deviation from. Not installed. */
#ifndef SOWER_MODELS_GP_PROFILE_INTERNAL_H
#define SOWER_MODELS_GP_PROFILE_INTERNAL_H

#include "core/pca.h"
#include "models/gp/gp_internal.h"
#include "models/model_internal.h"

struct sow_gp_profile {
    sow_model *additive;      /* two-way or train-mean, for the mean */
    sow_model *combination;   /* additive, for combinations; NULL when there are none */
    sow_index n_catalogue;
    unsigned char *is_pair;   /* [n_catalogue] more than one agent; NULL when none is */
    int relative;             /* values are changes from controls */
    double adds;              /* how far combinations are what their agents add up to, 0..1 */
    double *centre;           /* [d] mean of the target's measured items */
    double *base;             /* [d] the centre, its difference from elsewhere as far as that is believed */
    double level;             /* how much of the base is believed, 0..1 */
    double trust;             /* how much of the process is believed, 0..1 */
    double slope;             /* of the additive model's deviations from it, 0..1, where one context is all there is elsewhere */
    double *reliability;      /* [k + 1] how far two other contexts agree along each component and outside of them, 0..1; NULL = not known */
    double shift;             /* how much of what sets the context apart is believed, 0..1 */
    sow_index n_elsewhere;
    double *elsewhere;        /* [n_elsewhere] other contexts a perturbation was measured in */
    sow_index k, d;
    const double *components; /* [k, d] of the response space */
    sow_pca own;              /* fitted here when the caller has no response space */
    double *unit;             /* [k] */
    double *spread;           /* [d] sum_j u_j^2 w_jf^2 */
    double *discarded;        /* [d] */
};

/** Additive models for the mean; before the process. */
SOW_MUST_CHECK sow_status sow_i_profile_mean_fit(sow_gp_profile *p, const sow_training *t, const sow_model_options *o, const sow_sample *s, const sow_env *env,
                                                 sow_error *err);
/** What is carried over from other contexts; after the centre and the slope. */
SOW_MUST_CHECK sow_status sow_i_profile_carry_fit(sow_gp_profile *p, const sow_training *t, const sow_sample *s, const sow_env *env, sow_error *err);
/** The additive model's deviations [n, d] from the centre in, what is carried over out. Cost: two products n d k. */
SOW_MUST_CHECK sow_status sow_i_profile_carry(double *deviation, const sow_gp_profile *p, const sow_index *perturbation, sow_index n, const sow_env *env, sow_error *err);
/** "text\nline" for what is carried over; takes text. */
char *sow_i_gp_profile_describe_carried(char *text, const sow_gp_profile *p);
/** The mean in all features, mean [q->n, d]. */
SOW_MUST_CHECK sow_status sow_i_profile_mean_at(double *mean, const sow_gp_profile *p, const sow_query *q, const sow_env *env, sow_error *err);
/** What is left of the sample under the mean, e [n, d]. */
SOW_MUST_CHECK sow_status sow_i_profile_residuals(double *e, const sow_gp_profile *p, const sow_training *t, const sow_sample *s, const sow_env *env,
                                                  sow_error *err);

#endif
