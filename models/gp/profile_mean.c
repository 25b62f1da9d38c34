/* The mean of a profile's process (profile.c says where it stands). Without other contexts it is the mean of the target's measured items; with them
 * what the two-way model says, as far as it holds; for combinations what their agents add up to, as far as they do. Where values are changes from
 * controls, most perturbations do little, and the mean of a few is believed only as far as it predicts items it was not made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/gp/profile_internal.h"
#include "models/stacking.h"

/* "text\nline" for what was asked of the data; takes text. */
char *sow_i_gp_profile_describe(char *text, const sow_gp_profile *p)
{
    char adds[60] = "";
    text = sow_i_gp_profile_describe_carried(text, p);
    if (!p->relative || !text) return text;
    if (p->combination) snprintf(adds, sizeof adds, ", of the sums of combinations %.2f", p->adds);
    char *both = sow_format("%s\nbelieved: of the mean response %.2f, of the process %.2f%s", text, p->level, p->trust, adds);
    free(text);
    return both;
}

static int has_elsewhere(const sow_training *t)
{
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] != t->target) return 1;
    return 0;
}

static sow_status fit_additive(sow_gp_profile *p, const sow_training *t, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    int transfer = has_elsewhere(t) && strcmp(o->transfer, "none") != 0;
    return sow_model_fit(&p->additive, transfer ? &sow_i_two_way : &sow_i_train_mean, t, o, env, err);
}

static int is_combination(const sow_gp_profile *p, sow_index q)
{
    return p->combination && q < p->n_catalogue && p->is_pair[q];
}

/* Of changes from controls one may ask whether they add up. */
static sow_status fit_combination(sow_gp_profile *p, const sow_training *t, const sow_model_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    int any = 0;
    p->adds = 1;
    p->relative = t->relative;
    p->n_catalogue = t->detail && t->relative ? sow_names_count(t->catalogue) : 0;
    SOW_NEW(p->is_pair, p->n_catalogue);
    for (sow_index q = 0; q < p->n_catalogue; q++) any |= p->is_pair[q] = t->detail[q].n_agents > 1;
    if (any) SOW_TRY(sow_model_fit(&p->combination, &sow_i_additive, t, o, env, err));
done:
    return st;
}

/* The mean in all features: the base, as much of it as is believed, and the additive model's deviations from the centre, as far as they carry over. */
static sow_status shrunk_additive(double *mean, const sow_gp_profile *p, const sow_query *q, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_model_predict(p->additive, q, mean, NULL, NULL, env, err));
    for (sow_index i = 0; i < q->n; i++)
        for (sow_index f = 0; f < p->d; f++) mean[i * p->d + f] -= p->centre[f];
    SOW_TRY(sow_i_profile_carry(mean, p, q->perturbation, q->n, env, err));
    for (sow_index i = 0; i < q->n; i++)
        for (sow_index f = 0; f < p->d; f++) mean[i * p->d + f] += p->level * p->base[f];
done:
    return st;
}

/* The same, and for combinations the sum of their agents instead, as far as they add up. */
sow_status sow_i_profile_mean_at(double *mean, const sow_gp_profile *p, const sow_query *q, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *sum = NULL;
    SOW_TRY(shrunk_additive(mean, p, q, env, err));
    if (!p->combination) goto done;
    SOW_NEW(sum, q->n * p->d);
    SOW_TRY(sow_model_predict(p->combination, q, sum, NULL, NULL, env, err));
    for (sow_index i = 0; i < q->n; i++)
        for (sow_index f = 0; f < p->d && is_combination(p, q->perturbation[i]); f++)
            mean[i * p->d + f] += p->adds * (sum[i * p->d + f] - mean[i * p->d + f]);
done:
    free(sum);
    return st;
}

/* Least-squares slope of the measured deviations from their mean on the additive model's, e [n, d]: how much of what a perturbation does
 * elsewhere it does here. */
static void fit_slope(sow_gp_profile *p, const double *e, const sow_training *t, const sow_sample *s)
{
    sow_index d = p->d;
    double xy = 0, xx = 0;
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index f = 0; f < d; f++) p->centre[f] += t->y[s->row[i] * d + f] / (double)s->n;
    for (sow_index i = 0; i < s->n; i++) {
        for (sow_index f = 0; f < d; f++) {
            double x = e[i * d + f] - p->centre[f];
            xy += x * (t->y[s->row[i] * d + f] - p->centre[f]);
            xx += x * x;
        }
    }
    p->slope = xx > 0 ? fmin(fmax(xy / xx, 0), 1) : 1;
}

/* Most perturbations of a screen do little, and the mean of a few measured ones is their noise and the few strong ones: as much of the centre is
 * believed as brings each item nearest to the mean of the others. */
static sow_status shrink_centre(sow_gp_profile *p, const sow_training *t, const sow_sample *s, sow_error *err)
{
    sow_status st = SOW_OK;
    double *products = NULL, n = (double)s->n;
    p->level = 1;
    if (!t->relative || s->n < 2) return SOW_OK;
    SOW_NEW(products, 3 * s->n);
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index f = 0; f < p->d; f++) {
            double y = t->y[s->row[i] * p->d + f], others = (n * p->centre[f] - y) / (n - 1);
            products[3 * i] += y * y;
            products[3 * i + 1] += y * others;
            products[3 * i + 2] += others * others;
        }
    p->level = sow_i_best_share(products, s->n);
done:
    free(products);
    return st;
}

/* How far measured combinations are the sum of their agents (which were measured apart from them); all of it when none is measured. */
static sow_status fit_adds(sow_gp_profile *p, const double *mean, const sow_query *q, const sow_training *t, const sow_sample *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *sum = NULL, *products = NULL;
    sow_index n = 0;
    if (!p->combination) return SOW_OK;
    SOW_NEW(sum, s->n * p->d);
    SOW_NEW(products, 3 * s->n);
    SOW_TRY(sow_model_predict(p->combination, q, sum, NULL, NULL, env, err));
    for (sow_index i = 0; i < s->n; i++) {
        if (!is_combination(p, s->item[i])) continue;
        for (sow_index f = 0; f < p->d; f++) {
            double y = t->y[s->row[i] * p->d + f] - mean[i * p->d + f], x = sum[i * p->d + f] - mean[i * p->d + f];
            products[3 * n] += y * y;
            products[3 * n + 1] += y * x;
            products[3 * n + 2] += x * x;
        }
        n++;
    }
    if (n > 0) p->adds = sow_i_best_share(products, n);
done:
    free(sum);
    free(products);
    return st;
}

static sow_status ask_sample(sow_query *q, sow_index **context, const sow_training *t, const sow_sample *s, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*context, s->n);
    for (sow_index i = 0; i < s->n; i++) (*context)[i] = t->context[s->row[i]];
    *q = (sow_query){.n = s->n, .perturbation = s->item, .context = *context};
done:
    return st;
}

/* What the mean is made of, from the measured items. */
sow_status sow_i_profile_mean_fit(sow_gp_profile *p, const sow_training *t, const sow_model_options *o, const sow_sample *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *context = NULL;
    double *e = NULL;
    sow_query q = {0};
    SOW_TRY(fit_additive(p, t, o, env, err));
    SOW_TRY(fit_combination(p, t, o, env, err));
    SOW_NEW(p->centre, p->d);
    SOW_NEW(e, s->n * p->d);
    SOW_TRY(ask_sample(&q, &context, t, s, err));
    SOW_TRY(sow_model_predict(p->additive, &q, e, NULL, NULL, env, err));
    fit_slope(p, e, t, s);
    SOW_TRY(shrink_centre(p, t, s, err));
    SOW_TRY(sow_i_profile_carry_fit(p, t, s, env, err));
    SOW_TRY(shrunk_additive(e, p, &q, env, err));
    SOW_TRY(fit_adds(p, e, &q, t, s, env, err));
done:
    free(context);
    free(e);
    return st;
}

/* Residuals e [n, d] of the sample under the mean. */
sow_status sow_i_profile_residuals(double *e, const sow_gp_profile *p, const sow_training *t, const sow_sample *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = p->d, *context = NULL;
    sow_query q = {0};
    SOW_TRY(ask_sample(&q, &context, t, s, err));
    SOW_TRY(sow_i_profile_mean_at(e, p, &q, env, err));
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index f = 0; f < d; f++) e[i * d + f] = t->y[s->row[i] * d + f] - e[i * d + f];
done:
    free(context);
    return st;
}
