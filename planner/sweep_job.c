/* One job of a sweep: what names it, how it is played, and its result file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "planner/cells_internal.h"
#include "planner/sweep_internal.h"

void sow_i_course_clear(sow_i_course *course)
{
    free(course->measured);
    free(course->cost);
    free(course->weeks);
    free(course->value);
    *course = (sow_i_course){0};
}

/* ---- settings of an arm */

/* `contexts` of an allocation are those of the first target source that has a column of them. */
static char *contexts_setting(const sow_config *base, const char *list)
{
    for (sow_index i = 0; i < base->n_sources; i++)
        if (base->sources[i].role == SOW_ROLE_TARGET && base->sources[i].context_column) return sow_format("data.sources[%lld].contexts%s", (long long)i, list);
    return NULL;
}

static int is_contexts(const char *setting)
{
    return strncmp(setting, "contexts=", 9) == 0;
}

/* Settings as --set takes them. `texts` [arm->n + 1], of which *made (to be freed) are ours. */
static sow_status settings_of(const char **texts, char **seed_text, char **contexts_text, const sow_sweep_config *sweep, const sow_sweep_arm *arm, sow_index seed, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_config *base = NULL;
    for (sow_index k = 0; k < arm->n; k++) {
        texts[k] = arm->setting[k]->text;
        if (!is_contexts(texts[k])) continue;
        SOW_TRY(sow_config_read(&base, NULL, sweep->campaign, NULL, 0, err));
        *contexts_text = contexts_setting(base, texts[k] + 8);
        sow_config_destroy(base);
        base = NULL;
        if (!*contexts_text)
            SOW_FAIL(err, SOW_E_CONFIG, "%s:%ld:%ld: contexts: no target source of %s has a column of contexts to choose from", sweep->path, arm->setting[k]->line, arm->setting[k]->column, sweep->campaign);
        texts[k] = *contexts_text;
    }
    *seed_text = sow_format("seed=%lld", (long long)sweep->seeds[seed]);
    if (!*seed_text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    texts[arm->n] = *seed_text;
done:
    return st;
}

sow_status sow_i_sweep_configure(sow_config **out, char **problems, const sow_sweep_config *sweep, sow_index arm, sow_index seed, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_arm *a = &sweep->arm[arm];
    const char **texts = NULL;
    char *seed_text = NULL, *contexts_text = NULL;
    *out = NULL;
    if (problems) *problems = NULL;
    SOW_NEW(texts, a->n + 1);
    SOW_TRY(settings_of(texts, &seed_text, &contexts_text, sweep, a, seed, err));
    SOW_TRY(sow_config_read(out, problems, sweep->campaign, texts, a->n + 1, err));
done:
    free(texts);
    free(seed_text);
    free(contexts_text);
    return st;
}

/* ---- what names a job */

/* Where files lie says nothing; what is in them is in the digest. */
static void drop_places(json_t *j)
{
    static const char *const places[] = {"file", "names", "list"};
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_array(j)) {
        json_array_foreach(j, i, value) drop_places(value);
        return;
    }
    if (!json_is_object(j)) return;
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        if (json_is_string(json_object_get(j, places[k]))) json_object_del(j, places[k]);
    json_object_foreach(j, key, value) drop_places(value);
}

sow_status sow_i_sweep_identity(json_t **settings, char data[65], const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL, hex[65];
    json_t *j = NULL;
    sow_text digests = {0};
    *settings = NULL;
    SOW_TRY(sow_config_effective(&text, c->config, err));
    j = json_loads(text, 0, NULL);
    if (!j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    json_object_del(j, "name");
    json_object_del(j, "seed");
    json_object_del(json_object_get(j, "design"), "guides"); /* sequences on the order sheet */
    drop_places(j);
    sow_text_printf(&digests, "world %s\n", c->world_digest);
    for (sow_index i = 0; i < c->config->constraints.n_exclude; i++) {
        if (!c->config->constraints.exclude[i].file) continue;
        SOW_TRY(sow_file_sha256(hex, c->config->constraints.exclude[i].file, err));
        sow_text_printf(&digests, "exclude %s\n", hex);
    }
    if (digests.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(data, digests.text, digests.size);
    *settings = j;
    j = NULL;
done:
    json_decref(j);
    free(text);
    sow_text_clear(&digests);
    return st;
}

sow_status sow_i_sweep_key(char key[65], const json_t *settings, const char *data, sow_index seed, sow_error *err)
{
    json_t *j = json_pack("{s:i,s:O,s:s,s:I}", "format", SOW_I_SWEEP_FORMAT, "settings", settings, "data_sha256", data, "seed", (json_int_t)seed);
    char *text = j ? sow_i_json_text(j, 0) : NULL;
    json_decref(j);
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(key, text, strlen(text));
    free(text);
    return SOW_OK;
}

/* ---- the result file */

static json_t *batch_json(const sow_campaign *c, const sow_i_round *r)
{
    json_t *names = json_array();
    for (sow_index i = 0; i < r->n; i++) {
        char *label = sow_i_label(c, sow_i_pair(c, r->pick[i].site, r->pick[i].perturbation));
        json_array_append_new(names, json_string(label ? label : ""));
        free(label);
    }
    return names;
}

/* The campaign's and its model's own numbers; with several target contexts their means. */
static json_t *metrics_json(const sow_campaign *c, const sow_i_round *r)
{
    json_t *out = json_object();
    for (size_t i = 0; i < json_array_size(r->metrics); i++) {
        const json_t *row = json_array_get(r->metrics, i);
        const char *model = json_string_value(json_object_get(row, "model")), *context = json_string_value(json_object_get(row, "context")), *metric = json_string_value(json_object_get(row, "metric"));
        if (!model || !context || !metric) continue;
        if (*model && strcmp(model, c->model_class->name) != 0) continue;
        if (c->n_sites > 1 && strcmp(context, "all") != 0) continue;
        json_object_set(out, metric, json_object_get(row, "value"));
    }
    return out;
}

static json_t *rounds_json(const sow_campaign *c)
{
    json_t *rounds = json_array();
    for (sow_index k = 0; k < c->n_rounds && c->round[k].planned; k++) { /* a budget may have ended it */
        const sow_i_round *r = &c->round[k];
        json_t *metrics = metrics_json(c, r);
        const json_t *first = json_array_get(r->metrics, 0);
        json_array_append_new(rounds, json_pack("{s:I,s:I,s:s,s:o,s:o}", "round", (json_int_t)k, "measured", json_integer_value(json_object_get(first, "measured")), "strategy", r->strategy ? r->strategy : "",
                                                "batch", batch_json(c, r), "metrics", metrics));
    }
    return rounds;
}

/* The bytes of a result without its own digest. */
static sow_status seal(char **out, json_t *j, sow_error *err)
{
    char hex[65], *text = sow_i_json_text(j, 0);
    *out = NULL;
    if (!text) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(hex, text, strlen(text));
    free(text);
    json_object_set_new(j, "sha256", json_string(hex));
    *out = sow_i_json_text(j, 1);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

static char *result_path(const char *dir, const char *key)
{
    return sow_format("%s/jobs/%s.json", dir, key);
}

static sow_status write_result(const sow_campaign *c, json_t *settings, const char *data, const char *dir, const char *key, sow_index seed, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = result_path(dir, key), *text = NULL;
    sow_text file = {0};
    json_t *j = json_pack("{s:i,s:s,s:I,s:O,s:s,s:s,s:s,s:s,s:s,s:I,s:o}", "format", SOW_I_SWEEP_FORMAT, "key", key, "seed", (json_int_t)seed, "settings", settings, "data_sha256", data, "sower", sow_version(), "model",
                          c->model_class->name, "readout", sow_i_readout_word(c), "currency", c->config->costs.currency, "pool_size", (json_int_t)c->pool_size, "rounds", rounds_json(c));
    if (!path || !j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(seal(&text, j, err));
    sow_text_printf(&file, "%s\n", text);
    SOW_TRY(sow_text_save(&file, path, err));
done:
    json_decref(j);
    free(path);
    free(text);
    sow_text_clear(&file);
    return st;
}

static sow_status play_rounds(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_campaign_next next = sow_campaign_next_step(c); next != SOW_NEXT_NOTHING; next = sow_campaign_next_step(c)) {
        SOW_TRY(sow_progress(env, "job", 0, err));
        if (next == SOW_NEXT_PLAN) SOW_TRY(sow_campaign_plan(c, env, err));
        else SOW_TRY(sow_campaign_measure(c, env, err));
    }
done:
    return st;
}

static sow_status check_key(const sow_sweep_config *sweep, const char *key, const json_t *settings, const char *data, sow_index seed, sow_error *err)
{
    char now[65];
    sow_status st = sow_i_sweep_key(now, settings, data, seed, err);
    if (st == SOW_OK && strcmp(now, key) != 0)
        st = SOW_ERROR(err, SOW_E_DATA, "%s or its data changed while the sweep was running (job %.12s is %.12s now); run the sweep again", sweep->campaign, key, now);
    return st;
}

/* A scratch folder that cannot be gone on with (its store is damaged, or of other settings) is begun anew: all that is lost is this job's work. */
static sow_status open_scratch(sow_campaign **out, const sow_config *config, const char *scratch, const char *cache, sow_cell_counts *counts, const sow_env *env, sow_error *err)
{
    const sow_campaign_options options = {.dir = scratch, .mode = SOW_CAMPAIGN_WRITE, .cache = cache, .counts = counts, .argv = "", .lean = 1};
    const int begun = sow_file_exists(scratch);
    sow_status st = sow_make_directories(scratch, err);
    if (st == SOW_OK) st = sow_campaign_open(out, config, &options, env, err);
    if (!begun || (st != SOW_E_DATA && st != SOW_E_CONFIG)) return st;
    st = sow_remove_folder(scratch, err);
    if (st == SOW_OK) st = sow_make_directories(scratch, err);
    return st == SOW_OK ? sow_campaign_open(out, config, &options, env, err) : st;
}

sow_status sow_i_sweep_play(const sow_sweep_config *sweep, const char *dir, const char *cache, sow_cell_counts *counts, sow_index arm, sow_index seed, const char *key, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_config *config = NULL;
    sow_campaign *c = NULL;
    json_t *settings = NULL;
    char data[65], *scratch = sow_format("%s/scratch/%s", dir, key);
    if (!scratch) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_sweep_configure(&config, NULL, sweep, arm, seed, err));
    SOW_TRY(open_scratch(&c, config, scratch, cache, counts, env, err));
    SOW_TRY(sow_i_sweep_identity(&settings, data, c, err));
    SOW_TRY(check_key(sweep, key, settings, data, sweep->seeds[seed], err));
    SOW_TRY(play_rounds(c, env, err));
    SOW_TRY(write_result(c, settings, data, dir, key, sweep->seeds[seed], err));
    /* removed while it is still held, so that nobody takes it up half removed */
    SOW_TRY(sow_remove_folder(scratch, err));
done:
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    json_decref(settings);
    free(scratch);
    return st;
}

/* ---- reading it back */

static double number_in(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

/* Is the file the result of this job, and whole? NULL, or what is wrong with it. */
static const char *what_is_wrong(json_t *j, const char *key)
{
    char hex[65];
    if (!json_is_object(j)) return "is damaged (no JSON)";
    if (json_integer_value(json_object_get(j, "format")) != SOW_I_SWEEP_FORMAT) return "was written by another version of sower";
    json_t *sum = json_incref(json_object_get(j, "sha256"));
    json_object_del(j, "sha256");
    char *text = sow_i_json_text(j, 0);
    sow_sha256(hex, text ? text : "", text ? strlen(text) : 0);
    free(text);
    const int whole = json_is_string(sum) && strcmp(json_string_value(sum), hex) == 0;
    json_decref(sum);
    if (!whole) return "is damaged (its content is not what was written)";
    const char *its = json_string_value(json_object_get(j, "key"));
    return its && strcmp(its, key) == 0 ? NULL : "is the result of another job";
}

static sow_status read_course(sow_i_course *x, const sow_i_sweep *s, const json_t *j, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *rounds = json_object_get(j, "rounds");
    const sow_index n = (sow_index)json_array_size(rounds);
    SOW_NEW(x->measured, n);
    SOW_NEW(x->cost, n);
    SOW_NEW(x->weeks, n);
    SOW_NEW(x->value, n * s->n_metrics);
    x->n = n;
    x->pool_size = (sow_index)json_integer_value(json_object_get(j, "pool_size"));
    for (sow_index r = 0; r < n; r++) {
        const json_t *row = json_array_get(rounds, (size_t)r), *metrics = json_object_get(row, "metrics");
        x->measured[r] = number_in(row, "measured");
        x->cost[r] = number_in(metrics, "cost");
        x->weeks[r] = number_in(metrics, "weeks");
        for (sow_index m = 0; m < s->n_metrics; m++)
            x->value[r * s->n_metrics + m] = number_in(metrics, s->metric[m]->name);
    }
done:
    return st;
}

sow_status sow_i_sweep_find_result(const sow_i_sweep *s, sow_i_sweep_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = result_path(s->dir, job->key);
    json_t *j = NULL;
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (job->state == SOW_JOB_DONE || !sow_file_exists(path)) goto done;
    j = json_load_file(path, 0, NULL);
    const char *wrong = what_is_wrong(j, job->key);
    if (wrong) {
        sow_log(s->env, SOW_LOG_WARN, "%s %s: %s, seed %lld is played again", path, wrong, s->config->arm[job->arm].name, (long long)s->config->seeds[job->seed]);
        goto done;
    }
    sow_i_course_clear(&job->course);
    SOW_TRY(read_course(&job->course, s, j, err));
    job->state = SOW_JOB_DONE;
done:
    json_decref(j);
    free(path);
    return st;
}
