/* Parts of the fit of gene programs: programs.c has the rounds, programs_prior.c what priors say of loadings. Not installed. */
#ifndef SOWER_MODELS_HYPERMAP_PROGRAMS_INTERNAL_H
#define SOWER_MODELS_HYPERMAP_PROGRAMS_INTERNAL_H

#include "core/pca.h"
#include "models/hypermap/programs.h"

/* One round's working room. */
typedef struct {
    const sow_programs_data *d;
    sow_programs *p;
    sow_index *by_item;  /* [n] rows in the order of items */
    sow_index *sorted;   /* [measured] items with rows, those of the same contexts together */
    double *gram;        /* [rank, rank] of programs */
    double *along;       /* [n, rank] rows less their means, along programs */
    double *moment;      /* [contexts, rank, rank] sum over a context's items of the second moment of loadings */
    double *variance;    /* [rank] sum over measured items of the squared loadings' deviations from what priors say */
    double *a, *inverse; /* [rank, rank] */
    double *rhs;         /* [rank] */
    double *numbers;     /* [rank, k] */
    double *rest;        /* [n, k] rows less something */
    double *moved;       /* [n, rank] activity times loading */
    double *rows;        /* [contexts] */
    sow_threads *threads;
    double trace;        /* of the noise that uncertain loadings add, over all rows */
    sow_index measured;  /* items */
    double total;        /* variance of z at the start */
    double *said;        /* [items, rank] what priors say */
    /* priors */
    sow_pca scores_of;
    sow_index known, *known_item; /* items with a prior and a row */
    double *scores;      /* [known, prior components] */
    double *score_square; /* [prior components] sums of squares */
    double *loadings;    /* [known, rank] */
    double *coefficient; /* [prior components, rank] */
} sow_i_programs_work;

/** Before the rounds: nothing where there are no priors, or too few perturbations with one to learn from. */
SOW_MUST_CHECK sow_status sow_i_programs_prior_begin(sow_i_programs_work *w, const sow_env *env, sow_error *err);
/** from_prior, and `said` of items with rows, from loadings as they are. */
SOW_MUST_CHECK sow_status sow_i_programs_prior_learn(sow_i_programs_work *w, sow_error *err);
/** What priors say of all items, by what was learned last. */
SOW_MUST_CHECK sow_status sow_i_programs_prior_say_all(sow_i_programs_work *w, sow_error *err);
void sow_i_programs_prior_clear(sow_i_programs_work *w);

#endif
