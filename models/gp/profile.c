/* Profiles: a process on what an additive model of perturbation and context leaves.
 *
 * With other contexts the two-way model gives every item a mean in all d features (without them: the mean of the context). The residuals of
 * the target's measured items are projected on the frozen response components w_j [k, d]; the scores, each divided by its own standard deviation
 * u_j, are k outputs of one process (one kernel and noise, the sum of their marginal likelihoods). Its kernels look at the priors and, when there
 * are other contexts, at what the perturbation did there. Back in d features, with latent variance v(x) and noise n(x) of the process:
 *
 *   mean_f = a c'_f + (B (two-way - c))_f + g sum_j u_j m_j(x) w_jf,   var_f = v(x) sum_j u_j^2 w_jf^2,   noise_f = n(x) sum_j u_j^2 w_jf^2 + discarded_f
 *
 * c is the mean of the target's measured items, c' the same with its difference from elsewhere believed in part, and B says how much of what a perturbation does elsewhere it does here, component by
 * component (profile_carry.c). a and g are 1; where values are changes from controls they are the shares in [0, 1] that leave-one-out predictions of the measured items bear out.
 * discarded_f is the residuals' variance outside the components. No array is larger than items x features. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/profile_internal.h"
#include "models/stacking.h"

void sow_i_gp_profile_destroy(sow_gp_profile *p)
{
    if (!p) return;
    sow_model_destroy(p->additive);
    sow_model_destroy(p->combination);
    sow_pca_clear(&p->own);
    free(p->is_pair);
    free(p->centre);
    free(p->base);
    free(p->reliability);
    free(p->elsewhere);
    free(p->unit);
    free(p->spread);
    free(p->discarded);
    free(p);
}

/* The response space: the caller's, or components of the target's own rows. */
static sow_status choose_components(sow_gp_profile *p, const sow_training *t, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pca *space = t->response;
    p->d = t->n_features;
    if (!space && t->n >= 2) {
        SOW_TRY(sow_pca_fit(&p->own, t->y, t->n, p->d, NULL, o->components, env, err));
        space = &p->own;
    }
    p->k = space ? space->n_components : 0;
    if (p->k > o->components) p->k = o->components;
    p->components = space ? space->components : NULL;
done:
    return st;
}

/* One item leaves nothing beside a shift that it alone tells, and would make the process certain. Its residual is taken to be as large as those of the other contexts' items are beside their shifts. */
static void spread_as_elsewhere(sow_gp_profile *p, const sow_training *t)
{
    const sow_index k = p->k, d = p->d;
    double contexts = 0;
    const double *shift, *rest;
    if (p->additive->class_ != &sow_i_two_way) return;
    for (sow_index c = 0; c < t->n_contexts; c++) contexts += c != t->target && sow_i_two_way_shift(&shift, &rest, p->additive, c) > 1;
    if (contexts == 0) return;
    memset(p->spread, 0, (size_t)d * sizeof *p->spread);
    memset(p->discarded, 0, (size_t)d * sizeof *p->discarded);
    for (sow_index c = 0; c < t->n_contexts; c++)
        if (c != t->target && sow_i_two_way_shift(&shift, &rest, p->additive, c) > 1) sow_axpy(d, 1 / contexts, rest, p->discarded);
    for (sow_index j = 0; j < k; j++) {
        double along = 0;
        for (sow_index f = 0; f < d; f++) along += p->discarded[f] * p->components[j * d + f] * p->components[j * d + f];
        p->unit[j] = sqrt(fmax(along, 1e-12));
        for (sow_index f = 0; f < d; f++) p->spread[f] += p->unit[j] * p->unit[j] * p->components[j * d + f] * p->components[j * d + f];
    }
    for (sow_index f = 0; f < d; f++) p->discarded[f] = fmax(p->discarded[f] - p->spread[f], 1e-12);
}

/* Scores z [n, k] of the residuals in units u, what they span, and what is left of e (which is used up). The shift has cost one degree of
 * freedom. */
static sow_status project(sow_gp_profile *p, double *z, double *e, sow_index n, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index k = p->k, d = p->d;
    double freedom = n > 1 ? (double)(n - 1) : 1.0;
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, n, k, d, 1, e, d, p->components, d, 0, z, k, err));
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, n, d, k, -1, z, k, p->components, d, 1, e, d, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index f = 0; f < d; f++) p->discarded[f] += e[i * d + f] * e[i * d + f] / freedom;
    for (sow_index j = 0; j < k; j++) {
        double ss = 0;
        for (sow_index i = 0; i < n; i++) ss += z[i * k + j] * z[i * k + j];
        p->unit[j] = ss > 0 ? sqrt(ss / freedom) : 1.0; /* the additive model's mean is 0 already */
        for (sow_index i = 0; i < n; i++) z[i * k + j] /= p->unit[j];
        for (sow_index f = 0; f < d; f++) p->spread[f] += p->unit[j] * p->unit[j] * p->components[j * d + f] * p->components[j * d + f];
    }
    for (sow_index f = 0; f < d; f++) p->discarded[f] = fmax(p->discarded[f], 1e-12);
    if (n == 1) {
        spread_as_elsewhere(p, t);
        for (sow_index j = 0; j < k; j++) z[j] = 0; /* the shift is all there is of it */
    }
done:
    return st;
}

/* What every perturbation did elsewhere, as scores: a prior of its own. */
static sow_status append_response(sow_gp *g, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_gp_profile *p = g->profile;
    sow_index n_items = t->priors ? t->priors->n_items : 0, n = 0, k = p->k, d = p->d;
    double *x = NULL, *y = NULL, *scores = NULL, total = 0;
    unsigned char *has = NULL;
    if (p->additive->class_ != &sow_i_two_way || k == 0) goto done;
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= n_items) n_items = t->perturbation[i] + 1;
    SOW_NEW(x, n_items * k);
    SOW_NEW(y, d);
    SOW_NEW(scores, k);
    SOW_NEW(has, n_items);
    for (sow_index i = 0; i < n_items; i++) {
        has[i] = sow_i_two_way_elsewhere(p->additive, i, t->target, y) > 0;
        if (!has[i]) continue;
        n++;
        sow_gemv(0, k, d, 1, p->components, d, y, 0, x + i * k);
        sow_axpy(k, 1, x + i * k, scores);
    }
    for (sow_index i = 0; i < n_items; i++) {
        if (!has[i]) continue;
        sow_axpy(k, -1.0 / (double)n, scores, x + i * k);
        total += sow_dot(k, x + i * k, x + i * k) / (double)n;
    }
    for (sow_index i = 0; i < n_items * k && total > 0; i++) x[i] /= sqrt(2 * total); /* root mean squared distance 1 */
    if (n >= 2) SOW_TRY(sow_i_gp_priors_append(g->priors, "response elsewhere", SOW_ROLE_RESPONSE, x, k, has, n_items, err));
done:
    free(x);
    free(y);
    free(scores);
    free(has);
    return st;
}

static sow_status learn(sow_gp *g, const sow_sample *s, const double *z, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_kernel_prior belief = sow_i_kernel_prior_plain;
    sow_arm *arm = &g->arm[g->n_arms++];
    arm->weight = 1;
    belief.constant = 1.0 / (double)s->n; /* how well n items tell the additive model's shift */
    SOW_TRY(sow_i_items_create(&g->items, g->priors->prior, g->priors->n_priors, NULL, s->item, s->n, err));
    SOW_TRY(sow_i_kernel_create(&arm->kernel, o->kernel, g->priors, &belief, NULL, err));
    if (g->profile->k > 0)
        SOW_TRY(sow_i_gp_learn(arm->kernel, g->items, NULL, z, g->profile->k, s->ratio, o->iterations, &arm->objective, env, err));
    SOW_TRY(sow_i_condition(&arm->conditional, arm->kernel, g->items, NULL, z, g->profile->k, s->ratio, env, err));
done:
    return st;
}

/* Diagonal of the inverse of K = L L'. */
static sow_status inverse_diagonal(double *out, const sow_conditional *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = c->n;
    double *x = NULL;
    SOW_NEW(x, n * n);
    for (sow_index i = 0; i < n; i++) x[i * n + i] = 1;
    SOW_TRY(sow_trsm_lower(sow_env_threads(env), 0, n, n, c->l, n, x, n, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < n; j++) out[j] += x[i * n + j] * x[i * n + j];
done:
    free(x);
    return st;
}

/* A handful of items can make a kernel look certain of what it does not know. What the process says of each measured item when that item is left out
 * (Rasmussen & Williams 2006, eq. 5.12) is compared with the item, and as much of it is believed as brings it nearest. */
static sow_status shrink_process(sow_gp_profile *p, const sow_conditional *c, const double *z, const sow_training *t, const sow_sample *s, const sow_env *env,
                                 sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = s->n, k = p->k, d = p->d;
    double *diagonal = NULL, *left_out = NULL, *said = NULL, *products = NULL, *e = NULL;
    p->trust = 1;
    if (!t->relative || n < 3 || k == 0) return SOW_OK;
    SOW_NEW(diagonal, n);
    SOW_NEW(left_out, n * k);
    SOW_NEW(said, n * d);
    SOW_NEW(products, 3 * n);
    SOW_NEW(e, n * d);
    SOW_TRY(inverse_diagonal(diagonal, c, env, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < k; j++) left_out[i * k + j] = p->unit[j] * (z[i * k + j] - c->alpha[i * k + j] / diagonal[i]);
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, n, d, k, 1, left_out, k, p->components, d, 0, said, d, err));
    SOW_TRY(sow_i_profile_residuals(e, p, t, s, env, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index f = 0; f < d; f++) {
            double x = said[i * d + f], y = e[i * d + f];
            products[3 * i] += y * y;
            products[3 * i + 1] += y * x;
            products[3 * i + 2] += x * x;
        }
    p->trust = sow_i_best_share(products, n);
done:
    free(diagonal);
    free(left_out);
    free(said);
    free(products);
    free(e);
    return st;
}

sow_status sow_i_gp_fit_profile(sow_gp *g, const sow_training *t, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_sample s = {0};
    sow_gp_profile *p = NULL;
    double *e = NULL, *z = NULL;
    SOW_NEW(p, 1);
    g->profile = p;
    g->scale = 1;
    SOW_TRY(sow_i_sample(&s, g, t, err));
    SOW_TRY(sow_i_gp_priors_create(&g->priors, t->priors, strcmp(o->kernel, "auto") == 0, env, err));
    SOW_TRY(choose_components(p, t, o, env, err));
    SOW_NEW(p->unit, p->k);
    SOW_NEW(p->spread, p->d);
    SOW_NEW(p->discarded, p->d);
    SOW_NEW(e, s.n * p->d);
    SOW_NEW(z, s.n * p->k);
    SOW_TRY(sow_i_profile_mean_fit(p, t, o, &s, env, err));
    SOW_TRY(sow_i_profile_residuals(e, p, t, &s, env, err));
    SOW_TRY(project(p, z, e, s.n, t, env, err));
    SOW_TRY(append_response(g, t, err));
    SOW_TRY(learn(g, &s, z, o, env, err));
    SOW_TRY(shrink_process(p, &g->arm[0].conditional, z, t, &s, env, err));
done:
    sow_i_sample_clear(&s);
    free(e);
    free(z);
    return st;
}

sow_status sow_i_gp_predict_profile(const sow_gp *g, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                                    sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_gp_profile *p = g->profile;
    sow_index k = p->k, d = p->d;
    double *m = NULL, *v = NULL;
    SOW_NEW(m, q->n * k);
    SOW_NEW(v, q->n);
    SOW_TRY(sow_i_profile_mean_at(mean, p, q, env, err));
    SOW_TRY(sow_i_conditional_at(&g->arm[0].conditional, q->perturbation, q->n, m, var ? v : NULL, NULL, env, err));
    for (sow_index i = 0; i < q->n * k; i++) m[i] *= p->trust * p->unit[i % k];
    if (k > 0) SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, q->n, d, k, 1, m, k, p->components, d, 1, mean, d, err));
    for (sow_index i = 0; i < q->n; i++) {
        double n = sow_i_gp_noise(g, q, i);
        for (sow_index f = 0; f < d && var; f++) var[i * d + f] = v[i] * p->spread[f];
        for (sow_index f = 0; f < d && noise; f++) noise[i * d + f] = n * p->spread[f] + p->discarded[f];
    }
done:
    free(m);
    free(v);
    return st;
}
