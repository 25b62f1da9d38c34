/* Asking the oracle for a planned round: one event with every result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static json_t *reals(const double *x, sow_index n)
{
    json_t *a = json_array();
    for (sow_index i = 0; i < n; i++)
        json_array_append_new(a, sow_i_real_or_null(x[i]));
    return a;
}

json_t *sow_i_result_json(const sow_campaign *c, sow_index site, sow_index perturbation, sow_outcome outcome, double cells, double weight, double hit,
                          const double *values, const double *covariate)
{
    json_t *row = json_pack("{s:s,s:i}", "perturbation", sow_i_name(c, perturbation), "outcome", (int)outcome);
    sow_i_say_site(row, c, site);
    if (outcome == SOW_FAILED) return row;
    json_object_set_new(row, "cells", sow_i_real_or_null(cells));
    json_object_set_new(row, "weight", sow_i_real_or_null(weight));
    json_object_set_new(row, "hit", sow_i_real_or_null(hit));
    json_object_set_new(row, "values", reals(values, c->d));
    json_object_set_new(row, "covariate", reals(covariate, c->p));
    return row;
}

static sow_index had_before(const sow_i_item *item)
{
    sow_index n = 0;
    for (sow_index k = 0; k < item->n_draws; k++)
        n += item->draw[k].n;
    return n;
}

/* Shares of the controls follow from the number of rounds; when rounds were added to a campaign under way they overlap with what was handed out. */
static sow_status drop_used_controls(sow_measurements *m, const sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *used = NULL, n_used = 0, kept = 0;
    if (!c->cells) return SOW_OK;
    SOW_TRY(sow_i_controls_so_far(&used, &n_used, c, 1, err));
    for (sow_index i = 0, k = 0; i < m->n_control; i++) { /* both ascend */
        while (k < n_used && used[k] < m->control[i])
            k++;
        kept += k == n_used || used[k] != m->control[i];
    }
    if (kept == m->n_control) goto done;
    if (kept < 2) {
        sow_log(env, SOW_LOG_WARN, "controls of earlier rounds are handed out again: rounds were added, and the screen has no others");
        goto done;
    }
    kept = 0;
    for (sow_index i = 0, k = 0; i < m->n_control; i++) {
        while (k < n_used && used[k] < m->control[i])
            k++;
        if (k == n_used || used[k] != m->control[i]) m->control[kept++] = m->control[i];
    }
    m->n_control = kept;
done:
    free(used);
    return st;
}

sow_status sow_campaign_measure(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_request *requests = NULL;
    sow_measurements m = {0};
    sow_index round = sow_i_current_round(c);
    c->env = env;
    if (sow_campaign_rounds_open(c) == 0) SOW_FAIL(err, SOW_E_STATE, "%s: no planned round waits for measurements", c->dir);
    if (c->oracle->class_->needs_people)
        SOW_FAIL(err, SOW_E_STATE, "%s: round %lld waits for the lab: sower record %s RESULTS", c->dir, (long long)round, c->config->path);
    sow_i_round *r = &c->round[round];
    if (!sow_i_round_measured(r)) {
        SOW_NEW(requests, r->n);
        for (sow_index i = 0; i < r->n; i++) {
            const sow_i_site *site = &c->site[r->pick[i].site];
            requests[i] = (sow_request){r->pick[i].perturbation, site->target, r->pick[i].planned_cells, had_before(&site->item[r->pick[i].perturbation])};
        }
        SOW_TRY(sow_oracle_measure(&m, c->oracle, requests, r->n, round, err));
        SOW_TRY(drop_used_controls(&m, c, env, err));
        json_t *results = json_array();
        for (sow_index i = 0; i < m.n; i++) {
            const sow_measurement *x = &m.item[i];
            const sow_index site = sow_i_site_of_context(c, x->context);
            json_array_append_new(results, c->cells ? sow_i_cells_result_json(c, site, x->perturbation, x->outcome, x->cell, x->n_cell, x->reason)
                                                    : sow_i_result_json(c, site, x->perturbation, x->outcome, x->cells, x->weight, x->hit, x->values, x->covariate));
        }
        json_t *payload = json_pack("{s:s,s:o}", "source", c->oracle->class_->name, "results", results);
        if (c->cells) json_object_set_new(payload, "controls", sow_i_cells_json(c, m.control, m.n_control));
        SOW_TRY(sow_i_commit(c, "measured", round, payload, err));
        sow_i_forget_fit(c);
    }
    SOW_TRY(sow_i_freeze_if_due(c, err));
    SOW_TRY(sow_i_evaluate_round(c, round, env, err));
done:
    free(requests);
    sow_measurements_clear(&m);
    return st;
}
