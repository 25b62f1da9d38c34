/* How a prior relates two perturbations: inner products by GEMM (dense) or by inverted lists (sets), turned into distances or similarities. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

void sow_i_items_destroy(sow_items *s)
{
    if (!s) return;
    for (sow_index p = 0; p < s->n_priors; p++) {
        if (s->x) free(s->x[p]);
        if (s->norm2) free(s->norm2[p]);
        if (s->start) free(s->start[p]);
        if (s->posting) free(s->posting[p]);
    }
    free(s->x);
    free(s->norm2);
    free(s->start);
    free(s->posting);
    free(s->item);
    free(s);
}

static sow_status gather_dense(sow_items *s, sow_index p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior *prior = s->priors + p;
    sow_index dim = prior->dim;
    SOW_NEW(s->x[p], s->n * dim);
    for (sow_index i = 0; i < s->n; i++) {
        if (!sow_i_has(prior, s->item[i])) continue;
        memcpy(s->x[p] + i * dim, prior->x + s->item[i] * dim, (size_t)dim * sizeof(double));
        s->norm2[p][i] = sow_dot(dim, s->x[p] + i * dim, s->x[p] + i * dim);
    }
done:
    return st;
}

static double weight_of(const sow_items *s, sow_index p, sow_index set)
{
    return s->weight2 && s->weight2[p] ? s->weight2[p][set] : 1.0;
}

static sow_index set_from(const sow_prior *prior, sow_index item) { return sow_i_has(prior, item) ? prior->start[item] : 0; }
static sow_index set_to(const sow_prior *prior, sow_index item) { return sow_i_has(prior, item) ? prior->start[item + 1] : 0; }

static sow_status invert_sets(sow_items *s, sow_index p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior *prior = s->priors + p;
    sow_index total = 0, *start;
    SOW_NEW(s->start[p], prior->dim + 2);
    start = s->start[p];
    for (sow_index i = 0; i < s->n; i++) {
        sow_index from = set_from(prior, s->item[i]), to = set_to(prior, s->item[i]);
        total += to - from;
        for (sow_index k = from; k < to; k++) {
            s->norm2[p][i] += weight_of(s, p, prior->member[k]);
            start[prior->member[k] + 2]++;
        }
    }
    for (sow_index g = 0; g < prior->dim; g++) start[g + 2] += start[g + 1];
    SOW_NEW(s->posting[p], total);
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index k = set_from(prior, s->item[i]); k < set_to(prior, s->item[i]); k++)
            s->posting[p][start[prior->member[k] + 1]++] = i;
done:
    return st;
}

sow_status sow_i_items_create(sow_items **out, const sow_prior *priors, sow_index n_priors, const double *const *weight2,
                              const sow_index *item, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_items *s = NULL;
    *out = NULL;
    SOW_NEW(s, 1);
    s->n = n;
    s->priors = priors;
    s->weight2 = weight2;
    SOW_NEW(s->item, n);
    if (n > 0) memcpy(s->item, item, (size_t)n * sizeof *item);
    SOW_NEW(s->x, n_priors);
    SOW_NEW(s->norm2, n_priors);
    SOW_NEW(s->start, n_priors);
    SOW_NEW(s->posting, n_priors);
    s->n_priors = n_priors;
    for (sow_index p = 0; p < n_priors; p++) {
        SOW_NEW(s->norm2[p], n);
        SOW_TRY(priors[p].kind == SOW_PRIOR_DENSE ? gather_dense(s, p, err) : invert_sets(s, p, err));
    }
    *out = s;
    s = NULL;
done:
    sow_i_items_destroy(s);
    return st;
}

static sow_status dot_dense(const sow_items *s, sow_index p, const sow_index *other, sow_index w, double *dot, sow_index ldd,
                            double *norm2, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior *prior = s->priors + p;
    sow_index dim = prior->dim;
    double *x = NULL;
    SOW_NEW(x, w * dim);
    for (sow_index j = 0; j < w; j++) {
        norm2[j] = 0;
        if (!sow_i_has(prior, other[j])) continue;
        memcpy(x + j * dim, prior->x + other[j] * dim, (size_t)dim * sizeof *x);
        norm2[j] = sow_dot(dim, x + j * dim, x + j * dim);
    }
    SOW_TRY(sow_gemm(NULL, 0, 1, s->n, w, dim, 1, s->x[p], dim, x, dim, 0, dot, ldd, err));
done:
    free(x);
    return st;
}

static void dot_sets(const sow_items *s, sow_index p, const sow_index *other, sow_index w, double *dot, sow_index ldd, double *norm2)
{
    const sow_prior *prior = s->priors + p;
    for (sow_index i = 0; i < s->n; i++) memset(dot + i * ldd, 0, (size_t)w * sizeof *dot);
    for (sow_index j = 0; j < w; j++) {
        sow_index from = set_from(prior, other[j]), to = set_to(prior, other[j]);
        norm2[j] = 0;
        for (sow_index k = from; k < to; k++) {
            const sow_index *span = s->start[p] + prior->member[k];
            double weight = weight_of(s, p, prior->member[k]);
            norm2[j] += weight;
            for (sow_index q = span[0]; q < span[1]; q++) dot[s->posting[p][q] * ldd + j] += weight;
        }
    }
}

sow_status sow_i_items_dot(const sow_items *s, sow_index prior, const sow_index *other, sow_index w, double *dot, sow_index ldd,
                           double *norm2, sow_error *err)
{
    if (s->priors[prior].kind == SOW_PRIOR_DENSE) return dot_dense(s, prior, other, w, dot, ldd, norm2, err);
    dot_sets(s, prior, other, w, dot, ldd, norm2);
    return SOW_OK;
}

double sow_i_relate(sow_relation relation, sow_prior_kind kind, double dot, double a, double b)
{
    double whole = a + b - dot, product = a * b;
    switch (relation) {
    case SOW_RELATION_TANIMOTO: return whole > 0 ? dot / whole : 0.0;
    case SOW_RELATION_PRODUCT: return dot;
    case SOW_RELATION_COSINE: return product > 0 ? dot / sqrt(product) : 0.0;
    case SOW_RELATION_DISTANCE: break;
    }
    double d2 = kind == SOW_PRIOR_SETS ? 2.0 - 2.0 * (whole > 0 ? dot / whole : 0.0) : whole - dot;
    return d2 > 0 ? sqrt(d2) : 0.0;
}
