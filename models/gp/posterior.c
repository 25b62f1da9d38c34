/* The joint posterior over a query: K** - V'V with V = L^-1 K(X, X*), columns on demand, draws by a Cholesky factor. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

typedef struct {
    sow_posterior base;
    const sow_gp *model; /* borrowed: the posterior must not outlive it */
    sow_items *items;    /* the query */
    double *v;           /* [n, measured] */
    const sow_env *env;
} gp_posterior;

static void destroy(sow_posterior *posterior)
{
    gp_posterior *p = (gp_posterior *)posterior;
    if (!p) return;
    free(p->base.mean);
    free(p->base.var);
    free(p->base.noise);
    free(p->v);
    sow_i_items_destroy(p->items);
    free(p);
}

static sow_status column(const sow_posterior *posterior, sow_index i, double *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const gp_posterior *p = (const gp_posterior *)posterior;
    const sow_gp *g = p->model;
    sow_index n = p->base.n, measured = g->items->n;
    double unit = g->scale * g->scale;
    if (i < 0 || i >= n) SOW_FAIL(err, SOW_E_ARG, "posterior column %lld of %lld", (long long)i, (long long)n);
    SOW_TRY(sow_i_kernel_block(g->kernel, p->items, &p->items->item[i], 1, out, 1, err));
    sow_gemv(0, n, measured, -unit, p->v, measured, p->v + i * measured, unit, out);
    out[i] = p->base.var[i];
done:
    return st;
}

/* Whole covariance [n, n] of the query. */
static sow_status whole_covariance(const gp_posterior *p, double *k, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = p->model;
    sow_index n = p->base.n, measured = g->items->n;
    double unit = g->scale * g->scale;
    SOW_TRY(sow_i_covariance(k, g->kernel, p->items, p->items->item, n, p->env, err));
    SOW_TRY(sow_gemm(sow_env_threads(p->env), 0, 1, n, n, measured, -unit, p->v, measured, p->v, measured, unit, k, n, err));
done:
    return st;
}

/* A factor of the covariance; jitter relative to the largest variance, ten times more until it exists. */
static sow_status factor(const gp_posterior *p, double *l, const double *k, sow_error *err)
{
    sow_status st = SOW_E_NOT_POSDEF;
    sow_index n = p->base.n;
    double most = 0;
    for (sow_index i = 0; i < n; i++) most = fmax(most, p->base.var[i]);
    for (double jitter = 1e-9 * most; st == SOW_E_NOT_POSDEF && jitter < 1e-3 * most; jitter *= 10) {
        memcpy(l, k, (size_t)(n * n) * sizeof *l);
        for (sow_index i = 0; i < n; i++) l[i * n + i] += jitter;
        st = sow_cholesky(sow_env_threads(p->env), n, l, n, err);
    }
    return st;
}

static sow_status draw(const sow_posterior *posterior, sow_rng *rng, sow_index s, double *draws, sow_error *err)
{
    sow_status st = SOW_OK;
    const gp_posterior *p = (const gp_posterior *)posterior;
    sow_index n = p->base.n;
    double *k = NULL, *l = NULL, *e = NULL;
    SOW_NEW(k, n * n);
    SOW_NEW(l, n * n);
    SOW_NEW(e, s * n);
    SOW_TRY(whole_covariance(p, k, err));
    SOW_TRY(factor(p, l, k, err));
    for (sow_index i = 0; i < s * n; i++) e[i] = sow_rng_normal(rng);
    for (sow_index a = 0; a < s; a++) memcpy(draws + a * n, p->base.mean, (size_t)n * sizeof *draws);
    SOW_TRY(sow_gemm(sow_env_threads(p->env), 0, 1, s, n, n, 1, e, n, l, n, 1, draws, n, err));
done:
    free(k);
    free(l);
    free(e);
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
    SOW_NEW(p->base.mean, q->n);
    SOW_NEW(p->base.var, q->n);
    SOW_NEW(p->base.noise, q->n);
    SOW_NEW(p->v, q->n * g->items->n);
    SOW_TRY(sow_i_items_create(&p->items, g->items->priors, g->items->n_priors, NULL, q->perturbation, q->n, err));
    SOW_TRY(sow_i_conditional_at(&g->conditional, q->perturbation, q->n, p->base.mean, p->base.var, p->v, env, err));
    for (sow_index i = 0; i < q->n; i++) {
        double ratio = sow_i_gp_ratio(g->typical_cells, q->cells ? q->cells[i] : (double)NAN);
        p->base.mean[i] = g->centre + g->scale * p->base.mean[i];
        p->base.var[i] *= g->scale * g->scale;
        p->base.noise[i] = g->scale * g->scale * sow_i_kernel_noise(g->kernel, ratio);
    }
    *out = &p->base;
    p = NULL;
done:
    if (p) destroy(&p->base);
    return st;
}
