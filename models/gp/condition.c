/* The process given values (Rasmussen & Williams 2006, algorithm 2.1). Predictions run over fixed tiles of items, each on its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

enum { TILE = 128 };

void sow_i_conditional_clear(sow_conditional *c)
{
    free(c->l);
    free(c->alpha);
    *c = (sow_conditional){0};
}

typedef struct {
    const sow_kernel *kernel;
    const sow_items *items;
    const sow_index *other;
    sow_index m;
    double *k; /* [n, m] */
} block_job;

static sow_status block_tile(void *user, sow_index tile, sow_error *err)
{
    block_job *job = user;
    sow_index first = tile * TILE, w = job->m - first < TILE ? job->m - first : TILE;
    return sow_i_kernel_block(job->kernel, job->items, job->other + first, w, job->k + first, job->m, err);
}

sow_status sow_i_covariance(double *k, const sow_kernel *kernel, const sow_items *items, const sow_index *other, sow_index m,
                            const sow_env *env, sow_error *err)
{
    block_job job = {kernel, items, other, m, k};
    return sow_parallel_for(sow_env_threads(env), (m + TILE - 1) / TILE, block_tile, &job, err);
}

sow_status sow_i_factor_with_jitter(double *l, const double *k, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double jitter = 1e-6;
    for (int attempt = 0; attempt < 5; attempt++, jitter *= 10) {
        memcpy(l, k, (size_t)(n * n) * sizeof *l);
        for (sow_index i = 0; i < n; i++) l[i * n + i] += jitter;
        st = sow_cholesky(sow_env_threads(env), n, l, n, err);
        if (st != SOW_E_NOT_POSDEF) return st;
    }
    return st;
}

sow_status sow_i_condition(sow_conditional *out, const sow_kernel *kernel, const sow_items *items, const double *z, sow_index k,
                           const double *ratio, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = items->n;
    sow_conditional c = {.kernel = kernel, .items = items, .n = n, .k = k};
    double *matrix = NULL;
    SOW_NEW(matrix, n * n);
    SOW_NEW(c.l, n * n);
    SOW_NEW(c.alpha, n * k);
    SOW_TRY(sow_i_covariance(matrix, kernel, items, items->item, n, env, err));
    for (sow_index i = 0; i < n; i++) matrix[i * n + i] += sow_i_kernel_noise(kernel, ratio[i]);
    SOW_TRY(sow_i_factor_with_jitter(c.l, matrix, n, env, err));
    memcpy(c.alpha, z, (size_t)(n * k) * sizeof *z);
    SOW_TRY(sow_trsm_lower(sow_env_threads(env), 0, n, k, c.l, n, c.alpha, k, err));
    SOW_TRY(sow_trsm_lower(sow_env_threads(env), 1, n, k, c.l, n, c.alpha, k, err));
    *out = c;
    c = (sow_conditional){0};
done:
    free(matrix);
    sow_i_conditional_clear(&c);
    return st;
}

typedef struct {
    const sow_conditional *c;
    const sow_index *other;
    sow_index m;
    double *mean, *var, *v;
} at_job;

static sow_status at_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    at_job *job = user;
    const sow_conditional *c = job->c;
    sow_index first = tile * TILE, w = job->m - first < TILE ? job->m - first : TILE, n = c->n;
    double *k = NULL, whole = sow_i_kernel_variance(c->kernel);
    SOW_NEW(k, n * w);
    SOW_TRY(sow_i_kernel_block(c->kernel, c->items, job->other + first, w, k, w, err));
    SOW_TRY(sow_gemm(NULL, 1, 0, w, c->k, n, 1, k, w, c->alpha, c->k, 0, job->mean + first * c->k, c->k, err));
    if (!job->var && !job->v) goto done;
    SOW_TRY(sow_trsm_lower(NULL, 0, n, w, c->l, n, k, w, err));
    for (sow_index j = 0; j < w && job->var; j++) job->var[first + j] = whole;
    for (sow_index i = 0; i < n && job->var; i++)
        for (sow_index j = 0; j < w; j++) job->var[first + j] -= k[i * w + j] * k[i * w + j];
    for (sow_index j = 0; j < w && job->var; j++) job->var[first + j] = fmax(job->var[first + j], 1e-9 * whole);
    for (sow_index i = 0; i < n && job->v; i++)
        for (sow_index j = 0; j < w; j++) job->v[(first + j) * n + i] = k[i * w + j];
done:
    free(k);
    return st;
}

sow_status sow_i_conditional_at(const sow_conditional *c, const sow_index *other, sow_index m, double *mean, double *var, double *v,
                                const sow_env *env, sow_error *err)
{
    at_job job = {c, other, m, mean, var, v};
    return sow_parallel_for(sow_env_threads(env), (m + TILE - 1) / TILE, at_tile, &job, err);
}
