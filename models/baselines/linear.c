/* linear: ridge regression of the response on the fused priors, in closed form.
 *
 * X [n,p] the centred fused rows of the measured perturbations that have one, Y [n,d] their centred values, X = U S V'. For a penalty lambda
 * the coefficients are V diag(s / (s^2 + lambda)) U'Y and the leave-one-out residual of row i is (y_i - yhat_i) / (1 - h_i) with
 * h_i = 1/n + sum_k u_ik^2 s_k^2 / (s_k^2 + lambda) (Hastie, Tibshirani & Friedman 2009, 7.10). lambda minimises their sum of squares over a grid;
 * the largest lambda (no slope) is one of them. The predictive variance is the mean squared leave-one-out residual, noise included.
 * A perturbation without a prior row gets the mean. With target rows present, only they are used. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    const sow_prior_set *priors; /* borrowed; NULL = no priors */
    sow_index p, n;              /* fused columns; rows with a prior the slope rests on */
    double lambda;
    double *centre;              /* [p] */
    double *coef;                /* [p, d] */
    double *intercept;           /* [d] mean of the rows with a prior */
    double *mean, *var;          /* [d] of all rows: for perturbations without a prior */
    double *loo_var;             /* [d] */
} linear;

/* The decomposition the whole fit works in. */
typedef struct {
    sow_index n, p, r, d;
    double *u, *s, *vt; /* [n,r] [r] [r,p] */
    double *y;          /* [n,d] centred */
    double *uty;        /* [r,d] */
    double *fitted;     /* [n,d] scratch */
    double *shrunk;     /* [r,d] scratch */
} decomposition;

static void decomposition_clear(decomposition *z)
{
    free(z->u);
    free(z->s);
    free(z->vt);
    free(z->y);
    free(z->uty);
    free(z->fitted);
    free(z->shrunk);
}

static void destroy(sow_model *model)
{
    linear *m = (linear *)model;
    if (!m) return;
    free(m->centre);
    free(m->coef);
    free(m->intercept);
    free(m->mean);
    free(m->var);
    free(m->loo_var);
    free(m);
}

static sow_status decompose(decomposition *z, linear *m, const sow_training *t, const sow_index *rows, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = z->n, p = z->p, d = z->d;
    double *x = NULL;
    SOW_NEW(x, n * p);
    SOW_NEW(z->u, n * z->r);
    SOW_NEW(z->s, z->r);
    SOW_NEW(z->vt, z->r * p);
    SOW_NEW(z->y, n * d);
    SOW_NEW(z->uty, z->r * d);
    SOW_NEW(z->fitted, n * d);
    SOW_NEW(z->shrunk, z->r * d);
    for (sow_index i = 0; i < n; i++) memcpy(x + i * p, t->priors->fused + t->perturbation[rows[i]] * p, (size_t)p * sizeof *x);
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < p; k++) m->centre[k] += x[i * p + k] / (double)n;
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < p; k++) x[i * p + k] -= m->centre[k];
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) z->y[i * d + j] = t->y[rows[i] * d + j] - m->intercept[j];
    SOW_TRY(sow_svd(n, p, x, p, z->u, z->s, z->vt, err));
    SOW_TRY(sow_gemm(sow_env_threads(env), 1, 0, z->r, d, n, 1, z->u, z->r, z->y, d, 0, z->uty, d, err));
done:
    free(x);
    return st;
}

/* Leave-one-out residuals at `lambda` in place of z->fitted. */
static sow_status leave_one_out(decomposition *z, double lambda, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < z->r; k++) {
        double f = z->s[k] * z->s[k] / (z->s[k] * z->s[k] + lambda);
        for (sow_index j = 0; j < z->d; j++) z->shrunk[k * z->d + j] = f * z->uty[k * z->d + j];
    }
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, z->n, z->d, z->r, 1, z->u, z->r, z->shrunk, z->d, 0, z->fitted, z->d, err));
    for (sow_index i = 0; i < z->n; i++) {
        double h = 1.0 / (double)z->n;
        for (sow_index k = 0; k < z->r; k++)
            h += z->u[i * z->r + k] * z->u[i * z->r + k] * z->s[k] * z->s[k] / (z->s[k] * z->s[k] + lambda);
        double left = fmax(1.0 - h, 1e-8); /* a row that alone decides its fit */
        for (sow_index j = 0; j < z->d; j++) z->fitted[i * z->d + j] = (z->y[i * z->d + j] - z->fitted[i * z->d + j]) / left;
    }
done:
    return st;
}

static double sum_of_squares(const double *x, sow_index n)
{
    double s = 0;
    for (sow_index i = 0; i < n; i++) s += x[i] * x[i];
    return s;
}

/* Penalties from 1e-3 to 1e4 times the mean squared singular value, in half decades, and one so large that no slope is left. */
enum { GRID = 16 };

static sow_status choose_lambda(linear *m, decomposition *z, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double unit = sum_of_squares(z->s, z->r) / (double)z->r, best = INFINITY;
    if (!(unit > 0)) unit = 1;
    for (int g = GRID - 1; g >= 0; g--) {
        double lambda = unit * (g == GRID - 1 ? 1e12 : pow(10.0, -3.0 + 0.5 * g));
        SOW_TRY(leave_one_out(z, lambda, env, err));
        double loss = sum_of_squares(z->fitted, z->n * z->d);
        if (loss < best * (1 - 1e-12)) {
            best = loss;
            m->lambda = lambda;
        }
    }
    SOW_TRY(leave_one_out(z, m->lambda, env, err));
    for (sow_index j = 0; j < z->d; j++) {
        double s = 0;
        for (sow_index i = 0; i < z->n; i++) s += z->fitted[i * z->d + j] * z->fitted[i * z->d + j];
        m->loo_var[j] = fmax(s / (double)z->n, 1e-12);
    }
done:
    return st;
}

static sow_status fit_slope(linear *m, const sow_training *t, const sow_index *rows, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    decomposition z = {.n = n, .p = m->p, .d = t->n_features, .r = n < m->p ? n : m->p};
    SOW_NEW(m->centre, m->p);
    SOW_NEW(m->coef, m->p * z.d);
    SOW_TRY(decompose(&z, m, t, rows, env, err));
    SOW_TRY(choose_lambda(m, &z, env, err));
    for (sow_index k = 0; k < z.r; k++)
        for (sow_index j = 0; j < z.d; j++) z.shrunk[k * z.d + j] = z.s[k] / (z.s[k] * z.s[k] + m->lambda) * z.uty[k * z.d + j];
    SOW_TRY(sow_gemm(sow_env_threads(env), 1, 0, z.p, z.d, z.r, 1, z.vt, z.p, z.shrunk, z.d, 0, m->coef, z.d, err));
    m->n = n;
done:
    decomposition_clear(&z);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    linear *m = NULL;
    sow_index *rows = NULL, n, with = 0;
    (void)options;
    SOW_NEW(m, 1);
    m->base.n_features = t->n_features;
    SOW_NEW(m->mean, t->n_features);
    SOW_NEW(m->var, t->n_features);
    SOW_NEW(m->intercept, t->n_features);
    SOW_NEW(m->loo_var, t->n_features);
    SOW_NEW(rows, t->n);
    n = sow_i_target_rows(t, rows);
    sow_i_row_moments(m->mean, m->var, t->y, t->n_features, rows, n);
    if (t->priors && t->priors->n_priors > 0 && t->priors->fused_dim > 0) {
        m->priors = t->priors;
        m->p = t->priors->fused_dim;
        for (sow_index i = 0; i < n; i++)
            if (t->priors->has_any[t->perturbation[rows[i]]]) rows[with++] = rows[i];
    }
    if (with >= 3) { /* fewer leave nothing to leave out */
        sow_i_row_moments(m->intercept, NULL, t->y, t->n_features, rows, with);
        SOW_TRY(fit_slope(m, t, rows, with, env, err));
    }
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
    const linear *m = (const linear *)model;
    sow_index d = model->n_features, p = m->p;
    double *x = NULL, *y = NULL;
    SOW_NEW(x, q->n * p);
    SOW_NEW(y, q->n * d);
    for (sow_index i = 0; i < q->n && m->n > 0; i++)
        for (sow_index k = 0; k < p; k++) x[i * p + k] = m->priors->fused[q->perturbation[i] * p + k] - m->centre[k];
    if (m->n > 0) SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, q->n, d, p, 1, x, p, m->coef, d, 0, y, d, err));
    for (sow_index i = 0; i < q->n; i++) {
        if (m->n == 0 || !m->priors->has_any[q->perturbation[i]]) {
            sow_i_write_item(mean, var, noise, i, d, m->mean, m->var);
            continue;
        }
        for (sow_index j = 0; j < d; j++) y[i * d + j] += m->intercept[j];
        sow_i_write_item(mean, var, noise, i, d, y + i * d, m->loo_var);
    }
done:
    free(x);
    free(y);
    return st;
}

static char *describe(const sow_model *model)
{
    const linear *m = (const linear *)model;
    if (m->n == 0) return sow_format("no slope: fewer than 3 measured perturbations with a prior");
    return sow_format("ridge on %lld prior dimensions, %lld measured rows, penalty %.3g", (long long)m->p, (long long)m->n, m->lambda);
}

const sow_model_class sow_i_linear = {
    .name = "linear",
    .summary = "ridge regression on the fused priors, penalty by leave-one-out",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
