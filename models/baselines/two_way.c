/* two-way: an additive model of perturbation and context.
 *
 * For perturbation p in context c: P_p = mean of p's values over the OTHER contexts, shift_c = mean over the perturbations measured both in c
 * and elsewhere of (y_pc - P_p), prediction = P_p + shift_c. A perturbation not measured elsewhere gets c's mean; a context without values of
 * its own gets shift 0 and the mean of everything. Variance: of the residuals y_pc - P_p - shift_c, or of c's values. Noise is inside it. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    sow_i_rows rows;
    double *shift;        /* [n_contexts, d] */
    double *mean, *var;   /* [n_contexts, d] of the context's values */
    double *residual_var; /* [n_contexts, d] */
    sow_index *n_both;    /* [n_contexts] perturbations behind shift */
} two_way;

static void destroy(sow_model *model)
{
    two_way *m = (two_way *)model;
    if (!m) return;
    sow_i_rows_clear(&m->rows);
    free(m->shift);
    free(m->mean);
    free(m->var);
    free(m->residual_var);
    free(m->n_both);
    free(m);
}

sow_index sow_i_two_way_elsewhere(const sow_model *model, sow_index p, sow_index c, double *out)
{
    return sow_i_rows_mean(out, &((const two_way *)model)->rows, p, c, SOW_I_ELSEWHERE);
}

sow_index sow_i_two_way_shift(const double **shift, const double **rest, const sow_model *model, sow_index c)
{
    const two_way *m = (const two_way *)model;
    *shift = m->shift + c * model->n_features;
    *rest = m->residual_var + c * model->n_features;
    return m->n_both[c];
}

/* shift and residual variance of context c from its rows [n]. */
static void fit_context(two_way *m, const sow_training *t, sow_index c, const sow_index *rows, sow_index n, double *other)
{
    sow_index d = t->n_features, both = 0;
    double *shift = m->shift + c * d, *rv = m->residual_var + c * d;
    for (sow_index r = 0; r < n; r++) { /* running means and sums of squared deviations (Welford 1962): what others say is added up once */
        if (sow_i_rows_mean(other, &m->rows, t->perturbation[rows[r]], c, SOW_I_ELSEWHERE) == 0) continue;
        both++;
        for (sow_index j = 0; j < d; j++) {
            const double x = t->y[rows[r] * d + j] - other[j], gap = x - shift[j];
            shift[j] += gap / (double)both;
            rv[j] += gap * (x - shift[j]);
        }
    }
    for (sow_index j = 0; j < d; j++)
        rv[j] = both > 1 ? fmax(rv[j] / (double)(both - 1), 1e-12) * (1.0 + 1.0 / (double)both) : m->var[c * d + j];
    m->n_both[c] = both;
}

typedef struct {
    two_way *m;
    const sow_training *t;
} contexts_job;

static sow_status context_task(void *user, sow_index c, sow_error *err)
{
    sow_status st = SOW_OK;
    const contexts_job *j = user;
    const sow_training *t = j->t;
    two_way *m = j->m;
    sow_index d = t->n_features, *rows = NULL, n = 0, all = 0;
    double *other = NULL;
    SOW_NEW(rows, t->n);
    SOW_NEW(other, d);
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == c) rows[n++] = i;
    for (sow_index i = 0; i < t->n && n == 0; i++) rows[all++] = i;
    sow_i_row_moments(m->mean + c * d, m->var + c * d, t->y, d, rows, n + all);
    fit_context(m, t, c, rows, n, other);
done:
    free(rows);
    free(other);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    two_way *m = NULL;
    sow_index nd = t->n_contexts * t->n_features;
    contexts_job job = {NULL, t};
    (void)options;
    SOW_NEW(m, 1);
    m->base.n_features = t->n_features;
    SOW_TRY(sow_i_rows_make(&m->rows, t, err));
    SOW_NEW(m->shift, nd);
    SOW_NEW(m->mean, nd);
    SOW_NEW(m->var, nd);
    SOW_NEW(m->residual_var, nd);
    SOW_NEW(m->n_both, t->n_contexts);
    job.m = m;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), t->n_contexts, context_task, &job, err));
    *out = &m->base;
    m = NULL;
done:
    if (m) destroy(&m->base);
    return st;
}

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    const two_way *m = (const two_way *)model;
    sow_index d = model->n_features;
    double *one = NULL;
    (void)env;
    SOW_NEW(one, d);
    for (sow_index i = 0; i < q->n; i++) {
        sow_index c = q->context[i];
        if (sow_i_rows_mean(one, &m->rows, q->perturbation[i], c, SOW_I_ELSEWHERE) == 0) {
            sow_i_write_item(mean, var, noise, i, d, m->mean + c * d, m->var + c * d);
            continue;
        }
        for (sow_index j = 0; j < d; j++) one[j] += m->shift[c * d + j];
        sow_i_write_item(mean, var, noise, i, d, one, m->residual_var + c * d);
    }
done:
    free(one);
    return st;
}

static char *describe(const sow_model *model)
{
    const two_way *m = (const two_way *)model;
    sow_index most = 0;
    for (sow_index c = 0; c < model->n_contexts; c++)
        if (m->n_both[c] > most) most = m->n_both[c];
    return sow_format("perturbation mean over other contexts plus the context's shift (from at most %lld shared perturbations)",
                      (long long)most);
}

const sow_model_class sow_i_two_way = {
    .name = "two-way",
    .summary = "a perturbation's mean over other contexts plus the context's shift",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE | SOW_CAP_CONTEXTS,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
