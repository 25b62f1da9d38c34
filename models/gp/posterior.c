/* The joint posterior over a query. One arm: K** - V'V with V = L^-1 K(X, X*). Two arms with weights w and means m:
 * sum w C + w1 w2 (m1 - m2)(m1 - m2)'. Columns on demand; a draw picks an arm by its weight, then a Gaussian by a Cholesky factor. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

typedef struct {
    double *mean; /* [n] standard units */
    double *var;  /* [n] */
    double *v;    /* [n, measured] */
    double *h;    /* [n, reference] or NULL */
} arm_part;

typedef struct {
    sow_posterior base;
    const sow_gp *model; /* borrowed: the posterior must not outlive it */
    sow_items *items;    /* the query */
    double *latent;      /* [n] mean in standard units, over arms */
    double *stretch;     /* [n] response units per standard unit at each item */
    arm_part arm[SOW_ARMS];
    const sow_env *env;
} gp_posterior;

static void destroy(sow_posterior *posterior)
{
    gp_posterior *p = (gp_posterior *)posterior;
    if (!p) return;
    for (sow_index a = 0; a < SOW_ARMS; a++) {
        free(p->arm[a].mean);
        free(p->arm[a].var);
        free(p->arm[a].v);
        free(p->arm[a].h);
    }
    free(p->latent);
    free(p->stretch);
    free(p->base.mean);
    free(p->base.var);
    free(p->base.noise);
    sow_i_items_destroy(p->items);
    free(p);
}

/* Covariance of item i with every item in one arm, standard units. */
static sow_status arm_column(const gp_posterior *p, sow_index a, sow_index i, double *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = p->model;
    const sow_reference *r = g->arm[a].reference;
    const arm_part *part = &p->arm[a];
    sow_index n = p->base.n, measured = g->items->n;
    SOW_TRY(sow_i_kernel_block(g->arm[a].kernel, p->items, &p->items->item[i], 1, out, 1, err));
    if (r) SOW_TRY(sow_i_reference_add(r, p->items, part->h, &p->items->item[i], 1, part->h + i * r->items->n, out, 1, err));
    sow_gemv(0, n, measured, -1, part->v, measured, part->v + i * measured, 1, out);
    out[i] = part->var[i];
done:
    return st;
}

static sow_status column(const sow_posterior *posterior, sow_index i, double *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const gp_posterior *p = (const gp_posterior *)posterior;
    const sow_gp *g = p->model;
    sow_index n = p->base.n;
    double *one = NULL;
    if (i < 0 || i >= n) SOW_FAIL(err, SOW_E_ARG, "posterior column %lld of %lld", (long long)i, (long long)n);
    SOW_NEW(one, n);
    memset(out, 0, (size_t)n * sizeof *out);
    for (sow_index a = 0; a < g->n_arms; a++) {
        SOW_TRY(arm_column(p, a, i, one, err));
        sow_axpy(n, g->arm[a].weight, one, out);
    }
    for (sow_index j = 0; j < n && g->n_arms > 1; j++)
        out[j] += g->arm[0].weight * g->arm[1].weight * (p->arm[0].mean[i] - p->arm[1].mean[i]) * (p->arm[0].mean[j] - p->arm[1].mean[j]);
    for (sow_index j = 0; j < n; j++) out[j] *= p->stretch[i] * p->stretch[j];
    out[i] = p->base.var[i];
done:
    free(one);
    return st;
}

/* Factor l [n, n] of one arm's covariance; jitter relative to the largest variance, ten times more until it exists. */
static sow_status arm_factor(const gp_posterior *p, sow_index a, double *l, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = p->model;
    const arm_part *part = &p->arm[a];
    sow_index n = p->base.n, measured = g->items->n;
    double *k = NULL, most = 0;
    SOW_NEW(k, n * n);
    SOW_TRY(sow_i_covariance(k, g->arm[a].kernel, p->items, g->arm[a].reference, part->h, p->items->item, n, part->h, p->env, err));
    SOW_TRY(sow_gemm(sow_env_threads(p->env), 0, 1, n, n, measured, -1, part->v, measured, part->v, measured, 1, k, n, err));
    for (sow_index i = 0; i < n; i++) most = fmax(most, part->var[i]);
    st = SOW_E_NOT_POSDEF;
    for (double jitter = 1e-9 * most; st == SOW_E_NOT_POSDEF && jitter < 1e-3 * most; jitter *= 10) {
        memcpy(l, k, (size_t)(n * n) * sizeof *l);
        for (sow_index i = 0; i < n; i++) l[i * n + i] += jitter;
        st = sow_cholesky(sow_env_threads(p->env), n, l, n, err);
    }
done:
    free(k);
    return st;
}

/* Turn the standard normals in draws [s, n] whose arm is a into draws of it. */
static sow_status arm_draws(const gp_posterior *p, sow_index a, const sow_index *arm_of, sow_index s, double *draws, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = p->base.n, used = 0;
    double *l = NULL, *e = NULL, *f = NULL;
    for (sow_index d = 0; d < s; d++) used += arm_of[d] == a;
    if (used == 0) goto done;
    SOW_NEW(l, n * n);
    SOW_NEW(e, used * n);
    SOW_NEW(f, used * n);
    for (sow_index d = 0, at = 0; d < s; d++)
        if (arm_of[d] == a) memcpy(e + at++ * n, draws + d * n, (size_t)n * sizeof *e);
    SOW_TRY(arm_factor(p, a, l, err));
    SOW_TRY(sow_gemm(sow_env_threads(p->env), 0, 1, used, n, n, 1, e, n, l, n, 0, f, n, err));
    for (sow_index d = 0, at = 0; d < s; d++) {
        if (arm_of[d] != a) continue;
        for (sow_index i = 0; i < n; i++) draws[d * n + i] = p->base.mean[i] + p->stretch[i] * (p->arm[a].mean[i] - p->latent[i] + f[at * n + i]);
        at++;
    }
done:
    free(l);
    free(e);
    free(f);
    return st;
}

static sow_status draw(const sow_posterior *posterior, sow_rng *rng, sow_index s, double *draws, sow_error *err)
{
    sow_status st = SOW_OK;
    const gp_posterior *p = (const gp_posterior *)posterior;
    const sow_gp *g = p->model;
    sow_index *arm_of = NULL;
    SOW_NEW(arm_of, s);
    for (sow_index d = 0; d < s; d++) {
        if (g->n_arms > 1) arm_of[d] = sow_rng_uniform(rng) < g->arm[0].weight ? 0 : 1;
        for (sow_index i = 0; i < p->base.n; i++) draws[d * p->base.n + i] = sow_rng_normal(rng);
    }
    for (sow_index a = 0; a < g->n_arms; a++) SOW_TRY(arm_draws(p, a, arm_of, s, draws, err));
done:
    free(arm_of);
    return st;
}

static sow_status fill_arm(gp_posterior *p, sow_index a, const sow_query *q, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_arm *arm = &p->model->arm[a];
    arm_part *part = &p->arm[a];
    SOW_NEW(part->mean, q->n);
    SOW_NEW(part->var, q->n);
    SOW_NEW(part->v, q->n * p->model->items->n);
    SOW_TRY(sow_i_conditional_at(&arm->conditional, q->perturbation, q->n, part->mean, part->var, part->v, p->env, err));
    if (!arm->reference) goto done;
    SOW_NEW(part->h, q->n * arm->reference->items->n);
    SOW_TRY(sow_i_whiten_all(part->h, arm->reference, q->perturbation, q->n, p->env, err));
done:
    return st;
}

static sow_status fill_moments(gp_posterior *p, const sow_query *q, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = p->model;
    sow_index n = q->n;
    SOW_NEW(p->base.mean, n);
    SOW_NEW(p->base.var, n);
    SOW_NEW(p->base.noise, n);
    SOW_NEW(p->latent, n);
    SOW_NEW(p->stretch, n);
    memcpy(p->base.mean, p->arm[0].mean, (size_t)n * sizeof(double));
    memcpy(p->base.var, p->arm[0].var, (size_t)n * sizeof(double));
    for (sow_index a = 1; a < g->n_arms; a++)
        sow_i_gp_mix(p->base.mean, p->base.var, g->arm[0].weight, p->arm[a].mean, p->arm[a].var, g->arm[a].weight, n);
    memcpy(p->latent, p->base.mean, (size_t)n * sizeof(double));
    memcpy(p->stretch, p->base.var, (size_t)n * sizeof(double));
    sow_i_gp_to_values(g, q, p->base.mean, p->base.var, p->base.noise);
    for (sow_index i = 0; i < n; i++) p->stretch[i] = sqrt(p->base.var[i] / p->stretch[i]);
done:
    return st;
}

sow_status sow_i_gp_posterior(sow_posterior **out, const sow_model *model, const sow_query *q, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = (const sow_gp *)model;
    gp_posterior *p = NULL;
    SOW_NEW(p, 1);
    p->base.n = q->n;
    p->base.column = column;
    p->base.draw = draw;
    p->base.destroy = destroy;
    p->model = g;
    p->env = env;
    SOW_TRY(sow_i_items_create(&p->items, g->priors->prior, g->priors->n_priors, NULL, q->perturbation, q->n, err));
    for (sow_index a = 0; a < g->n_arms; a++) SOW_TRY(fill_arm(p, a, q, err));
    SOW_TRY(fill_moments(p, q, err));
    *out = &p->base;
    p = NULL;
done:
    if (p) destroy(&p->base);
    return st;
}
