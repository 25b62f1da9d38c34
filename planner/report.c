/* The document the report is made of (io/report.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/pca.h"
#include "core/version.h"
#include "planner/cells_internal.h"

static json_t *metrics_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    for (sow_index k = 0; k < c->n_rounds; k++)
        if (c->round[k].metrics) json_array_extend(rows, c->round[k].metrics);
    return rows;
}

static json_t *constraints_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    const sow_config *k = c->config;
    for (sow_index i = 0; i < k->constraints.n_include; i++) {
        sow_index q = sow_names_find(c->screen->perturbations, k->constraints.include[i]);
        int done = 0;
        for (sow_index s = 0; s < c->n_sites; s++)
            done |= c->site[s].item[q].status != SOW_FREE;
        json_array_append_new(rows, json_pack("{s:s+,s:s}", "rule", "include ", k->constraints.include[i], "state", done ? "chosen" : "not yet"));
    }
    for (sow_index i = 0; i < k->constraints.n_exclude; i++) {
        const sow_config_exclude *x = &k->constraints.exclude[i];
        char *rule = x->n_names == 0 && x->file ? sow_format("exclude the names of %s", x->file)
                                                : sow_format("exclude %lld name%s%s%s", (long long)x->n_names, x->n_names == 1 ? "" : "s",
                                                             x->file ? " and those of " : "", x->file ? x->file : "");
        json_array_append_new(rows, json_pack("{s:s,s:s}", "rule", rule ? rule : "exclude", "state", x->reason ? x->reason : "no reason given"));
        free(rule);
    }
    for (sow_index i = 0; i < k->constraints.n_quota; i++) {
        const sow_config_quota *q = &k->constraints.quota[i];
        char *rule = sow_i_quota_label(q);
        json_array_append_new(rows, json_pack("{s:s,s:s}", "rule", rule ? rule : "quota", "state",
                                              strcmp(q->per, "campaign") == 0 ? "kept over the campaign" : "kept in every batch"));
        free(rule);
    }
    if (k->constraints.require_prior)
        json_array_append_new(rows, json_pack("{s:s,s:s}", "rule", "only perturbations with a prior row", "state", "kept in every batch"));
    for (sow_index i = 0; i < k->constraints.n_controls; i++)
        json_array_append_new(rows, json_pack("{s:s+,s:s}", "rule", "positive control ", k->constraints.controls[i], "state", "on every order sheet"));
    return rows;
}

/* ---- hits ---- */

static char *hit_definition(const sow_campaign *c)
{
    const sow_config *k = c->config;
    const char *direction = k->objective.direction;
    if (!k->objective.column)
        return sow_format("top %.3g %% of the pool, %s", 100 * k->objective.top,
                          strcmp(direction, "both") == 0  ? "values farthest from 0 either way"
                          : strcmp(direction, "low") == 0 ? "low values"
                                                          : "high values");
    const char *other = k->objective.or_column;
    return sow_format("%s%s%s %s %g", k->objective.column, other ? " or " : "", other ? other : "",
                      isfinite(k->objective.below) ? "below" : "above",
                      isfinite(k->objective.below) ? k->objective.below : k->objective.above);
}

static void put_hits(json_t *out, const sow_campaign *c)
{
    if (strcmp(c->config->objective.kind, "hits") != 0 || !(c->here->true_hit || c->config->objective.column)) return;
    json_t *found = json_array(), *list = json_array();
    sow_index measured = 0, hits = 0;
    for (sow_index r = 0; r < c->n_rounds && c->round[r].planned; r++) {
        for (sow_index i = 0; i < c->n_sites * c->n; i++)
            measured += sow_i_site_of_pair(c, i)->in_pool[i % c->n] && sow_i_item_of_pair(c, i)->values && sow_i_item_of_pair(c, i)->round == r;
        hits += sow_i_hits_in_round(c, r);
        if (sow_i_round_measured(&c->round[r]))
            json_array_append_new(found, json_pack("{s:I,s:I,s:I,s:f}", "round", (json_int_t)r, "measured", (json_int_t)measured, "found",
                                                   (json_int_t)hits, "chance", (double)measured / (double)c->pool_size));
        for (sow_index i = 0; i < c->n_sites * c->n; i++) {
            const sow_i_item *item = sow_i_item_of_pair(c, i);
            if (item->round != r || !sow_i_is_found_hit(c, i)) continue;
            char *label = sow_i_label(c, i);
            json_array_append_new(list, json_pack("{s:s,s:I,s:o}", "perturbation", label ? label : "", "round", (json_int_t)r, "value", sow_i_real_or_null(c->d == 1 ? item->values[0] : NAN)));
            free(label);
        }
    }
    char *definition = hit_definition(c);
    json_t *h = json_pack("{s:s,s:I,s:o,s:o}", "definition", definition ? definition : "", "pool_size", (json_int_t)c->pool_size, "found", found,
                          "list", list);
    if (c->here->true_hit) json_object_set_new(h, "total", json_integer((json_int_t)c->n_hits));
    json_object_set_new(out, "hits", h);
    free(definition);
}

/* ---- where the picks lie ---- */

static const char *point_status(const sow_campaign *c, sow_index q)
{
    if (c->here->held_out[q]) return "held out";
    switch (c->here->item[q].status) {
    case SOW_DONE:
    case SOW_DONE_PARTIAL: return "measured";
    case SOW_PLANNED: return "planned";
    default: return c->here->in_pool[q] ? "free" : "excluded";
    }
}

static const sow_i_pick *pick_of(const sow_campaign *c, sow_index q, sow_index *round)
{
    for (sow_index r = c->n_rounds - 1; r >= 0; r--) {
        const sow_i_pick *pick = sow_i_find_pick(&c->round[r], c->here - c->site, q);
        *round = r;
        if (pick) return pick;
    }
    return NULL;
}

static json_t *point_json(const sow_campaign *c, sow_index q, double x, double y)
{
    const sow_index pair = sow_i_pair(c, c->here - c->site, q);
    char *label = sow_i_label(c, pair);
    json_t *p = json_pack("{s:f,s:f,s:s,s:s}", "x", x, "y", y, "perturbation", label ? label : "", "status", point_status(c, q));
    free(label);
    sow_index round = -1;
    const sow_i_pick *pick = pick_of(c, q, &round);
    if (pick) {
        json_object_set_new(p, "round", json_integer((json_int_t)round));
        json_object_set_new(p, "score", sow_i_real_or_null(pick->score));
        json_object_set_new(p, "reason", json_string(pick->reason));
    }
    if (c->here->item[q].values && c->d == 1) json_object_set_new(p, "value", sow_i_real_or_null(c->here->item[q].values[0]));
    if (strcmp(c->config->objective.kind, "hits") == 0 && sow_i_is_found_hit(c, pair)) json_object_set_new(p, "hit", json_true());
    return p;
}

/* A table prior of two columns is a layout people know; else the first two principal components of the fused priors. */
static sow_status map_coordinates(double *xy, const char **x_label, const char **y_label, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior_set *set = &c->model_priors;
    sow_pca pca = {0};
    for (sow_index i = 0; i < set->n_priors; i++) {
        const sow_prior *p = &set->priors[i];
        if (p->kind != SOW_PRIOR_DENSE || p->dim != 2) continue;
        memcpy(xy, p->x, (size_t)(2 * c->n) * sizeof *xy);
        *x_label = p->columns && sow_names_count(p->columns) == 2 ? sow_names_get(p->columns, 0) : "prior, dimension 1";
        *y_label = p->columns && sow_names_count(p->columns) == 2 ? sow_names_get(p->columns, 1) : "prior, dimension 2";
        return SOW_OK;
    }
    *x_label = "priors, first component";
    *y_label = "priors, second component";
    SOW_TRY(sow_pca_fit(&pca, set->fused, c->n, set->fused_dim, c->here->in_pool, 2, NULL, err));
    double *z = NULL;
    SOW_NEW(z, c->n * (pca.n_components > 0 ? pca.n_components : 1));
    st = sow_pca_transform(&pca, set->fused, c->n, set->has_any, z, NULL, err);
    for (sow_index q = 0; st == SOW_OK && q < c->n; q++)
        for (sow_index j = 0; j < 2; j++)
            xy[2 * q + j] = j < pca.n_components ? z[q * pca.n_components + j] : 0;
    free(z);
done:
    sow_pca_clear(&pca);
    return st;
}

static int on_map(const sow_campaign *c, sow_index q)
{
    const sow_prior_set *set = &c->model_priors;
    for (sow_index i = 0; i < set->n_priors; i++)
        if (set->priors[i].kind == SOW_PRIOR_DENSE && set->priors[i].dim == 2) return set->priors[i].has[q];
    return set->has_any[q];
}

/* The sites side by side, each with a map of its own: in a plane they would lie on each other. */
static void put_points(json_t *points, const sow_campaign *c, const double *xy, sow_index site)
{
    double low = 0, high = 0;
    int any = 0;
    for (sow_index q = 0; q < c->n; q++) {
        if (!on_map(c, q)) continue;
        low = any ? fmin(low, xy[2 * q]) : xy[2 * q];
        high = any ? fmax(high, xy[2 * q]) : xy[2 * q];
        any = 1;
    }
    const double shift = (double)site * 1.15 * (high > low ? high - low : 1);
    for (sow_index q = 0; q < c->n; q++)
        if ((c->here->in_pool[q] || c->here->held_out[q]) && on_map(c, q)) json_array_append_new(points, point_json(c, q, xy[2 * q] + shift, xy[2 * q + 1]));
}

static char *names_of_targets(const sow_campaign *c)
{
    sow_text t = {0};
    for (sow_index s = 0; s < c->n_sites; s++)
        sow_text_printf(&t, "%s%s", s ? ", " : "", sow_i_site_name(c, s));
    return t.text;
}

static sow_status put_map(json_t *out, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *xy = NULL;
    const char *x_label = "", *y_label = "";
    char *targets = NULL, *label = NULL;
    if (c->model_priors.fused_dim == 0) return SOW_OK;
    targets = names_of_targets(c);
    SOW_NEW(xy, 2 * c->n);
    SOW_TRY(map_coordinates(xy, &x_label, &y_label, c, err));
    json_t *points = json_array();
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        put_points(points, c, xy, s);
    }
    sow_i_go(c, 0);
    label = c->n_sites > 1 && targets ? sow_format("%s; from left to right: %s", x_label, targets) : NULL;
    json_object_set_new(out, "map", json_pack("{s:s,s:s,s:o}", "x_label", label ? label : x_label, "y_label", y_label, "points", points));
done:
    free(label);
    free(targets);
    free(xy);
    return st;
}

/* ---- provenance ---- */

static void add_fact(json_t *rows, const char *key, const char *value, int varies)
{
    json_t *row = json_pack("{s:s,s:s}", "key", key, "value", value ? value : "");
    if (varies) json_object_set_new(row, "varies", json_true());
    json_array_append_new(rows, row);
}

static json_t *provenance_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    char seed[32];
    sow_index n = 0;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->config->seed);
    add_fact(rows, "sower", sow_version(), 0);
    add_fact(rows, "built from commit", sow_git_hash(), 0);
    add_fact(rows, "seed", seed, 0);
    add_fact(rows, "SHA-256 of the data files", c->world_digest, 0);
    add_fact(rows, "model", c->model_class->name, 0);
    add_fact(rows, "strategy", c->strategy->name, 0);
    add_fact(rows, "campaign file", c->config->path, 1);
    add_fact(rows, "campaign folder", c->dir, 1);
    if (!c->store) return rows;
    const sow_event *events = sow_store_events(c->store, &n);
    add_fact(rows, "hash of the last event", sow_store_head(c->store), 1);
    if (n > 0) add_fact(rows, "started", events[0].time, 1);
    if (n > 0) add_fact(rows, "last event", events[n - 1].time, 1);
    add_fact(rows, "command", c->argv, 1);
    return rows;
}

static json_t *held_json(const sow_campaign *c)
{
    sow_text all = {0};
    for (sow_index i = 0, k = 0; i < c->n_sites * c->n; i++) {
        if (!sow_i_site_of_pair(c, i)->held_out[i % c->n]) continue;
        char *label = sow_i_label(c, i);
        if (label) sow_text_printf(&all, "%s%s", k++ ? ", " : "", label);
        free(label);
    }
    json_t *j = json_pack("{s:I,s:s}", "count", (json_int_t)c->n_held_out, "names", all.text ? all.text : "");
    sow_text_clear(&all);
    return j;
}

static json_t *last_learned(const sow_campaign *c)
{
    for (sow_index r = c->n_rounds - 1; r >= 0; r--)
        if (c->round[r].learned) return json_incref(c->round[r].learned);
    return json_array();
}

/* Of the last round that was evaluated. */
static void put_training(json_t *j, const sow_campaign *c)
{
    for (sow_index r = c->n_rounds - 1; r >= 0; r--) {
        if (!c->round[r].evaluated) continue;
        if (c->round[r].training) json_object_set_new(j, "training", json_pack("{s:I,s:O}", "round", (json_int_t)r, "members", c->round[r].training));
        return;
    }
}

sow_status sow_i_report_json(char **out, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *targets = names_of_targets(c), *by = sow_format("sower %s", sow_version());
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "name", c->config->name, "generated_by", by ? by : "sower", "model",
                          c->model_class->name, "readout", sow_i_readout_word(c), "objective", c->config->objective.kind, "context", targets ? targets : "", "state",
                          sow_i_state_word(c));
    *out = NULL;
    if (!j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing the report");
    sow_i_put_next(j, c);
    json_object_set_new(j, "rounds", sow_i_rounds_json(c));
    json_object_set_new(j, "metrics", metrics_json(c));
    SOW_TRY(put_map(j, c, err));
    put_hits(j, c);
    SOW_TRY(sow_i_put_cells(j, c, err));
    json_object_set_new(j, "bill", sow_i_spent_json(c));
    json_object_set_new(j, "priors", sow_i_priors_json(c));
    json_object_set_new(j, "dropped", sow_i_dropped_json(c));
    json_object_set_new(j, "constraints", constraints_json(c));
    json_object_set_new(j, "learned", last_learned(c));
    put_training(j, c);
    json_object_set_new(j, "held_out", held_json(c));
    json_object_set_new(j, "provenance", provenance_json(c));
    *out = sow_i_json_text(j, 0);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing the report");
done:
    free(by);
    free(targets);
    json_decref(j);
    return st;
}
