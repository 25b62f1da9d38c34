/* The Gaussian process from the inside: items and how priors relate them, kernels over these relations, the marginal likelihood, and the
 * conditional distribution. docs/math/gp.md derives what is used here.
 *
 * An item is a perturbation. Values are standardised (mean 0, variance 1), so that amplitudes are shares of variance. */
#ifndef SOWER_MODELS_GP_INTERNAL_H
#define SOWER_MODELS_GP_INTERNAL_H

#include "core/env.h"
#include "core/prior.h"
#include "core/status.h"
#include "models/model.h"

/* ---- relations (relation.c) ---- */

typedef enum {
    SOW_RELATION_DISTANCE, /* Euclidean; sets: sqrt(2 - 2 Tanimoto) */
    SOW_RELATION_COSINE,
    SOW_RELATION_PRODUCT,  /* <a,b>: a linear term, whose variance grows with |a|^2 */
    SOW_RELATION_TANIMOTO  /* <a,b> / (|a|^2 + |b|^2 - <a,b>): positive semi-definite for sets and for real vectors */
} sow_relation;

/** The distance of two items of which one has no row: every kernel is 0 there, and no square of it overflows. */
#define SOW_RELATION_FAR 1e100

/** Whether a prior has a row for a perturbation; one past its catalogue has none. */
static inline int sow_i_has(const sow_prior *prior, sow_index item)
{
    return item < prior->n_items && prior->has[item];
}

/** Items made ready to be related to others through every prior. */
typedef struct {
    sow_index n, n_priors;
    sow_index *item;  /* [n] perturbations */
    const sow_prior *priors; /* borrowed */
    double **x;       /* [n_priors] DENSE: [n, dim] gathered rows; NULL for SETS */
    double **norm2;   /* [n_priors][n] squared length, or set count */
    sow_index **start, **posting; /* [n_priors] SETS: positions of the items in each set; NULL for DENSE */
    const double *const *weight2; /* [n_priors] SETS: squared weight of each set, borrowed; NULL = 1 */
} sow_items;

SOW_MUST_CHECK sow_status sow_i_items_create(sow_items **out, const sow_prior *priors, sow_index n_priors, const double *const *weight2,
                                             const sow_index *item, sow_index n, sow_error *err);
void sow_i_items_destroy(sow_items *items);

/** Inner products of all items with w others through one prior into dot [n, ldd], and the others' squared lengths into norm2 [w]. */
SOW_MUST_CHECK sow_status sow_i_items_dot(const sow_items *items, sow_index prior, const sow_index *other, sow_index w, double *dot,
                                          sow_index ldd, double *norm2, sow_error *err);
/** From inner products to a relation, for two perturbations that both have a row. */
double sow_i_relate(sow_relation relation, sow_prior_kind kind, double dot, double norm2_a, double norm2_b);

/* ---- priors the process reads (derive.c) ---- */

/** A dense prior of at most this many columns is a layout: near is alike, far says nothing, and there is no origin for angles. */
#define SOW_LAYOUT_DIM 3

/** What a prior is to the process; decides its kernels. */
typedef enum {
    SOW_ROLE_SETS,
    SOW_ROLE_LAYOUT,
    SOW_ROLE_DENSE,
    SOW_ROLE_SCORES,          /* kernel components of the given ones */
    SOW_ROLE_REFERENCE_VALUE, /* standardised posterior mean in the reference: lets the target saturate */
    SOW_ROLE_RESPONSE,        /* profiles: the response in other contexts */
    SOW_ROLE_REFERENCE_CELLS, /* standardised log cells in the reference: undoes an adjustment that went too far */
    SOW_ROLE_COUNT
} sow_role;

/** The given priors, then scores derived from them, then what the reference says. */
typedef struct {
    sow_index n_priors, n_given;
    sow_prior *prior; /* [n_priors] given ones borrow their storage, derived ones own it */
    double *unit;     /* [n_priors] root mean squared distance of fit rows; 1 for derived scores */
    sow_role *role;   /* [n_priors] */
} sow_gp_priors;

/** set NULL = none; derive 0 = only the given ones. */
SOW_MUST_CHECK sow_status sow_i_gp_priors_create(sow_gp_priors **out, const sow_prior_set *set, int derive, const sow_env *env,
                                                 sow_error *err);
void sow_i_gp_priors_destroy(sow_gp_priors *priors);
/** Append columns x [n_items, dim] (copied) under a role; at most SOW_PRIORS_APPENDED times. Its unit is 1. */
#define SOW_PRIORS_APPENDED 2
SOW_MUST_CHECK sow_status sow_i_gp_priors_append(sow_gp_priors *priors, const char *name, sow_role role, const double *x, sow_index dim,
                                                 const unsigned char *has, sow_index n_items, sow_error *err);

/* ---- kernels (kernel.c) ---- */

typedef enum { SOW_SHAPE_FIXED, SOW_SHAPE_RBF, SOW_SHAPE_EXPONENTIAL, SOW_SHAPE_MATERN32 } sow_shape;

/** amplitude * shape(relation / length): a correlation of 1 with itself (but for PRODUCT), 0 with items unknown to the prior. */
typedef struct {
    sow_index prior;
    sow_relation relation;
    sow_shape shape;
    sow_index amplitude, length; /* positions in theta (logs); length -1 for SOW_SHAPE_FIXED */
    double unit;                 /* length 1 in the prior's own units */
} sow_component;

typedef struct {
    sow_index n_components, n_theta;
    sow_component *component;        /* ordered by prior */
    double *prior_mean, *prior_sd;   /* [n_theta] Gaussian priors of the log parameters */
    double *theta;                   /* [n_theta] logs of: per component amplitude (and length), s0^2, s1^2 */
    double constant;                 /* variance of the constant mean */
} sow_kernel;

/** Gaussian priors of log parameters: medians and standard deviations of the logs, in units of the values' variance. */
typedef struct {
    double amplitude[SOW_ROLE_COUNT]; /* per component; 0 = the role is left out */
    double amplitude_sd, length_sd;
    double s0, s0_sd, s1, s1_sd; /* noise variances */
    double constant;
} sow_kernel_prior;
/** For values standardised by themselves. */
extern const sow_kernel_prior sow_i_kernel_prior_plain;

/** Components for every prior, by the name of a kernel option. `lengths` (may be NULL) is a fitted kernel over the same given priors, whose
 *  lengths replace the medians. */
SOW_MUST_CHECK sow_status sow_i_kernel_create(sow_kernel **out, const char *choice, const sow_gp_priors *priors,
                                              const sow_kernel_prior *prior, const sow_kernel *lengths, sow_error *err);
void sow_i_kernel_destroy(sow_kernel *kernel);

double sow_i_shape_value(sow_shape shape, double r);
/** d value / d log length at r = relation / length, given the value. */
double sow_i_shape_slope(sow_shape shape, double r, double value);

/** Covariance of all items with w others into k [n, ldk], scratch-free for the caller. Cost O(n w (sum of dims + components)). */
SOW_MUST_CHECK sow_status sow_i_kernel_block(const sow_kernel *kernel, const sow_items *items, const sow_index *other, sow_index w,
                                             double *k, sow_index ldk, sow_error *err);
/** Variance of an item: the sum of amplitudes and the constant. */
double sow_i_kernel_variance(const sow_kernel *kernel, const sow_prior *priors, sow_index item);
/** Noise variance of a measurement whose typical/actual number of cells is `ratio`. */
double sow_i_kernel_noise(const sow_kernel *kernel, double ratio);

/* ---- marginal likelihood (likelihood.c) ---- */

/** Negative log posterior of theta for k outputs that share the kernel. */
typedef struct sow_likelihood sow_likelihood;

/** z [n, k] standardised values, ratio [n] typical/actual cells, fixed [n, n] a covariance added as it is (NULL = none; borrowed). items and
 *  kernel are borrowed while it lives. Memory about (components + relations + 2) n^2 doubles. */
SOW_MUST_CHECK sow_status sow_i_likelihood_create(sow_likelihood **out, const sow_kernel *kernel, const sow_items *items, const double *z,
                                                  sow_index k, const double *ratio, const double *fixed, const sow_env *env,
                                                  sow_error *err);
void sow_i_likelihood_destroy(sow_likelihood *l);
/** f and, when gradient is not NULL, its gradient [n_theta]. Not positive definite: *f = INFINITY and SOW_OK. An objective of sow_i_lbfgs. */
SOW_MUST_CHECK sow_status sow_i_likelihood_value(void *likelihood, const double *theta, double *f, double *gradient, sow_error *err);

/** Minimise over the kernel's theta (in steps of its prior's standard deviations), from where it is. *f = the value reached. */
SOW_MUST_CHECK sow_status sow_i_likelihood_fit(sow_likelihood *l, sow_kernel *kernel, sow_index iterations, double *f, sow_error *err);

/* ---- optimiser (lbfgs.c) ---- */

typedef sow_status (*sow_objective)(void *user, const double *x, double *f, double *gradient, sow_error *err);
typedef struct {
    sow_index iterations, evaluations;
    double value;
} sow_lbfgs_result;
/** Minimise from x [n] (replaced by the best point). Limited memory BFGS (Nocedal & Wright 2006, 7.4-7.5), 8 pairs, weak Wolfe line
 *  search. Stops after `iterations` or when one gains less than tolerance * max(1, |f|). Deterministic. */
SOW_MUST_CHECK sow_status sow_i_lbfgs(double *x, sow_index n, sow_objective objective, void *user, sow_index iterations, double tolerance,
                                      sow_lbfgs_result *result, sow_error *err);

/* ---- reference contexts (reference.c) ---- */

/** What the other contexts say: a process of their own whose posterior is the target's prior. In units of the reference's standard deviation. */
typedef struct {
    sow_kernel *kernel;   /* smooth part; s0^2 is what is a perturbation's own */
    sow_items *items;     /* perturbations measured there, ascending */
    double *l, *alpha;    /* [n, n], [n] */
    double rho_smooth, rho_own, tau2;
    int mean_only;        /* transfer "mean": no covariance is handed on */
    sow_index n_items;    /* of the catalogue */
    double *smooth, *own; /* [n_items] posterior means of the two parts */
} sow_reference;

/** z [n] standardised values of the items (ascending), ratio [n]; kernel and items are taken on success. */
SOW_MUST_CHECK sow_status sow_i_reference_create(sow_reference **out, sow_kernel **kernel, sow_items **items, const double *z,
                                                 const double *ratio, sow_index n_items, const sow_env *env, sow_error *err);
void sow_i_reference_destroy(sow_reference *r);
/** rho_smooth * smooth + rho_own * own of an item: the mean the target starts from. */
double sow_i_reference_mean(const sow_reference *r, sow_index item);
/** Whitened cross-covariances h [w, n] of w items with the reference's values: their inner products are what the reference explains. */
SOW_MUST_CHECK sow_status sow_i_reference_whiten(const sow_reference *r, const sow_index *item, sow_index w, double *h, sow_error *err);
/** Add the posterior covariance of items (with rows ha [n, .]) and w others (hb) to k [n, ldk]. */
SOW_MUST_CHECK sow_status sow_i_reference_add(const sow_reference *r, const sow_items *items, const double *ha, const sow_index *other,
                                              sow_index w, const double *hb, double *k, sow_index ldk, sow_error *err);
/** Its diagonal for one item with row h. */
double sow_i_reference_variance(const sow_reference *r, sow_index item, const double *h);

/* ---- conditioning (condition.c) ---- */

/** The process given values: K + noise = L L', alpha = K^-1 (z - the reference's mean). */
typedef struct {
    const sow_kernel *kernel;       /* borrowed */
    const sow_items *items;         /* borrowed */
    const sow_reference *reference; /* borrowed; NULL = none */
    sow_index n, k;
    double *h;     /* [n, reference] */
    double *l;     /* [n, n] */
    double *alpha; /* [n, k] */
} sow_conditional;

/** z [n, k]; k == 1 with a reference. */
SOW_MUST_CHECK sow_status sow_i_condition(sow_conditional *out, const sow_kernel *kernel, const sow_items *items,
                                          const sow_reference *reference, const double *z, sow_index k, const double *ratio,
                                          const sow_env *env, sow_error *err);
void sow_i_conditional_clear(sow_conditional *c);
/** Prior covariance of items with others [n, m], in tiles of columns; ha, hb rows of sow_i_reference_whiten (NULL without a reference). */
SOW_MUST_CHECK sow_status sow_i_covariance(double *k, const sow_kernel *kernel, const sow_items *items, const sow_reference *reference,
                                           const double *ha, const sow_index *other, sow_index m, const double *hb, const sow_env *env,
                                           sow_error *err);
/** h [m, reference's n] of m items, in tiles. */
SOW_MUST_CHECK sow_status sow_i_whiten_all(double *h, const sow_reference *reference, const sow_index *item, sow_index m, const sow_env *env,
                                           sow_error *err);
/** Cholesky factor l of k [n, n] with 1e-6 on the diagonal, ten times more (at most 1e-2) until it exists. */
SOW_MUST_CHECK sow_status sow_i_factor_with_jitter(double *l, const double *k, sow_index n, const sow_env *env, sow_error *err);
/** mean [m, k], var [m] (may be NULL) of the noise-free process at m others; v [m, n] (may be NULL) receives (L^-1 K(X, other))'. */
SOW_MUST_CHECK sow_status sow_i_conditional_at(const sow_conditional *c, const sow_index *other, sow_index m, double *mean, double *var,
                                               double *v, const sow_env *env, sow_error *err);

/* ---- values to normal scores (warp.c) ---- */

typedef struct {
    sow_index n;      /* knots; 0 = no warp */
    double *y, *z;    /* [n] ascending */
    double low, high; /* slopes dy/dz beyond the ends */
} sow_warp;

/** Knots at the distinct values of y [n]; at least two must differ. Caller clears. */
SOW_MUST_CHECK sow_status sow_i_warp_create(sow_warp *out, const double *y, sow_index n, sow_error *err);
void sow_i_warp_clear(sow_warp *w);
double sow_i_warp_value(const sow_warp *w, double z);
/** Score of one of the values the warp was made from. */
double sow_i_warp_score(const sow_warp *w, double y);
/** Mean value of a score N(m, v). */
double sow_i_warp_mean(const sow_warp *w, double m, double v);
/** Variance of the normal whose central 90 % interval is as wide as the value's. */
double sow_i_warp_variance(const sow_warp *w, double m, double v);

/* ---- the fitted model (gp.c), shared with posterior.c ---- */

/** One explanation of the values. A model with a reference has two, with and without it, weighted by their evidence. */
typedef struct {
    sow_kernel *kernel;
    const sow_reference *reference; /* borrowed from the model */
    sow_conditional conditional;
    double weight, objective;
} sow_arm;

enum { SOW_ARMS = 2 };

typedef struct sow_gp_profile sow_gp_profile; /* profile.c */
/** Adds a line on what was believed, where that was asked; takes `text`, NULL when out of memory. */
char *sow_i_gp_profile_describe(char *text, const sow_gp_profile *p);

typedef struct {
    sow_model base;
    sow_gp_priors *priors;
    sow_items *items;
    sow_reference *reference;
    sow_index n_arms;
    sow_arm arm[SOW_ARMS];
    sow_gp_profile *profile; /* NULL for a scalar; then one arm whose outputs are response components */
    double centre, scale;  /* y = centre + scale * z */
    sow_warp warp;         /* of y before that (without a reference) */
    double typical_cells;  /* median of the known cells of the measured items; NaN = none known */
} sow_gp;

/** typical/actual cells: the factor of s1^2; 1 where unknown. */
double sow_i_gp_ratio(double typical_cells, double cells);
/** Variance a measurement of query item i with its cells would add, standard units. */
double sow_i_gp_noise(const sow_gp *g, const sow_query *q, sow_index i);
/** Mix moments m, v [n] of weight w into mean, var, which hold arms of weight so_far. */
void sow_i_gp_mix(double *mean, double *var, double so_far, const double *m, const double *v, double w, sow_index n);
/** Standard units to response units, in place; noise [n] may be NULL. */
void sow_i_gp_to_values(const sow_gp *g, const sow_query *q, double *mean, double *var, double *noise);
/** Learn everything a scalar model holds (fit.c); g is zeroed but for its base. */
SOW_MUST_CHECK sow_status sow_i_gp_fit_scalar(sow_gp *g, const sow_training *t, const sow_model_options *o, const sow_env *env,
                                              sow_error *err);

SOW_MUST_CHECK sow_status sow_i_gp_fit_profile(sow_gp *g, const sow_training *t, const sow_model_options *o, const sow_env *env,
                                               sow_error *err);
SOW_MUST_CHECK sow_status sow_i_gp_predict_profile(const sow_gp *g, const sow_query *q, double *mean, double *var, double *noise,
                                                   const sow_env *env, sow_error *err);
void sow_i_gp_profile_destroy(sow_gp_profile *p);

/** The rows of the target context (all rows when it has none), by perturbation, context and row: an order that does not depend on how they
 *  were given. Sets g->typical_cells. Caller clears. */
typedef struct {
    sow_index n;
    sow_index *row, *item; /* [n] */
    double *z, *ratio;     /* [n] values, still 0; typical/actual cells */
} sow_sample;
SOW_MUST_CHECK sow_status sow_i_sample(sow_sample *out, sow_gp *g, const sow_training *t, sow_error *err);
void sow_i_sample_clear(sow_sample *s);

/** Values of the other contexts, one a perturbation (transfer.c). */
typedef struct {
    sow_index n;
    sow_index *item;   /* [n] ascending */
    double *z;         /* [n] mean over contexts of the standardised values, standardised again */
    double *cells;     /* [n] summed; NaN unknown */
    double *ratio;     /* [n] typical/actual */
    double scale;      /* mean standard deviation of the contexts */
} sow_elsewhere;
SOW_MUST_CHECK sow_status sow_i_elsewhere(sow_elsewhere *out, const sow_training *t, sow_error *err);
void sow_i_elsewhere_clear(sow_elsewhere *e);
/** Fit the reference process and append what it says to the priors. */
SOW_MUST_CHECK sow_status sow_i_gp_learn_reference(sow_gp *g, const sow_elsewhere *elsewhere, const sow_training *t,
                                                   const sow_model_options *o, const sow_env *env, sow_error *err);
/** Maximise the marginal likelihood of `kernel` for z [n, k] on at most SOW_LEARN_FROM of the items, evenly spread. reference may be NULL,
 *  else k == 1. */
#define SOW_LEARN_FROM 700
SOW_MUST_CHECK sow_status sow_i_gp_learn(sow_kernel *kernel, const sow_items *items, const sow_reference *reference, const double *z,
                                         sow_index k, const double *ratio, sow_index iterations, double *objective, const sow_env *env,
                                         sow_error *err);
SOW_MUST_CHECK sow_status sow_i_gp_posterior(sow_posterior **out, const sow_model *model, const sow_query *query, const sow_env *env,
                                             sow_error *err);

#endif
