/* Priors: what is known about a perturbation before it is measured. A prior has one row per perturbation of the catalogue (see screen.h);
 * a perturbation may have no row. Built by io/priors.h, read by models and strategies. */
#ifndef SOWER_CORE_PRIOR_H
#define SOWER_CORE_PRIOR_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_PRIOR_DENSE, /* a vector of numbers per perturbation */
    SOW_PRIOR_SETS   /* membership in named sets (pathways), sparse */
} sow_prior_kind;

typedef struct {
    char *name;
    sow_prior_kind kind;
    sow_index n_items;  /* = perturbations of the catalogue */
    sow_index dim;      /* columns, or number of sets with a member in the catalogue */
    unsigned char *has; /* [n_items] 0: no row here. An all-zero row is no prior */
    double *x;          /* DENSE: [n_items, dim], scaled (io/priors.h); zeros where !has. NULL for SETS */
    sow_index *start;   /* SETS: [n_items + 1] into member */
    sow_index *member;  /* SETS: ascending set ids of each item */
    sow_names *columns; /* column or set names; may be NULL for unnamed columns */
} sow_prior;

typedef struct {
    sow_index n_items, n_priors;
    sow_prior *priors;       /* [n_priors] each as read, for one kernel each */
    sow_index fused_dim;     /* the scaled concatenation after PCA to prior_dims: the geometry strategies move in */
    double *fused;           /* [n_items, fused_dim]; zeros where !has_any */
    unsigned char *has_any;  /* [n_items] at least one prior has a row */
    unsigned char *fit_rows; /* [n_items] rows that scalings and projections may be fitted on (the pool); NULL = all. Others are only looked up */
} sow_prior_set;

void sow_prior_clear(sow_prior *prior);
void sow_prior_set_clear(sow_prior_set *set);

#ifdef __cplusplus
}
#endif
#endif
