/* Judging models on a finished screen: from the campaign file to the three files. */
#include "planner/evaluate.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/report.h"
#include "models/split.h"
#include "planner/evaluate_internal.h"

enum { FOLDS = 1, OUTLIERS = 2 };
static const char *const split_names[] = {"folds", "outliers"};

static sow_status read_splits(int *out, const char *text, sow_error *err)
{
    char name[32];
    *out = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        memcpy(name, p, n < sizeof name ? n : sizeof name - 1);
        name[n < sizeof name ? n : sizeof name - 1] = '\0';
        int found = strcmp(name, "folds") == 0 ? FOLDS : strcmp(name, "outliers") == 0 ? OUTLIERS : 0;
        if (!found) {
            const char *near = sow_nearest_of(split_names, 2, name);
            return SOW_ERROR(err, SOW_E_CONFIG, "unknown split '%s'; did you mean '%s'? (splits: folds, outliers, or both as folds,outliers)", name, near ? near : "folds");
        }
        *out |= found;
        p += n + (p[n] == ',');
    }
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_CONFIG, "--split takes folds, outliers, or both as folds,outliers");
}

static void evaluation_clear(sow_i_evaluation *e)
{
    for (int i = 0; i < 2; i++) {
        free(e->run[i].fold);
        free(e->run[i].cluster);
        free(e->run[i].value);
        free(e->run[i].training);
        free(e->run[i].features);
    }
    free(e->item);
    free(e->cells);
    free(e->model);
    free(e->left_out);
    sow_campaign_abandon(e->c);
}

/* What can be refused is refused before anything is loaded. */
static sow_status check(const sow_config *k, const sow_evaluation_options *o, int splits, sow_error *err)
{
    if (strcmp(k->oracle.kind, "lab") == 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: oracle.kind is lab: what was not measured yet cannot be predicted and compared; evaluate needs a finished screen (oracle: {kind: replay})",
                         k->path);
    if ((splits & FOLDS) && o->folds < 2) return SOW_ERROR(err, SOW_E_CONFIG, "--folds takes a number of at least 2, not %lld", (long long)o->folds);
    if ((splits & OUTLIERS) && !sow_split_has_leiden())
        return SOW_ERROR(err, SOW_E_UNSUPPORTED,
                         "--split outliers clusters with igraph (0.10), which this build of sower lacks: apt-get install libigraph-dev and build again, or use --split folds");
    return SOW_OK;
}

static sow_status load(sow_i_evaluation *e, const sow_config *config, const sow_evaluation_options *o, int splits, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign_options as = {.mode = SOW_CAMPAIGN_CHECK, .cache = o->cache};
    SOW_TRY(sow_campaign_open(&e->c, config, &as, e->env, err));
    SOW_TRY(sow_i_needs_one_target(e->c, "an evaluation by folds", err));
    if ((splits & OUTLIERS) && !e->c->cells && e->c->d == 1)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: --split outliers compares profiles or cells; this readout is one number a perturbation: use --split folds", config->path);
    SOW_TRY(sow_i_choose_models(e, o->models, err));
    sow_i_choose_measures(&e->measures, e->c);
    SOW_TRY(sow_i_measure_all(e, err));
done:
    return st;
}

static sow_status split_and_score(sow_i_evaluation *e, const sow_evaluation_options *o, int splits, sow_error *err)
{
    sow_status st = SOW_OK;
    if (splits & FOLDS) SOW_TRY(sow_i_make_folds(e, &e->run[e->n_runs++], o->folds, err));
    if (splits & OUTLIERS) SOW_TRY(sow_i_make_outliers(e, &e->run[e->n_runs++], err));
    for (sow_index i = 0; i < e->n_runs; i++)
        e->total += (double)(e->run[i].n_folds * e->n_models);
    for (sow_index i = 0; i < e->n_runs; i++)
        SOW_TRY(sow_i_score_split(e, &e->run[i], err));
done:
    return st;
}

static sow_status summarise(sow_i_summary **out, const sow_i_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index per_run = e->n_models * e->measures.n_totals;
    SOW_NEW(*out, e->n_runs * per_run);
    for (sow_index i = 0; i < e->n_runs * per_run; i++)
        SOW_TRY(sow_i_summarise(&(*out)[i], e, &e->run[i / per_run], i % per_run / e->measures.n_totals, i % e->measures.n_totals, err));
done:
    return st;
}

char *sow_i_evaluation_dir(const sow_config *config)
{
    char *base = sow_format("%s.evaluate", config->name), *dir = base ? sow_path_join(config->folder, base) : NULL;
    free(base);
    return dir;
}

static sow_status write_files(const sow_i_evaluation *e, const sow_i_summary *summary, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    char *document = NULL, *page = sow_path_join(dir, "evaluate.html");
    if (!page) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_evaluation_json(&document, e, summary, err));
    SOW_TRY(sow_make_directories(dir, err));
    sow_i_remove_leftovers_in(dir);
    SOW_TRY(sow_i_write_tables(e, summary, dir, err));
    SOW_TRY(sow_report_write_evaluation(page, document, err));
done:
    free(document);
    free(page);
    return st;
}

static sow_status say(char **json, const sow_i_evaluation *e, const sow_i_summary *summary, const char *dir, sow_error *err)
{
    json_t *j = json_pack("{s:s,s:I,s:o}", "dir", dir, "perturbations", (json_int_t)e->n, "summary", sow_i_summary_json(e, summary));
    *json = j ? sow_i_json_text(j, 1) : NULL;
    json_decref(j);
    return *json ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

sow_status sow_evaluate_campaign(char **json, const sow_config *config, const sow_evaluation_options *options, const sow_env *env, sow_error *err)
{
    static const sow_evaluation_options defaults = SOW_EVALUATION_OPTIONS_INIT;
    const sow_evaluation_options *o = options ? options : &defaults;
    sow_status st = SOW_OK;
    sow_i_evaluation e = {.env = env};
    sow_i_summary *summary = NULL;
    char *dir = NULL;
    int splits = 0;
    if (json) *json = NULL;
    SOW_TRY(read_splits(&splits, o->splits, err));
    SOW_TRY(check(config, o, splits, err));
    SOW_TRY(load(&e, config, o, splits, err));
    SOW_TRY(split_and_score(&e, o, splits, err));
    SOW_TRY(summarise(&summary, &e, err));
    dir = o->dir ? sow_strdup(o->dir) : sow_i_evaluation_dir(config);
    if (!dir) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_progress(env, "evaluating", 1, err));
    SOW_TRY(write_files(&e, summary, dir, err));
    if (json) SOW_TRY(say(json, &e, summary, dir, err));
done:
    free(summary);
    free(dir);
    evaluation_clear(&e);
    return st;
}
