/* A finished screen of which any part can be held out. The campaign is brought into the state that it has when round 0 has measured everything at random; what is held out then is what the
 * planner holds out of every fit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/split.h"
#include "planner/evaluate_internal.h"

static int compare_index(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* ---- controls ---- */

sow_status sow_i_halve_controls(sow_i_halves *h, const sow_campaign *c, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *t = &c->cells->table;
    const sow_index *list = NULL;
    sow_index n = sow_cells_of(&list, t, SOW_CONTROL, context), batches = sow_names_count(t->batches), *here = NULL;
    *h = (sow_i_halves){0};
    SOW_NEW(here, n);
    SOW_NEW(h->learn, n);
    SOW_NEW(h->judge, n);
    for (sow_index b = 0; b < (batches > 0 ? batches : 1); b++) {
        sow_index m = 0;
        for (sow_index i = 0; i < n; i++)
            if (t->batch[list[i]] == b) here[m++] = list[i];
        sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_FOLDS, 1, (uint32_t)b);
        sow_rng_permute(&rng, here, m);
        for (sow_index i = 0; i < m; i++) {
            if (i % 2 == 0) h->learn[h->n_learn++] = here[i];
            else h->judge[h->n_judge++] = here[i];
        }
    }
    if (h->n_learn < 2 || h->n_judge < 2)
        SOW_FAIL(err, SOW_E_DATA, "%s: context %s has %lld control cells; an evaluation needs at least 4, two to learn from and two to judge by", c->config->path,
                 sow_names_get(c->screen->contexts, context), (long long)n);
    qsort(h->learn, (size_t)h->n_learn, sizeof *h->learn, compare_index);
    qsort(h->judge, (size_t)h->n_judge, sizeof *h->judge, compare_index);
done:
    if (st != SOW_OK) sow_i_halves_clear(h);
    free(here);
    return st;
}

void sow_i_halves_clear(sow_i_halves *h)
{
    free(h->learn);
    free(h->judge);
    *h = (sow_i_halves){0};
}

static sow_status halve_controls(sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    sow_i_controls *r = &c->here->controls[0];
    sow_i_halves h = {0};
    SOW_TRY(sow_i_halve_controls(&h, c, c->here->target, err));
    r->control = h.learn;
    e->n_controls[0] = r->n_control = h.n_learn;
    c->cells->judge = h.judge;
    e->n_controls[1] = c->cells->n_judges = h.n_judge;
done:
    return st;
}

/* ---- perturbations ---- */

/* All that could be planned or held out, and that every model can predict. What is not in the target context is no part of its screen. */
static sow_status find_items(sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = e->c;
    int needs_prior = 0;
    for (sow_index m = 0; m < e->n_models; m++)
        needs_prior |= (e->model[m]->caps & SOW_CAP_NEEDS_PRIOR) != 0;
    SOW_NEW(e->item, c->n);
    SOW_NEW(e->cells, c->n);
    for (sow_index q = 0; q < c->n; q++) {
        int has_prior = !needs_prior || c->model_priors.has_any[q];
        if (c->here->eligible[q] && has_prior) e->item[e->n++] = q;
        else if (sow_screen_find(c->screen, q, c->here->target) < 0 && !(c->cells && c->cells->too_few[c->here->target * c->n + q])) continue;
        else if (!has_prior) e->no_prior++;
        else e->not_eligible++;
    }
done:
    return st;
}

static sow_status measure_cells(sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    SOW_TRY(halve_controls(e, err));
    for (sow_index i = 0; i < e->n; i++) {
        const sow_index *list = NULL;
        sow_i_item *item = &c->here->item[e->item[i]];
        sow_index n = sow_cells_of(&list, &c->cells->table, e->item[i], c->here->target);
        SOW_NEW(item->draw, 1);
        item->n_draws = 1;
        SOW_NEW(item->draw->cell, n);
        item->draw->n = n;
        if (n) memcpy(item->draw->cell, list, (size_t)n * sizeof *list);
        item->round = 0;
        item->cells = item->weight = e->cells[i] = (double)n;
    }
done:
    return st;
}

static int finite_values(const double *x, sow_index n)
{
    for (sow_index j = 0; j < n; j++)
        if (!isfinite(x[j])) return 0;
    return 1;
}

static sow_status take_values(sow_i_item *item, const sow_campaign *c, const sow_measurement *m, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(item->values, c->d);
    SOW_NEW(item->covariate, c->p);
    memcpy(item->values, m->values, (size_t)c->d * sizeof *item->values);
    if (c->p) memcpy(item->covariate, m->covariate, (size_t)c->p * sizeof *item->covariate);
    item->round = 0;
    item->cells = m->cells;
    item->weight = m->weight;
done:
    return st;
}

/* What the oracle says once is what is learned from and, when held out, the truth. */
static sow_status measure_values(sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    sow_request *requests = NULL;
    sow_measurements m = {0};
    sow_index kept = 0;
    SOW_NEW(requests, e->n);
    for (sow_index i = 0; i < e->n; i++)
        requests[i] = (sow_request){e->item[i], c->here->target, c->config->design.cells_per_perturbation, 0};
    SOW_TRY(sow_oracle_measure(&m, c->oracle, requests, e->n, 0, err));
    for (sow_index i = 0; i < m.n; i++) {
        if (m.item[i].outcome == SOW_FAILED || !finite_values(m.item[i].values, c->d)) continue;
        SOW_TRY(take_values(&c->here->item[m.item[i].perturbation], c, &m.item[i], err));
        e->cells[kept] = m.item[i].cells;
        e->item[kept++] = m.item[i].perturbation;
    }
    e->no_value = e->n - kept;
    e->n = kept;
done:
    free(requests);
    sow_measurements_clear(&m);
    return st;
}

sow_status sow_i_measure_all(sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_round *r = &e->c->round[0];
    SOW_TRY(find_items(e, err));
    r->strategy = sow_strdup("random"); /* chosen without looking at outcomes */
    if (!r->strategy) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(e->c->cells ? measure_cells(e, err) : measure_values(e, err));
    if (e->n < 2) SOW_FAIL(err, SOW_E_DATA, "%s: %lld perturbation%s with a measurement; an evaluation needs at least 2", e->c->config->path, (long long)e->n, e->n == 1 ? "" : "s");
done:
    return st;
}

/* ---- holding out ---- */

static sow_status fit_space(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *payload = NULL;
    sow_i_forget_space(c);
    SOW_TRY(sow_i_fit_space(&payload, c, err));
    if (!payload) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_apply_frozen(c, payload, err));
done:
    json_decref(payload);
    return st;
}

static void mark_held(sow_i_evaluation *e, const unsigned char *hold)
{
    sow_campaign *c = e->c;
    memset(c->here->held_out, 0, (size_t)c->n);
    memset(c->here->in_pool, 0, (size_t)c->n);
    c->n_held_out = c->pool_size = 0;
    for (sow_index i = 0; i < e->n; i++) {
        int held = hold && hold[i];
        c->here->held_out[e->item[i]] = (unsigned char)held;
        c->here->in_pool[e->item[i]] = (unsigned char)!held;
        c->n_held_out += held;
        c->pool_size += !held;
    }
}

/* The model whose needs decide what training data hold: one that learns from cells, when there is one. */
static const sow_model_class *most_demanding(const sow_i_evaluation *e)
{
    for (sow_index m = 0; m < e->n_models; m++)
        if (e->model[m]->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META)) return e->model[m];
    return e->model[0];
}

sow_status sow_i_hold_out(sow_i_evaluation *e, const unsigned char *hold, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    sow_i_forget_fit(c);
    mark_held(e, hold);
    if (c->cells) SOW_TRY(fit_space(c, err));
    SOW_TRY(sow_i_refit_priors(c, c->here->in_pool, e->env, err));
    c->model_class = most_demanding(e);
    SOW_TRY(sow_i_training_ready(c, e->env, err));
done:
    return st;
}

/* ---- splits ---- */

sow_status sow_i_make_folds(sow_i_evaluation *e, sow_i_split_run *r, sow_index folds, sow_error *err)
{
    sow_status st = SOW_OK;
    r->kind = "folds";
    r->n_folds = folds;
    if (folds > e->n)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: %lld folds of %lld perturbations; --folds from 2 to %lld", e->c->config->path, (long long)folds, (long long)e->n, (long long)e->n);
    SOW_NEW(r->fold, e->n);
    SOW_TRY(sow_split_folds(r->fold, e->n, folds, e->c->config->seed, err));
done:
    return st;
}

/* Pseudo-bulks as changes: responses of cells against all controls, in a space fitted on all; or the profiles. */
static sow_status fill_bulks(double *bulk, const sow_campaign *c, const sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *control = NULL;
    sow_index n = c->cells ? sow_cells_of(&control, &c->cells->table, SOW_CONTROL, c->here->target) : 0;
    for (sow_index i = 0; i < e->n; i++) {
        const sow_i_item *item = &c->here->item[e->item[i]];
        if (c->cells) SOW_TRY(sow_i_response(&bulk[i * c->d], c, item->draw->cell, item->draw->n, control, n, err));
        else memcpy(&bulk[i * c->d], item->values, (size_t)c->d * sizeof *bulk);
    }
done:
    return st;
}

sow_status sow_i_make_outliers(sow_i_evaluation *e, sow_i_split_run *r, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    double *bulk = NULL, *control = NULL;
    unsigned char *held = NULL;
    sow_outlier_options options = SOW_OUTLIER_OPTIONS_INIT;
    r->kind = "outliers";
    r->n_folds = 1;
    options.seed = c->config->seed;
    if (c->cells) {
        mark_held(e, NULL);
        SOW_TRY(fit_space(c, err));
    }
    SOW_NEW(bulk, e->n * c->d);
    SOW_NEW(control, c->d); /* no change */
    SOW_NEW(held, e->n);
    SOW_NEW(r->fold, e->n);
    SOW_NEW(r->cluster, e->n + 1);
    SOW_TRY(fill_bulks(bulk, c, e, err));
    SOW_TRY(sow_split_outliers(held, r->cluster, bulk, e->n, c->d, control, &options, e->env, err));
    for (sow_index i = 0; i < e->n; i++)
        r->fold[i] = held[i] ? 0 : -1;
done:
    free(bulk);
    free(control);
    free(held);
    return st;
}
