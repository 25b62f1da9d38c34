/* Several priors as one geometry: x = [s1 x1 | s2 x2 | ...] with s chosen so that the mean squared row norm of each block is 1 over the pool,
 * then principal components fitted on the pool. A block that an item lacks is 0: for a dense prior that is the mean.
 *
 * Sets become rows of tf-idf: idf_s = ln((1 + n) / (1 + n_s)) + 1, n the pool's items with a set and n_s those in set s, each row scaled to
 * length 1 (as scikit-learn's TfidfTransformer; Manning, Raghavan & Schuetze 2008, ch. 6). */
#include "io/priors_internal.h"

#include "core/memory.h"
#include "core/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int counts(const sow_prior *p, sow_index i, const unsigned char *in_pool)
{
    return p->has[i] && (!in_pool || in_pool[i]);
}

static sow_status write_sets(double *x, sow_index stride, const sow_prior *p, const unsigned char *in_pool, sow_error *err)
{
    sow_status st = SOW_OK;
    double *idf = NULL, n = 0;
    SOW_NEW(idf, p->dim);
    for (sow_index i = 0; i < p->n_items; i++) {
        if (!counts(p, i, in_pool)) continue;
        n++;
        for (sow_index e = p->start[i]; e < p->start[i + 1]; e++) idf[p->member[e]]++;
    }
    for (sow_index s = 0; s < p->dim; s++) idf[s] = log((1 + n) / (1 + idf[s])) + 1;
    for (sow_index i = 0; i < p->n_items; i++) {
        double norm = 0;
        for (sow_index e = p->start[i]; e < p->start[i + 1]; e++) norm += idf[p->member[e]] * idf[p->member[e]];
        for (sow_index e = p->start[i]; e < p->start[i + 1]; e++) x[i * stride + p->member[e]] = idf[p->member[e]] / sqrt(norm);
    }
done:
    free(idf);
    return st;
}

static void write_dense(double *x, sow_index stride, const sow_prior *p, const unsigned char *in_pool)
{
    double total = 0, n = 0;
    for (sow_index i = 0; i < p->n_items; i++) {
        if (!counts(p, i, in_pool)) continue;
        n++;
        for (sow_index j = 0; j < p->dim; j++) total += p->x[i * p->dim + j] * p->x[i * p->dim + j];
    }
    double scale = total > 0 ? sqrt(n / total) : 1;
    for (sow_index i = 0; i < p->n_items; i++)
        for (sow_index j = 0; p->has[i] && j < p->dim; j++) x[i * stride + j] = scale * p->x[i * p->dim + j];
}

static sow_status concatenate(double *x, sow_index total, const sow_prior_set *set, const unsigned char *in_pool, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index at = 0;
    for (sow_index k = 0; k < set->n_priors; k++) {
        const sow_prior *p = &set->priors[k];
        if (p->kind == SOW_PRIOR_SETS)
            SOW_TRY(write_sets(x + at, total, p, in_pool, err));
        else
            write_dense(x + at, total, p, in_pool);
        at += p->dim;
    }
done:
    return st;
}

static sow_status reduce(sow_prior_set *set, const double *x, sow_index total, const unsigned char *use, sow_index prior_dims, const sow_env *env,
                         sow_error *err)
{
    sow_status st = SOW_OK;
    sow_pca pca = {0};
    SOW_TRY(sow_pca_fit(&pca, x, set->n_items, total, use, prior_dims, env, err));
    SOW_NEW(set->fused, set->n_items * pca.n_components);
    set->fused_dim = pca.n_components;
    SOW_TRY(sow_pca_transform(&pca, x, set->n_items, set->has_any, set->fused, env, err));
done:
    sow_pca_clear(&pca);
    return st;
}

sow_status sow_i_priors_fuse(sow_prior_set *set, const unsigned char *in_pool, sow_index prior_dims, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index total = 0, n_use = 0;
    double *x = NULL;
    unsigned char *use = NULL;
    for (sow_index k = 0; k < set->n_priors; k++) total += set->priors[k].dim;
    SOW_NEW(set->has_any, set->n_items);
    SOW_NEW(use, set->n_items);
    SOW_NEW(x, set->n_items * total);
    for (sow_index i = 0; i < set->n_items; i++) {
        for (sow_index k = 0; k < set->n_priors; k++) set->has_any[i] |= set->priors[k].has[i];
        use[i] = set->has_any[i] && (!in_pool || in_pool[i]);
        n_use += use[i];
    }
    SOW_TRY(concatenate(x, total, set, in_pool, err));
    if (prior_dims > 0 && prior_dims < total && n_use >= 2) {
        SOW_TRY(reduce(set, x, total, use, prior_dims, env, err));
    } else {
        set->fused = x;
        set->fused_dim = total;
        x = NULL;
    }
done:
    free(x);
    free(use);
    return st;
}
