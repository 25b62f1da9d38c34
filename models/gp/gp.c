/* gp: an exact Gaussian process over perturbations, one or more kernels a prior, learned by marginal likelihood. The row of the model table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/gp/gp_internal.h"
#include "models/model_internal.h"

static void destroy(sow_model *model)
{
    sow_gp *g = (sow_gp *)model;
    if (!g) return;
    for (sow_index a = 0; a < SOW_ARMS; a++) {
        sow_i_conditional_clear(&g->arm[a].conditional);
        sow_i_kernel_destroy(g->arm[a].kernel);
    }
    sow_i_warp_clear(&g->warp);
    sow_i_gp_profile_destroy(g->profile);
    sow_i_reference_destroy(g->reference);
    sow_i_items_destroy(g->items);
    sow_i_gp_priors_destroy(g->priors);
    free(g);
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_gp *g = NULL;
    SOW_TRY(sow_progress(env, "fitting gp", 0, err));
    SOW_NEW(g, 1);
    g->base.n_features = t->n_features;
    SOW_TRY(t->n_features == 1 ? sow_i_gp_fit_scalar(g, t, options, env, err) : sow_i_gp_fit_profile(g, t, options, env, err));
    SOW_TRY(sow_progress(env, "fitting gp", 1, err));
    *out = &g->base;
    g = NULL;
done:
    if (g) destroy(&g->base);
    return st;
}

/* ---- predict ---- */

/* The mixture of arms has mean sum w m and variance sum w (v + m^2) - mean^2, taken one arm at a time. */
void sow_i_gp_mix(double *mean, double *var, double so_far, const double *m, const double *v, double w, sow_index n)
{
    double share = w / (so_far + w);
    for (sow_index i = 0; i < n; i++) {
        double gap = m[i] - mean[i];
        mean[i] += share * gap;
        if (var) var[i] = (1 - share) * var[i] + share * v[i] + share * (1 - share) * gap * gap;
    }
}

double sow_i_gp_noise(const sow_gp *g, const sow_query *q, sow_index i)
{
    double ratio = sow_i_gp_ratio(g->typical_cells, q->cells ? q->cells[i] : (double)NAN), noise = 0;
    for (sow_index a = 0; a < g->n_arms; a++) noise += g->arm[a].weight * sow_i_kernel_noise(g->arm[a].kernel, ratio);
    return noise;
}

void sow_i_gp_to_values(const sow_gp *g, const sow_query *q, double *mean, double *var, double *noise)
{
    double unit = g->scale * g->scale;
    for (sow_index i = 0; i < q->n; i++) {
        double m = g->centre + g->scale * mean[i], v = unit * var[i], e = unit * sow_i_gp_noise(g, q, i);
        int warped = g->warp.n > 0;
        mean[i] = warped ? sow_i_warp_mean(&g->warp, m, v + e) : m; /* what a measurement gives on average */
        var[i] = warped ? sow_i_warp_variance(&g->warp, m, v) : v;
        if (noise) noise[i] = warped ? fmax(sow_i_warp_variance(&g->warp, m, v + e) - var[i], 1e-6 * var[i]) : e;
    }
}

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp *g = (const sow_gp *)model;
    double *m = NULL, *v = NULL, *own = NULL;
    if (g->profile) return sow_i_gp_predict_profile(g, q, mean, var, noise, env, err);
    SOW_NEW(m, q->n);
    SOW_NEW(v, q->n);
    SOW_NEW(own, q->n);
    if (!var) var = own;
    SOW_TRY(sow_i_conditional_at(&g->arm[0].conditional, q->perturbation, q->n, mean, var, NULL, env, err));
    for (sow_index a = 1; a < g->n_arms; a++) {
        SOW_TRY(sow_i_conditional_at(&g->arm[a].conditional, q->perturbation, q->n, m, v, NULL, env, err));
        sow_i_gp_mix(mean, var, g->arm[0].weight, m, v, g->arm[a].weight, q->n);
    }
    sow_i_gp_to_values(g, q, mean, var, noise);
done:
    free(m);
    free(v);
    free(own);
    return st;
}

/* ---- describe ---- */

static const char *form_of(const sow_component *c)
{
    static const char *const shape[] = {"", "rbf", "exponential", "matern32"};
    if (c->shape != SOW_SHAPE_FIXED) return shape[c->shape];
    if (c->relation == SOW_RELATION_PRODUCT) return "linear";
    return c->relation == SOW_RELATION_COSINE ? "cosine" : "tanimoto";
}

/* "text\nline", text is freed; NULL when out of memory. */
static char *add_line(char *text, char *line)
{
    char *both = text && line ? sow_format("%s\n%s", text, line) : NULL;
    free(text);
    free(line);
    return both;
}

static char *describe_arm(char *text, const sow_gp *g, const sow_arm *arm)
{
    const sow_kernel *k = arm->kernel;
    if (g->n_arms > 1)
        text = add_line(text, sow_format("%s the reference: probability %.3f", arm->reference ? "with" : "without", arm->weight));
    for (sow_index c = 0; c < k->n_components; c++) {
        const sow_component *part = &k->component[c];
        const char *name = g->priors->prior[part->prior].name;
        double weight = exp(k->theta[part->amplitude]);
        text = add_line(text, part->length < 0 ? sow_format("%s: weight %.3f, %s", name, weight, form_of(part))
                                               : sow_format("%s: weight %.3f, %s of length %.3g", name, weight, form_of(part),
                                                            part->unit * exp(k->theta[part->length])));
    }
    return add_line(text, sow_format("noise: %.3f + %.3f / relative cells", exp(k->theta[k->n_theta - 2]), exp(k->theta[k->n_theta - 1])));
}

/* One line a learned quantity; weights are in units of the variance the values were standardised by. */
static char *describe(const sow_model *model)
{
    const sow_gp *g = (const sow_gp *)model;
    char *text = sow_format("%lld measured, weights as shares of a variance of %.4g", (long long)g->items->n, g->scale * g->scale);
    for (sow_index a = 0; a < g->n_arms; a++) text = describe_arm(text, g, &g->arm[a]);
    if (g->profile) text = sow_i_gp_profile_describe(text, g->profile);
    return text;
}

const sow_model_class sow_i_gp = {
    .name = "gp",
    .summary = "Gaussian process over the priors and the other contexts, kernels and noise by marginal likelihood",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE | SOW_CAP_NOISE_BY_CELLS | SOW_CAP_JOINT | SOW_CAP_CONTEXTS,
    .fit = fit,
    .predict = predict,
    .posterior = sow_i_gp_posterior,
    .destroy = destroy,
    .describe = describe,
};
