/* The negative log posterior of the hyperparameters and its gradient (Rasmussen & Williams 2006, eqs. 2.30 and 5.9):
 *
 *   f(theta) = sum over outputs of [ 1/2 z' K^-1 z + 1/2 log|K| + n/2 log 2 pi ] + 1/2 sum ((theta - m) / s)^2
 *   df/dtheta = tr(W dK/dtheta) + (theta - m) / s^2,   W = 1/2 (k K^-1 - sum alpha alpha')
 *
 * Relations between items do not depend on theta and are computed once. Only lower triangles are kept right; sums over pairs run over fixed
 * tiles of rows, added in order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

enum { ROWS = 16 };
static const double JITTER = 1e-6;

struct sow_likelihood {
    const sow_kernel *kernel;
    const sow_items *items;
    const sow_env *env;
    sow_index n, k, n_relations, tiles;
    double **relation;      /* [n_relations][n, n] */
    sow_index *relation_of; /* [n_components] */
    double **value;         /* [n_components][n, n] correlations at theta */
    double *z, *ratio;      /* [n, k], [n] */
    const double *fixed;    /* [n, n] or NULL */
    double *matrix, *inverse; /* [n, n] K then its factor; K^-1 */
    double *alpha;          /* [n, k] */
    double *partial;        /* [tiles, n_theta] */
    const double *theta;    /* of the value being computed */
};

void sow_i_likelihood_destroy(sow_likelihood *l)
{
    if (!l) return;
    for (sow_index r = 0; r < l->n_relations; r++) free(l->relation[r]);
    for (sow_index c = 0; l->value && c < l->kernel->n_components; c++) free(l->value[c]);
    free(l->relation);
    free(l->relation_of);
    free(l->value);
    free(l->z);
    free(l->ratio);
    free(l->matrix);
    free(l->inverse);
    free(l->alpha);
    free(l->partial);
    free(l);
}

/* ---- relations, once ---- */

typedef struct {
    const sow_items *items;
    const sow_component *component;
    double *out;
} relate_job;

enum { COLUMNS = 128 };

static sow_status relate_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    relate_job *job = user;
    const sow_items *items = job->items;
    const sow_component *c = job->component;
    const sow_prior *prior = items->priors + c->prior;
    sow_index n = items->n, first = tile * COLUMNS, w = n - first < COLUMNS ? n - first : COLUMNS;
    int distance = c->relation == SOW_RELATION_DISTANCE;
    double *dot = NULL, *norm2 = NULL;
    SOW_NEW(dot, n * w);
    SOW_NEW(norm2, w);
    SOW_TRY(sow_i_items_dot(items, c->prior, items->item + first, w, dot, w, norm2, err));
    for (sow_index i = first; i < n; i++)
        for (sow_index j = 0; j < w && first + j <= i; j++) {
            sow_index a = items->item[i], b = items->item[first + j];
            double *r = job->out + i * n + first + j;
            if (a == b && c->relation != SOW_RELATION_PRODUCT)
                *r = distance ? 0 : 1;
            else if (!sow_i_has(prior, a) || !sow_i_has(prior, b))
                *r = distance ? SOW_RELATION_FAR : 0;
            else
                *r = sow_i_relate(c->relation, prior->kind, dot[i * w + j], items->norm2[c->prior][i], norm2[j]);
        }
done:
    free(dot);
    free(norm2);
    return st;
}

/* Components of one prior that look at the same relation share its matrix. */
static sow_status relate_all(sow_likelihood *l, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_kernel *k = l->kernel;
    for (sow_index c = 0; c < k->n_components; c++) {
        sow_index same = -1;
        for (sow_index b = 0; b < c; b++)
            if (k->component[b].prior == k->component[c].prior && k->component[b].relation == k->component[c].relation)
                same = l->relation_of[b];
        if (same < 0) {
            same = l->n_relations;
            SOW_NEW(l->relation[same], l->n * l->n);
            l->n_relations++;
            relate_job job = {l->items, &k->component[c], l->relation[same]};
            SOW_TRY(sow_parallel_for(sow_env_threads(l->env), (l->n + COLUMNS - 1) / COLUMNS, relate_tile, &job, err));
        }
        l->relation_of[c] = same;
        SOW_NEW(l->value[c], l->n * l->n);
    }
done:
    return st;
}

sow_status sow_i_likelihood_create(sow_likelihood **out, const sow_kernel *kernel, const sow_items *items, const double *z, sow_index k,
                                   const double *ratio, const double *fixed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_likelihood *l = NULL;
    sow_index n = items->n;
    *out = NULL;
    SOW_NEW(l, 1);
    l->kernel = kernel;
    l->items = items;
    l->env = env;
    l->fixed = fixed;
    l->n = n;
    l->k = k;
    l->tiles = (n + ROWS - 1) / ROWS;
    SOW_NEW(l->relation, kernel->n_components);
    SOW_NEW(l->relation_of, kernel->n_components);
    SOW_NEW(l->value, kernel->n_components);
    SOW_NEW(l->z, n * k);
    SOW_NEW(l->ratio, n);
    SOW_NEW(l->matrix, n * n);
    SOW_NEW(l->inverse, n * n);
    SOW_NEW(l->alpha, n * k);
    SOW_NEW(l->partial, l->tiles * kernel->n_theta);
    memcpy(l->z, z, (size_t)(n * k) * sizeof *z);
    memcpy(l->ratio, ratio, (size_t)n * sizeof *ratio);
    SOW_TRY(relate_all(l, err));
    *out = l;
    l = NULL;
done:
    sow_i_likelihood_destroy(l);
    return st;
}

/* ---- value and gradient ---- */

static double inverse_length(const sow_likelihood *l, const sow_component *c)
{
    return c->length < 0 ? 1.0 : 1.0 / (c->unit * exp(l->theta[c->length]));
}

static sow_status fill_tile(void *user, sow_index tile, sow_error *err)
{
    sow_likelihood *l = user;
    sow_index n = l->n, t = l->kernel->n_theta, last = (tile + 1) * ROWS < n ? (tile + 1) * ROWS : n;
    double s0 = exp(l->theta[t - 2]), s1 = exp(l->theta[t - 1]);
    (void)err;
    for (sow_index i = tile * ROWS; i < last; i++) {
        double *row = l->matrix + i * n;
        for (sow_index j = 0; j <= i; j++) row[j] = l->kernel->constant + (l->fixed ? l->fixed[i * n + j] : 0.0);
        for (sow_index c = 0; c < l->kernel->n_components; c++) {
            const sow_component *component = &l->kernel->component[c];
            const double *r = l->relation[l->relation_of[c]] + i * n;
            double *value = l->value[c] + i * n, a = exp(l->theta[component->amplitude]), scale = inverse_length(l, component);
            for (sow_index j = 0; j <= i; j++) {
                value[j] = sow_i_shape_value(component->shape, r[j] * scale);
                row[j] += a * value[j];
            }
        }
        row[i] += s0 + s1 * l->ratio[i] + JITTER;
    }
    return SOW_OK;
}

/* This tile's share of tr(W dK/dtheta); pairs off the diagonal count twice. */
static sow_status gradient_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_likelihood *l = user;
    sow_index n = l->n, k = l->k, t = l->kernel->n_theta, last = (tile + 1) * ROWS < n ? (tile + 1) * ROWS : n;
    double *g = l->partial + tile * t, *w = NULL;
    memset(g, 0, (size_t)t * sizeof *g);
    SOW_NEW(w, n);
    for (sow_index i = tile * ROWS; i < last; i++) {
        for (sow_index j = 0; j <= i; j++)
            w[j] = (j < i ? 1.0 : 0.5) * ((double)k * l->inverse[i * n + j] - sow_dot(k, l->alpha + i * k, l->alpha + j * k));
        for (sow_index c = 0; c < l->kernel->n_components; c++) {
            const sow_component *component = &l->kernel->component[c];
            const double *r = l->relation[l->relation_of[c]] + i * n, *value = l->value[c] + i * n;
            double a = exp(l->theta[component->amplitude]), scale = inverse_length(l, component), slope = 0;
            g[component->amplitude] += a * sow_dot(i + 1, w, value);
            if (component->length < 0) continue;
            for (sow_index j = 0; j < i; j++) slope += w[j] * sow_i_shape_slope(component->shape, r[j] * scale, value[j]);
            g[component->length] += a * slope;
        }
        g[t - 2] += w[i] * exp(l->theta[t - 2]);
        g[t - 1] += w[i] * exp(l->theta[t - 1]) * l->ratio[i];
    }
done:
    free(w);
    return st;
}

static double log_prior(const sow_kernel *k, const double *theta, double *gradient)
{
    double f = 0;
    for (sow_index p = 0; p < k->n_theta; p++) {
        double e = (theta[p] - k->prior_mean[p]) / k->prior_sd[p];
        f += 0.5 * e * e;
        if (gradient) gradient[p] += e / k->prior_sd[p];
    }
    return f;
}

static sow_status add_gradient(sow_likelihood *l, double *gradient, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index t = l->kernel->n_theta;
    SOW_TRY(sow_cholesky_inverse(sow_env_threads(l->env), l->n, l->matrix, l->n, l->inverse, l->n, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(l->env), l->tiles, gradient_tile, l, err));
    memset(gradient, 0, (size_t)t * sizeof *gradient);
    for (sow_index tile = 0; tile < l->tiles; tile++)
        for (sow_index p = 0; p < t; p++) gradient[p] += l->partial[tile * t + p];
done:
    return st;
}

/* A step of the optimiser may ask for absurd parameters; those are as good as impossible. */
static int absurd(const sow_kernel *k, const double *theta)
{
    for (sow_index p = 0; p < k->n_theta; p++)
        if (!(fabs(theta[p] - k->prior_mean[p]) < 12)) return 1;
    return 0;
}

sow_status sow_i_likelihood_value(void *likelihood, const double *theta, double *f, double *gradient, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_likelihood *l = likelihood;
    sow_threads *threads = sow_env_threads(l->env);
    sow_index n = l->n, k = l->k;
    *f = INFINITY;
    l->theta = theta;
    if (absurd(l->kernel, theta)) goto done;
    SOW_TRY(sow_progress(l->env, "fitting gp", 0.5, err));
    SOW_TRY(sow_parallel_for(threads, l->tiles, fill_tile, l, err));
    st = sow_cholesky(threads, n, l->matrix, n, NULL);
    if (st == SOW_E_NOT_POSDEF || st == SOW_E_NONFINITE) {
        st = SOW_OK;
        goto done;
    }
    if (st != SOW_OK) SOW_FAIL(err, st, "factoring the covariance of %lld items failed", (long long)n);
    memcpy(l->alpha, l->z, (size_t)(n * k) * sizeof(double));
    SOW_TRY(sow_trsm_lower(threads, 0, n, k, l->matrix, n, l->alpha, k, err));
    double fit = sow_dot(n * k, l->alpha, l->alpha);
    SOW_TRY(sow_trsm_lower(threads, 1, n, k, l->matrix, n, l->alpha, k, err));
    if (gradient) SOW_TRY(add_gradient(l, gradient, err));
    *f = 0.5 * fit + 0.5 * (double)k * (sow_cholesky_logdet(n, l->matrix, n) + (double)n * log(2 * 3.14159265358979323846));
    *f += log_prior(l->kernel, theta, gradient);
done:
    return st;
}

/* ---- fit ---- */

typedef struct {
    sow_likelihood *l;
    double *theta; /* [n_theta] */
} whitened;

/* In units of each parameter's prior standard deviation the prior is a unit sphere, and a good first guess of the curvature. */
static sow_status whitened_value(void *user, const double *u, double *f, double *gradient, sow_error *err)
{
    whitened *w = user;
    const sow_kernel *k = w->l->kernel;
    for (sow_index p = 0; p < k->n_theta; p++) w->theta[p] = k->prior_mean[p] + k->prior_sd[p] * u[p];
    sow_status st = sow_i_likelihood_value(w->l, w->theta, f, gradient, err);
    for (sow_index p = 0; p < k->n_theta && gradient; p++) gradient[p] *= k->prior_sd[p];
    return st;
}

sow_status sow_i_likelihood_fit(sow_likelihood *l, sow_kernel *kernel, sow_index iterations, double *f, sow_error *err)
{
    sow_status st = SOW_OK;
    whitened w = {.l = l};
    double *u = NULL;
    sow_lbfgs_result result;
    SOW_NEW(w.theta, kernel->n_theta);
    SOW_NEW(u, kernel->n_theta);
    for (sow_index p = 0; p < kernel->n_theta; p++) u[p] = (kernel->theta[p] - kernel->prior_mean[p]) / kernel->prior_sd[p];
    SOW_TRY(sow_i_lbfgs(u, kernel->n_theta, whitened_value, &w, iterations, 1e-5, &result, err));
    for (sow_index p = 0; p < kernel->n_theta; p++) kernel->theta[p] = kernel->prior_mean[p] + kernel->prior_sd[p] * u[p];
    *f = result.value;
    sow_log(l->env, SOW_LOG_DEBUG, "gp: %lld items, %lld iterations, %lld evaluations, objective %.4f", (long long)l->n,
            (long long)result.iterations, (long long)result.evaluations, result.value);
done:
    free(w.theta);
    free(u);
    return st;
}
