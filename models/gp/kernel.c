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

#include "core/linalg.h"
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

const sow_kernel_prior sow_i_kernel_prior_plain = {
    .amplitude = {[SOW_ROLE_SETS] = 0.3, [SOW_ROLE_LAYOUT] = 0.15, [SOW_ROLE_DENSE] = 0.15, [SOW_ROLE_SCORES] = 0.15,
                  [SOW_ROLE_RESPONSE] = 0.15},
    .amplitude_sd = 0.5,
    .length_sd = 0.5,
    .s0 = 0.4,
    .s0_sd = 0.7,
    .s1 = 0.3,
    .s1_sd = 1.0,
    .constant = 1.0,
};

/* What a component looks like before it has a place in theta. `length` is the prior median of the length scale in root mean squared distances. */
typedef struct {
    sow_relation relation;
    sow_shape shape;
    double length;
} recipe;

enum { MOST_RECIPES = 2 };

/* Nearest neighbours are close in a plane and far in many dimensions, so a kernel's length grows with the dimension. */
static double smooth_length(sow_index dim) { return fmin(1.0, 0.15 + 0.05 * (double)dim); }
static double rough_length(sow_index dim) { return fmin(1.0, 0.02 * (double)dim); }

static int recipes_auto(recipe *out, sow_role role, sow_index dim)
{
    switch (role) {
    case SOW_ROLE_SETS: out[0] = (recipe){SOW_RELATION_TANIMOTO, SOW_SHAPE_FIXED, 0}; return 1;
    case SOW_ROLE_LAYOUT: out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_EXPONENTIAL, rough_length(dim)}; return 1;
    case SOW_ROLE_DENSE:
    case SOW_ROLE_RESPONSE:
        out[0] = (recipe){SOW_RELATION_COSINE, SOW_SHAPE_FIXED, 0};
        out[1] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, smooth_length(dim)};
        return 2;
    case SOW_ROLE_REFERENCE_CELLS: out[0] = (recipe){SOW_RELATION_PRODUCT, SOW_SHAPE_FIXED, 0}; return 1;
    case SOW_ROLE_SCORES:
    case SOW_ROLE_REFERENCE_VALUE:
    case SOW_ROLE_COUNT: break;
    }
    out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, 0.5};
    return 1;
}

static int recipes_of(recipe *out, const char *choice, sow_role role, sow_index dim)
{
    if (role == SOW_ROLE_SETS) dim = 64; /* of a distance between sets: as between many dimensions */
    if (role >= SOW_ROLE_SCORES || strcmp(choice, "auto") == 0) return recipes_auto(out, role, dim);
    if (strcmp(choice, "tanimoto") == 0)
        out[0] = (recipe){SOW_RELATION_TANIMOTO, SOW_SHAPE_FIXED, 0};
    else if (strcmp(choice, "linear") == 0)
        out[0] = (recipe){SOW_RELATION_COSINE, SOW_SHAPE_FIXED, 0};
    else if (strcmp(choice, "exponential") == 0)
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_EXPONENTIAL, rough_length(dim)};
    else if (strcmp(choice, "matern32") == 0)
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_MATERN32, smooth_length(dim)};
    else
        out[0] = (recipe){SOW_RELATION_DISTANCE, SOW_SHAPE_RBF, smooth_length(dim)};
    return 1;
}

static void add_parameter(sow_kernel *k, sow_index *at, double median, double log_sd)
{
    *at = k->n_theta++;
    k->prior_mean[*at] = log(median);
    k->prior_sd[*at] = log_sd;
    k->theta[*at] = log(median);
}

/* The length another fit found for the same component, or the recipe's. */
static double length_of(const sow_kernel *lengths, sow_index prior, const recipe *r)
{
    for (sow_index c = 0; lengths && c < lengths->n_components; c++) {
        const sow_component *other = &lengths->component[c];
        if (other->prior == prior && other->relation == r->relation && other->shape == r->shape) return exp(lengths->theta[other->length]);
    }
    return r->length;
}

static void add_component(sow_kernel *k, sow_index prior, double unit, const recipe *r, double amplitude, const sow_kernel_prior *belief,
                          const sow_kernel *lengths)
{
    sow_component *c = &k->component[k->n_components++];
    *c = (sow_component){.prior = prior, .relation = r->relation, .shape = r->shape, .length = -1, .unit = unit};
    add_parameter(k, &c->amplitude, amplitude, belief->amplitude_sd);
    if (r->shape != SOW_SHAPE_FIXED) add_parameter(k, &c->length, length_of(lengths, prior, r), belief->length_sd);
}

sow_status sow_i_kernel_create(sow_kernel **out, const char *choice, const sow_gp_priors *priors, const sow_kernel_prior *belief,
                               const sow_kernel *lengths, sow_error *err)
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
    k->constant = belief->constant;
    for (sow_index p = 0; p < priors->n_priors; p++) {
        recipe r[MOST_RECIPES];
        double amplitude = belief->amplitude[priors->role[p]];
        int n = amplitude > 0 ? recipes_of(r, choice, priors->role[p], priors->prior[p].dim) : 0;
        for (int i = 0; i < n; i++) add_component(k, p, priors->unit[p], &r[i], amplitude, belief, lengths);
    }
    add_parameter(k, &noise, belief->s0, belief->s0_sd);
    add_parameter(k, &noise, belief->s1, belief->s1_sd);
    *out = k;
    k = NULL;
done:
    sow_i_kernel_destroy(k);
    return st;
}

double sow_i_kernel_variance(const sow_kernel *k, const sow_prior *priors, sow_index item)
{
    double v = k->constant;
    for (sow_index c = 0; c < k->n_components; c++) {
        const sow_component *part = &k->component[c];
        const sow_prior *prior = &priors[part->prior];
        double a = exp(k->theta[part->amplitude]);
        if (part->relation != SOW_RELATION_PRODUCT)
            v += a;
        else if (sow_i_has(prior, item))
            v += a * sow_dot(prior->dim, prior->x + item * prior->dim, prior->x + item * prior->dim);
    }
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
        if (!sow_i_has(prior, self)) continue;
        for (sow_index j = 0; j < w; j++) {
            if (!sow_i_has(prior, other[j]) || other[j] == self) continue;
            double r = sow_i_relate(c->relation, prior->kind, dot[i * w + j], items->norm2[c->prior][i], norm2[j]);
            k[i * ldk + j] += a * sow_i_shape_value(c->shape, r * scale);
        }
    }
}

sow_status sow_i_kernel_block(const sow_kernel *kernel, const sow_items *items, const sow_index *other, sow_index w, double *k,
                              sow_index ldk, sow_error *err)
{
    sow_status st = SOW_OK;
    double *dot = NULL, *norm2 = NULL;
    sow_index have = -1;
    SOW_NEW(dot, items->n * w);
    SOW_NEW(norm2, w);
    for (sow_index i = 0; i < items->n; i++)
        for (sow_index j = 0; j < w; j++) k[i * ldk + j] = items->item[i] == other[j] ? sow_i_kernel_variance(kernel, items->priors, other[j]) : kernel->constant;
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
