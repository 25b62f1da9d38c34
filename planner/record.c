/* Results from people. The file is read like a source of the campaign, so the same columns, transforms and checks apply; every problem is
 * found before anything is written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/h5ad.h"
#include "io/table.h"
#include "planner/cells_internal.h"

static int is_h5ad(const char *file)
{
    size_t n = strlen(file);
    return n > 5 && strcmp(file + n - 5, ".h5ad") == 0;
}

/* Names of the file's columns, to see which it spells as the campaign does. */
static sow_status columns_of(sow_names *columns, const char *file, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = NULL;
    sow_h5ad *h = NULL;
    if (is_h5ad(file)) {
        SOW_TRY(sow_h5ad_read(&h, file, 0, err));
        for (sow_index i = 0; i < h->n_obs_columns; i++)
            SOW_TRY(sow_names_add(columns, h->obs[i].name, NULL, err));
    } else {
        SOW_TRY(sow_table_read(&t, file, err));
        for (sow_index i = 0; i < sow_table_n_columns(t); i++)
            SOW_TRY(sow_names_add(columns, sow_table_column_name(t, i), NULL, err));
    }
done:
    sow_h5ad_destroy(h);
    sow_table_destroy(t);
    return st;
}

static const sow_source *target_source(const sow_campaign *c)
{
    for (sow_index i = 0; i < c->config->n_sources; i++)
        if (c->config->sources[i].role == SOW_ROLE_TARGET) return &c->config->sources[i];
    return NULL;
}

/* The target source's description applied to another file; the plain names perturbation, value, cells, context serve where the file lacks the campaign's. `target` [n_sites] is room for names. */
static sow_status describe_file(sow_source *s, sow_readout_spec *readout, const sow_campaign *c, const char *file, const sow_names *columns, const char **target, sow_error *err)
{
    *s = *target_source(c);
    *readout = c->config->readout;
    s->file = file;
    s->role = SOW_ROLE_TARGET;
    s->names_only = 0;
    s->may_be_empty = 1;
    s->duplicates_allowed = 1; /* repeated rows of one perturbation are replicates */
    for (sow_index t = 0; t < c->n_sites; t++) target[t] = sow_i_site_name(c, t);
    s->context = c->n_sites == 1 ? target[0] : NULL; /* rows of other contexts are none of the target's; a file of it alone need not have the column */
    if (c->n_sites > 1 && (!s->context_column || sow_names_find(columns, s->context_column) < 0)) {
        if (sow_names_find(columns, "context") < 0)
            return SOW_ERROR(err, SOW_E_DATA, "%s: this campaign measures in %lld contexts, and the file does not say which row is of which: give it a column '%s'; nothing was recorded", file, (long long)c->n_sites,
                             s->context_column ? s->context_column : "context");
        s->context_column = "context";
    }
    s->n_keep_contexts = s->context_column ? c->n_sites : 0;
    s->keep_contexts = s->context_column ? target : NULL;
    if (sow_names_find(columns, s->perturbation_column) < 0 && sow_names_find(columns, "perturbation") >= 0) s->perturbation_column = "perturbation";
    if (s->cells_column && sow_names_find(columns, s->cells_column) < 0)
        s->cells_column = sow_names_find(columns, "cells") >= 0 ? "cells" : s->cells_column;
    if (readout->column && sow_names_find(columns, readout->column) < 0 && sow_names_find(columns, "value") >= 0) readout->column = "value";
    if (s->dose_column && sow_names_find(columns, s->dose_column) < 0) s->dose_column = NULL; /* names as printed have their doses: AGENT@DOSE */
    if (s->variance_column && sow_names_find(columns, s->variance_column) < 0) s->variance_column = NULL;
    if (s->replicate_column && sow_names_find(columns, s->replicate_column) < 0) s->replicate_column = NULL;
    return SOW_OK;
}

/* Site of each context of the file, by name. */
static sow_status sites_of(sow_index **site, const sow_campaign *c, const sow_screen *s, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*site, sow_names_count(s->contexts));
    for (sow_index k = 0; k < sow_names_count(s->contexts); k++)
        (*site)[k] = sow_i_site_of_context(c, sow_names_find(c->screen->contexts, sow_names_get(s->contexts, k)));
done:
    return st;
}

/* Every perturbation the file names, with or without a readout, spelled as the campaign spells it. */
static sow_status read_names(sow_screen **out, const sow_source *description, const sow_readout_spec *readout, const sow_env *env, sow_error *err)
{
    sow_source names = *description;
    names.names_only = 1;
    return sow_sources_read(out, NULL, &names, 1, readout, env, err);
}

/* Positive controls stand on every order sheet, so results may name them though the campaign does not choose among them. */
static int is_positive_control(const sow_campaign *c, const char *name)
{
    for (sow_index i = 0; i < c->config->constraints.n_controls; i++)
        if (strcmp(c->config->constraints.controls[i], name) == 0) return 1;
    return 0;
}

sow_status sow_i_check_known(const sow_campaign *c, const char *file, const sow_names *names, sow_error *err)
{
    sow_text bad = {0};
    sow_index count = 0;
    for (sow_index i = 0; i < sow_names_count(names); i++) {
        const char *name = sow_names_get(names, i);
        if (sow_names_find(c->screen->perturbations, name) >= 0 || is_positive_control(c, name)) continue;
        const char *near = sow_names_nearest(c->screen->perturbations, name);
        if (count++ < 10) sow_text_printf(&bad, "%s'%s'%s%s%s", count > 1 ? ", " : "", name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    sow_status st = SOW_OK;
    if (count > 0)
        st = SOW_ERROR(err, SOW_E_DATA, "%s: %lld perturbation%s unknown to this campaign: %s%s; nothing was recorded", file, (long long)count,
                       count > 1 ? "s are" : " is", bad.text ? bad.text : "", count > 10 ? ", ..." : "");
    sow_text_clear(&bad);
    return st;
}

static sow_status check_features(const sow_campaign *c, const char *file, const sow_screen *s, sow_index *map, sow_error *err)
{
    for (sow_index j = 0; j < c->d; j++) {
        const char *name = sow_names_get(c->screen->features, j);
        map[j] = c->d == 1 ? 0 : sow_names_find(s->features, name);
        if (map[j] < 0) return SOW_ERROR(err, SOW_E_DATA, "%s: gene '%s' of the campaign's response is missing; nothing was recorded", file, name);
    }
    return SOW_OK;
}

/* A row that counts for nothing is named with its reason: a slip of the pen should not look like a failed experiment. */
void sow_i_warn_of_dropped(const sow_dropped *dropped, const char *control, const sow_env *env)
{
    for (sow_index i = 0; i < dropped->n; i++)
        if (!control || strcmp(dropped->item[i].names, control) != 0)
            sow_log(env, SOW_LOG_WARN, "left out %lld: %s%s%s%s", (long long)dropped->item[i].count, dropped->item[i].what,
                    *dropped->item[i].names ? " (" : "", dropped->item[i].names, *dropped->item[i].names ? ")" : "");
}

typedef struct {
    json_t *results;
    unsigned char *seen; /* [pairs] */
    sow_record_summary *summary;
} collected;

sow_status sow_i_round_of_results(sow_index *round, const sow_campaign *c, const char *file, const sow_screen *named, sow_error *err)
{
    const sow_index first = sow_i_current_round(c), open = sow_campaign_rounds_open(c);
    sow_index found = -1;
    for (sow_index r = first; open > 1 && r < first + open; r++) {
        int named_here = 0;
        for (sow_index i = 0; i < c->round[r].n; i++)
            named_here |= sow_i_is_named(c, named, &c->round[r].pick[i]);
        if (named_here && found >= 0)
            return SOW_ERROR(err, SOW_E_DATA, "%s: has results of round %lld and of round %lld, which both wait; a round is a technical batch of its own: record them as two files; nothing was recorded", file,
                             (long long)found, (long long)r);
        if (named_here) found = r;
    }
    *round = found >= 0 ? found : first;
    return SOW_OK;
}

/* Were these very bytes recorded before? Then *round is theirs. */
static int is_known_file(sow_index *round, const sow_campaign *c, const char *digest)
{
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    for (sow_index i = 0; i < n; i++) {
        if (strcmp(events[i].kind, "measured") != 0) continue;
        json_t *payload = json_loads(events[i].payload, 0, NULL);
        const char *then = json_string_value(json_object_get(payload, "file_sha256"));
        int same = then && strcmp(then, digest) == 0;
        json_decref(payload);
        if (same) *round = events[i].round;
        if (same) return 1;
    }
    return 0;
}

static sow_status collect_measured(collected *out, const sow_campaign *c, sow_index round, const sow_screen *s, const sow_index *map, sow_error *err)
{
    sow_status st = SOW_OK;
    double *values = NULL;
    sow_index *site = NULL;
    SOW_NEW(values, c->d);
    SOW_TRY(sites_of(&site, c, s, err));
    for (sow_index r = 0; r < s->n_rows; r++) {
        const sow_index at = site[s->context[r]];
        sow_index q = sow_names_find(c->screen->perturbations, sow_names_get(s->perturbations, s->perturbation[r]));
        if (q < 0 || at < 0) continue; /* a positive control that is no candidate */
        for (sow_index j = 0; j < c->d; j++)
            values[j] = s->values[r * sow_screen_n_features(s) + map[j]];
        const sow_i_pick *planned = round < c->n_rounds ? sow_i_find_pick(&c->round[round], at, q) : NULL;
        const double wanted = planned ? (double)planned->planned_cells : 0;
        sow_outcome outcome = planned && isfinite(s->cells[r]) && s->cells[r] < wanted ? SOW_PARTIAL : SOW_MEASURED;
        json_array_append_new(out->results, sow_i_result_json(c, at, q, outcome, s->cells[r], s->weight[r], s->hit[r], values,
                                                              c->p ? &s->covariate[r * c->p] : NULL));
        out->seen[sow_i_pair(c, at, q)] = 1;
        out->summary->recorded++;
        out->summary->unplanned += planned == NULL;
    }
done:
    free(values);
    free(site);
    return st;
}

int sow_i_is_named(const sow_campaign *c, const sow_screen *named, const sow_i_pick *pick)
{
    const sow_index q = sow_names_find(named->perturbations, sow_i_name(c, pick->perturbation));
    const sow_index k = sow_names_find(named->contexts, sow_i_site_name(c, pick->site));
    return q >= 0 && (c->n_sites == 1 || (k >= 0 && sow_screen_find(named, q, k) >= 0));
}

/* Planned ones named in the file without a usable readout have failed; those not named at all are still awaited, or failed with --complete.
 * named NULL: a file known already, whose failures were counted then. */
static void collect_failed(collected *out, const sow_campaign *c, sow_index round, const sow_screen *named, int complete)
{
    const sow_i_round *r = &c->round[round];
    for (sow_index i = 0; i < r->n; i++) {
        const sow_i_pick *pick = &r->pick[i];
        if (pick->outcome != SOW_PENDING || out->seen[sow_i_pair(c, pick->site, pick->perturbation)]) continue;
        if (complete || (named && sow_i_is_named(c, named, pick))) {
            json_array_append_new(out->results, sow_i_result_json(c, pick->site, pick->perturbation, SOW_FAILED, 0, 0, 0, NULL, NULL));
            out->summary->failed++;
        } else {
            out->summary->pending++;
        }
    }
}

sow_status sow_campaign_record(sow_campaign *c, const char *file, int complete, sow_record_summary *summary, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *columns = NULL;
    sow_screen *named = NULL, *s = NULL;
    sow_dropped dropped = {0};
    sow_source source;
    sow_readout_spec readout;
    const char **target = NULL;
    char digest[65];
    sow_index *map = NULL, round = sow_i_current_round(c), known = -1;
    collected out = {.summary = summary};
    *summary = (sow_record_summary){0};
    c->env = env;
    if (!sow_file_exists(file)) SOW_FAIL(err, SOW_E_DATA, "%s: no such file", file);
    SOW_TRY(sow_file_sha256(digest, file, err));
    summary->known = is_known_file(&known, c, digest);
    int waits = sow_campaign_rounds_open(c) > 0;
    if (summary->known && (!waits || known < round)) known = round; /* what it was of is done; `complete` is of the round that waits */
    if (summary->known && !waits) goto done;
    if (!waits)
        SOW_FAIL(err, SOW_E_STATE, "%s: no planned round waits for results; %s: sower plan %s", c->dir,
                 round < c->n_rounds ? "plan one first" : "every round is done: add one to rounds.batches and plan it", c->config->path);
    if (!target_source(c)) SOW_FAIL(err, SOW_E_STATE, "%s: a simulated campaign has no results to record; use sower run", c->config->path);
    if (c->cells) {
        st = sow_i_record_cells(c, known, file, digest, complete, summary, env, err);
        goto done;
    }
    SOW_TRY(sow_names_create(&columns, err));
    SOW_TRY(columns_of(columns, file, err));
    SOW_NEW(target, c->n_sites);
    SOW_TRY(describe_file(&source, &readout, c, file, columns, target, err));
    SOW_TRY(read_names(&named, &source, &readout, env, err));
    SOW_TRY(sow_i_check_known(c, file, named->perturbations, err));
    if (summary->known) round = known;
    else SOW_TRY(sow_i_round_of_results(&round, c, file, named, err));
    SOW_TRY(sow_sources_read(&s, &dropped, &source, 1, &readout, env, err));
    SOW_NEW(map, c->d);
    SOW_NEW(out.seen, c->n_sites * c->n);
    SOW_TRY(check_features(c, file, s, map, err));
    out.results = json_array();
    if (!summary->known) SOW_TRY(collect_measured(&out, c, round, s, map, err));
    collect_failed(&out, c, round, summary->known ? NULL : named, complete);
    if (summary->known && json_array_size(out.results) == 0) goto done;
    json_t *results = out.results;
    out.results = NULL;
    SOW_TRY(sow_i_commit(c, "measured", round, json_pack("{s:s,s:s,s:o}", "source", "record", "file_sha256", digest, "results", results), err));
    sow_i_forget_fit(c);
    if (!summary->known) sow_i_warn_of_dropped(&dropped, source.control, env);
    SOW_TRY(sow_i_evaluate_due(c, env, err));
done:
    json_decref(out.results);
    free(out.seen);
    free(target);
    free(map);
    sow_dropped_clear(&dropped);
    sow_screen_destroy(s);
    sow_screen_destroy(named);
    sow_names_destroy(columns);
    return st;
}
