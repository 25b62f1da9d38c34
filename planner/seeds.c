/* Seeds for a new context: from the campaign file to the files. */
#include "planner/seeds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/report.h"
#include "planner/seeds_internal.h"

enum { NEXT = 5 };

static void seeds_clear(sow_i_seeds *e)
{
    for (sow_index k = 0; e->replay && k < e->n_references; k++) {
        free(e->replay[k].played);
        free(e->replay[k].seed);
        free(e->replay[k].value);
    }
    free(e->replay);
    free(e->strategy);
    free(e->reference);
    free(e->pool);
    free(e->pick);
    sow_campaign_abandon(e->c);
}

static sow_status find_references(sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = e->c->screen;
    const sow_index contexts = sow_names_count(s->contexts);
    SOW_NEW(e->reference, contexts);
    for (sow_index k = 0; k < contexts; k++) {
        e->reference[k] = s->context_role[k] == SOW_ROLE_REFERENCE;
        e->n_references += e->reference[k];
    }
    if (e->n_references == 0)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: seeds of a new context are chosen by what other contexts say, and there is none: add a source with `role: reference`", e->c->config->path);
done:
    return st;
}

static sow_status find_pool(sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = e->c;
    SOW_NEW(e->pool, c->n);
    for (sow_index q = 0; q < c->n; q++)
        if (c->here->in_pool[q]) e->pool[e->n_pool++] = q;
    if (e->wanted > e->n_pool)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: --n asks for %lld seeds, and the pool of %s has %lld perturbations", c->config->path, (long long)e->wanted, sow_i_target_name(c), (long long)e->n_pool);
done:
    return st;
}

static int ascending(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* 5, 10, 20 and 50, how many are wanted, and five more. */
static void find_counts(sow_i_seeds *e)
{
    const sow_index asked[SOW_I_SEED_COUNTS] = {5, 10, 20, 50, e->wanted, e->wanted + NEXT};
    sow_index kept = 0;
    memcpy(e->count, asked, sizeof asked);
    qsort(e->count, SOW_I_SEED_COUNTS, sizeof *e->count, ascending);
    for (sow_index i = 0; i < SOW_I_SEED_COUNTS; i++)
        if (kept == 0 || e->count[i] != e->count[kept - 1]) e->count[kept++] = e->count[i];
    e->n_counts = kept;
}

static sow_status load(sow_i_seeds *e, const sow_config *config, const sow_seeds_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign_options as = {.mode = SOW_CAMPAIGN_CHECK, .cache = o->cache};
    e->wanted = o->n;
    e->n_draws = o->draws;
    if (o->n < 1) SOW_FAIL(err, SOW_E_CONFIG, "--n takes a number of at least 1, not %lld", (long long)o->n);
    if (o->draws < 1) SOW_FAIL(err, SOW_E_CONFIG, "--draws takes a number of at least 1, not %lld", (long long)o->draws);
    SOW_TRY(sow_campaign_open(&e->c, config, &as, e->env, err));
    SOW_TRY(sow_i_needs_one_target(e->c, "a choice of seeds", err));
    SOW_TRY(find_references(e, err));
    SOW_TRY(find_pool(e, err));
    SOW_TRY(sow_i_choose_strategies(e, o->strategies, err));
    find_counts(e);
    e->measures = sow_i_context_measures_of(e->c);
done:
    return st;
}

/* The list itself, from all references. */
static sow_status choose(sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_context_rows r = {0};
    SOW_TRY(sow_i_choose_best(e, err));
    SOW_TRY(sow_i_context_rows_make(&r, e->c, e->reference, -1, NULL, NULL, err));
    SOW_NEW(e->pick, e->wanted);
    SOW_TRY(sow_i_pick_seeds(e->pick, e->wanted, e->strategy[e->chosen], &r, e->pool, e->n_pool, 0, 1, e->env, err));
done:
    sow_i_context_rows_clear(&r);
    return st;
}

static sow_status write_files(const sow_i_seeds *e, const json_t *said, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    char *page = sow_path_join(dir, "seeds.html"), *document = sow_i_json_text(said, 0);
    if (!page || !document) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_make_directories(dir, err));
    sow_i_remove_leftovers_in(dir);
    SOW_TRY(sow_i_write_seed_tables(e, dir, err));
    SOW_TRY(sow_report_write_seeds(page, document, err));
done:
    free(page);
    free(document);
    return st;
}

static char *default_dir(const sow_config *config)
{
    char *base = sow_format("%s.seeds", config->name), *dir = base ? sow_path_join(config->folder, base) : NULL;
    free(base);
    return dir;
}

sow_status sow_choose_seeds(char **json, const sow_config *config, const sow_seeds_options *options, const sow_env *env, sow_error *err)
{
    static const sow_seeds_options defaults = SOW_SEEDS_OPTIONS_INIT;
    const sow_seeds_options *o = options ? options : &defaults;
    sow_status st = SOW_OK;
    sow_i_seeds e = {.env = env};
    json_t *said = NULL;
    char *dir = NULL;
    if (json) *json = NULL;
    SOW_TRY(load(&e, config, o, err));
    SOW_TRY(sow_i_replay_references(&e, err));
    SOW_TRY(choose(&e, err));
    SOW_TRY(sow_i_seeds_json(&said, &e, err));
    dir = o->dir ? sow_strdup(o->dir) : default_dir(config);
    if (!dir) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_progress(env, "replaying references", 1, err));
    SOW_TRY(write_files(&e, said, dir, err));
    if (!json) goto done;
    json_object_set_new(said, "dir", json_string(dir));
    *json = sow_i_json_text(said, 1);
    if (!*json) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(said);
    free(dir);
    seeds_clear(&e);
    return st;
}
