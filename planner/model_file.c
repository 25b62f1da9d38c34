/* Fitted models kept beside their round: rounds/NN/model.h5, and model.part.h5 while a training is under way.
 *
 * Events are the truth: a model is a function of settings, data and what was measured. A digest of these is kept in the file; where it does not match, or the file is
 * damaged or gone, the model is trained again, to the same numbers. */
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
    for (sow_index q = 0; q < c->n; q++)
        sow_text_printf(text, "candidate %s %d\n", sow_i_name(c, q), c->in_pool[q]);
}

static sow_status describe_settings(sow_text *text, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    static const char *const sections[] = {"seed", "model", "priors", "features", "data", "oracle"};
    char *effective = NULL, *part = NULL;
    json_t *all = NULL;
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    all = json_loads(effective, 0, NULL);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        json_t *section = json_object_get(all, sections[i]);
        json_object_del(section, "stack"); /* chosen after the training, and again where it is missing */
        part = section ? json_dumps(section, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
        sow_text_printf(text, "%s %s\n", sections[i], part ? part : "");
        free(part);
    }
done:
    json_decref(all);
    free(effective);
    return st;
}

static sow_status digest_state(char hex[65], const sow_campaign *c, const sow_training *t, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0};
    sow_text_printf(&text, "world %s round %lld\n", c->world_digest, (long long)round);
    SOW_TRY(describe_settings(&text, c, err));
    describe_training(&text, c, t);
    describe_catalogue(&text, c);
    if (text.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(hex, text.text, text.size);
done:
    sow_text_clear(&text);
    return st;
}

/* ---- files ---- */

static char *path_of(const sow_campaign *c, sow_index round, const char *name)
{
    return sow_format("%s/rounds/%02lld/%s", c->dir, (long long)round, name);
}

/* The archive when it is there and of this state; else it is left empty, and a line says why. */
static sow_status read_state(sow_archive *a, const char *path, const sow_model_class *m, const char *digest, const sow_env *env, sow_error *err)
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
    else if (sow_archive_get_text(&then, a, "made_from", NULL) != SOW_OK || strcmp(then, digest) != 0) sow_archive_clear(a);
    return SOW_OK;
}

static sow_status write_state(const char *path, const sow_model_class *m, sow_archive *a, const char *digest, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_archive_put_text(a, "made_from", digest, err));
    SOW_TRY(sow_archive_write(path, m->name, m->version, a, err));
done:
    return st;
}

/* The state after the last epoch stays in memory: it is written every so often, for a kill, and at once when the training is interrupted. */
typedef struct {
    const sow_model_class *class_;
    const char *path, *digest;
    double last; /* seconds */
    sow_archive state;
} checkpoints;

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static sow_status checkpoint(void *user, sow_archive *state, sow_error *err)
{
    sow_status st = SOW_OK;
    checkpoints *k = user;
    sow_archive_clear(&k->state);
    SOW_TRY(sow_archive_move(&k->state, "", state, err));
    if (now_seconds() - k->last < seconds_between_checkpoints) goto done;
    SOW_TRY(write_state(k->path, k->class_, &k->state, k->digest, err));
    k->last = now_seconds();
done:
    if (st != SOW_OK) sow_archive_clear(&k->state);
    return st;
}

/* ---- the model ---- */

static sow_status keep(const sow_model *model, const char *path, const char *digest, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive a = {0};
    SOW_TRY(sow_model_save(model, &a, err));
    SOW_TRY(write_state(path, model->class_, &a, digest, err));
done:
    sow_archive_clear(&a);
    return st;
}

/* A model that learns from other contexts first has done so in the round before, if it was kept. */
static int is_before_of_use(const sow_campaign *c, sow_index round)
{
    char *path = c->model_class->caps & SOW_CAP_META ? path_of(c, round - 1, "model.h5") : NULL;
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

static sow_status train(sow_model **out, const sow_campaign *c, const sow_training *training, sow_model_options *options, const char *part, const char *digest,
                        sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive unfinished = {0};
    sow_i_training before = {0};
    sow_model *warm = NULL;
    checkpoints k = {.class_ = c->model_class, .path = part, .digest = digest, .last = now_seconds()};
    SOW_TRY(model_before(&warm, &before, c, round, env, err));
    options->warm = warm;
    if (part) {
        SOW_TRY(read_state(&unfinished, part, c->model_class, digest, env, err));
        if (unfinished.n) sow_log(env, SOW_LOG_INFO, "the training of round %lld goes on where it was interrupted", (long long)round);
        options->resume = unfinished.n ? &unfinished : NULL;
        options->checkpoint = checkpoint;
        options->checkpoint_user = &k;
    }
    st = sow_model_fit(out, c->model_class, training, options, env, err);
    if (st == SOW_E_CANCELLED && k.state.n && write_state(part, c->model_class, &k.state, digest, NULL) != SOW_OK)
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
    char *path = NULL, *part = NULL, digest[65];
    sow_archive kept = {0};
    sow_model_options options = sow_i_model_options(c);
    options.round = (uint32_t)(round < 0 ? 0 : round);
    *out = NULL;
    const int writes = c->mode == SOW_CAMPAIGN_WRITE;
    if (!c->model_class->save || c->mode == SOW_CAMPAIGN_CHECK) return train(out, c, training, &options, NULL, NULL, round, env, err);
    path = path_of(c, round, "model.h5");
    part = path_of(c, round, "model.part.h5");
    if (!path || !part) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(digest_state(digest, c, training, round, err));
    SOW_TRY(read_state(&kept, path, c->model_class, digest, env, err));
    if (kept.n) {
        SOW_TRY(sow_model_load(out, c->model_class, &kept, training, &options, env, err));
        goto done;
    }
    SOW_TRY(train(out, c, training, &options, writes ? part : NULL, digest, round, env, err));
    if (!writes) goto done;
    SOW_TRY(keep(*out, path, digest, err));
    unlink(part);
done:
    if (st != SOW_OK) {
        sow_model_destroy(*out);
        *out = NULL;
    }
    sow_archive_clear(&kept);
    free(path);
    free(part);
    return st;
}
