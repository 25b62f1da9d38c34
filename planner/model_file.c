/* Fitted models kept beside their round: rounds/NN/model.h5, and model.part.h5 while a training is under way.
 *
 * Events are the truth: a model is a function of settings, data and what was measured. A digest of these is kept in the file; where it does not match, or the file is
 * damaged or gone, the model is trained again, to the same numbers, and what differs is named (model_origin.c). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/archive_file.h"
#include "planner/cells_internal.h"

static const double seconds_between_checkpoints = 20;

/* ---- the state a model belongs to ---- */

static void describe_training(sow_text *text, const sow_campaign *c, const sow_training *t)
{
    sow_text_printf(text, "features %lld contexts %lld target %lld\n", (long long)t->n_features, (long long)t->n_contexts, (long long)t->target);
    for (sow_index i = 0; i < t->n; i++) {
        sow_text_printf(text, "item %s %lld", sow_i_name(c, t->perturbation[i]), (long long)t->context[i]);
        for (sow_index k = t->cells_of ? t->cells_of->start[i] : 0; t->cells_of && k < t->cells_of->start[i + 1]; k++)
            sow_text_printf(text, " %lld", (long long)t->cells_of->cell[k]);
        sow_text_append(text, "\n");
    }
    for (sow_index k = 0; t->cells_of && k < t->cells_of->n_control; k++)
        sow_text_printf(text, " %lld", (long long)t->cells_of->control[k]);
}

/* A model has a place for each perturbation, and priors are scaled by those of the pool. A lab's list may grow and rules may change between rounds: neither is in the world's digest or in the
 * settings above. */
static void describe_catalogue(sow_text *text, const sow_campaign *c)
{
    for (sow_index q = 0; q < c->n; q++) {
        int in_pool = 0;
        for (sow_index s = 0; s < c->n_sites; s++)
            in_pool |= c->site[s].in_pool[q];
        sow_text_printf(text, "candidate %s %d\n", sow_i_name(c, q), in_pool);
    }
}

static const char *const sections[] = {"seed", "model", "priors", "features", "data", "oracle"};
enum { SECTIONS = sizeof sections / sizeof *sections };

/* The sections that a model is learned by. New reference. */
static sow_status settings_of(json_t **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *effective = NULL;
    json_t *all = NULL;
    *out = NULL;
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    all = json_loads(effective, 0, NULL);
    *out = json_object();
    if (!all || !*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (int i = 0; i < SECTIONS; i++) {
        json_t *section = json_object_get(all, sections[i]);
        json_object_del(section, "stack"); /* chosen after the training, and again where it is missing */
        if (section) json_object_set(*out, sections[i], section);
    }
done:
    json_decref(all);
    free(effective);
    return st;
}

static void describe_settings(sow_text *text, const json_t *settings)
{
    for (int i = 0; i < SECTIONS; i++) {
        const json_t *section = json_object_get(settings, sections[i]);
        char *part = section ? json_dumps(section, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
        sow_text_printf(text, "%s %s\n", sections[i], part ? part : "");
        free(part);
    }
}

typedef struct {
    char digest[65];
    sow_archive origin; /* the same by name */
} state;

static sow_status state_make(state *s, const sow_campaign *c, const sow_training *t, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0};
    json_t *settings = NULL;
    SOW_TRY(settings_of(&settings, c, err));
    sow_text_printf(&text, "world %s round %lld\n", c->world_digest, (long long)round);
    describe_settings(&text, settings);
    describe_training(&text, c, t);
    describe_catalogue(&text, c);
    if (text.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(s->digest, text.text, text.size);
    SOW_TRY(sow_i_origin_put(&s->origin, c, t, settings, err));
done:
    json_decref(settings);
    sow_text_clear(&text);
    return st;
}

/* ---- files ---- */

/* With several target contexts each has its own: model-2-HEK293T.h5. */
static char *path_of(const sow_campaign *c, sow_index round, const char *end)
{
    if (c->n_sites == 1) return sow_format("%s/rounds/%02lld/model%s", c->dir, (long long)round, end);
    const sow_index site = c->here - c->site;
    char *path = NULL, *name = sow_strdup(sow_i_site_name(c, site));
    for (char *at = name; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.+", *at)) *at = '_';
    if (name) path = sow_format("%s/rounds/%02lld/model-%lld-%s%s", c->dir, (long long)round, (long long)site + 1, name, end);
    free(name);
    return path;
}

char *sow_i_model_path(const sow_campaign *c, sow_index round)
{
    return path_of(c, round, ".h5");
}

/* Of another state: what it was made of is named. More perturbations or results are how a campaign goes on, and nothing to warn of. */
static sow_status refuse(sow_archive *a, const char *path, const state *s, const sow_env *env, sow_error *err)
{
    char *of = NULL;
    int foreign = 0;
    const sow_status st = sow_i_origin_differs(&of, &foreign, a, &s->origin, err);
    if (st == SOW_OK) sow_log(env, foreign ? SOW_LOG_WARN : SOW_LOG_INFO, "%s: this model was learned from %s; it is trained again", path, of);
    sow_archive_clear(a);
    free(of);
    return st;
}

/* The archive when it is there and of this state; else it is left empty, and a line says why. */
static sow_status read_state(sow_archive *a, const char *path, const sow_model_class *m, const state *s, const sow_env *env, sow_error *err)
{
    sow_error why = {0};
    const char *then = NULL;
    if (!sow_file_exists(path)) return SOW_OK;
    sow_status st = sow_archive_read(a, path, m->name, m->version, &why);
    if (st == SOW_E_NOMEM || st == SOW_E_CANCELLED) {
        if (err) *err = why;
        return st;
    }
    if (st != SOW_OK) sow_log(env, SOW_LOG_WARN, "%s; the model is trained again", why.message);
    else if (sow_archive_get_text(&then, a, "made_from", NULL) != SOW_OK || strcmp(then, s->digest) != 0) return refuse(a, path, s, env, err);
    return SOW_OK;
}

static sow_status write_state(const char *path, const sow_model_class *m, sow_archive *a, const state *s, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_archive_put_text(a, "made_from", s->digest, err));
    for (sow_index i = 0; i < s->origin.n; i++) {
        const sow_archive_item *x = &s->origin.item[i];
        SOW_TRY(sow_archive_put(a, x->name, x->kind, x->data, x->rows, x->cols, err));
    }
    SOW_TRY(sow_archive_write(path, m->name, m->version, a, err));
done:
    return st;
}

/* States are written every so often, for a kill; one that comes in between stays in memory for an interruption, which writes it at once. */
typedef struct {
    const sow_model_class *class_;
    const char *path;
    const state *of;
    double last; /* seconds */
    sow_archive state;
} checkpoints;

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int checkpoint_is_due(void *user)
{
    return now_seconds() - ((const checkpoints *)user)->last >= seconds_between_checkpoints;
}

static sow_status take_checkpoint(void *user, sow_archive *now, sow_error *err)
{
    sow_status st = SOW_OK;
    checkpoints *k = user;
    sow_archive_clear(&k->state);
    if (!checkpoint_is_due(k)) return sow_archive_move(&k->state, "", now, err);
    SOW_TRY(write_state(k->path, k->class_, now, k->of, err));
    k->last = now_seconds();
done:
    return st;
}

/* ---- the model ---- */

static sow_status keep(const sow_model *model, const char *path, const state *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive a = {0};
    SOW_TRY(sow_model_save(model, &a, err));
    SOW_TRY(write_state(path, model->class_, &a, s, err));
done:
    sow_archive_clear(&a);
    return st;
}

/* A model that learns from other contexts first has done so in the round before, if it was kept. */
static int is_before_of_use(const sow_campaign *c, sow_index round)
{
    char *path = c->model_class->caps & SOW_CAP_META ? path_of(c, round - 1, ".h5") : NULL;
    const int kept = path && sow_file_exists(path);
    free(path);
    return kept || strcmp(c->config->model.start, "warm") == 0;
}

/* The model of the round before, on what was measured by then; it borrows `t`. */
static sow_status model_before(sow_model **out, sow_i_training *t, const sow_campaign *c, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = NULL;
    if (round <= 0 || !is_before_of_use(c, round)) return SOW_OK;
    SOW_TRY(sow_i_training_build(t, c, round - 1, err));
    if (t->n_target == 0) goto done; /* every result until then failed */
    SOW_TRY(sow_i_model_after(out, c, &t->view, round - 1, env, err));
done:
    return st;
}

static sow_status train(sow_model **out, const sow_campaign *c, const sow_training *training, sow_model_options *options, const char *part, const state *s,
                        sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive unfinished = {0};
    sow_i_training before = {0};
    sow_model *warm = NULL;
    checkpoints k = {.class_ = c->model_class, .path = part, .of = s, .last = now_seconds()};
    SOW_TRY(model_before(&warm, &before, c, round, env, err));
    options->warm = warm;
    if (part) {
        SOW_TRY(read_state(&unfinished, part, c->model_class, s, env, err));
        if (unfinished.n) sow_log(env, SOW_LOG_INFO, "the training of round %lld goes on where it was interrupted", (long long)round);
        options->resume = unfinished.n ? &unfinished : NULL;
        options->checkpoints = (sow_checkpoints){take_checkpoint, checkpoint_is_due, &k};
    }
    st = sow_model_fit(out, c->model_class, training, options, env, err);
    if (st == SOW_E_CANCELLED && k.state.n && write_state(part, c->model_class, &k.state, s, NULL) != SOW_OK)
        sow_log(env, SOW_LOG_WARN, "%s: the unfinished training cannot be kept there; it will begin again", part);
done:
    sow_archive_clear(&k.state);
    sow_archive_clear(&unfinished);
    sow_model_destroy(warm);
    sow_i_training_clear(&before);
    return st;
}

sow_status sow_i_model_after(sow_model **out, const sow_campaign *c, const sow_training *training, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = NULL, *part = NULL;
    sow_archive kept = {0};
    state s = {0};
    sow_model_options options = sow_i_model_options(c);
    options.round = (uint32_t)(round < 0 ? 0 : round);
    *out = NULL;
    const int writes = c->mode == SOW_CAMPAIGN_WRITE;
    if (!c->model_class->save || c->mode == SOW_CAMPAIGN_CHECK) return train(out, c, training, &options, NULL, NULL, round, env, err);
    path = path_of(c, round, ".h5");
    part = path_of(c, round, ".part.h5");
    if (!path || !part) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(state_make(&s, c, training, round, err));
    SOW_TRY(read_state(&kept, path, c->model_class, &s, env, err));
    if (kept.n) {
        SOW_TRY(sow_model_load(out, c->model_class, &kept, training, &options, env, err));
        goto done;
    }
    SOW_TRY(train(out, c, training, &options, writes ? part : NULL, &s, round, env, err));
    if (!writes) goto done;
    SOW_TRY(keep(*out, path, &s, err));
    unlink(part);
done:
    if (st != SOW_OK) {
        sow_model_destroy(*out);
        *out = NULL;
    }
    sow_archive_clear(&kept);
    sow_archive_clear(&s.origin);
    free(path);
    free(part);
    return st;
}
