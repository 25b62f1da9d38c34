/* source-shift: a perturbation does here what it did elsewhere.
 *
 * For perturbation p in context c: the mean of p's values over the OTHER contexts, as it is; unlike two-way, nothing is added for the context. A perturbation
 * measured in no other context gets 0: no change, as control. Variance: the mean square of what was measured in c and is not explained so, over perturbations
 * measured in both (or, for the others, over all of c's); it holds the noise of a measurement, so that noise = 0. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    sow_i_rows rows;
    double *var_known, *var_unknown; /* [d] of the target context */
    sow_index n_both;                /* perturbations measured in the target and elsewhere */
} source_shift;

static void destroy(sow_model *model)
{
    source_shift *m = (source_shift *)model;
    if (!m) return;
    sow_i_rows_clear(&m->rows);
    free(m->var_known);
    free(m->var_unknown);
    free(m);
}

static sow_status learn_variance(source_shift *m, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = t->n_features, *rows = NULL, n;
    double *other = NULL;
    SOW_NEW(rows, t->n);
    SOW_NEW(other, d);
    n = sow_i_target_rows(t, rows);
    sow_i_mean_square(m->var_unknown, t->y, d, rows, n);
    for (sow_index i = 0; i < n; i++) {
        const double *y = t->y + rows[i] * d;
        if (sow_i_rows_mean(other, &m->rows, t->perturbation[rows[i]], t->context[rows[i]], SOW_I_ELSEWHERE) == 0) continue;
        for (sow_index j = 0; j < d; j++) m->var_known[j] += (y[j] - other[j]) * (y[j] - other[j]);
        m->n_both++;
    }
    for (sow_index j = 0; j < d; j++)
        m->var_known[j] = m->n_both > 0 ? fmax(m->var_known[j] / (double)m->n_both, 1e-12) : m->var_unknown[j];
done:
    free(rows);
    free(other);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    source_shift *m = NULL;
    (void)options, (void)env;
    SOW_NEW(m, 1);
    SOW_TRY(sow_i_rows_make(&m->rows, t, err));
    SOW_NEW(m->var_known, t->n_features);
    SOW_NEW(m->var_unknown, t->n_features);
    SOW_TRY(learn_variance(m, t, err));
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
    const source_shift *m = (const source_shift *)model;
    double *one = NULL;
    (void)env;
    SOW_NEW(one, model->n_features);
    for (sow_index i = 0; i < q->n; i++) {
        sow_index n = sow_i_rows_mean(one, &m->rows, q->perturbation[i], q->context[i], SOW_I_ELSEWHERE);
        sow_i_write_item(mean, var, noise, i, model->n_features, one, n > 0 ? m->var_known : m->var_unknown);
    }
done:
    free(one);
    return st;
}

static char *describe(const sow_model *model)
{
    return sow_format("a perturbation's mean over other contexts (%lld of those measured here are known there)",
                      (long long)((const source_shift *)model)->n_both);
}

const sow_model_class sow_i_source_shift = {
    .name = "source-shift",
    .summary = "a perturbation's shift in other contexts, put on this one's controls",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE | SOW_CAP_CONTEXTS,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
