/* control: a perturbation does nothing. Where values are changes against the controls that is 0; its cells are the controls. What a model has to beat before
 * anything else is said of it.
 *
 * mean = 0; var = the mean square of the target context's measured values (of all values when it has none), which holds the noise of a measurement, so that
 * noise = 0. */
#include <stdlib.h>

#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    double *zero, *var; /* [d] */
} control;

static void destroy(sow_model *model)
{
    control *m = (control *)model;
    if (!m) return;
    free(m->zero);
    free(m->var);
    free(m);
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    control *m = NULL;
    sow_index *rows = NULL, n;
    (void)options, (void)env;
    SOW_NEW(m, 1);
    SOW_NEW(m->zero, t->n_features);
    SOW_NEW(m->var, t->n_features);
    SOW_NEW(rows, t->n);
    n = sow_i_target_rows(t, rows);
    sow_i_mean_square(m->var, t->y, t->n_features, rows, n);
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
    const control *m = (const control *)model;
    (void)env, (void)err;
    for (sow_index i = 0; i < q->n; i++) sow_i_write_item(mean, var, noise, i, model->n_features, m->zero, m->var);
    return SOW_OK;
}

const sow_model_class sow_i_control = {
    .name = "control",
    .summary = "no change: perturbed cells are like the controls",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
};
