/* State from events. Each event is applied by one function, both when it is made and when a campaign is opened again, so that a resumed
 * campaign and an undisturbed one can not differ. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

const char *sow_i_name(const sow_campaign *c, sow_index perturbation)
{
    return sow_names_get(c->screen->perturbations, perturbation);
}

char *sow_i_label(const sow_campaign *c, sow_index pair)
{
    const char *name = sow_i_name(c, pair % c->n);
    return c->n_sites == 1 ? sow_strdup(name) : sow_format("%s in %s", name, sow_names_get(c->screen->contexts, sow_i_site_of_pair(c, pair)->target));
}

const char *sow_i_site_name(const sow_campaign *c, sow_index site)
{
    return sow_names_get(c->screen->contexts, c->site[site].target);
}

const char *sow_i_target_name(const sow_campaign *c)
{
    return sow_names_get(c->screen->contexts, c->here->target);
}

const char *sow_i_readout_word(const sow_campaign *c)
{
    return c->cells ? "cells" : c->d == 1 ? "scalar" : "profile";
}

char *sow_i_json_text(const json_t *j, int indent)
{
    size_t flags = JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    return json_dumps(j, flags | (indent ? JSON_INDENT(1) : JSON_COMPACT));
}

int sow_i_round_measured(const sow_i_round *r)
{
    if (!r->planned) return 0;
    for (sow_index i = 0; i < r->n; i++)
        if (r->pick[i].outcome == SOW_PENDING) return 0;
    return 1;
}

sow_index sow_i_current_round(const sow_campaign *c)
{
    sow_index r = 0;
    while (r < c->n_rounds && c->round[r].evaluated)
        r++;
    return r;
}

static void round_clear(sow_i_round *r)
{
    for (sow_index i = 0; i < r->n; i++) {
        free(r->pick[i].reason);
        free(r->pick[i].note);
    }
    free(r->pick);
    free(r->strategy);
    free(r->bill);
    json_decref(r->metrics);
    json_decref(r->learned);
    json_decref(r->training);
    *r = (sow_i_round){0};
}

static void site_clear(sow_i_site *site, sow_index n, sow_index n_rounds)
{
    for (sow_index i = 0; site->item && i < n; i++) {
        free(site->item[i].values);
        free(site->item[i].covariate);
        for (sow_index k = 0; k < site->item[i].n_draws; k++)
            free(site->item[i].draw[k].cell);
        free(site->item[i].draw);
    }
    free(site->item);
    site->item = NULL;
    for (sow_index r = 0; site->controls && r < n_rounds; r++)
        free(site->controls[r].control);
    free(site->controls);
    site->controls = NULL;
}

void sow_i_state_clear(sow_campaign *c)
{
    for (sow_index s = 0; s < c->n_sites; s++)
        site_clear(&c->site[s], c->n, c->n_rounds);
    for (sow_index i = 0; c->round && i < c->n_rounds; i++)
        round_clear(&c->round[i]);
    free(c->round);
    c->round = NULL;
}

/* Perturbations are named in events, not numbered: a name stays true when files gain rows. A context is named where there are several to choose from (sow_i_say_site). */
static sow_status named(sow_index *site, sow_index *out, const sow_campaign *c, const json_t *row, sow_error *err)
{
    const char *name = json_string_value(json_object_get(row, "perturbation")), *context = json_string_value(json_object_get(row, "context"));
    *out = name ? sow_names_find(c->screen->perturbations, name) : -1;
    if (*out < 0)
        return SOW_ERROR(err, SOW_E_DATA, "%s/campaign.db: the campaign names perturbation '%s', which the data no longer have", c->dir,
                         name ? name : "(none)");
    *site = context ? sow_i_site_of_context(c, sow_names_find(c->screen->contexts, context)) : 0;
    if (*site < 0) return SOW_ERROR(err, SOW_E_DATA, "%s/campaign.db: the campaign measures in context '%s', which is no target context of the data", c->dir, context);
    return SOW_OK;
}

void sow_i_say_site(json_t *row, const sow_campaign *c, sow_index site)
{
    if (c->n_sites > 1) json_object_set_new(row, "context", json_string(sow_i_site_name(c, site)));
}

static double number_or_nan(const json_t *j)
{
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static sow_status apply_planned(sow_campaign *c, sow_i_round *r, const json_t *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *picks = json_object_get(payload, "picks");
    const char *strategy = json_string_value(json_object_get(payload, "strategy"));
    sow_index n = (sow_index)json_array_size(picks);
    const sow_index round = r->round;
    round_clear(r);
    r->round = round;
    r->strategy = sow_strdup(strategy ? strategy : "");
    if (!r->strategy) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(r->pick, n);
    r->n = n;
    for (sow_index i = 0; i < n; i++) {
        const json_t *row = json_array_get(picks, (size_t)i);
        sow_i_pick *pick = &r->pick[i];
        SOW_TRY(named(&pick->site, &pick->perturbation, c, row, err));
        const char *reason = json_string_value(json_object_get(row, "reason"));
        pick->reason = sow_strdup(reason ? reason : "");
        if (!pick->reason) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        pick->score = number_or_nan(json_object_get(row, "score"));
        pick->planned_cells = (sow_index)json_integer_value(json_object_get(row, "planned_cells"));
        pick->cost = json_number_value(json_object_get(row, "cost"));
        pick->outcome = SOW_PENDING;
        c->site[pick->site].item[pick->perturbation].status = SOW_PLANNED;
    }
    SOW_TRY(sow_i_bill_read(&r->bill, json_object_get(payload, "bill"), err));
    const json_t *cut = json_object_get(payload, "cut");
    r->asked = (sow_index)json_integer_value(json_object_get(cut, "asked"));
    r->cut_by = number_or_nan(json_object_get(cut, "money"));
    r->begins = sow_i_begins(c, round, round > 0 ? c->round[round - 1].begins : 0);
    r->planned = 1;
done:
    return st;
}

static sow_status read_values(double **out, const json_t *array, sow_index n, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    if ((sow_index)json_array_size(array) != n)
        SOW_FAIL(err, SOW_E_DATA, "campaign.db: the recorded values of '%s' have length %lld, not %lld", name,
                 (long long)json_array_size(array), (long long)n);
    if (!*out) SOW_NEW(*out, n);
    for (sow_index i = 0; i < n; i++)
        (*out)[i] = number_or_nan(json_array_get(array, (size_t)i));
done:
    return st;
}

/* A second measurement of the same perturbation is a replicate, merged as core/screen.h merges rows: values are averaged by weight, cells add
 * up, and covariates that are cells are those of the sum. */
static void merge_replicate(const sow_campaign *c, sow_i_item *item, const double *values, const double *covariate, double cells, double weight,
                            double hit)
{
    double wa = item->weight > 0 ? item->weight : 1, wb = weight > 0 ? weight : 1;
    for (sow_index j = 0; j < c->d; j++)
        item->values[j] = (wa * item->values[j] + wb * values[j]) / (wa + wb);
    item->cells += cells;
    for (sow_index j = 0; j < c->p; j++) {
        double mean = (wa * item->covariate[j] + wb * covariate[j]) / (wa + wb);
        item->covariate[j] = sow_screen_merged_covariate(c->screen, j, item->cells, mean);
    }
    item->weight = wa + wb;
    item->hit = fmin(item->hit, hit);
}

sow_i_pick *sow_i_find_pick(const sow_i_round *r, sow_index site, sow_index perturbation)
{
    for (sow_index i = 0; i < r->n; i++)
        if (r->pick[i].site == site && r->pick[i].perturbation == perturbation) return &r->pick[i];
    return NULL;
}

/* A perturbation's cells in the site in hand: new ones join those of earlier rounds. */
static sow_status apply_cells(sow_campaign *c, sow_i_round *r, sow_index q, sow_i_pick *pick, sow_outcome outcome, const json_t *row, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_item *item = &c->here->item[q];
    SOW_TRY(sow_i_apply_draw(c, r, q, row, err));
    if (item->round < 0) {
        item->round = r->round;
        item->unplanned = !pick;
    }
    if (pick && outcome == SOW_PARTIAL && item->cells >= (double)pick->planned_cells) pick->outcome = outcome = SOW_MEASURED;
    item->status = outcome == SOW_PARTIAL ? SOW_DONE_PARTIAL : SOW_DONE;
done:
    return st;
}

static sow_status apply_result(sow_campaign *c, sow_i_round *r, const json_t *row, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index site = -1, q = -1;
    double *values = NULL, *covariate = NULL;
    SOW_TRY(named(&site, &q, c, row, err));
    sow_i_go(c, site);
    sow_i_item *item = &c->here->item[q];
    sow_i_pick *pick = sow_i_find_pick(r, site, q);
    sow_outcome outcome = (sow_outcome)json_integer_value(json_object_get(row, "outcome"));
    const char *note = json_string_value(json_object_get(row, "reason"));
    int had = pick && (pick->outcome == SOW_MEASURED || pick->outcome == SOW_PARTIAL);
    if (pick && !(had && outcome == SOW_FAILED)) { /* what was measured stays so, whatever a later file lacks */
        pick->outcome = outcome;
        free(pick->note);
        pick->note = sow_strdup(note);
    }
    if (outcome == SOW_FAILED) {
        if (item->round < 0) item->status = SOW_LOST;
        goto done;
    }
    if (c->cells) {
        st = apply_cells(c, r, q, pick, outcome, row, err);
        goto done;
    }
    double cells = number_or_nan(json_object_get(row, "cells")), weight = number_or_nan(json_object_get(row, "weight"));
    double hit = number_or_nan(json_object_get(row, "hit"));
    SOW_TRY(read_values(&values, json_object_get(row, "values"), c->d, sow_i_name(c, q), err));
    SOW_TRY(read_values(&covariate, json_object_get(row, "covariate"), c->p, sow_i_name(c, q), err));
    if (item->values) {
        merge_replicate(c, item, values, covariate, cells, weight, hit);
        if (pick && outcome == SOW_PARTIAL && item->cells >= (double)pick->planned_cells) /* in parts, but all of it */
            pick->outcome = outcome = SOW_MEASURED;
    } else {
        item->values = values;
        item->covariate = covariate;
        values = covariate = NULL;
        item->round = r->round;
        item->cells = cells;
        item->weight = weight;
        item->hit = hit;
        item->unplanned = !pick;
    }
    item->status = outcome == SOW_PARTIAL ? SOW_DONE_PARTIAL : SOW_DONE;
done:
    sow_i_go(c, 0);
    free(values);
    free(covariate);
    return st;
}

static int compare_index(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* Of a list of cells, those of the site's context join its controls of the round. */
static sow_status join_controls(sow_i_site *site, sow_index round, const sow_cells *t, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_controls *r = &site->controls[round];
    sow_index *all = NULL, count = r->n_control;
    SOW_NEW(all, r->n_control + n);
    if (r->n_control) memcpy(all, r->control, (size_t)r->n_control * sizeof *all);
    for (sow_index i = 0; i < n; i++)
        if (t->context[cell[i]] == site->target) all[count++] = cell[i];
    free(r->control);
    r->control = all;
    r->n_control = count;
    qsort(r->control, (size_t)count, sizeof *r->control, compare_index);
done:
    return st;
}

/* Controls of a round may come in several parts; they are known before the cells that are compared with them. */
static sow_status apply_controls(sow_campaign *c, const sow_i_round *r, const json_t *lists, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *more = NULL, n = 0;
    if (!c->cells || json_array_size(lists) == 0) return SOW_OK;
    SOW_TRY(sow_i_cells_positions(&more, &n, c, lists, err));
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_TRY(join_controls(&c->site[s], r->round, &c->cells->table, more, n, err));
done:
    free(more);
    return st;
}

static sow_status apply_measured(sow_campaign *c, sow_i_round *r, const json_t *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *results = json_object_get(payload, "results");
    SOW_TRY(apply_controls(c, r, json_object_get(payload, "controls"), err));
    for (size_t i = 0; i < json_array_size(results); i++)
        SOW_TRY(apply_result(c, r, json_array_get(results, i), err));
done:
    return st;
}

static sow_status apply_evaluated(sow_i_round *r, const json_t *payload)
{
    json_decref(r->metrics);
    json_decref(r->learned);
    json_decref(r->training);
    r->metrics = json_incref(json_object_get(payload, "metrics"));
    r->learned = json_incref(json_object_get(payload, "learned"));
    r->training = json_incref(json_object_get(payload, "training"));
    r->evaluated = 1;
    return SOW_OK;
}

sow_status sow_i_state_apply(sow_campaign *c, const char *kind, sow_index round, const char *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    json_error_t je;
    json_t *j = json_loads(payload, 0, &je);
    if (!j) SOW_FAIL(err, SOW_E_DATA, "%s/campaign.db: an event of kind '%s' is not JSON: %s", c->dir, kind, je.text);
    if (strcmp(kind, "created") == 0) goto done; /* checked before the state is loaded (campaign.c) */
    if (round < 0 || round >= c->n_rounds)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: rounds.batches asks for rounds 0 to %lld, but %s holds round %lld; rounds already planned cannot be removed",
                 c->config->path, (long long)(c->n_rounds - 1), c->dir, (long long)round);
    sow_i_round *r = &c->round[round];
    r->round = round;
    if (strcmp(kind, "planned") == 0) SOW_TRY(apply_planned(c, r, j, err));
    else if (strcmp(kind, "measured") == 0) SOW_TRY(apply_measured(c, r, j, err));
    else if (strcmp(kind, "prepared") == 0 && c->cells) SOW_TRY(sow_i_apply_frozen(c, j, err));
    else if (strcmp(kind, "evaluated") == 0) SOW_TRY(apply_evaluated(r, j));
    else SOW_FAIL(err, SOW_E_DATA, "%s/campaign.db: unknown event kind '%s'; was it written by a newer sower?", c->dir, kind);
    r->round = round;
done:
    json_decref(j);
    return st;
}

sow_status sow_i_commit(sow_campaign *c, const char *kind, sow_index round, json_t *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = payload ? sow_i_json_text(payload, 0) : NULL;
    json_decref(payload);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing event '%s'", kind);
    SOW_TRY(sow_store_append(c->store, kind, round, text, err));
    SOW_TRY(sow_i_state_apply(c, kind, round, text, err));
done:
    free(text);
    return st;
}

static sow_status site_begin(sow_i_site *site, sow_index n, sow_index n_rounds, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(site->item, n);
    for (sow_index i = 0; i < n; i++)
        site->item[i] = (sow_i_item){.round = -1, .cells = NAN, .weight = NAN, .hit = NAN};
    SOW_NEW(site->controls, n_rounds);
done:
    return st;
}

sow_status sow_i_state_load(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_TRY(site_begin(&c->site[s], c->n, c->n_rounds, err));
    SOW_NEW(c->round, c->n_rounds);
    for (sow_index i = 0; i < c->n_rounds; i++)
        c->round[i].round = i;
    if (!c->store) goto done;
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(sow_i_state_apply(c, events[i].kind, events[i].round, events[i].payload, err));
done:
    return st;
}
