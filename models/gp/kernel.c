/* Kernels: a sum over priors of amplitude * shape(relation / length), plus a constant mean.
 *
 *   FIXED        k = relation (cosine, Tanimoto)
 *   RBF          k = exp(-r^2 / 2)
 *   EXPONENTIAL  k = exp(-r)
 *   MATERN32     k = (1 + sqrt3 r) exp(-sqrt3 r)          r = distance / (unit * length)
 *
 * Every component is 1 on the diagonal, also for an item its prior does not know: such an item keeps the full variance and shares none of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/gp/gp_internal.h"

static const double SQRT3 = 1.7320508075688772;

double sow_i_shape_value(sow_shape shape, double r)
{
    switch (shape) {
    case SOW_SHAPE_FIXED: return r;
    case SOW_SHAPE_RBF: return r < 38 ? exp(-0.5 * r * r) : 0.0;
    case SOW_SHAPE_EXPONENTIAL: return r < 700 ? exp(-r) : 0.0;
    case SOW_SHAPE_MATERN32: break;
    }
    return r < 400 ? (1 + SQRT3 * r) * exp(-SQRT3 * r) : 0.0;
}

double sow_i_shape_slope(sow_shape shape, double r, double value)
{
    switch (shape) {
    case SOW_SHAPE_FIXED: return 0.0;
    case SOW_SHAPE_RBF: return value * r * r;
    case SOW_SHAPE_EXPONENTIAL: return value * r;
    case SOW_SHAPE_MATERN32: break;
    }
    return value * 3 * r * r / (1 + SQRT3 * r);
}

void sow_i_kernel_destroy(sow_kernel *kernel)
{
    if (!kernel) return;
    free(kernel->component);
    free(kernel->prior_mean);
    free(kernel->prior_sd);
    free(kernel->theta);
    free(kernel);
}

/* ---- choice of components ---- */

/* What a component looks like before it has a place in theta. `length` is the prior median of the length scale in root mean squared distances. */
typedef struct {
    sow_relation relation;
    sow_shape shape;
    double amplitude, length;
} recipe;

enum { MOST_RECIPES = 2 };

/* Nearest neighbours are close in a plane and far in many dimensions, so a kernel's length grows with the dimension. */
static double smooth_length(sow_index dim) { return fmin(1.0, 0.15 + 0.05 * (double)dim); }
static double rough_length(sow_index dim) { return fmin(1.0, 0.02 * (double)dim); }

static int recipes_auto(recipe *out, const sow_prior *prior, int derived)
{
    int n = 0;
    if (derived)
        out[n++] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, 0.15, 0.5};
    else if (prior->kind == SOW_PRIOR_SETS)
        out[n++] = (recipe){SOW_RELATION_TANIMOTO, SOW_SHAPE_FIXED, 0.3, 0};
    else if (prior->dim <= SOW_LAYOUT_DIM)
        out[n++] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_EXPONENTIAL, 0.15, rough_length(prior->dim)};
    else {
        out[n++] = (recipe){SOW_RELATION_COSINE, SOW_SHAPE_FIXED, 0.15, 0};
        out[n++] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, 0.15, smooth_length(prior->dim)};
    }
    return n;
}

static int recipes_of(recipe *out, const char *choice, const sow_prior *prior, int derived)
{
    sow_index dim = prior->kind == SOW_PRIOR_SETS ? 64 : prior->dim;
    if (strcmp(choice, "auto") == 0) return recipes_auto(out, prior, derived);
    if (strcmp(choice, "tanimoto") == 0)
        out[0] = (recipe){SOW_RELATION_TANIMOTO, SOW_SHAPE_FIXED, 0.3, 0};
    else if (strcmp(choice, "linear") == 0)
        out[0] = (recipe){SOW_RELATION_COSINE, SOW_SHAPE_FIXED, 0.3, 0};
    else if (strcmp(choice, "exponential") == 0)
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_EXPONENTIAL, 0.3, rough_length(dim)};
    else if (strcmp(choice, "matern32") == 0)
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_MATERN32, 0.3, smooth_length(dim)};
    else
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, 0.3, smooth_length(dim)};
    return 1;
}

static void add_parameter(sow_kernel *k, sow_index *at, double median, double log_sd)
{
    *at = k->n_theta++;
    k->prior_mean[*at] = log(median);
    k->prior_sd[*at] = log_sd;
    k->theta[*at] = log(median);
}

static void add_component(sow_kernel *k, sow_index prior, const recipe *r, double unit)
{
    sow_component *c = &k->component[k->n_components++];
    *c = (sow_component){.prior = prior, .relation = r->relation, .shape = r->shape, .length = -1, .unit = unit};
    add_parameter(k, &c->amplitude, r->amplitude, 0.5);
    if (r->shape != SOW_SHAPE_FIXED) add_parameter(k, &c->length, r->length, 0.5);
}

sow_status sow_i_kernel_create(sow_kernel **out, const char *choice, const sow_gp_priors *priors, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_kernel *k = NULL;
    sow_index most = priors->n_priors * MOST_RECIPES, noise;
    *out = NULL;
    SOW_NEW(k, 1);
    SOW_NEW(k->component, most);
    SOW_NEW(k->prior_mean, 2 * most + 2);
    SOW_NEW(k->prior_sd, 2 * most + 2);
    SOW_NEW(k->theta, 2 * most + 2);
    k->constant = 1.0;
    for (sow_index p = 0; p < priors->n_priors; p++) {
        recipe r[MOST_RECIPES];
        int n = recipes_of(r, choice, &priors->prior[p], p >= priors->n_given);
        for (int i = 0; i < n; i++) add_component(k, p, &r[i], priors->unit[p]);
    }
    add_parameter(k, &noise, 0.4, 0.7); /* s0^2 */
    add_parameter(k, &noise, 0.3, 1.0); /* s1^2 */
    *out = k;
    k = NULL;
done:
    sow_i_kernel_destroy(k);
    return st;
}

double sow_i_kernel_variance(const sow_kernel *k)
{
    double v = k->constant;
    for (sow_index c = 0; c < k->n_components; c++) v += exp(k->theta[k->component[c].amplitude]);
    return v;
}

double sow_i_kernel_noise(const sow_kernel *k, double ratio)
{
    return exp(k->theta[k->n_theta - 2]) + exp(k->theta[k->n_theta - 1]) * ratio;
}

/* ---- covariance ---- */

static void add_block(double *k, sow_index ldk, const sow_kernel *kernel, const sow_component *c, const sow_items *items,
                      const sow_index *other, sow_index w, const double *dot, const double *norm2)
{
    const sow_prior *prior = items->priors + c->prior;
    double a = exp(kernel->theta[c->amplitude]);
    double scale = c->length < 0 ? 1.0 : 1.0 / (c->unit * exp(kernel->theta[c->length]));
    for (sow_index i = 0; i < items->n; i++) {
        sow_index self = items->item[i];
        if (!prior->has[self]) continue;
        for (sow_index j = 0; j < w; j++) {
            if (!prior->has[other[j]] || other[j] == self) continue;
            double r = sow_i_relate(c->relation, prior->kind, dot[i * w + j], items->norm2[c->prior][i], norm2[j]);
            k[i * ldk + j] += a * sow_i_shape_value(c->shape, r * scale);
        }
    }
}

sow_status sow_i_kernel_block(const sow_kernel *kernel, const sow_items *items, const sow_index *other, sow_index w, double *k,
                              sow_index ldk, sow_error *err)
{
    sow_status st = SOW_OK;
    double *dot = NULL, *norm2 = NULL, whole = sow_i_kernel_variance(kernel);
    sow_index have = -1;
    SOW_NEW(dot, items->n * w);
    SOW_NEW(norm2, w);
    for (sow_index i = 0; i < items->n; i++)
        for (sow_index j = 0; j < w; j++) k[i * ldk + j] = items->item[i] == other[j] ? whole : kernel->constant;
    for (sow_index c = 0; c < kernel->n_components; c++) {
        const sow_component *component = &kernel->component[c];
        if (component->prior != have) SOW_TRY(sow_i_items_dot(items, component->prior, other, w, dot, w, norm2, err));
        have = component->prior;
        add_block(k, ldk, kernel, component, items, other, w, dot, norm2);
    }
done:
    free(dot);
    free(norm2);
    return st;
}
