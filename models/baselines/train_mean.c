/* train-mean: every perturbation does what the average measured one did. The baseline any model has to beat.
 *
 * mean = mean over the target context's measured values (all values when it has none); var = their variance times (1 + 1/n), which already
 * holds the noise of a measurement, so that noise = 0. */
#include <stdlib.h>

#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    sow_index n;
    double *mean, *var; /* [d] */
} train_mean;

static void destroy(sow_model *model)
{
    train_mean *m = (train_mean *)model;
    if (!m) return;
    free(m->mean);
    free(m->var);
    free(m);
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    train_mean *m = NULL;
    sow_index *rows = NULL;
    (void)options, (void)env;
    SOW_NEW(m, 1);
    m->base.n_features = t->n_features;
    SOW_NEW(m->mean, t->n_features);
    SOW_NEW(m->var, t->n_features);
    SOW_NEW(rows, t->n);
    m->n = sow_i_target_rows(t, rows);
    sow_i_row_moments(m->mean, m->var, t->y, t->n_features, rows, m->n);
    for (sow_index j = 0; j < t->n_features; j++) m->var[j] *= 1.0 + 1.0 / (double)m->n;
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
    const train_mean *m = (const train_mean *)model;
    (void)env, (void)err;
    for (sow_index i = 0; i < q->n; i++) sow_i_write_item(mean, var, noise, i, model->n_features, m->mean, m->var);
    return SOW_OK;
}

static char *describe(const sow_model *model)
{
    const train_mean *m = (const train_mean *)model;
    return sow_format("mean of %lld measured perturbations", (long long)m->n);
}

const sow_model_class sow_i_train_mean = {
    .name = "train-mean",
    .summary = "the mean response of what was measured in the context",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
