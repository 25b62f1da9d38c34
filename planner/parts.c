/* Parts of what a campaign says about itself as JSON, used by the report and by `check` and `status`. New references. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

json_t *sow_i_real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

const char *sow_i_state_word(const sow_campaign *c)
{
    const sow_index r = sow_i_current_round(c);
    if (sow_campaign_rounds_open(c) == 0) return sow_campaign_next_step(c) == SOW_NEXT_NOTHING ? "finished" : r == 0 ? "not started" : "ready to plan";
    return c->oracle->class_->needs_people ? "waiting for the lab" : "planned";
}

static json_t *picks_json(const sow_campaign *c, const sow_i_round *r)
{
    json_t *picks = json_array();
    for (sow_index i = 0; i < r->n; i++) {
        const sow_i_pick *p = &r->pick[i];
        json_array_append_new(picks, json_pack("{s:I,s:s,s:s,s:o,s:s,s:I,s:f}", "rank", (json_int_t)(i + 1), "perturbation",
                                               sow_i_name(c, p->perturbation), "context", sow_i_site_name(c, p->site), "score", sow_i_real_or_null(p->score),
                                               "reason", p->reason, "planned_cells", (json_int_t)p->planned_cells, "cost", p->cost));
    }
    return picks;
}

void sow_i_put_next(json_t *out, const sow_campaign *c)
{
    const sow_index r = sow_i_current_round(c);
    const int can_plan = sow_campaign_next_step(c) == SOW_NEXT_PLAN, waits = sow_campaign_rounds_open(c) > 0;
    char *ended = sow_campaign_why_ended(c), *plan = can_plan ? sow_format("sower plan %s", c->config->path) : NULL;
    if (ended) json_object_set_new(out, "ended", json_string(ended));
    if (plan && !waits) json_object_set_new(out, "next", json_pack("{s:s}", "command", plan));
    free(ended);
    if (!waits) free(plan);
    if (!waits) return;
    char *command = c->oracle->class_->needs_people ? sow_format("sower record %s RESULTS.%s", c->config->path, c->cells ? "h5ad" : "csv")
                                                    : sow_format("sower run %s", c->config->path);
    json_object_set_new(out, "next", json_pack("{s:I,s:s,s:o,s:s}", "round", (json_int_t)r, "strategy", c->round[r].strategy, "picks",
                                               picks_json(c, &c->round[r]), "command", command ? command : ""));
    if (plan) json_object_set_new(json_object_get(out, "next"), "plan", json_string(plan)); /* rounds overlap */
    free(plan);
    free(command);
}

int sow_i_is_found_hit(const sow_campaign *c, sow_index pair)
{
    const sow_i_site *site = sow_i_site_of_pair(c, pair);
    const sow_index q = pair % c->n;
    if (!site->in_pool[q] || !site->item[q].values) return 0;
    if (site->true_hit) return site->true_hit[q];
    return c->config->objective.column && sow_i_is_hit_value(c, site->item[q].hit);
}

sow_index sow_i_hits_in_round(const sow_campaign *c, sow_index round)
{
    sow_index n = 0;
    for (sow_index i = 0; i < c->n_sites * c->n; i++)
        n += sow_i_item_of_pair(c, i)->round == round && sow_i_is_found_hit(c, i);
    return n;
}

json_t *sow_i_rounds_json(const sow_campaign *c)
{
    json_t *rounds = json_array();
    for (sow_index k = 0; k < c->n_rounds && c->round[k].planned; k++) {
        const sow_i_round *r = &c->round[k];
        sow_index measured = 0, failed = 0;
        for (sow_index i = 0; i < r->n; i++) {
            measured += r->pick[i].outcome == SOW_MEASURED || r->pick[i].outcome == SOW_PARTIAL;
            failed += r->pick[i].outcome == SOW_FAILED;
        }
        sow_bill bill;
        sow_i_bill(c, r, &bill);
        json_t *row = json_pack("{s:I,s:s,s:I,s:I,s:I,s:f,s:f}", "round", (json_int_t)k, "strategy", r->strategy, "size", (json_int_t)r->n, "measured",
                                (json_int_t)measured, "failed", (json_int_t)failed, "cost", bill.total, "weeks", bill.weeks);
        if (strcmp(c->config->objective.kind, "hits") == 0 && (c->here->true_hit || c->config->objective.column))
            json_object_set_new(row, "hits_found", json_integer((json_int_t)sow_i_hits_in_round(c, k)));
        json_array_append_new(rounds, row);
    }
    return rounds;
}

json_t *sow_i_spent_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    double cents = 0, weeks = 0;
    for (sow_index k = 0; k < c->n_rounds && c->round[k].planned; k++) {
        sow_bill bill;
        sow_i_bill(c, &c->round[k], &bill);
        for (sow_index i = 0; i < bill.n; i++) {
            json_t *row = sow_i_bill_row_json(&bill.row[i]);
            json_object_set_new(row, "round", json_integer((json_int_t)k));
            json_array_append_new(rows, row);
        }
        cents += round(100 * bill.total);
        weeks = sow_i_weeks_by(c, k);
    }
    json_t *j = json_pack("{s:s,s:o,s:f,s:f}", "currency", c->config->costs.currency, "rows", rows, "total", cents / 100, "weeks", weeks), *budget = sow_i_budget_json(c);
    if (budget) json_object_set_new(j, "budget", budget);
    return j;
}

json_t *sow_i_priors_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    const sow_prior_set *set = c->priors.n_priors ? &c->priors : &c->model_priors;
    for (sow_index i = 0; i < c->config->n_priors; i++) {
        const sow_prior_coverage *v = &c->coverage[i];
        sow_index covered = 0;
        for (sow_index q = 0; q < c->n; q++)
            for (sow_index s = 0; s < c->n_sites; s++)
                covered += c->site[s].in_pool[q] && set->priors[i].has[q];
        json_array_append_new(rows, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s}", "name", v->name ? v->name : "", "kind",
                                              set->priors[i].kind == SOW_PRIOR_SETS ? "gene sets" : "vectors", "rows", (json_int_t)v->rows, "dim",
                                              (json_int_t)v->dim, "covered", (json_int_t)covered, "pool_size", (json_int_t)c->pool_size,
                                              "zero_rows", (json_int_t)v->zero_rows, "missing", v->missing ? v->missing : ""));
    }
    for (sow_index i = c->config->n_priors; i < set->n_priors; i++) /* the simulator's own */
        json_array_append_new(rows, json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:s}", "name", set->priors[i].name ? set->priors[i].name : "simulated",
                                              "kind", "vectors", "rows", (json_int_t)c->n, "dim", (json_int_t)set->priors[i].dim, "covered",
                                              (json_int_t)c->pool_size, "pool_size", (json_int_t)c->pool_size, "zero_rows", (json_int_t)0, "missing", ""));
    return rows;
}

static const char *why_not(const sow_campaign *c, sow_index pair)
{
    return sow_i_site_of_pair(c, pair)->why_not[pair % c->n];
}

static int kept_out(const sow_campaign *c, sow_index pair, const char *why)
{
    return why_not(c, pair) && strcmp(why_not(c, pair), why) == 0;
}

static char *list_names(const sow_campaign *c, const char *why, sow_index *count)
{
    sow_text t = {0};
    *count = 0;
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        if (!kept_out(c, i, why)) continue;
        char *label = ++*count <= 20 ? sow_i_label(c, i) : NULL;
        if (label) sow_text_printf(&t, "%s%s", *count > 1 ? ", " : "", label);
        free(label);
    }
    if (*count > 20) sow_text_printf(&t, " ... and %lld more", (long long)(*count - 20));
    if (!t.text) sow_text_append(&t, "");
    return t.text;
}

static void add_dropped(json_t *rows, const char *what, const char *names, sow_index count)
{
    json_array_append_new(rows, json_pack("{s:s,s:s,s:I}", "what", what, "names", names ? names : "", "count", (json_int_t)count));
}

json_t *sow_i_dropped_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    for (sow_index i = 0; i < c->dropped.n; i++)
        add_dropped(rows, c->dropped.item[i].what, c->dropped.item[i].names, c->dropped.item[i].count);
    for (sow_index i = 0; i < c->n_sites * c->n; i++) { /* once for each distinct reason, at its first bearer */
        int first = why_not(c, i) != NULL;
        for (sow_index p = 0; first && p < i; p++)
            first = !kept_out(c, p, why_not(c, i));
        if (!first) continue;
        sow_index count;
        char *names = list_names(c, why_not(c, i), &count);
        add_dropped(rows, why_not(c, i), names, count);
        free(names);
    }
    return rows;
}
