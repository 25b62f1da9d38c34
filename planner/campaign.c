/* Opening, closing and walking a campaign. */
#include "planner/campaign.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "io/report.h"
#include "planner/cells_internal.h"

static void campaign_free(sow_campaign *c)
{
    if (!c) return;
    sow_i_forget_fit(c);
    sow_i_state_clear(c);
    sow_i_setup_clear(c);
    free(c->dir);
    free(c->argv);
    free(c->cache);
    free(c);
}

void sow_campaign_abandon(sow_campaign *c)
{
    if (c) sow_store_abandon(c->store);
    campaign_free(c);
}

sow_status sow_campaign_close(sow_campaign *c, sow_error *err)
{
    if (!c) return SOW_OK;
    sow_status st = c->store ? sow_store_close(c->store, err) : SOW_OK;
    campaign_free(c);
    return st;
}

/* What made the past of a campaign: these parts of the configuration may not change under it. The rest may: later rounds just use it. */
static const char *const fixed_parts[] = {"seed", "data", "readout", "features", "priors", "objective", "oracle"};

/* Where a file lies may change when a campaign moves; what is in it is compared by its SHA-256. */
static int is_place_of_file(const char *key)
{
    return strcmp(key, "file") == 0 || strcmp(key, "names") == 0 || strcmp(key, "list") == 0;
}

typedef struct {
    char key[160]; /* "objective.top" */
    const json_t *then, *now;
} difference;

/* The first setting that differs at or below d->key, left in d; 0 when none does. */
static int find_difference(difference *d, const json_t *then, const json_t *now)
{
    size_t length = strlen(d->key);
    const char *name;
    json_t *old;
    if (json_is_object(then) && json_is_object(now)) {
        json_object_foreach((json_t *)(uintptr_t)then, name, old) {
            snprintf(d->key + length, sizeof d->key - length, ".%s", name);
            if (!is_place_of_file(name) && find_difference(d, old, json_object_get(now, name))) return 1;
        }
    } else if (json_is_array(then) && json_is_array(now) && json_array_size(then) == json_array_size(now)) {
        for (size_t i = 0; i < json_array_size(then); i++) {
            snprintf(d->key + length, sizeof d->key - length, "[%zu]", i);
            if (find_difference(d, json_array_get(then, i), json_array_get(now, i))) return 1;
        }
    } else if (!json_equal(then, now)) {
        d->then = then;
        d->now = now;
        return 1;
    }
    d->key[length] = 0;
    return 0;
}

/* As a person writes it: no 0.10000000000000001. */
static char *setting_text(const json_t *value)
{
    if (!value || json_is_null(value)) return sow_strdup("not given");
    return json_is_real(value) ? sow_format("%.10g", json_real_value(value)) : sow_i_json_text(value, 0);
}

/* Of `features`, what decides which cells there are. The rest is asked of the first cells, and may be put right as long as no space is fitted. */
static const char *const cell_filters[] = {"min_genes_per_cell", "min_cells_per_perturbation", "max_cells_per_perturbation"};

/* What `features` must still be: as the space was fitted with, if it is. New reference. */
static json_t *features_then(const sow_campaign *c, const json_t *created, const json_t *now)
{
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    json_t *then = json_deep_copy(now);
    for (size_t i = 0; i < sizeof cell_filters / sizeof *cell_filters && json_is_object(created) && json_is_object(then); i++)
        json_object_set(then, cell_filters[i], json_object_get(created, cell_filters[i]));
    for (sow_index i = 0; i < n; i++) {
        if (strcmp(events[i].kind, "prepared") != 0) continue;
        json_t *payload = json_loads(events[i].payload, 0, NULL), *fitted = json_object_get(payload, "features");
        json_decref(then);
        then = json_incref(fitted ? fitted : (json_t *)(uintptr_t)created);
        json_decref(payload);
    }
    return then;
}

static sow_status check_same_settings(const sow_campaign *c, const json_t *created, const char *effective, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *text = json_string_value(json_object_get(created, "effective"));
    json_t *then = json_loads(text ? text : "{}", 0, NULL), *now = json_loads(effective, 0, NULL);
    if (c->cells && json_is_object(json_object_get(then, "features")))
        json_object_set_new(then, "features", features_then(c, json_object_get(then, "features"), json_object_get(now, "features")));
    for (size_t i = 0; i < sizeof fixed_parts / sizeof *fixed_parts && st == SOW_OK; i++) {
        difference d = {0};
        snprintf(d.key, sizeof d.key, "%s", fixed_parts[i]);
        if (!find_difference(&d, json_object_get(then, fixed_parts[i]), json_object_get(now, fixed_parts[i]))) continue;
        char *a = setting_text(d.then), *b = setting_text(d.now);
        st = SOW_ERROR(err, SOW_E_CONFIG,
                       "%s: '%s' differs from what the campaign in %s was started with (then %.120s, now %.120s); restore it, or start another "
                       "campaign with --out FOLDER",
                       c->config->path, d.key, c->dir, a ? a : "?", b ? b : "?");
        free(a);
        free(b);
    }
    json_decref(then);
    json_decref(now);
    return st;
}

static sow_status check_same_data(const sow_campaign *c, const json_t *created, sow_error *err)
{
    const char *then = json_string_value(json_object_get(created, "data_sha256"));
    sow_status st = SOW_OK;
    if (then && strcmp(then, c->world_digest) != 0)
        st = SOW_ERROR(err, SOW_E_DATA,
                       "%s: the data files have changed since the campaign in %s was started (their SHA-256 differs); restore them, or start "
                       "another campaign with --out FOLDER",
                       c->config->path, c->dir);
    return st;
}

static sow_status open_store(sow_campaign *c, sow_error *err)
{
    if (c->mode == SOW_CAMPAIGN_CHECK) return SOW_OK;
    return sow_store_open(&c->store, c->dir, c->mode == SOW_CAMPAIGN_READ ? SOW_STORE_READ : SOW_STORE_CREATE, err);
}

/* Settings and data that made a campaign's past must be those of today; asked before its events are read with today's data. */
static sow_status check_same_past(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *effective = NULL;
    json_t *created = NULL;
    sow_index n = 0;
    const sow_event *events = c->store ? sow_store_events(c->store, &n) : NULL;
    if (n == 0) return SOW_OK;
    created = json_loads(events[0].payload, 0, NULL);
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    SOW_TRY(check_same_settings(c, created, effective, err));
    SOW_TRY(check_same_data(c, created, err));
done:
    json_decref(created);
    free(effective);
    return st;
}

static json_t *held_out_json(const sow_campaign *c)
{
    json_t *names = json_array();
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        if (!sow_i_site_of_pair(c, i)->held_out[i % c->n]) continue;
        char *label = sow_i_label(c, i);
        json_array_append_new(names, json_string(label ? label : ""));
        free(label);
    }
    return names;
}

/* Who was held out when the campaign began; asked before its pool is built. */
static sow_status recall_held_out(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_store *past = NULL;
    json_t *created = NULL;
    sow_index n = 0;
    if (c->mode == SOW_CAMPAIGN_CHECK) return SOW_OK;
    if (!c->store) st = sow_store_open(&past, c->dir, SOW_STORE_READ, err);
    if (st == SOW_E_STATE) st = SOW_OK; /* no campaign yet, or one that was killed before its first event */
    if (st != SOW_OK || (!c->store && !past)) goto done;
    const sow_event *events = sow_store_events(past ? past : c->store, &n);
    created = n > 0 ? json_loads(events[0].payload, 0, NULL) : NULL;
    const json_t *names = json_object_get(created, "held_out");
    if (!names) goto done;
    SOW_TRY(sow_names_create(&c->held_before, err));
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name) SOW_TRY(sow_names_add(c->held_before, name, NULL, err));
    }
done:
    json_decref(created);
    sow_store_abandon(past);
    return st;
}

static sow_status begin(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *effective = NULL;
    sow_index n = 0;
    if (!c->store) return SOW_OK;
    sow_store_events(c->store, &n);
    if (n == 0 && c->mode == SOW_CAMPAIGN_WRITE) {
        SOW_TRY(sow_config_effective(&effective, c->config, err));
        json_t *j = json_pack("{s:s,s:s,s:o,s:s,s:s,s:s}", "effective", effective, "data_sha256", c->world_digest, "held_out",
                              held_out_json(c), "version", sow_version(), "git", sow_git_hash(), "command", c->argv ? c->argv : "");
        SOW_TRY(sow_i_commit(c, "created", -1, j, err));
    }
done:
    free(effective);
    return st;
}

static char *default_dir(const sow_config *config)
{
    char *base = sow_format("%s.sower", config->name);
    char *dir = base ? sow_path_join(config->folder, base) : NULL;
    free(base);
    return dir;
}

sow_status sow_i_evaluate_due(sow_campaign *c, const sow_env *env, sow_error *err)
{
    for (sow_index r = sow_i_current_round(c); r < c->n_rounds && sow_i_round_measured(&c->round[r]); r++) {
        const sow_status st = sow_i_evaluate_round(c, r, env, err);
        if (st != SOW_OK) return st;
    }
    return SOW_OK;
}

sow_status sow_campaign_open(sow_campaign **out, const sow_config *config, const sow_campaign_options *options, const sow_env *env,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = NULL;
    *out = NULL;
    SOW_NEW(c, 1);
    c->config = config;
    c->mode = options->mode;
    c->lean = options->lean;
    c->counts = options->counts;
    c->dir = options->dir ? sow_strdup(options->dir) : default_dir(config);
    c->argv = sow_strdup(options->argv ? options->argv : "");
    c->cache = options->cache ? sow_strdup(options->cache) : sow_path_join(config->folder, "sower-cache");
    c->env = env;
    if (!c->dir || !c->argv || !c->cache) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (c->mode == SOW_CAMPAIGN_READ) SOW_TRY(open_store(c, err)); /* before the work of loading: the answer may be "no campaign there" */
    SOW_TRY(recall_held_out(c, err));
    SOW_TRY(sow_i_setup(c, env, err));
    if (c->mode == SOW_CAMPAIGN_WRITE) SOW_TRY(open_store(c, err));
    SOW_TRY(check_same_past(c, err));
    SOW_TRY(sow_i_state_load(c, err));
    SOW_TRY(begin(c, err));
    if (c->mode == SOW_CAMPAIGN_WRITE) {
        sow_i_remove_leftovers(c);
        SOW_TRY(sow_i_write_all(c, err)); /* a kill may have come between an event and its files, or its evaluation */
        SOW_TRY(sow_i_freeze_if_due(c, err));
        SOW_TRY(sow_i_evaluate_due(c, env, err)); /* a kill came right after the last result of a round */
    }
    *out = c;
    c = NULL;
done:
    sow_campaign_abandon(c);
    return st;
}

sow_status sow_i_reload(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_forget_fit(c);
    sow_i_state_clear(c);
    sow_i_setup_clear(c);
    *c = (sow_campaign){.config = c->config, .mode = c->mode, .lean = c->lean, .counts = c->counts, .dir = c->dir, .argv = c->argv, .cache = c->cache, .env = env, .store = c->store};
    SOW_TRY(recall_held_out(c, err));
    SOW_TRY(sow_i_setup(c, env, err));
    SOW_TRY(sow_i_state_load(c, err));
done:
    return st;
}

sow_campaign_next sow_campaign_next_step(const sow_campaign *c)
{
    const sow_index next = sow_i_next_round(c), open = sow_campaign_rounds_open(c);
    if (next < c->n_rounds && open <= sow_rounds_overlapping(&c->config->costs) && sow_i_batch_size(c, next) > 0) return SOW_NEXT_PLAN;
    return open > 0 ? SOW_NEXT_MEASURE : SOW_NEXT_NOTHING;
}

sow_index sow_campaign_rounds_open(const sow_campaign *c)
{
    return sow_i_next_round(c) - sow_i_current_round(c);
}

int sow_campaign_needs_people(const sow_campaign *c)
{
    return c->oracle->class_->needs_people;
}

int sow_campaign_records_cells(const sow_campaign *c)
{
    return c->cells != NULL;
}

const char *sow_campaign_dir(const sow_campaign *c)
{
    return c->dir;
}

/* With several target contexts, the mean over them. */
static double metric_of(const sow_campaign *c, const sow_i_round *r, const char *model, const char *metric)
{
    for (size_t i = 0; i < json_array_size(r->metrics); i++) {
        const json_t *row = json_array_get(r->metrics, i);
        const char *m = json_string_value(json_object_get(row, "model")), *k = json_string_value(json_object_get(row, "metric")), *context = json_string_value(json_object_get(row, "context"));
        if (c->n_sites > 1 && context && strcmp(context, "all") != 0) continue;
        const json_t *value = json_object_get(row, "value");
        if (m && k && strcmp(m, model) == 0 && strcmp(k, metric) == 0 && json_is_number(value)) return json_number_value(value);
    }
    return NAN;
}

/* One line a round for people who watch. */
static void say_round(const sow_campaign *c, sow_index round, const sow_env *env)
{
    const sow_i_round *r = &c->round[round];
    sow_text line = {0};
    sow_text_printf(&line, "round %lld of %lld: %lld by %s", (long long)round, (long long)(c->n_rounds - 1), (long long)r->n, r->strategy);
    double fit = metric_of(c, r, c->model_class->name, c->d == 1 ? "spearman" : c->cells ? "mmd_de" : "pearson_delta_all");
    double control = c->cells ? metric_of(c, r, "control", "mmd_de") : (double)NAN;
    double hits = metric_of(c, r, "", "hits_found");
    if (isfinite(fit)) sow_text_printf(&line, ", held-out %s %.3f", c->d == 1 ? "Spearman" : c->cells ? "MMD on changed genes" : "Pearson delta", fit);
    if (isfinite(control)) sow_text_printf(&line, " (no change: %.3f)", control);
    if (isfinite(hits) && c->here->true_hit) sow_text_printf(&line, ", %.0f of %lld hits found", hits, (long long)c->n_hits);
    else if (isfinite(hits)) sow_text_printf(&line, ", %.0f hits found", hits);
    if (!line.failed) sow_log(env, SOW_LOG_INFO, "%s", line.text);
    sow_text_clear(&line);
}

sow_status sow_campaign_run(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    c->env = env;
    for (;;) {
        sow_campaign_next next = sow_campaign_next_step(c);
        if (next == SOW_NEXT_NOTHING) break;
        sow_index round = sow_i_current_round(c);
        SOW_TRY(sow_progress(env, "round", (double)round / (double)c->n_rounds, err));
        if (next == SOW_NEXT_PLAN) SOW_TRY(sow_campaign_plan(c, env, err));
        else if (sow_campaign_needs_people(c)) break;
        else SOW_TRY(sow_campaign_measure(c, env, err));
        if (c->round[round].evaluated) say_round(c, round, env);
    }
    SOW_TRY(sow_campaign_report(c, env, err));
done:
    return st;
}

sow_status sow_campaign_report(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    char *json = NULL, *path = sow_path_join(c->dir, "report.html");
    c->env = env;
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_report_json(&json, c, err));
    SOW_TRY(sow_report_write(path, json, err));
done:
    free(json);
    free(path);
    return st;
}
