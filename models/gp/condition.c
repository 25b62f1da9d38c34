/* The process given values (Rasmussen & Williams 2006, algorithm 2.1). Everything over many items runs in fixed tiles, each on its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

enum { TILE = 128 };

void sow_i_conditional_clear(sow_conditional *c)
{
    free(c->h);
    free(c->l);
    free(c->alpha);
    *c = (sow_conditional){0};
}

static sow_index tile_width(sow_index m, sow_index tile)
{
    return m - tile * TILE < TILE ? m - tile * TILE : TILE;
}

static sow_index tiles(sow_index m) { return (m + TILE - 1) / TILE; }

/* ---- prior covariance ---- */

typedef struct {
    const sow_reference *reference;
    const sow_index *item;
    sow_index m;
    double *h;
} whiten_job;

static sow_status whiten_tile(void *user, sow_index tile, sow_error *err)
{
    whiten_job *job = user;
    return sow_i_reference_whiten(job->reference, job->item + tile * TILE, tile_width(job->m, tile),
                                  job->h + tile * TILE * job->reference->items->n, err);
}

sow_status sow_i_whiten_all(double *h, const sow_reference *reference, const sow_index *item, sow_index m, const sow_env *env,
                            sow_error *err)
{
    whiten_job job = {reference, item, m, h};
    return sow_parallel_for(sow_env_threads(env), tiles(m), whiten_tile, &job, err);
}

typedef struct {
    const sow_kernel *kernel;
    const sow_items *items;
    const sow_reference *reference;
    const double *ha, *hb;
    const sow_index *other;
    sow_index m;
    double *k; /* [n, m] */
} block_job;

static sow_status block_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    block_job *job = user;
    sow_index first = tile * TILE, w = tile_width(job->m, tile);
    SOW_TRY(sow_i_kernel_block(job->kernel, job->items, job->other + first, w, job->k + first, job->m, err));
    if (job->reference)
        SOW_TRY(sow_i_reference_add(job->reference, job->items, job->ha, job->other + first, w,
                                    job->hb + first * job->reference->items->n, job->k + first, job->m, err));
done:
    return st;
}

sow_status sow_i_covariance(double *k, const sow_kernel *kernel, const sow_items *items, const sow_reference *reference, const double *ha,
                            const sow_index *other, sow_index m, const double *hb, const sow_env *env, sow_error *err)
{
    block_job job = {kernel, items, reference, ha, hb, other, m, k};
    return sow_parallel_for(sow_env_threads(env), tiles(m), block_tile, &job, err);
}

/* ---- conditioning ---- */

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

sow_status sow_i_condition(sow_conditional *out, const sow_kernel *kernel, const sow_items *items, const sow_reference *reference,
                           const double *z, sow_index k, const double *ratio, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = items->n;
    sow_conditional c = {.kernel = kernel, .items = items, .reference = reference, .n = n, .k = k};
    double *matrix = NULL;
    SOW_NEW(matrix, n * n);
    SOW_NEW(c.l, n * n);
    SOW_NEW(c.alpha, n * k);
    if (reference) {
        SOW_NEW(c.h, n * reference->items->n);
        SOW_TRY(sow_i_whiten_all(c.h, reference, items->item, n, env, err));
    }
    SOW_TRY(sow_i_covariance(matrix, kernel, items, reference, c.h, items->item, n, c.h, env, err));
    for (sow_index i = 0; i < n; i++) matrix[i * n + i] += sow_i_kernel_noise(kernel, ratio[i]);
    SOW_TRY(sow_i_factor_with_jitter(c.l, matrix, n, env, err));
    for (sow_index i = 0; i < n * k; i++) c.alpha[i] = z[i] - (reference ? sow_i_reference_mean(reference, items->item[i]) : 0.0);
    SOW_TRY(sow_trsm_lower(sow_env_threads(env), 0, n, k, c.l, n, c.alpha, k, err));
    SOW_TRY(sow_trsm_lower(sow_env_threads(env), 1, n, k, c.l, n, c.alpha, k, err));
    *out = c;
    c = (sow_conditional){0};
done:
    free(matrix);
    sow_i_conditional_clear(&c);
    return st;
}

/* ---- prediction ---- */

typedef struct {
    const sow_conditional *c;
    const sow_index *other;
    sow_index m;
    double *mean, *var, *v;
} at_job;

/* Prior covariance k [n, w] with a tile of others, their prior variances, and the reference's mean added to `mean`. */
static sow_status prior_tile(const at_job *job, sow_index first, sow_index w, double *k, double *var, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_conditional *c = job->c;
    const sow_reference *r = c->reference;
    const sow_index *other = job->other + first;
    double *h = NULL;
    SOW_TRY(sow_i_kernel_block(c->kernel, c->items, other, w, k, w, err));
    for (sow_index j = 0; j < w; j++) var[j] = sow_i_kernel_variance(c->kernel, c->items->priors, other[j]);
    if (!r) goto done;
    SOW_NEW(h, w * r->items->n);
    SOW_TRY(sow_i_reference_whiten(r, other, w, h, err));
    SOW_TRY(sow_i_reference_add(r, c->items, c->h, other, w, h, k, w, err));
    for (sow_index j = 0; j < w; j++) {
        var[j] += sow_i_reference_variance(r, other[j], h + j * r->items->n);
        job->mean[first + j] = sow_i_reference_mean(r, other[j]);
    }
done:
    free(h);
    return st;
}

static sow_status at_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    at_job *job = user;
    const sow_conditional *c = job->c;
    sow_index first = tile * TILE, w = tile_width(job->m, tile), n = c->n;
    double *k = NULL, prior[TILE], left[TILE];
    SOW_NEW(k, n * w);
    SOW_TRY(prior_tile(job, first, w, k, prior, err));
    SOW_TRY(sow_gemm(NULL, 1, 0, w, c->k, n, 1, k, w, c->alpha, c->k, c->reference ? 1 : 0, job->mean + first * c->k, c->k, err));
    if (!job->var && !job->v) goto done;
    SOW_TRY(sow_trsm_lower(NULL, 0, n, w, c->l, n, k, w, err));
    memcpy(left, prior, (size_t)w * sizeof *left);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < w; j++) left[j] -= k[i * w + j] * k[i * w + j];
    for (sow_index j = 0; j < w && job->var; j++) job->var[first + j] = fmax(left[j], 1e-9 * prior[j]);
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
    return sow_parallel_for(sow_env_threads(env), tiles(m), at_tile, &job, err);
}
