/* Learning a scalar model: rows in a fixed order, values in standard units, one or two arms by marginal likelihood. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/gp/gp_internal.h"
#include "models/model_internal.h"

enum {
    FEWEST_ELSEWHERE = 20, /* perturbations a reference must have to say anything */
    FEWEST_WARPED = 30,    /* values that show a shape */
    FEWEST_NARROW = 6      /* values of which a spread of a third of the reference's is no chance: so narrow or narrower are 26 % of pairs, 1 % of sixes (chi squared) */
};

/* With a reference, in units of its variance: the arm that believes it and the arm that does not. White noise is held, because batches chosen by
 * prediction are range-restricted and would make it look small. From two lines with 2,000 knockdowns each; docs/math/gp.md has the table. */
static const sow_kernel_prior with_reference = {
    .amplitude = {[SOW_ROLE_SETS] = 0.06, [SOW_ROLE_LAYOUT] = 0.015, [SOW_ROLE_DENSE] = 0.0075, [SOW_ROLE_SCORES] = 0.02,
                  [SOW_ROLE_REFERENCE_VALUE] = 0.045, [SOW_ROLE_REFERENCE_CELLS] = 0.015},
    .amplitude_sd = 0.5, .length_sd = 0.05, .s0 = 0.3, .s0_sd = 0.01, .s1 = 0.02, .s1_sd = 0.5, .constant = 25.0,
};
static const sow_kernel_prior without_reference = {
    .amplitude = {[SOW_ROLE_SETS] = 0.12, [SOW_ROLE_LAYOUT] = 0.09, [SOW_ROLE_DENSE] = 0.015, [SOW_ROLE_SCORES] = 0.04},
    .amplitude_sd = 0.5, .length_sd = 0.05, .s0 = 0.3, .s0_sd = 0.01, .s1 = 0.02, .s1_sd = 0.5, .constant = 25.0,
};

/* ---- rows ---- */

void sow_i_sample_clear(sow_sample *s)
{
    free(s->row);
    free(s->item);
    free(s->z);
    free(s->ratio);
    *s = (sow_sample){0};
}

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

double sow_i_gp_ratio(double typical_cells, double cells)
{
    return isfinite(typical_cells) && isfinite(cells) ? typical_cells / cells : 1.0;
}

static sow_status median_cells(double *out, const sow_training *t, const sow_sample *s, sow_error *err)
{
    sow_status st = SOW_OK;
    double *known = NULL;
    sow_index used = 0;
    *out = NAN;
    SOW_NEW(known, s->n);
    for (sow_index i = 0; i < s->n && t->cells; i++)
        if (isfinite(t->cells[s->row[i]])) known[used++] = t->cells[s->row[i]];
    if (used > 0) SOW_TRY(sow_quantile(out, known, used, 0.5, err));
done:
    free(known);
    return st;
}

sow_status sow_i_sample(sow_sample *out, sow_gp *g, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_sample sample = {0}, *s = &sample;
    row_key *keys = NULL;
    SOW_NEW(s->row, t->n);
    s->n = sow_i_target_rows(t, s->row);
    SOW_NEW(s->item, s->n);
    SOW_NEW(s->z, s->n);
    SOW_NEW(s->ratio, s->n);
    SOW_NEW(keys, s->n);
    for (sow_index i = 0; i < s->n; i++) keys[i] = (row_key){t->perturbation[s->row[i]], t->context[s->row[i]], s->row[i]};
    qsort(keys, (size_t)s->n, sizeof *keys, by_name);
    for (sow_index i = 0; i < s->n; i++) {
        s->row[i] = keys[i].row;
        s->item[i] = keys[i].perturbation;
    }
    SOW_TRY(median_cells(&g->typical_cells, t, s, err));
    for (sow_index i = 0; i < s->n; i++)
        s->ratio[i] = sow_i_gp_ratio(g->typical_cells, t->cells ? t->cells[s->row[i]] : (double)NAN);
    *out = sample;
    sample = (sow_sample){0};
done:
    sow_i_sample_clear(&sample);
    free(keys);
    return st;
}

/* Values in standard units. Alone in its context a readout is warped to normal scores first. With a reference it keeps its shape, and the
 * reference's unit is taken, unless the two are clearly not on one scale. */
static sow_status standardise(sow_gp *g, sow_sample *s, const sow_training *t, double reference_scale, sow_error *err)
{
    sow_status st = SOW_OK;
    double sd;
    for (sow_index i = 0; i < s->n; i++) s->z[i] = t->y[s->row[i]];
    if (!(reference_scale > 0) && s->n >= FEWEST_WARPED && sow_variance(s->z, s->n) > 0) {
        SOW_TRY(sow_i_warp_create(&g->warp, s->z, s->n, err));
        for (sow_index i = 0; i < s->n; i++) s->z[i] = sow_i_warp_score(&g->warp, s->z[i]);
    }
    g->centre = sow_mean(s->z, s->n);
    sd = sqrt(sow_variance(s->z, s->n));
    g->scale = sd > 0 ? sd : 1.0;
    if (reference_scale > 0 && !(sd > 3 * reference_scale) && !(s->n >= FEWEST_NARROW && 3 * sd < reference_scale)) g->scale = reference_scale;
    for (sow_index i = 0; i < s->n; i++) s->z[i] = (s->z[i] - g->centre) / g->scale;
done:
    return st;
}

/* ---- learning ---- */

/* What the reference adds to the covariance of the items, and its mean taken from their values. */
static sow_status reference_part(double *fixed, double *z, const sow_items *items, const sow_reference *r, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *h = NULL;
    SOW_NEW(h, items->n * r->items->n);
    SOW_TRY(sow_i_whiten_all(h, r, items->item, items->n, env, err));
    SOW_TRY(sow_i_reference_add(r, items, h, items->item, items->n, h, fixed, items->n, err));
    for (sow_index i = 0; i < items->n; i++) z[i] -= sow_i_reference_mean(r, items->item[i]);
done:
    free(h);
    return st;
}

sow_status sow_i_gp_learn(sow_kernel *kernel, const sow_items *items, const sow_reference *reference, const double *z, sow_index k,
                          const double *ratio, sow_index iterations, double *objective, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = items->n, m = n < SOW_LEARN_FROM ? n : SOW_LEARN_FROM, *item = NULL;
    double *few_z = NULL, *few_ratio = NULL, *fixed = NULL;
    sow_items *few = NULL;
    sow_likelihood *l = NULL;
    SOW_NEW(item, m);
    SOW_NEW(few_z, m * k);
    SOW_NEW(few_ratio, m);
    for (sow_index i = 0; i < m; i++) {
        sow_index from = i * n / m;
        item[i] = items->item[from];
        memcpy(few_z + i * k, z + from * k, (size_t)k * sizeof *z);
        few_ratio[i] = ratio[from];
    }
    SOW_TRY(sow_i_items_create(&few, items->priors, items->n_priors, NULL, item, m, err));
    if (reference) {
        SOW_NEW(fixed, m * m);
        SOW_TRY(reference_part(fixed, few_z, few, reference, env, err));
    }
    SOW_TRY(sow_i_likelihood_create(&l, kernel, few, few_z, k, few_ratio, fixed, env, err));
    SOW_TRY(sow_i_likelihood_fit(l, kernel, iterations, objective, err));
done:
    free(item);
    free(few_z);
    free(few_ratio);
    free(fixed);
    sow_i_likelihood_destroy(l);
    sow_i_items_destroy(few);
    return st;
}

static sow_status fit_arm(sow_gp *g, const sow_kernel_prior *belief, const sow_reference *reference, const sow_sample *s,
                          const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_arm *arm = &g->arm[g->n_arms++];
    arm->reference = reference;
    arm->weight = 1;
    SOW_TRY(sow_i_kernel_create(&arm->kernel, o->kernel, g->priors, belief, g->reference ? g->reference->kernel : NULL, err));
    SOW_TRY(sow_i_gp_learn(arm->kernel, g->items, reference, s->z, 1, s->ratio, o->iterations, &arm->objective, env, err));
    SOW_TRY(sow_i_condition(&arm->conditional, arm->kernel, g->items, reference, s->z, 1, s->ratio, env, err));
done:
    return st;
}

/* Arms weighted by their evidence: both saw the same values in the same units. */
static void weigh(sow_gp *g)
{
    double least = INFINITY, total = 0;
    for (sow_index a = 0; a < g->n_arms; a++) least = fmin(least, g->arm[a].objective);
    for (sow_index a = 0; a < g->n_arms; a++) total += g->arm[a].weight = exp(least - g->arm[a].objective);
    for (sow_index a = 0; a < g->n_arms; a++) g->arm[a].weight /= total;
}

static int wants_reference(const sow_training *t, const sow_model_options *o)
{
    sow_index here = 0;
    for (sow_index i = 0; i < t->n; i++) here += t->context[i] == t->target;
    return here > 0 && here < t->n && strcmp(o->transfer, "none") != 0;
}

sow_status sow_i_gp_fit_scalar(sow_gp *g, const sow_training *t, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_sample s = {0};
    sow_elsewhere elsewhere = {0};
    int use;
    SOW_TRY(sow_i_sample(&s, g, t, err));
    SOW_TRY(sow_i_gp_priors_create(&g->priors, t->priors, strcmp(o->kernel, "auto") == 0, env, err));
    if (wants_reference(t, o)) SOW_TRY(sow_i_elsewhere(&elsewhere, t, err));
    use = elsewhere.n >= FEWEST_ELSEWHERE && elsewhere.scale > 0;
    if (use) SOW_TRY(sow_i_gp_learn_reference(g, &elsewhere, t, o, env, err));
    SOW_TRY(standardise(g, &s, t, use ? elsewhere.scale : 0, err));
    SOW_TRY(sow_i_items_create(&g->items, g->priors->prior, g->priors->n_priors, NULL, s.item, s.n, err));
    if (use) {
        SOW_TRY(fit_arm(g, g->reference->mean_only ? &without_reference : &with_reference, g->reference, &s, o, env, err));
        if (!g->reference->mean_only) SOW_TRY(fit_arm(g, &without_reference, NULL, &s, o, env, err));
    } else {
        SOW_TRY(fit_arm(g, &sow_i_kernel_prior_plain, NULL, &s, o, env, err));
    }
    weigh(g);
done:
    sow_i_sample_clear(&s);
    sow_i_elsewhere_clear(&elsewhere);
    return st;
}
