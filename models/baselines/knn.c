/* knn: the mean of the k nearest measured perturbations in the fused prior space, each weighted by one over its distance.
 *
 * A candidate that sits exactly on measured ones takes their plain mean. Variance: the mean squared leave-one-out residual, noise included.
 * Ties in distance go to the lower perturbation. A perturbation without a prior row gets the mean. With target rows present, only they are used. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    const sow_prior_set *priors; /* borrowed; NULL = no priors */
    sow_index k, n, p;
    sow_index *item;    /* [n] perturbations with a prior, ascending */
    double *x, *norm2;  /* [n, p] their rows, [n] squared lengths */
    double *y;          /* [n, d] */
    double *mean, *var; /* [d] of all rows */
    double *loo_var;    /* [d] */
} knn;

typedef struct {
    double distance2;
    sow_index row;
} neighbour;

static void destroy(sow_model *model)
{
    knn *m = (knn *)model;
    if (!m) return;
    free(m->item);
    free(m->x);
    free(m->norm2);
    free(m->y);
    free(m->mean);
    free(m->var);
    free(m->loo_var);
    free(m);
}

/* The k nearest rows, nearest first, by insertion: k is small. `leave` is a row to pass over, or -1. Returns how many. */
static sow_index nearest(neighbour *best, const knn *m, const double *distance2, sow_index leave)
{
    sow_index n = 0;
    for (sow_index i = 0; i < m->n; i++) {
        if (i == leave || (n == m->k && !(distance2[i] < best[n - 1].distance2))) continue;
        sow_index at = n < m->k ? n++ : n - 1;
        for (; at > 0 && distance2[i] < best[at - 1].distance2; at--) best[at] = best[at - 1];
        best[at] = (neighbour){distance2[i], i};
    }
    return n;
}

static void weighted_mean(double *out, const knn *m, const neighbour *best, sow_index n, double zero)
{
    sow_index d = m->base.n_features;
    int exact = best[0].distance2 <= zero;
    double total = 0;
    for (sow_index j = 0; j < d; j++) out[j] = 0;
    for (sow_index b = 0; b < n; b++) {
        if (exact && best[b].distance2 > zero) break;
        double w = exact ? 1.0 : 1.0 / sqrt(best[b].distance2);
        for (sow_index j = 0; j < d; j++) out[j] += w * m->y[best[b].row * d + j];
        total += w;
    }
    for (sow_index j = 0; j < d; j++) out[j] /= total;
}

enum { TILE = 64 };

typedef struct {
    const knn *m;
    const double *x;      /* [n, p] rows asked about */
    sow_index n;
    int leave_one_out;    /* the rows are the model's own */
    const unsigned char *skip; /* [n] or NULL: rows without a prior */
    double *mean;         /* [n, d] */
} search;

static sow_status search_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    search *s = user;
    const knn *m = s->m;
    sow_index first = tile * TILE, rows = s->n - first < TILE ? s->n - first : TILE;
    double *d2 = NULL;
    neighbour *best = NULL;
    SOW_NEW(d2, rows * m->n);
    SOW_NEW(best, m->k);
    SOW_TRY(sow_gemm(NULL, 0, 1, rows, m->n, m->p, -2, s->x + first * m->p, m->p, m->x, m->p, 0, d2, m->n, err));
    for (sow_index r = 0; r < rows; r++) {
        sow_index i = first + r;
        const double *xi = s->x + i * m->p;
        double norm2 = sow_dot(m->p, xi, xi), zero = 1e-12 * norm2; /* a GEMM distance of equal rows is not exactly 0 */
        if (s->skip && s->skip[i]) continue;
        for (sow_index j = 0; j < m->n; j++) d2[r * m->n + j] += norm2 + m->norm2[j];
        sow_index found = nearest(best, m, d2 + r * m->n, s->leave_one_out ? i : -1);
        weighted_mean(s->mean + i * m->base.n_features, m, best, found, zero);
    }
done:
    free(d2);
    free(best);
    return st;
}

static sow_status run_search(search *s, const sow_env *env, sow_error *err)
{
    return sow_parallel_for(sow_env_threads(env), (s->n + TILE - 1) / TILE, search_tile, s, err);
}

static sow_status learn_variance(knn *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = m->base.n_features;
    search s = {.m = m, .x = m->x, .n = m->n, .leave_one_out = 1};
    double *predicted = NULL;
    SOW_NEW(predicted, m->n * d);
    s.mean = predicted;
    SOW_TRY(run_search(&s, env, err));
    for (sow_index i = 0; i < m->n; i++)
        for (sow_index j = 0; j < d; j++) {
            double e = m->y[i * d + j] - predicted[i * d + j];
            m->loo_var[j] += e * e / (double)m->n;
        }
    for (sow_index j = 0; j < d; j++) m->loo_var[j] = fmax(m->loo_var[j], 1e-12);
done:
    free(predicted);
    return st;
}

typedef struct {
    sow_index item, row;
} key;

static int by_item(const void *a, const void *b)
{
    const key *x = a, *y = b;
    if (x->item != y->item) return x->item < y->item ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Copy the rows that have a prior, in order of perturbation, so that ties do not depend on the order of training rows. */
static sow_status keep_rows(knn *m, const sow_training *t, const sow_index *rows, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = t->n_features, p = m->p;
    key *keys = NULL;
    SOW_NEW(keys, n);
    for (sow_index i = 0; i < n; i++)
        if (m->priors->has_any[t->perturbation[rows[i]]]) keys[m->n++] = (key){t->perturbation[rows[i]], rows[i]};
    qsort(keys, (size_t)m->n, sizeof *keys, by_item);
    SOW_NEW(m->item, m->n);
    SOW_NEW(m->x, m->n * p);
    SOW_NEW(m->norm2, m->n);
    SOW_NEW(m->y, m->n * d);
    for (sow_index i = 0; i < m->n; i++) {
        m->item[i] = keys[i].item;
        memcpy(m->x + i * p, m->priors->fused + keys[i].item * p, (size_t)p * sizeof(double));
        memcpy(m->y + i * d, t->y + keys[i].row * d, (size_t)d * sizeof(double));
        m->norm2[i] = sow_dot(p, m->x + i * p, m->x + i * p);
    }
done:
    free(keys);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    knn *m = NULL;
    sow_index *rows = NULL, n;
    SOW_NEW(m, 1);
    m->base.n_features = t->n_features;
    m->k = options->neighbours;
    SOW_NEW(m->mean, t->n_features);
    SOW_NEW(m->var, t->n_features);
    SOW_NEW(m->loo_var, t->n_features);
    SOW_NEW(rows, t->n);
    n = sow_i_target_rows(t, rows);
    sow_i_row_moments(m->mean, m->var, t->y, t->n_features, rows, n);
    if (t->priors && t->priors->n_priors > 0 && t->priors->fused_dim > 0) {
        m->priors = t->priors;
        m->p = t->priors->fused_dim;
        SOW_TRY(keep_rows(m, t, rows, n, err));
    }
    if (m->k > m->n) m->k = m->n > 0 ? m->n : 1;
    if (m->n > 1) SOW_TRY(learn_variance(m, env, err));
    *out = &m->base;
    m = NULL;
done:
    free(rows);
    if (m) destroy(&m->base);
    return st;
}

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    const knn *m = (const knn *)model;
    sow_index d = model->n_features, p = m->p;
    double *x = NULL, *y = NULL;
    unsigned char *skip = NULL;
    SOW_NEW(x, q->n * p);
    SOW_NEW(y, q->n * d);
    SOW_NEW(skip, q->n);
    for (sow_index i = 0; i < q->n; i++) {
        skip[i] = m->n < 2 || !m->priors->has_any[q->perturbation[i]];
        if (!skip[i]) memcpy(x + i * p, m->priors->fused + q->perturbation[i] * p, (size_t)p * sizeof *x);
    }
    search s = {.m = m, .x = x, .n = q->n, .skip = skip, .mean = y};
    if (m->n > 1) SOW_TRY(run_search(&s, env, err));
    for (sow_index i = 0; i < q->n; i++)
        sow_i_write_item(mean, var, noise, i, d, skip[i] ? m->mean : y + i * d, skip[i] ? m->var : m->loo_var);
done:
    free(x);
    free(y);
    free(skip);
    return st;
}

static char *describe(const sow_model *model)
{
    const knn *m = (const knn *)model;
    return sow_format("%lld nearest of %lld measured perturbations with a prior", (long long)m->k, (long long)m->n);
}

const sow_model_class sow_i_knn = {
    .name = "knn",
    .summary = "distance-weighted mean of the nearest measured perturbations in prior space",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
