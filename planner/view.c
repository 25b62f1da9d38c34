/* What a strategy is shown of the pool: geometry, predictions, references. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/choice_internal.h"
#include "planner/pairs.h"

void sow_i_choice_clear(sow_i_choice *x)
{
    free(x->candidate);
    free(x->name);
    free(x->features);
    free(x->labelled_features);
    free(x->mean);
    free(x->var);
    free(x->noise);
    free(x->measured);
    free(x->reference);
    free(x->has);
    free(x->labelled_has);
    free(x->drift);
    free(x->loss);
    free(x->loss_cells);
    free(x->loss_held);
    free(x->loss_of);
    free(x->true_loss);
    free(x->delta);
    free(x->delta_values);
    free(x->delta_error);
    free(x->listed);
    free(x->labelled);
    for (sow_index i = 0; x->labelled_name && i < x->view.n_labelled; i++)
        free(x->labelled_name[i]);
    free(x->labelled_name);
    for (sow_index i = 0; x->label && i < x->n; i++)
        free(x->label[i]);
    free(x->label);
    sow_posterior_destroy(x->posterior);
    sow_constraints_destroy(x->rules);
}


static int is_labelled(const sow_campaign *c, sow_index pair)
{
    sow_item_status s = sow_i_item_of_pair(c, pair)->status;
    return s == SOW_PLANNED || ((s == SOW_DONE || s == SOW_DONE_PARTIAL) && !sow_i_site_of_pair(c, pair)->held_out[pair % c->n]);
}

/* Those whose features stand among the labelled: oldest first; planned ones (round -1) last. */
static sow_status list_labelled(sow_i_choice *x, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->labelled, c->n_sites * c->n);
    SOW_NEW(x->labelled_name, c->n_sites * c->n);
    for (sow_index r = 0; r <= c->n_rounds; r++)
        for (sow_index i = 0; i < c->n_sites * c->n; i++) {
            const sow_i_item *item = sow_i_item_of_pair(c, i);
            sow_index round = item->round < 0 ? c->n_rounds : item->round;
            if (round != r || !is_labelled(c, i)) continue;
            char *label = sow_i_label(c, i);
            if (!label) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
            x->labelled_name[x->view.n_labelled] = label;
            x->labelled[x->view.n_labelled++] = i;
        }
    x->view.labelled_name = (const char *const *)x->labelled_name;
done:
    return st;
}

static void copy_rows(double *features, unsigned char *has, const sow_prior_set *p, const sow_index *pair, sow_index n, sow_index catalogue)
{
    for (sow_index i = 0; i < n; i++) {
        memcpy(&features[i * p->fused_dim], &p->fused[pair[i] % catalogue * p->fused_dim], (size_t)p->fused_dim * sizeof *features);
        has[i] = p->has_any[pair[i] % catalogue];
    }
}

static sow_status view_prior(sow_i_choice *x, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior_set *p = &c->model_priors;
    if (p->fused_dim == 0) return SOW_OK;
    SOW_NEW(x->features, x->n * p->fused_dim);
    SOW_NEW(x->has, x->n);
    SOW_NEW(x->labelled_features, x->view.n_labelled * p->fused_dim);
    SOW_NEW(x->labelled_has, x->view.n_labelled);
    copy_rows(x->features, x->has, p, x->candidate, x->n, c->n);
    copy_rows(x->labelled_features, x->labelled_has, p, x->labelled, x->view.n_labelled, c->n);
    x->view.dim = p->fused_dim;
done:
    return st;
}

/* Mean over coordinates' sums of the candidates' variances: half of the mean squared distance of two of them. */
static double total_variance(const sow_i_choice *x)
{
    const sow_index dim = x->view.dim;
    double sum = 0;
    for (sow_index j = 0; j < dim; j++) {
        double mean = 0, squares = 0, n = 0;
        for (sow_index i = 0; i < x->n; i++) {
            if (!x->has[i]) continue;
            mean += x->features[i * dim + j];
            squares += x->features[i * dim + j] * x->features[i * dim + j];
            n++;
        }
        if (n > 0) sum += fmax(squares / n - mean / n * (mean / n), 0);
    }
    return sum;
}

static sow_status widen(double **features, const unsigned char *has, const sow_index *pair, sow_index n, sow_index dim, const sow_campaign *c, double far, sow_error *err)
{
    sow_status st = SOW_OK;
    double *wide = NULL;
    const sow_index to = dim + c->n_sites;
    SOW_NEW(wide, n * to);
    for (sow_index i = 0; i < n; i++) {
        if (!has[i]) continue;
        memcpy(&wide[i * to], &(*features)[i * dim], (size_t)dim * sizeof *wide);
        wide[i * to + dim + pair[i] / c->n] = far;
    }
    free(*features);
    *features = wide;
done:
    return st;
}

/* Coordinates of perturbations say nothing of contexts: one more for each target context puts pairs of two contexts as far apart as two perturbations are on the average. */
static sow_status add_contexts(sow_i_choice *x, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const double far = sqrt(total_variance(x));
    SOW_TRY(widen(&x->features, x->has, x->candidate, x->n, x->view.dim, c, far, err));
    SOW_TRY(widen(&x->labelled_features, x->labelled_has, x->labelled, x->view.n_labelled, x->view.dim, c, far, err));
    x->view.dim += c->n_sites;
done:
    return st;
}

/* Before anything is measured there is no model to have learned a representation: round 0 moves among the priors, or the references' responses. */
static sow_status view_features(sow_i_choice *x, sow_campaign *c, unsigned needs, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *chosen = c->config->acquisition.representation;
    const int sees = (needs & (SOW_NEED_PRIOR | SOW_NEED_LATENT | SOW_NEED_LOSSES)) != 0, measured = sow_i_measured_everywhere(c);
    const int learned = (needs & SOW_NEED_LATENT) || (sees && measured && strcmp(chosen, "learned") == 0); /* of each context its own */
    SOW_TRY(list_labelled(x, c, err));
    if (learned) SOW_TRY(sow_i_view_learned(x, c, env, err));
    else if (sees && strcmp(chosen, "reference") == 0) SOW_TRY(sow_i_view_reference_space(x, c, env, err));
    else if (sees && measured && strcmp(chosen, "kernel") == 0) SOW_TRY(sow_i_view_kernel(x, c, env, err));
    else SOW_TRY(view_prior(x, c, err));
    if (x->view.dim == 0) goto done;
    if (c->n_sites > 1 && !learned) SOW_TRY(add_contexts(x, c, err));
    x->view.features = x->features;
    x->view.has = x->has;
    x->view.labelled_features = x->labelled_features;
    x->view.labelled_has = x->labelled_has;
done:
    return st;
}

static sow_status predict_candidates(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *var = NULL, *noise = NULL;
    sow_index n = x->n, d = c->d;
    SOW_NEW(mean, n * d);
    SOW_NEW(var, n * d);
    SOW_NEW(noise, n * d);
    SOW_TRY(sow_i_predict_pairs(mean, var, noise, c, x->candidate, n, env, err));
    double sign = d == 1 ? sow_i_orientation(c) : 1.0;
    for (sow_index i = 0; i < n; i++) {
        /* a profile is wanted for the size of its response; its variances add up over features */
        x->mean[i] = d == 1 ? sign * mean[i] : sqrt(sow_dot(d, &mean[i * d], &mean[i * d]));
        x->var[i] = x->noise[i] = 0;
        for (sow_index j = 0; j < d; j++) {
            x->var[i] += var[i * d + j];
            x->noise[i] += noise[i * d + j];
        }
    }
done:
    free(mean);
    free(var);
    free(noise);
    return st;
}

static sow_status take_posterior(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_posterior_of_pairs(&x->posterior, c, x->candidate, x->n, env, err));
    if (sow_i_orientation(c) < 0) SOW_TRY(sow_i_turn_posterior(&x->posterior, err));
    for (sow_index i = 0; i < x->n; i++) {
        x->mean[i] = x->posterior->mean[i];
        x->var[i] = x->posterior->var[i];
        x->noise[i] = x->posterior->noise[i];
    }
    x->view.posterior = x->posterior;
done:
    return st;
}

/* Of the pool: a positive control is nobody's rival. */
static void add_measured(sow_i_choice *x, const sow_campaign *c, const sow_i_site *site)
{
    const sow_i_training *t = &site->training;
    for (sow_index i = 0; i < t->n_target; i++)
        if (site->in_pool[t->perturbation[i]])
            x->measured[x->view.n_measured++] = c->d == 1 ? sow_i_orientation(c) * t->y[i] : sqrt(sow_dot(c->d, &t->y[i * c->d], &t->y[i * c->d]));
}

static sow_status view_moments(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->mean, x->n);
    SOW_NEW(x->var, x->n);
    SOW_NEW(x->noise, x->n);
    SOW_NEW(x->measured, c->n_sites * c->n);
    int joint = c->d == 1 && (c->model_class->caps & SOW_CAP_JOINT);
    SOW_TRY(joint ? take_posterior(x, c, env, err) : predict_candidates(x, c, env, err));
    for (sow_index s = 0; s < c->n_sites; s++)
        add_measured(x, c, &c->site[s]);
    SOW_TRY(sow_i_hit_threshold(&x->view.threshold, c, x->mean, x->var, x->n, err));
    x->view.measured = x->measured;
    x->view.mean = x->mean;
    x->view.var = x->var;
    x->view.noise = x->noise;
done:
    return st;
}

/* Mean over the reference contexts of the adjusted value (scalar) or of the size of the response (profile). */
static sow_status view_reference(sow_i_choice *x, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_training t = {0};
    double *sum = NULL, *count = NULL;
    SOW_TRY(sow_i_training_build(&t, c, c->n_rounds, err));
    SOW_NEW(sum, c->n);
    SOW_NEW(count, c->n);
    SOW_NEW(x->reference, x->n);
    for (sow_index i = t.n_target; i < t.view.n; i++) {
        if (sow_i_site_of_context(c, t.context[i]) >= 0) continue;
        const double *y = &t.y[i * c->d];
        sum[t.perturbation[i]] += c->d == 1 ? sow_i_orientation(c) * y[0] : sqrt(sow_dot(c->d, y, y));
        count[t.perturbation[i]] += 1;
    }
    for (sow_index i = 0; i < x->n; i++) {
        const sow_index q = x->candidate[i] % c->n;
        x->reference[i] = count[q] > 0 ? sum[q] / count[q] : NAN;
    }
    x->view.reference = x->reference;
done:
    sow_i_training_clear(&t);
    free(sum);
    free(count);
    return st;
}

sow_status sow_i_choice_view(sow_i_choice *x, sow_campaign *c, const sow_strategy *strategy, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_pool_view *v = &x->view;
    const sow_strategy_options options = sow_i_strategy_options(c);
    const unsigned needs = sow_strategy_needs_with(strategy, &options);
    v->n = x->n;
    v->name = x->name;
    v->threshold = NAN;
    v->hit_share = c->config->objective.column ? NAN : c->config->objective.top;
    v->round = round;
    v->rng = sow_rng_make(c->config->seed, SOW_RNG_STRATEGY, (uint32_t)round, round > 0 ? (uint32_t)c->config->acquisition.stream : 0);
    v->picks_after = sow_i_picks_after(c, round);
    SOW_TRY(view_features(x, c, needs, env, err));
    if (needs & (SOW_NEED_MOMENTS | SOW_NEED_JOINT)) SOW_TRY(view_moments(x, c, env, err));
    if (needs & SOW_NEED_LOSSES) SOW_TRY(sow_i_view_losses(x, c, env, err));
    if (needs & SOW_NEED_DRIFT) SOW_TRY(sow_i_view_drift(x, c, env, err));
    if (needs & SOW_NEED_TRUTH) SOW_TRY(sow_i_view_true_loss(x, c, env, err));
    if (needs & SOW_NEED_REFERENCE) SOW_TRY(view_reference(x, c, err));
    if (needs & SOW_NEED_DELTAS) SOW_TRY(sow_i_view_deltas(x, c, err));
    if (needs & SOW_NEED_LIST) SOW_TRY(sow_i_view_list(x, c, err));
done:
    return st;
}
