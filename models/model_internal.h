/* What the rows of the model table share. */
#ifndef SOWER_MODELS_MODEL_INTERNAL_H
#define SOWER_MODELS_MODEL_INTERNAL_H

#include "models/model.h"

extern const sow_model_class sow_i_control, sow_i_train_mean, sow_i_source_shift, sow_i_two_way, sow_i_additive, sow_i_linear, sow_i_knn, sow_i_gp, sow_i_morph, sow_i_hypermap;

/** Positions of the rows of the target context, or of all rows when it has none. rows [t->n] caller's storage; the number is returned. */
sow_index sow_i_target_rows(const sow_training *t, sow_index *rows);

/** Mean and variance (n - 1) per feature of the given rows of y [., d] into mean [d], var [d] (var may be NULL). One row says nothing of a
 *  spread: its square is taken, so that an interval reaches to 0. Never below 1e-12, so that a density stays finite. n >= 1. */
void sow_i_row_moments(double *mean, double *var, const double *y, sow_index d, const sow_index *rows, sow_index n);

/** Mean square per feature of the given rows of y [., d] into out [d], never below 1e-12. n >= 1. */
void sow_i_mean_square(double *out, const double *y, sow_index d, const sow_index *rows, sow_index n);

/** The training values by perturbation: a copy, or the training's own where they last (sow_training.lasting). */
typedef struct {
    sow_index n_items; /* largest perturbation + 1 */
    sow_index d;
    sow_index *start;   /* [n_items + 1] rows of each perturbation, in training order */
    sow_index *context; /* [n] */
    sow_index *row;     /* [n] of y */
    const double *y;    /* [n, d] as the training has them */
    double *own;        /* the copy, or NULL */
} sow_i_rows;
SOW_MUST_CHECK sow_status sow_i_rows_make(sow_i_rows *out, const sow_training *t, sow_error *err); /* on failure: clear all the same */
void sow_i_rows_clear(sow_i_rows *rows);
typedef enum { SOW_I_HERE, SOW_I_ELSEWHERE } sow_i_where;
/** Mean of perturbation p's rows in context c, or in the others, into out [d]; how many rows it rests on (0: out is 0). */
sow_index sow_i_rows_mean(double *out, const sow_i_rows *rows, sow_index p, sow_index c, sow_i_where where);

/** Fill mean, var and noise of item i ([d] each, the last two may be NULL); var_i NULL = NaN; noise 0 where a variance is known. */
void sow_i_write_item(double *mean, double *var, double *noise, sow_index i, sow_index d, const double *mean_i, const double *var_i);

/** Of a fitted two-way model: mean of perturbation p over the contexts other than c into out [d]; how many rows it rests on (0: out is 0). */
sow_index sow_i_two_way_elsewhere(const sow_model *model, sow_index p, sow_index c, double *out);
/** A two-way model's shift of context c and the variance of what is left beside it, both [d] and borrowed; returns how many perturbations they are from (0: none, 1: no variance). */
sow_index sow_i_two_way_shift(const double **shift, const double **rest, const sow_model *model, sow_index c);

#endif
