/* Planning a round: candidates, rules, view, strategy, and one event. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/choice_internal.h"

typedef struct {
    char *label;
    sow_index pair;
} labelled_pair;

static int by_label(const void *a, const void *b)
{
    return strcmp(((const labelled_pair *)a)->label, ((const labelled_pair *)b)->label);
}

/* Strategies want names in order. The catalogue is in that of perturbations, which that of several contexts' labels need not be. */
static sow_status name_candidates(sow_i_choice *x, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    labelled_pair *pair = NULL;
    SOW_NEW(x->name, x->n);
    SOW_NEW(x->label, x->n);
    SOW_NEW(pair, x->n);
    for (sow_index i = 0; i < x->n; i++) {
        pair[i] = (labelled_pair){sow_i_label(c, x->candidate[i]), x->candidate[i]};
        x->label[i] = pair[i].label;
        if (!pair[i].label) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    qsort(pair, (size_t)x->n, sizeof *pair, by_label);
    for (sow_index i = 0; i < x->n; i++) {
        x->candidate[i] = pair[i].pair;
        x->name[i] = x->label[i] = pair[i].label;
    }
done:
    free(pair);
    return st;
}

static sow_status list_candidates(sow_i_choice *x, const sow_campaign *c, int all, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->candidate, c->n_sites * c->n);
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        if (!sow_i_site_of_pair(c, i)->in_pool[i % c->n]) continue;
        const sow_item_status s = all ? SOW_FREE : sow_i_item_of_pair(c, i)->status;
        if (s == SOW_FREE || s == SOW_LOST) x->candidate[x->n++] = i;
    }
    SOW_TRY(name_candidates(x, c, err));
done:
    return st;
}

sow_index sow_i_picks_after(const sow_campaign *c, sow_index round)
{
    sow_index n = 0;
    for (sow_index r = round + 1; r < c->n_rounds; r++)
        n += sow_i_batch_size(c, r);
    return n;
}

/* ---- rules ---- */

static sow_index picked_before(const sow_campaign *c, const sow_index *members, sow_index n)
{
    sow_index count = 0;
    for (sow_index i = 0; c->here->item && i < n; i++) {
        sow_item_status s = sow_i_item_of_pair(c, members[i])->status;
        count += s == SOW_PLANNED || s == SOW_DONE || s == SOW_DONE_PARTIAL;
    }
    return count;
}

static const sow_prior *prior_by_name(const sow_campaign *c, const char *name)
{
    const sow_prior_set *sets[2] = {&c->priors, &c->model_priors};
    for (int s = 0; s < 2; s++)
        for (sow_index i = 0; i < sets[s]->n_priors; i++)
            if (sets[s]->priors[i].name && strcmp(sets[s]->priors[i].name, name) == 0) return &sets[s]->priors[i];
    return NULL;
}

static sow_status set_members(sow_index *members, sow_index *n, const sow_campaign *c, const sow_config_quota *q, sow_error *err)
{
    const sow_prior *prior = prior_by_name(c, q->prior);
    if (!prior || prior->kind != SOW_PRIOR_SETS)
        return SOW_ERROR(err, SOW_E_CONFIG, "constraints.quota: prior '%s' has no gene sets (a .gmt file has)", q->prior);
    sow_index set = sow_names_find(prior->columns, q->set);
    if (set < 0) {
        const char *near = sow_names_nearest(prior->columns, q->set);
        return SOW_ERROR(err, SOW_E_CONFIG, "constraints.quota: prior '%s' has no set '%s' with a member in the data%s%s%s", q->prior,
                         q->set, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    for (sow_index i = 0; i < c->n; i++)
        for (sow_index k = prior->start[i]; k < prior->start[i + 1]; k++)
            if (prior->member[k] == set) members[(*n)++] = i;
    return SOW_OK;
}

static int compare_index(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

static sow_status quota_perturbations(sow_index *members, sow_index *n, const sow_campaign *c, const sow_config_quota *q, sow_error *err)
{
    *n = 0;
    if (q->set) return set_members(members, n, c, q, err);
    for (sow_index i = 0; q->n_names == 0 && i < c->n; i++)
        members[(*n)++] = i;
    for (sow_index i = 0; i < q->n_names; i++) {
        sow_index at = sow_names_find(c->screen->perturbations, q->names[i]);
        if (at < 0)
            return SOW_ERROR(err, SOW_E_CONFIG, "constraints.quota: no perturbation '%s' in the data", q->names[i]);
        members[(*n)++] = at;
    }
    qsort(members, (size_t)*n, sizeof *members, compare_index);
    sow_index kept = 0; /* a name listed twice is one member */
    for (sow_index i = 0; i < *n; i++)
        if (kept == 0 || members[kept - 1] != members[i]) members[kept++] = members[i];
    *n = kept;
    return SOW_OK;
}

/* Of every target context, or of the one that the rule names. members has room for [perturbations listed + pairs]. */
static sow_status quota_members(sow_index *members, sow_index *n, const sow_campaign *c, const sow_config_quota *q, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *listed = NULL, count = 0, only = -1;
    SOW_NEW(listed, c->n + q->n_names);
    if (q->context) SOW_TRY(sow_i_find_site(&only, c, "constraints.quota", q->context, err));
    SOW_TRY(quota_perturbations(listed, &count, c, q, err));
    *n = 0;
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index i = 0; (only < 0 || s == only) && i < count; i++)
            members[(*n)++] = sow_i_pair(c, s, listed[i]);
done:
    free(listed);
    return st;
}

char *sow_i_quota_label(const sow_config_quota *q)
{
    char most[40] = "", least[40] = "";
    const char *in = q->context ? q->context : "";
    if (q->at_most >= 0) snprintf(most, sizeof most, "at most %lld", (long long)q->at_most);
    if (q->at_least > 0) snprintf(least, sizeof least, "%sat least %lld", *most ? ", " : "", (long long)q->at_least);
    if (q->context && !q->set && q->n_names == 0) return sow_format("%s%s of context %s per %s", most, least, in, q->per);
    return sow_format("%s%s of %s%s%s%s%s a %s", most, least, q->set ? q->prior : "the listed names", q->set ? " / " : "", q->set ? q->set : "", *in ? " in " : "", in, q->per);
}

static int is_for_campaign(const sow_config_quota *q)
{
    return strcmp(q->per, "campaign") == 0;
}

static sow_status quota_build(sow_quota *out, char **label, sow_index **members, const sow_campaign *c, const sow_config_quota *q,
                              sow_index later, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = 0;
    SOW_NEW(*members, c->n_sites * (c->n + q->n_names));
    SOW_TRY(quota_members(*members, &n, c, q, err));
    *label = sow_i_quota_label(q);
    if (!*label) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    int whole = is_for_campaign(q);
    *out = (sow_quota){.label = *label, .n_members = n, .members = *members, .at_most = q->at_most, .at_least = q->at_least,
                       .whole_campaign = whole, .already = whole ? picked_before(c, *members, n) : 0,
                       .later = whole ? later : 0};
done:
    return st;
}

/* Includes go into the first batch that can take them: round 0, or rounds after one failed, as many as the batch holds. */
static sow_index list_includes(sow_index *include, const sow_i_choice *x, const sow_campaign *c)
{
    sow_index n = 0;
    for (sow_index i = 0; i < x->n; i++)
        for (sow_index k = 0; k < c->config->constraints.n_include; k++)
            if (strcmp(c->config->constraints.include[k], sow_i_name(c, x->candidate[i] % c->n)) == 0) include[n++] = i;
    return n;
}

/* A model of a context needs a measurement there: with several, a batch has something of each that has none. */
static sow_status cover_sites(sow_quota *quotas, char **labels, sow_index **members, sow_index *used, const sow_campaign *c, sow_index batch, sow_error *err)
{
    sow_status st = SOW_OK;
    enum { FEWEST = 2 };
    const sow_index least = batch / c->n_sites < FEWEST ? batch / c->n_sites : FEWEST;
    for (sow_index s = 0; c->n_sites > 1 && least > 0 && s < c->n_sites; s++) {
        sow_index measured = 0;
        for (sow_index q = 0; c->here->item && q < c->n; q++)
            measured += c->site[s].item[q].status != SOW_FREE && c->site[s].item[q].status != SOW_LOST;
        if (measured > 0) continue;
        const sow_config_quota of_site = {.context = sow_i_site_name(c, s), .at_most = -1, .at_least = least, .per = "batch"};
        SOW_TRY(quota_build(&quotas[*used], &labels[*used], &members[*used], c, &of_site, 0, err));
        (*used)++;
    }
done:
    return st;
}

typedef enum { EVERY_RULE, RULES_OF_A_BATCH, RULES_OF_THE_CAMPAIGN } which_rules;

/* `later`: picks still to come after this batch, which may serve a campaign's at_least. */
static sow_status build_rules(sow_i_choice *x, const sow_campaign *c, sow_index batch, sow_index later, which_rules which, int with_includes,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index nq = c->config->constraints.n_quota + c->n_sites, used = 0;
    sow_quota *quotas = NULL;
    sow_index **members = NULL, *include = NULL;
    char **labels = NULL;
    SOW_NEW(quotas, nq);
    SOW_NEW(members, nq);
    SOW_NEW(labels, nq);
    SOW_NEW(include, x->n + c->config->constraints.n_include);
    for (sow_index i = 0; i < c->config->constraints.n_quota; i++) {
        const sow_config_quota *q = &c->config->constraints.quota[i];
        if (which != EVERY_RULE && is_for_campaign(q) != (which == RULES_OF_THE_CAMPAIGN)) continue;
        SOW_TRY(quota_build(&quotas[used], &labels[used], &members[used], c, q, later, err));
        used++;
    }
    if (which == EVERY_RULE) SOW_TRY(cover_sites(quotas, labels, members, &used, c, batch, err));
    sow_index n_include = with_includes ? list_includes(include, x, c) : 0;
    if (c->here->item && sow_i_next_round(c) > 0 && n_include > batch) n_include = batch; /* a list too long for round 0 is an error, said there */
    SOW_TRY(sow_constraints_create(&x->rules, x->candidate, x->n, batch, include, n_include, quotas, used, err));
    x->view.feasible = sow_constraints_feasible;
    x->view.take = sow_constraints_take;
    x->view.rules = x->rules;
done:
    if (st != SOW_OK) sow_error_prefix(err, "%s", c->config->path);
    for (sow_index i = 0; i < nq; i++) {
        if (members) free(members[i]);
        if (labels) free(labels[i]);
    }
    free(members);
    free(labels);
    free(quotas);
    free(include);
    return st;
}

sow_status sow_i_rules_of_first(sow_i_choice *x, const sow_campaign *c, sow_index batch, sow_error *err)
{
    return build_rules(x, c, batch, sow_i_picks_after(c, 0), EVERY_RULE, 1, err);
}

static sow_status check_rules_of(const sow_campaign *c, sow_index batch, which_rules which, int with_includes, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_choice x = {0};
    SOW_TRY(list_candidates(&x, c, 1, err));
    SOW_TRY(build_rules(&x, c, batch, 0, which, with_includes, err));
done:
    sow_i_choice_clear(&x);
    return st;
}

sow_status sow_i_check_rules(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index at = -1; /* of a round that the budget cut */
    const int lowered = c->held_before && sow_i_batch_size(c, 0) < sow_i_asked_size(c, 0); /* its budget was lowered since: round 0 was what it was */
    for (sow_index r = 0; r < c->n_rounds; r++) {
        const sow_index batch = sow_i_batch_size(c, r);
        at = batch < sow_i_asked_size(c, r) ? r : -1;
        if (batch > 0) SOW_TRY(check_rules_of(c, batch, RULES_OF_A_BATCH, r == 0 && !lowered, err));
    }
    at = -1;
    if (sow_i_batch_size(c, 0) > 0) SOW_TRY(check_rules_of(c, sow_i_batch_size(c, 0) + sow_i_picks_after(c, 0), RULES_OF_THE_CAMPAIGN, !lowered, err));
done:
    if (st != SOW_OK && at >= 0) sow_error_prefix(err, "round %lld, which the budget cuts to %lld", (long long)at, (long long)sow_i_batch_size(c, at));
    return st;
}

/* ---- the event and the plan ---- */

/* Scores are part of what is compared between runs: six digits, as printed. */
static double six_digits(double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", x);
    return strtod(text, NULL);
}

enum { REASON_MOST = 300 };

static const char *why_picked(const sow_campaign *c, const char *name, const sow_pick *pick, const char *cells, char text[REASON_MOST])
{
    int included = 0;
    for (sow_index k = 0; k < c->config->constraints.n_include; k++)
        included = included || strcmp(c->config->constraints.include[k], name) == 0;
    snprintf(text, REASON_MOST, "%s%s%s", included ? "in constraints.include; " : "", pick->reason, cells);
    return text;
}

/* What a batch costs: the sum over its perturbations' cells; cells [batch], NULL = the design's for each. */
static void bill_of_picks(sow_bill *out, const sow_campaign *c, sow_index round, const sow_i_choice *x, const sow_pick *picks, const sow_index *planned, sow_index batch)
{
    sow_index n[SOW_I_SITES_MOST] = {0};
    double cells[SOW_I_SITES_MOST] = {0};
    for (sow_index i = 0; i < batch; i++) {
        const sow_index site = x->candidate[picks[i].candidate] / c->n;
        n[site]++;
        cells[site] += (double)(planned ? planned[i] : c->config->design.cells_per_perturbation);
    }
    sow_i_bill_of(c, round, n, cells, out);
}

static json_t *event_of(const sow_campaign *c, sow_index round, const sow_i_choice *x, const sow_pick *picks, const sow_i_allocation *a, sow_index batch, const sow_strategy *strategy, const sow_bill *bill)
{
    json_t *rows = json_array();
    const sow_index asked = sow_i_asked_size(c, round);
    for (sow_index i = 0; i < batch; i++) {
        const sow_index pair = x->candidate[picks[i].candidate], site = pair / c->n;
        const char *name = sow_i_name(c, pair % c->n);
        double score = six_digits(picks[i].score);
        char cells[100], text[REASON_MOST];
        sow_i_allocation_reason(cells, sizeof cells, a, i);
        json_t *row = json_pack("{s:s,s:o,s:s,s:I,s:f}", "perturbation", name, "score", isfinite(score) ? json_real(score) : json_null(), "reason", why_picked(c, name, &picks[i], cells, text),
                                "planned_cells", (json_int_t)a->cells[i], "cost", sow_i_cost_of_one(c, site, a->cells[i]));
        sow_i_say_site(row, c, site);
        json_array_append_new(rows, row);
    }
    json_t *event = json_pack("{s:s,s:o,s:o}", "strategy", strategy->name, "picks", rows, "bill", sow_i_bill_json(bill));
    if (batch < asked) json_object_set_new(event, "cut", json_pack("{s:I,s:f}", "asked", (json_int_t)asked, "money", c->config->budget.money));
    return event;
}

/* Takes `losses` (may be NULL). */
static char *plan_json(const sow_campaign *c, sow_index round, const sow_i_choice *x, const sow_i_allocation *a, sow_index batch, const sow_strategy *strategy, const sow_bill *bill, json_t *losses, double seconds)
{
    char now[32];
    time_t t = time(NULL);
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    char *learned = sow_i_learned(c);
    json_t *j = json_pack("{s:I,s:f,s:s,s:s,s:I,s:s,s:s,s:f,s:I,s:s,s:o,s:o}", "round", (json_int_t)round, "cells_to_transduce",
                          bill->transduced, "strategy", strategy->name, "model",
                          c->model_class->name, "candidates", (json_int_t)x->n, "planned_at", now, "command", c->argv ? c->argv : "", "seconds",
                          seconds, "seed", (json_int_t)c->config->seed, "data_sha256", c->world_digest, "learned",
                          learned ? json_string(learned) : json_null(), "allocation", sow_i_allocation_json(a, batch));
    free(learned);
    json_object_set_new(j, "bill", sow_i_bill_json(bill));
    json_object_set_new(json_object_get(j, "bill"), "currency", json_string(c->config->costs.currency));
    json_t *budget = sow_i_budget_json(c);
    if (budget) json_object_set_new(j, "budget", budget);
    if (losses) json_object_set_new(j, "losses", losses);
    char *text = j ? sow_i_json_text(j, 1) : NULL;
    json_decref(j);
    return text;
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sow_status refuse(const sow_campaign *c, sow_error *err)
{
    char *ended = sow_campaign_why_ended(c);
    const sow_status st = SOW_ERROR(err, SOW_E_STATE, "%s: no round can be planned now (%s)", c->dir,
                                    ended                                      ? ended
                                    : sow_i_current_round(c) >= c->n_rounds    ? "all rounds are done"
                                                                               : "the last one waits for its measurements");
    free(ended);
    return st;
}

/* Picks whose bill the budget pays for. How many that are was reckoned with a batch spread evenly over the target contexts; where the strategy prefers a dear one, it chooses again, fewer. One it pays for anywhere. */
static sow_status pick_within(sow_pick *picks, sow_index *batch, sow_bill *bill, sow_i_choice *x, sow_campaign *c, sow_index round, const sow_strategy *strategy, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_strategy_options options = sow_i_strategy_options(c);
    for (;; (*batch)--) {
        SOW_TRY(sow_strategy_pick(picks, *batch, strategy, &x->view, &options, env, err));
        bill_of_picks(bill, c, round, x, picks, NULL, *batch); /* however its cells are shared out, a site's batch has as many */
        if (!(sow_i_spent(c) + bill->total > c->config->budget.money + 0.001) || *batch == 1) break;
        sow_constraints_destroy(x->rules);
        x->rules = NULL;
        SOW_TRY(build_rules(x, c, *batch - 1, sow_i_picks_after(c, round), EVERY_RULE, 1, err));
    }
done:
    return st;
}

sow_status sow_campaign_plan(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_choice x = {0};
    sow_i_allocation cells = {0};
    sow_pick *picks = NULL;
    char *plan = NULL;
    json_t *losses = NULL;
    double start = now_seconds();
    sow_index round = sow_i_next_round(c);
    sow_bill bill;
    c->env = env;
    if (sow_campaign_next_step(c) != SOW_NEXT_PLAN) return refuse(c, err);
    sow_index batch = sow_i_batch_size(c, round);
    /* after rounds that failed as a whole one is still at the beginning */
    const sow_strategy *strategy = sow_i_measured_everywhere(c) ? c->strategy : c->initial_strategy;
    SOW_TRY(sow_progress(env, "planning", 0, err));
    SOW_TRY(list_candidates(&x, c, 0, err));
    if (batch > x.n)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: round %lld asks for %lld perturbations, but only %lld are left to choose from", c->config->path,
                 (long long)round, (long long)batch, (long long)x.n);
    SOW_TRY(build_rules(&x, c, batch, sow_i_picks_after(c, round), EVERY_RULE, 1, err));
    SOW_TRY(sow_i_choice_view(&x, c, strategy, round, env, err));
    SOW_NEW(picks, batch);
    SOW_TRY(pick_within(picks, &batch, &bill, &x, c, round, strategy, env, err));
    SOW_TRY(sow_i_allocate(&cells, c, &x, picks, batch, env, err));
    bill_of_picks(&bill, c, round, &x, picks, cells.cells, batch);
    SOW_TRY(sow_i_diagnose_losses(&losses, &x, c, strategy, batch, env, err));
    plan = plan_json(c, round, &x, &cells, batch, strategy, &bill, losses, now_seconds() - start);
    SOW_TRY(sow_i_commit(c, "planned", round, event_of(c, round, &x, picks, &cells, batch, strategy, &bill), err));
    SOW_TRY(sow_i_write_round(c, round, plan, env, err));
    SOW_TRY(sow_progress(env, "planning", 1, err));
done:
    sow_i_choice_clear(&x);
    sow_i_allocation_clear(&cells);
    free(picks);
    free(plan);
    return st;
}
