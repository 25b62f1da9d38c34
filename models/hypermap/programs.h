/* Gene programs whose activity a context sets: the form of HyperMap that is learned in closed form.
 *
 *   z_cp = mu_c + sum over r of a_cr b_pr v_r + noise
 *
 * of the response z of perturbation p in context c: v_r a program (a direction of length 1), b_pr how much p moves it, a_cr how active it is in c (1 typical, 0 lost, negative flipped). Where HyperMap's hypernetwork
 * writes a matrix for every context, it writes its diagonal here, in a basis in which contexts differ by a diagonal: a trilinear decomposition (Harshman 1970) of contexts x perturbations x responses, with entries
 * missing, and beliefs about all three: b ~ N(what priors say, s_r), a ~ N(1, tau^2). A new context has as many unknowns as there are programs, and every seed tells of all programs it moves.
 *
 * Expectation-maximisation: loadings are integrated out (means and covariances), activities, programs, means, s, tau and the noise are set to what is most likely. */
#ifndef SOWER_MODELS_HYPERMAP_PROGRAMS_H
#define SOWER_MODELS_HYPERMAP_PROGRAMS_H

#include "core/archive.h"
#include "core/env.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Responses, all borrowed. */
typedef struct {
    sow_index n, k;                  /* rows, numbers of a response */
    sow_index contexts, items;
    const double *z;                 /* [n, k] */
    const sow_index *context, *item; /* [n] */
    sow_index prior_dim;             /* 0 = no priors */
    const double *prior;             /* [items, prior_dim] */
    const unsigned char *has_prior;  /* [items] */
} sow_programs_data;

/** tau is kept within .05 and this: a program whose mean activity is near 0 has large ones. */
#define SOW_PROGRAMS_MOST_TAU 2.0

typedef struct {
    sow_index contexts, items, k, rank, prior_dim;
    double *activity;    /* [contexts, rank] */
    double *loading;     /* [items, rank] of what is measured nowhere: what priors say, else 0 */
    double *program;     /* [rank, k] rows of length 1 */
    double *mean;        /* [contexts, k] */
    double *spread;      /* [rank] s_r */
    double *prior_mean;  /* [prior_dim] mean of the rows with a prior */
    double *from_prior;  /* [prior_dim, rank] */
    double *unsure;      /* [rank, rank] mean over the rows of a_c a_c' times the loadings' covariance, entry by entry: what uncertain loadings add to a row's rest */
    double noise, tau;
    sow_index steps;
    sow_index *start;    /* [items + 1] into of_context */
    sow_index *of_context; /* [n] contexts of each item's rows */
} sow_programs;

/** Learned from the rows; at most `rank` programs (as many as k and the items allow) and `steps` rounds. SOW_E_DATA: fewer than 2 rows, or all the same. Caller clears, on failure too. Cost: steps x (items measured x
 *  rank^3 + n rank k). The same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_programs_fit(sow_programs *out, const sow_programs_data *d, sow_index rank, sow_index steps, const sow_env *env, sow_error *err);
void sow_programs_clear(sow_programs *p);

/** Activities a [rank] of a new context from responses z [n, k] there of items, less the context's mean: what is most likely under a ~ N(mean of the known contexts, tau^2). n == 0: that mean. `shared` is the variance of a
 *  number of that mean, which is off by the same in all n responses: with few of them activities would take it for their own. covariance [rank, rank] of a given the responses, or NULL. */
SOW_MUST_CHECK sow_status sow_programs_adapt(double *a, double *covariance, const sow_programs *p, const double *z, const sow_index *item, sow_index n, double shared, sow_error *err);
/** What item moves in a context of activities a, less the context's mean: out [k]. */
void sow_programs_response(double *out, const sow_programs *p, const double *a, sow_index item);
/** Covariance [rank, rank] of what an item moves in a context of activities N(a, activity [rank, rank]), along the programs: of the products of activities and loadings, which are independent,
 *      activity o loading + a a' o loading + b b' o activity
 *  exactly, with o entry by entry. Of an item measured nowhere loadings vary by the programs' spread. */
SOW_MUST_CHECK sow_status sow_programs_covariance(double *out, const sow_programs *p, const double *a, const double *activity, sow_index item, sow_error *err);
/** 1: the item is measured in a context, or a prior speaks of it. */
int sow_programs_knows(const sow_programs *p, sow_index item);

/** Kept under "programs/..."; read back bit for bit. SOW_E_DATA: of other sizes. */
SOW_MUST_CHECK sow_status sow_programs_save(sow_archive *a, const sow_programs *p, sow_error *err);
SOW_MUST_CHECK sow_status sow_programs_load(sow_programs *out, const sow_archive *a, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
