/* A screen as its contexts see each other: what each of them measured, in one response space, and what a model knows when one of them is new.
 *
 * One context is new (or none is): the rows of the others are known, a few of its own (seeds) are measured, and the rest of them are what predictions are compared with. `sower evaluate
 * --leave-one-context-out` and `sower seeds` go over contexts with it. context_rows.c makes the rows and what a model is given of them; context_score.c says what its predictions are worth.
 *
 * Nothing but the seeds of the new context enters a fit. Tables: values adjusted for covariates in each context alone, those of seeds with slopes of the seeds. Cells: a response space fitted on the
 * cells of the known contexts and the controls of the new one; these are cut in two halves, one for the seeds' responses and for models that see controls, one for what predictions are compared
 * with: noise of controls common to both would count as skill. */
#ifndef SOWER_PLANNER_CONTEXT_ROWS_H
#define SOWER_PLANNER_CONTEXT_ROWS_H

#include "planner/cells_internal.h"

typedef struct {
    sow_campaign *c;                   /* borrowed; of cells, c->d, the response space and the screen's features are those of these rows until the next are made */
    sow_index target;                  /* the new context; -1 = none is */
    const unsigned char *unseen;       /* [c->n] perturbations that are taken for measured in no context: no row of a known context is of one, and no seed; borrowed, NULL = none are */
    sow_index n, d;
    sow_index n_known;                 /* rows of other contexts come first, then the target's */
    sow_index *perturbation, *context; /* [n] within a context in the order of the catalogue */
    double *cells;                     /* [n] NaN unknown */
    double *y;                         /* [n, d] the responses to learn from; tables: the target's rows are not adjusted yet */
    double *truth;                     /* [n - n_known, d] of the target's rows, to judge by */
    double *centre;                    /* [d] mean of the truth over all the target's rows, for metrics only: no fit sees it */
    double *covariate;                 /* [n - n_known, p] */
    double *error;                     /* [n] mean over genes of the squared standard error; NaN where cells are not known */
    sow_i_halves controls;             /* cells: the target's */
    sow_index *wilcoxon;               /* [n - n_known, 20] genes by rank sum; -1 where there are fewer; NULL until sow_i_rank_genes */
} sow_i_context_rows;

/** Rows of the contexts k with known[k] != 0 ([contexts]), and of `target` (-1 = none), which must not be known. Perturbations q with without[q] != 0 ([c->n], may be NULL) are no rows of the target.
 *  Perturbations q with unseen[q] != 0 (likewise; borrowed as long as the rows live) are rows of the target only, to be judged by: of other contexts they are no rows, and neither their values or cells there nor their
 *  priors enter the response space, slopes of covariates or the scaling of priors, which is fitted anew where it was on others (c->model_priors: models that borrow it must be gone).
 *  SOW_E_DATA: no row at all, cells: fewer than 4 controls of the target, no gene left. Caller clears. */
SOW_MUST_CHECK sow_status sow_i_context_rows_make(sow_i_context_rows *r, sow_campaign *c, const unsigned char *known, sow_index target, const unsigned char *without, const unsigned char *unseen,
                                                  sow_error *err);
void sow_i_context_rows_clear(sow_i_context_rows *r);
static inline sow_index sow_i_n_new(const sow_i_context_rows *r)
{
    return r->n - r->n_known;
}

/** What a model is given: seeds first, then the rows of the other contexts. Owned, and borrowing from the rows. */
typedef struct {
    sow_training view;
    sow_index n_seeds;
    sow_index *perturbation, *context;
    double *y, *cells;
    sow_pca response;
    sow_training_cells cells_of;
    sow_index *cell_start, *cell;
    double *centre;   /* [d] mean of the seeds: what metrics centred on what is known subtract */
} sow_i_context_training;

/** seed [n_seeds >= 1]: places among the target's rows. Cells of every row are there when with_cells, with the target's controls to learn from. */
SOW_MUST_CHECK sow_status sow_i_context_training_make(sow_i_context_training *t, const sow_i_context_rows *r, const sow_index *seed, sow_index n_seeds, int with_cells, const sow_env *env,
                                                      sow_error *err);
void sow_i_context_training_clear(sow_i_context_training *t);
/** Does the model look at cells, where there are some? */
int sow_i_sees_cells(const sow_campaign *c, const sow_model_class *m);

/** What is said of predictions: columns of each perturbation, and how each becomes one number of them all. */
enum { SOW_I_CONTEXT_COLUMNS = 13, SOW_I_CONTEXT_TOP = 20 };
typedef struct {
    sow_index n_columns; /* of each perturbation */
    sow_index n;         /* totals */
    const char *const *name;
    sow_index leading[3]; /* totals that headlines are made of; -1 = no more */
} sow_i_context_measures;
sow_i_context_measures sow_i_context_measures_of(const sow_campaign *c);

/** Top genes of the target's rows by rank sum of their cells against the controls to judge by (cells; nothing otherwise). */
SOW_MUST_CHECK sow_status sow_i_rank_genes(sow_i_context_rows *r, const sow_env *env, sow_error *err);
/** Fit on `t`, predict the target's rows that are no seeds and score each: value [n_new, columns], NaN for seeds and where undefined. `warm` as sow_model_options says. *kept (may be NULL): the fitted
 *  model, for who wants it; the caller destroys it before `t`. */
SOW_MUST_CHECK sow_status sow_i_context_score(double *value, sow_model **kept, const sow_i_context_rows *r, const sow_i_context_training *t, const sow_model_class *class_, const sow_model *warm,
                                              const sow_env *env, sow_error *err);
/** Totals over the rows with take[i] != 0 ([n_new], NULL = all) that have a value: mean and count [totals]. */
SOW_MUST_CHECK sow_status sow_i_context_totals(double *mean, sow_index *count, const sow_i_context_measures *k, const double *value, sow_index n, const unsigned char *take, sow_error *err);

/** A permutation of the target's rows that are not unseen, a stream of its own by (context, draw): the first n are n seeds. order [n_new]; returns how many. */
sow_index sow_i_seed_order(sow_index *order, const sow_i_context_rows *r, sow_index draw);

/** Rows that the context has as the new one. */
sow_index sow_i_new_count(const sow_campaign *c, sow_index context, const unsigned char *without);
/** Perturbations of the context that may be made unseen: measured there, not without[q], and with a prior where the campaign has any. list [rows of the screen], catalogue order; returns how many. */
sow_index sow_i_unseen_pool(sow_index *list, const sow_campaign *c, sow_index context, const unsigned char *without);
/** n of the pool [n_pool] are unseen [c->n], a stream of its own by (context, draw), so that they do not depend on seeds or models. Permutes the pool. */
void sow_i_unseen_draw(unsigned char *unseen, sow_index *pool, sow_index n_pool, sow_index n, const sow_campaign *c, sow_index context, sow_index draw);

/** How many perturbations of a context some other of the contexts with use[k] != 0 measured too. */
sow_index sow_i_shared_count(const sow_campaign *c, sow_index context, const unsigned char *use);

#endif
