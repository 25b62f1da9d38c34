/* gp: an exact Gaussian process over perturbations, one or more kernels a prior, learned by marginal likelihood. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/gp/gp_internal.h"
#include "models/model_internal.h"

static void destroy(sow_model *model)
{
    sow_gp *g = (sow_gp *)model;
    if (!g) return;
    sow_i_conditional_clear(&g->conditional);
    sow_i_kernel_destroy(g->kernel);
    sow_i_items_destroy(g->items);
    sow_i_gp_priors_destroy(g->priors);
    free(g);
}

/* The rows learned from, in an order that does not depend on how they were given. */
typedef struct {
    sow_index perturbation, context, row;
} row_key;

static int by_name(const void *a, const void *b)
{
    const row_key *x = a, *y = b;
    if (x->perturbation != y->perturbation) return x->perturbation < y->perturbation ? -1 : 1;
    if (x->context != y->context) return x->context < y->context ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static sow_status ordered_rows(sow_index **out, sow_index *n_out, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *rows = NULL, n;
    row_key *keys = NULL;
    SOW_NEW(rows, t->n);
    n = sow_i_target_rows(t, rows);
    SOW_NEW(keys, n);
    for (sow_index i = 0; i < n; i++) keys[i] = (row_key){t->perturbation[rows[i]], t->context[rows[i]], rows[i]};
    qsort(keys, (size_t)n, sizeof *keys, by_name);
    for (sow_index i = 0; i < n; i++) rows[i] = keys[i].row;
    *out = rows;
    *n_out = n;
    rows = NULL;
done:
    free(rows);
    free(keys);
    return st;
}

double sow_i_gp_ratio(double typical_cells, double cells)
{
    return isfinite(typical_cells) && isfinite(cells) ? typical_cells / cells : 1.0;
}

static sow_status median_cells(double *out, const sow_training *t, const sow_index *rows, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *known = NULL;
    sow_index used = 0;
    *out = NAN;
    SOW_NEW(known, n);
    for (sow_index i = 0; i < n && t->cells; i++)
        if (isfinite(t->cells[rows[i]])) known[used++] = t->cells[rows[i]];
    if (used > 0) SOW_TRY(sow_quantile(out, known, used, 0.5, err));
done:
    free(known);
    return st;
}

/* ---- fit ---- */

/* Values in standard units; a constant or single value keeps the unit 1. */
static void standardise(sow_gp *g, double *z, const sow_training *t, const sow_index *rows, sow_index n)
{
    double v;
    for (sow_index i = 0; i < n; i++) z[i] = t->y[rows[i]];
    g->centre = sow_mean(z, n);
    v = sow_variance(z, n);
    g->scale = v > 0 ? sqrt(v) : 1.0;
    for (sow_index i = 0; i < n; i++) z[i] = (z[i] - g->centre) / g->scale;
}

enum { LEARN_FROM = 700 }; /* items the hyperparameters are learned from; all are conditioned on */

static sow_status learn(sow_gp *g, const sow_model_options *o, const double *z, const double *ratio, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = g->items->n, m = n < LEARN_FROM ? n : LEARN_FROM, *item = NULL;
    double *few_z = NULL, *few_ratio = NULL;
    sow_items *few = NULL;
    sow_likelihood *l = NULL;
    sow_lbfgs_result result;
    SOW_NEW(item, m);
    SOW_NEW(few_z, m);
    SOW_NEW(few_ratio, m);
    for (sow_index i = 0; i < m; i++) {
        sow_index from = i * n / m;
        item[i] = g->items->item[from];
        few_z[i] = z[from];
        few_ratio[i] = ratio[from];
    }
    SOW_TRY(sow_i_items_create(&few, g->items->priors, g->items->n_priors, NULL, item, m, err));
    SOW_TRY(sow_i_likelihood_create(&l, g->kernel, few, few_z, 1, few_ratio, env, err));
    SOW_TRY(sow_i_lbfgs(g->kernel->theta, g->kernel->n_theta, sow_i_likelihood_value, l, o->iterations, 1e-5, &result, err));
    sow_log(env, SOW_LOG_DEBUG, "gp: %lld items, %lld iterations, %lld evaluations, objective %.4f", (long long)m,
            (long long)result.iterations, (long long)result.evaluations, result.value);
done:
    free(item);
    free(few_z);
    free(few_ratio);
    sow_i_likelihood_destroy(l);
    sow_i_items_destroy(few);
    return st;
}

static sow_status fit_rows(sow_gp *g, const sow_training *t, const sow_model_options *o, const sow_index *rows, sow_index n,
                           const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *z = NULL, *ratio = NULL;
    sow_index *item = NULL;
    SOW_NEW(z, n);
    SOW_NEW(ratio, n);
    SOW_NEW(item, n);
    SOW_TRY(median_cells(&g->typical_cells, t, rows, n, err));
    for (sow_index i = 0; i < n; i++) {
        item[i] = t->perturbation[rows[i]];
        ratio[i] = sow_i_gp_ratio(g->typical_cells, t->cells ? t->cells[rows[i]] : (double)NAN);
    }
    standardise(g, z, t, rows, n);
    SOW_TRY(sow_i_gp_priors_create(&g->priors, t->priors, strcmp(o->kernel, "auto") == 0, env, err));
    SOW_TRY(sow_i_items_create(&g->items, g->priors->prior, g->priors->n_priors, NULL, item, n, err));
    SOW_TRY(sow_i_kernel_create(&g->kernel, o->kernel, g->priors, err));
    SOW_TRY(learn(g, o, z, ratio, env, err));
    SOW_TRY(sow_i_condition(&g->conditional, g->kernel, g->items, z, 1, ratio, env, err));
done:
    free(z);
    free(ratio);
    free(item);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_gp *g = NULL;
    sow_index *rows = NULL, n;
    SOW_TRY(sow_progress(env, "fitting gp", 0, err));
    SOW_NEW(g, 1);
    g->base.n_features = t->n_features;
    SOW_TRY(ordered_rows(&rows, &n, t, err));
    SOW_TRY(fit_rows(g, t, options, rows, n, env, err));
    SOW_TRY(sow_progress(env, "fitting gp", 1, err));
    *out = &g->base;
    g = NULL;
done:
    free(rows);
    if (g) destroy(&g->base);
    return st;
}

/* ---- predict ---- */

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = (const sow_gp *)model;
    SOW_TRY(sow_i_conditional_at(&g->conditional, q->perturbation, q->n, mean, var, NULL, env, err));
    for (sow_index i = 0; i < q->n; i++) {
        mean[i] = g->centre + g->scale * mean[i];
        if (var) var[i] *= g->scale * g->scale;
        if (noise) {
            double ratio = sow_i_gp_ratio(g->typical_cells, q->cells ? q->cells[i] : (double)NAN);
            noise[i] = g->scale * g->scale * sow_i_kernel_noise(g->kernel, ratio);
        }
    }
done:
    return st;
}

/* ---- describe ---- */

static const char *relation_name(const sow_component *c)
{
    static const char *const shape[] = {"", "rbf", "exponential", "matern32"};
    if (c->shape != SOW_SHAPE_FIXED) return shape[c->shape];
    return c->relation == SOW_RELATION_COSINE ? "cosine" : "tanimoto";
}

/* "reactome: weight 0.61, tanimoto" a line; the weight is a share of the values' variance. */
static char *describe(const sow_model *model)
{
    const sow_gp *g = (const sow_gp *)model;
    const sow_kernel *k = g->kernel;
    char *text = sow_format("%lld measured; noise %.3f + %.3f / relative cells of the values' variance", (long long)g->items->n,
                            exp(k->theta[k->n_theta - 2]), exp(k->theta[k->n_theta - 1]));
    for (sow_index c = 0; c < k->n_components && text; c++) {
        const sow_component *part = &k->component[c];
        double weight = exp(k->theta[part->amplitude]);
        char *longer = part->length < 0
            ? sow_format("%s\n%s: weight %.3f, %s", text, g->items->priors[part->prior].name, weight, relation_name(part))
            : sow_format("%s\n%s: weight %.3f, %s of length %.3g", text, g->items->priors[part->prior].name, weight, relation_name(part),
                         part->unit * exp(k->theta[part->length]));
        free(text);
        text = longer;
    }
    return text;
}

const sow_model_class sow_i_gp = {
    .name = "gp",
    .summary = "Gaussian process over the priors, kernels and noise by marginal likelihood",
    .caps = SOW_CAP_SCALAR | SOW_CAP_VARIANCE | SOW_CAP_JOINT,
    .fit = fit,
    .predict = predict,
    .posterior = sow_i_gp_posterior,
    .destroy = destroy,
    .describe = describe,
};
