/* What the tests of the Gaussian process share: a naive twin (every element by its definition, solves by elimination), fitting, moments of draws. */
#ifndef SOWER_TESTS_MODELS_NAIVE_H
#define SOWER_TESTS_MODELS_NAIVE_H

#include "fixture.h"

#include "core/stats.h"
#include "models/gp/gp_internal.h"

static inline double naive_relation(sow_relation relation, const sow_prior *p, sow_index a, sow_index b)
{
    double ab = 0, aa = 0, bb = 0;
    if (p->kind == SOW_PRIOR_SETS) {
        for (sow_index i = p->start[a]; i < p->start[a + 1]; i++)
            for (sow_index j = p->start[b]; j < p->start[b + 1]; j++) ab += p->member[i] == p->member[j];
        aa = (double)(p->start[a + 1] - p->start[a]);
        bb = (double)(p->start[b + 1] - p->start[b]);
    } else {
        for (sow_index k = 0; k < p->dim; k++) {
            double x = p->x[a * p->dim + k], y = p->x[b * p->dim + k];
            ab += x * y, aa += x * x, bb += y * y;
        }
    }
    switch (relation) {
    case SOW_RELATION_TANIMOTO: return ab / (aa + bb - ab);
    case SOW_RELATION_COSINE: return ab / sqrt(aa * bb);
    case SOW_RELATION_PRODUCT: return ab;
    case SOW_RELATION_DISTANCE: break;
    }
    return sqrt(fmax(0, p->kind == SOW_PRIOR_SETS ? 2 - 2 * ab / (aa + bb - ab) : aa + bb - 2 * ab));
}

static inline double naive_kernel(const sow_kernel *k, const sow_prior *priors, sow_index a, sow_index b)
{
    double sum = k->constant;
    for (sow_index c = 0; c < k->n_components; c++) {
        const sow_component *part = &k->component[c];
        const sow_prior *p = &priors[part->prior];
        double amplitude = exp(k->theta[part->amplitude]), r, l;
        if (part->relation != SOW_RELATION_PRODUCT && a == b) {
            sum += amplitude;
            continue;
        }
        if (!p->has[a] || !p->has[b]) continue;
        r = naive_relation(part->relation, p, a, b);
        l = part->length < 0 ? 1 : part->unit * exp(k->theta[part->length]);
        switch (part->shape) {
        case SOW_SHAPE_FIXED: sum += amplitude * r; break;
        case SOW_SHAPE_RBF: sum += amplitude * exp(-r * r / (2 * l * l)); break;
        case SOW_SHAPE_EXPONENTIAL: sum += amplitude * exp(-r / l); break;
        case SOW_SHAPE_MATERN32: sum += amplitude * (1 + sqrt(3) * r / l) * exp(-sqrt(3) * r / l); break;
        }
    }
    return sum;
}

/* x = A^-1 b by Gauss-Jordan with pivoting; b [n, m] becomes x. */
static inline void solve(double *a, double *b, sow_index n, sow_index m)
{
    for (sow_index c = 0; c < n; c++) {
        sow_index best = c;
        for (sow_index r = c; r < n; r++)
            if (fabs(a[r * n + c]) > fabs(a[best * n + c])) best = r;
        for (sow_index j = 0; j < n; j++) {
            double t = a[c * n + j];
            a[c * n + j] = a[best * n + j], a[best * n + j] = t;
        }
        for (sow_index j = 0; j < m; j++) {
            double t = b[c * m + j];
            b[c * m + j] = b[best * m + j], b[best * m + j] = t;
        }
        for (sow_index r = 0; r < n; r++) {
            double f = r == c ? 0 : a[r * n + c] / a[c * n + c];
            for (sow_index j = 0; j < n && f != 0; j++) a[r * n + j] -= f * a[c * n + j];
            for (sow_index j = 0; j < m && f != 0; j++) b[r * m + j] -= f * b[c * m + j];
        }
    }
    for (sow_index r = 0; r < n; r++)
        for (sow_index j = 0; j < m; j++) b[r * m + j] /= a[r * n + r];
}

static inline double correlation(const double *a, const double *b, sow_index n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (sow_index i = 0; i < n; i++) ma += a[i] / (double)n, mb += b[i] / (double)n;
    for (sow_index i = 0; i < n; i++) ab += (a[i] - ma) * (b[i] - mb), aa += pow(a[i] - ma, 2), bb += pow(b[i] - mb, 2);
    return ab / sqrt(aa * bb);
}

static inline sow_model *fit_gp(const sow_training *t, const char *transfer)
{
    const sow_model_class *c = NULL;
    sow_model *m = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.transfer = transfer;
    OK(sow_model_find(&c, "gp", err));
    OK(sow_model_fit(&m, c, t, &o, NULL, err));
    return m;
}

/* Sample moments of draws against mean and columns. */
static inline void check_draws(const sow_posterior *p, sow_index n)
{
    enum { DRAWS = 20000 };
    double *d = calloc((size_t)(DRAWS * n), sizeof *d), *column = calloc((size_t)n, sizeof *column);
    sow_rng rng = sow_rng_make(1, SOW_RNG_DRAW, 0, 0);
    OK(p->draw(p, &rng, DRAWS, d, err));
    for (sow_index i = 0; i < n; i += 5) {
        OK(p->column(p, i, column, err));
        double mi = 0;
        for (sow_index s = 0; s < DRAWS; s++) mi += d[s * n + i] / DRAWS;
        NEAR(mi, p->mean[i], 5 * sqrt(p->var[i] / DRAWS));
        for (sow_index j = 0; j < n; j++) {
            double cov = 0;
            for (sow_index s = 0; s < DRAWS; s++) cov += (d[s * n + i] - p->mean[i]) * (d[s * n + j] - p->mean[j]) / DRAWS;
            NEAR(cov, column[j], 6 * sqrt(p->var[i] * p->var[j] * 2 / DRAWS));
        }
    }
    free(d);
    free(column);
}

#endif
