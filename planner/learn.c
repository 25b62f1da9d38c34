/* From state to training data and a fitted model.
 *
 * Values are adjusted for covariates with slopes fitted on measured rows only. Of those only rows chosen without looking at outcomes are used
 * (rounds by random, kmeans, core-set): rows chosen because they promised high values are selected on the outcome, and a slope
 * fitted on them is biased (docs/decisions/adjustment.md has the measurement). With fewer than 20 such rows the slope is 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

double sow_i_orientation(const sow_campaign *c)
{
    return strcmp(c->config->objective.direction, "low") == 0 ? -1.0 : 1.0;
}

static int folds(const sow_campaign *c)
{
    return c->d == 1 && strcmp(c->config->objective.direction, "both") == 0;
}

void sow_i_prepare(const sow_campaign *c, const sow_adjust *a, double *y, const double *covariate)
{
    if (a) sow_adjust_apply(a, y, 1, covariate);
    if (folds(c)) y[0] = fabs(y[0]);
}

static int word_position(const char *word, const char *const *words)
{
    int i = 0;
    while (strcmp(word, words[i]) != 0)
        i++;
    return i;
}

static sow_morph_options morph_options(const sow_config *k)
{
    static const char *const variants[] = {"plain", "no-residual1", "no-residual1-as-published", "moe"}; /* in the order of sow_morph_variant */
    sow_morph_options o = SOW_MORPH_OPTIONS_INIT;
    o.reference = strcmp(k->model.mode, "reference") == 0;
    o.variant = word_position(k->model.variant, variants);
    o.epochs = k->model.epochs;
    o.patience = k->model.patience;
    o.batch = k->model.batch;
    o.segments = k->model.segments;
    o.rate = k->model.learning_rate;
    o.clamp = k->model.clamp;
    o.alpha = k->model.alpha;
    o.beta = k->model.beta;
    o.gamma1 = k->model.gamma1;
    o.gamma2 = k->model.gamma2;
    o.sigma = k->model.sigma;
    o.kernels = k->model.kernels;
    o.unbiased = k->model.unbiased;
    o.fresh_controls = k->model.fresh_controls;
    o.weighted_criterion = k->model.weighted_criterion;
    o.mean_latent = k->model.mean_latent;
    o.last_weights = k->model.last_weights;
    o.stack = k->model.stack;
    o.small_groups = k->model.small_groups;
    o.paired_change = k->model.paired_change;
    o.scaled_prior = k->model.scaled_prior;
    o.prior_noise = k->model.prior_noise;
    o.mean_epochs = k->model.mean_epochs;
    o.latent_cell = k->model.latent_cell;
    o.latent_perturbation = k->model.latent_perturbation;
    o.programs = k->model.programs;
    o.program_dim = k->model.program_dim;
    o.hidden = k->model.hidden;
    o.encoder = k->model.encoder;
    o.validation = k->model.validation;
    o.members = k->model.members;
    return o;
}

static sow_hypermap_options hypermap_options(const sow_config *k)
{
    static const char *const embeddings[] = {"auto", "prior", "one-hot", "response"}; /* in the orders of the enumerations */
    static const char *const fusions[] = {"auto", "rows", "whole", "gated", "context", "tokens"};
    static const char *const methods[] = {"exact", "first-order", "reptile", "joint"};
    sow_hypermap_options o = SOW_HYPERMAP_OPTIONS_INIT;
    o.reference = strcmp(k->model.mode, "reference") == 0;
    o.network = strcmp(k->model.hypermap.form, "network") == 0;
    o.embedding = word_position(k->model.hypermap.embedding, embeddings);
    o.cells = strcmp(k->model.hypermap.rows, "cells") == 0;
    o.fusion = word_position(k->model.hypermap.fusion, fusions) - 1;
    o.method = word_position(k->model.hypermap.method, methods);
    o.split = strcmp(k->model.hypermap.split, "perturbations") == 0;
    o.balanced = k->model.hypermap.balanced;
    o.fresh_controls = k->model.hypermap.fresh_controls;
    o.steps = k->model.hypermap.steps;
    o.tasks = k->model.hypermap.tasks;
    o.batch = k->model.hypermap.batch;
    o.inner_batches = k->model.hypermap.inner_batches;
    o.inner_steps = k->model.hypermap.inner_steps;
    o.adapt_steps = k->model.hypermap.adapt_steps;
    o.inner_rate = k->model.hypermap.inner_rate;
    o.adapt_rate = k->model.hypermap.adapt_rate;
    o.meta_rate = k->model.hypermap.meta_rate;
    o.dropout = k->model.hypermap.dropout;
    o.clip = k->model.hypermap.clip;
    o.latent = k->model.hypermap.latent;
    o.hidden = k->model.hypermap.hidden;
    o.members = k->model.hypermap.members;
    o.validate = k->model.hypermap.validate;
    o.patience = k->model.hypermap.patience;
    o.stack = k->model.stack;
    o.cell_encoder = k->model.hypermap.cell_encoder;
    o.hypernetwork = k->model.hypermap.hypernetwork;
    return o;
}

sow_model_options sow_i_model_options(const sow_campaign *c)
{
    const sow_config *k = c->config;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.seed = k->seed;
    o.neighbours = k->model.neighbours;
    o.kernel = k->model.kernel;
    o.transfer = k->model.transfer;
    o.iterations = k->model.iterations;
    o.components = k->model.components;
    o.morph = morph_options(k);
    o.hypermap = hypermap_options(k);
    return o;
}

sow_strategy_options sow_i_strategy_options(const sow_campaign *c)
{
    const sow_config *k = c->config;
    sow_strategy_options o = SOW_STRATEGY_OPTIONS_INIT;
    o.beta = k->acquisition.beta;
    o.starts = k->acquisition.starts;
    o.weight = k->acquisition.weight;
    o.loss_form = k->acquisition.loss_form;
    o.loss_target = k->acquisition.loss_target;
    o.loss_members = k->acquisition.loss_members;
    o.loss_cells = k->acquisition.loss_cells;
    o.consistency = k->acquisition.consistency;
    return o;
}

/* Is the round's choice free of outcomes? Its strategy says so by needing no prediction, no reference values and nothing that a model has learned. */
static int outcome_blind(const sow_campaign *c, sow_index round)
{
    const unsigned looks = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_REFERENCE | SOW_NEED_HITS | SOW_NEED_LATENT | SOW_NEED_LOSSES | SOW_NEED_DRIFT | SOW_NEED_TRUTH | SOW_NEED_DELTAS | SOW_NEED_LIST;
    const sow_strategy *s = NULL;
    if (round < 0 || !c->round[round].strategy || sow_strategy_find(&s, c->round[round].strategy, NULL) != SOW_OK) return 0;
    const sow_strategy_options options = sow_i_strategy_options(c);
    const char *sees = c->config->acquisition.representation;
    if ((s->needs & SOW_NEED_PRIOR) && (strcmp(sees, "reference") == 0 || (round > 0 && strcmp(sees, "prior") != 0))) return 0;
    return (sow_strategy_needs_with(s, &options) & looks) == 0;
}

static int is_training(const sow_i_site *site, sow_index q, sow_index round)
{
    return site->item[q].values && !site->held_out[q] && site->item[q].round <= round;
}

int sow_i_any_measured(const sow_campaign *c)
{
    for (sow_index q = 0; q < c->n; q++)
        if (is_training(c->here, q, c->n_rounds)) return 1;
    return 0;
}

sow_index sow_i_count_measured(const sow_campaign *c)
{
    sow_index n = 0;
    for (sow_index i = 0; i < c->n_sites * c->n; i++)
        n += is_training(sow_i_site_of_pair(c, i), i % c->n, c->n_rounds);
    return n;
}

int sow_i_measured_everywhere(sow_campaign *c)
{
    int all = 1;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        all = all && sow_i_any_measured(c);
    }
    sow_i_go(c, 0);
    return all;
}

static sow_status fit_target_adjust(sow_adjust *out, const sow_campaign *c, const sow_i_site *site, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    double *y = NULL, *cov = NULL, *weight = NULL;
    sow_index n = 0, blind = 0;
    SOW_NEW(y, c->n * c->d);
    SOW_NEW(cov, c->n * c->p);
    SOW_NEW(weight, c->n);
    for (sow_index q = 0; q < c->n; q++) {
        if (!is_training(site, q, round)) continue;
        memcpy(&y[n * c->d], site->item[q].values, (size_t)c->d * sizeof *y);
        if (c->p) memcpy(&cov[n * c->p], site->item[q].covariate, (size_t)c->p * sizeof *cov);
        weight[n] = outcome_blind(c, site->item[q].round) ? 1.0 : 0.0;
        blind += weight[n] > 0;
        n++;
    }
    SOW_TRY(sow_adjust_fit(out, y, n, c->d, cov, blind >= SOW_I_MIN_BLIND_ROWS ? c->p : 0, weight, err));
done:
    free(y);
    free(cov);
    free(weight);
    return st;
}

sow_status sow_i_context_adjust(sow_adjust *out, const sow_campaign *c, sow_index context, const unsigned char *without, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = c->screen;
    double *y = NULL, *cov = NULL;
    sow_index n = 0;
    SOW_NEW(y, s->n_rows * c->d);
    SOW_NEW(cov, s->n_rows * c->p);
    for (sow_index r = 0; r < s->n_rows; r++) {
        if (s->context[r] != context || (without && without[s->perturbation[r]])) continue;
        memcpy(&y[n * c->d], &s->values[r * c->d], (size_t)c->d * sizeof *y);
        if (c->p) memcpy(&cov[n * c->p], &s->covariate[r * c->p], (size_t)c->p * sizeof *cov);
        n++;
    }
    SOW_TRY(sow_adjust_fit(out, y, n, c->d, cov, c->p, NULL, err));
done:
    free(y);
    free(cov);
    return st;
}

static sow_index count_rows(const sow_campaign *c, sow_index round)
{
    sow_index n = 0;
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index q = 0; q < c->n; q++)
            n += is_training(&c->site[s], q, round);
    for (sow_index r = 0; r < c->screen->n_rows; r++)
        n += sow_i_site_of_context(c, c->screen->context[r]) < 0;
    return n;
}

static void add_measured_rows(sow_i_training *t, const sow_campaign *c, const sow_i_site *site, const sow_adjust *adjust, sow_index round)
{
    for (sow_index q = 0; q < c->n; q++) {
        if (!is_training(site, q, round)) continue;
        sow_index i = t->view.n++;
        t->perturbation[i] = q;
        t->context[i] = site->target;
        t->cells[i] = site->item[q].cells;
        memcpy(&t->y[i * c->d], site->item[q].values, (size_t)c->d * sizeof *t->y);
        sow_i_prepare(c, adjust, &t->y[i * c->d], site->item[q].covariate);
    }
}

static sow_status add_reference(sow_i_training *t, const sow_campaign *c, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = c->screen;
    sow_adjust a = {0};
    SOW_TRY(sow_i_context_adjust(&a, c, context, NULL, err));
    for (sow_index r = 0; r < s->n_rows; r++) {
        if (s->context[r] != context) continue;
        sow_index i = t->view.n++;
        t->perturbation[i] = s->perturbation[r];
        t->context[i] = context;
        t->cells[i] = s->cells[r];
        memcpy(&t->y[i * c->d], &s->values[r * c->d], (size_t)c->d * sizeof *t->y);
        sow_i_prepare(c, &a, &t->y[i * c->d], c->p ? &s->covariate[r * c->p] : NULL);
    }
done:
    sow_adjust_clear(&a);
    return st;
}

/* Rows of every context but the target, in the order of contexts. Of another target context, what was measured there. Reference rows of held-out perturbations stay: they were measured in another
 * context, which a lab could have. */
static sow_status add_other_rows(sow_i_training *t, const sow_campaign *c, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_adjust a = {0};
    for (sow_index k = 0; k < sow_names_count(c->screen->contexts); k++) {
        const sow_index site = sow_i_site_of_context(c, k);
        if (k == c->here->target) continue;
        if (site < 0) {
            SOW_TRY(add_reference(t, c, k, err));
            continue;
        }
        SOW_TRY(fit_target_adjust(&a, c, &c->site[site], round, err));
        add_measured_rows(t, c, &c->site[site], &a, round);
        sow_adjust_clear(&a);
    }
done:
    sow_adjust_clear(&a);
    return st;
}

sow_status sow_i_training_build(sow_i_training *t, const sow_campaign *c, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    *t = (sow_i_training){0};
    sow_index n = count_rows(c, round);
    SOW_NEW(t->perturbation, n);
    SOW_NEW(t->context, n);
    SOW_NEW(t->cells, n);
    SOW_NEW(t->y, n * c->d);
    SOW_TRY(fit_target_adjust(&t->adjust, c, c->here, round, err));
    add_measured_rows(t, c, c->here, &t->adjust, round);
    t->n_target = t->view.n;
    SOW_TRY(add_other_rows(t, c, round, err));
    t->view.n_features = c->d;
    t->view.n_contexts = sow_names_count(c->screen->contexts);
    t->view.target = c->here->target;
    t->view.perturbation = t->perturbation;
    t->view.context = t->context;
    t->view.y = t->y;
    t->view.cells = t->cells;
    t->view.priors = &c->model_priors;
    t->view.relative = c->cells != NULL;
    t->view.detail = c->screen->detail;
    t->view.catalogue = c->screen->perturbations;
    SOW_TRY(sow_i_training_cells(t, c, round, err));
done:
    if (st != SOW_OK) sow_i_training_clear(t);
    return st;
}

void sow_i_training_clear(sow_i_training *t)
{
    free(t->perturbation);
    free(t->context);
    free(t->cells);
    free(t->y);
    free(t->cell_start);
    free(t->cell);
    free(t->control);
    sow_adjust_clear(&t->adjust);
    *t = (sow_i_training){0};
}

sow_index sow_i_last_measured(const sow_campaign *c)
{
    sow_index last = -1;
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index q = 0; q < c->n; q++)
            if (is_training(&c->site[s], q, c->n_rounds) && c->site[s].item[q].round > last) last = c->site[s].item[q].round;
    return last;
}

/* Response components: of all that is known by now, references among it, so that a small first round does not decide what later ones can say
 * (docs/decisions/response-components.md). A function of the events: recomputed rather than stored. */
static sow_status fit_response(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_training *t = &c->here->training;
    if (c->d == 1) return SOW_OK;
    if (c->here->has_response) sow_pca_clear(&c->here->response);
    c->here->has_response = 0;
    if (t->view.n < 2) goto done;
    SOW_TRY(sow_pca_fit(&c->here->response, t->y, t->view.n, c->d, NULL, c->config->model.components, env, err));
    c->here->has_response = 1;
done:
    c->here->training.view.response = c->here->has_response ? &c->here->response : NULL;
    return st;
}

void sow_i_forget_fit(sow_campaign *c)
{
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_model_destroy(c->site[s].model);
        c->site[s].model = NULL;
        sow_i_training_clear(&c->site[s].training);
        c->site[s].training_ready = 0;
    }
}

sow_status sow_i_training_ready(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    if (c->here->training_ready) return SOW_OK;
    SOW_TRY(sow_i_training_build(&c->here->training, c, c->n_rounds, err));
    c->here->training_ready = 1;
    SOW_TRY(fit_response(c, env, err));
done:
    return st;
}

sow_status sow_i_fit(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    if (c->here->model) return SOW_OK;
    SOW_TRY(sow_i_training_ready(c, env, err));
    SOW_TRY(sow_i_model_after(&c->here->model, c, &c->here->training.view, sow_i_last_measured(c), env, err));
done:
    if (st != SOW_OK) sow_error_prefix(err, "%s: fitting model '%s'", c->config->path, c->model_class->name);
    return st;
}

sow_status sow_i_truth(double *truth, const sow_campaign *c, const sow_adjust *centre, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = c->screen;
    sow_adjust a = {0};
    SOW_TRY(sow_i_context_adjust(&a, c, c->here->target, NULL, err));
    if (centre && centre->n_covariates == a.n_covariates && centre->centre)
        memcpy(a.centre, centre->centre, (size_t)a.n_covariates * sizeof *a.centre);
    for (sow_index q = 0; q < c->n; q++) {
        sow_index row = sow_screen_find(s, q, c->here->target);
        for (sow_index j = 0; j < c->d; j++)
            truth[q * c->d + j] = row < 0 ? NAN : s->values[row * c->d + j];
        if (row >= 0) sow_i_prepare(c, &a, &truth[q * c->d], c->p ? &s->covariate[row * c->p] : NULL);
    }
done:
    sow_adjust_clear(&a);
    return st;
}
