/* The document of the page of contexts left out (io/report.h says what it holds). */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "planner/evaluate_contexts.h"

static const char *context_name(const sow_i_context_evaluation *e, sow_index context)
{
    return context < 0 ? "all" : sow_names_get(e->c->screen->contexts, e->context[context].context);
}

static json_t *mean_json(const sow_i_context_evaluation *e, sow_index context, sow_index count, sow_index model, sow_index metric)
{
    const sow_i_context_mean v = sow_i_context_mean_of(e, context, count, model, -1, metric, NULL);
    return json_pack("{s:I,s:s,s:s,s:s,s:o,s:o,s:o,s:I}", "seeds", (json_int_t)e->count[count], "context", context_name(e, context), "model", e->models.model[model]->name, "metric",
                     e->measures.name[metric], "mean", sow_i_real_or_null(v.mean), "low", sow_i_real_or_null(v.low), "high", sow_i_real_or_null(v.high), "n", (json_int_t)v.n);
}

json_t *sow_i_context_summary_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index k = 0; k < e->n_counts; k++)
        for (sow_index x = -1; x < e->n_contexts; x++)
            for (sow_index m = 0; m < e->models.n_models; m++)
                for (sow_index i = 0; i < e->measures.n; i++)
                    json_array_append_new(rows, mean_json(e, x, k, m, i));
    return rows;
}

static json_t *counts_json(const sow_index *count, sow_index n)
{
    json_t *rows = json_array();
    for (sow_index k = 0; k < n; k++)
        json_array_append_new(rows, json_integer((json_int_t)count[k]));
    return rows;
}

static json_t *contexts_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index x = 0; x < e->n_contexts; x++)
        json_array_append_new(rows, json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "context", context_name(e, x), "unseen", (json_int_t)e->context[x].n_unseen, "perturbations", (json_int_t)e->context[x].n, "shared", (json_int_t)e->context[x].shared,
                                              "features", (json_int_t)e->context[x].features, "used", counts_json(e->context[x].used, e->n_counts)));
    return rows;
}

static json_t *duels_json(const sow_i_context_evaluation *e)
{
    static const char *const verdicts[] = {"worse", "cannot be told apart", "better"};
    json_t *rows = json_array();
    for (sow_index k = 0; k < e->n_counts; k++)
        for (int i = 0; i < 3 && e->measures.leading[i] >= 0; i++) {
            const sow_i_context_duel d = sow_i_context_duel_of(e, k, e->measures.leading[i]);
            if (d.other < 0) continue;
            json_array_append_new(rows, json_pack("{s:I,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:I,s:s}", "seeds", (json_int_t)e->count[k], "metric", e->measures.name[d.metric], "model",
                                                  e->models.model[d.model]->name, "other", e->models.model[d.other]->name, "mean", sow_i_real_or_null(d.own.mean), "best",
                                                  sow_i_real_or_null(d.best.mean), "difference", sow_i_real_or_null(d.difference.mean), "low", sow_i_real_or_null(d.difference.low), "high",
                                                  sow_i_real_or_null(d.difference.high), "ahead", (json_int_t)d.ahead, "verdict", verdicts[d.verdict + 1]));
        }
    return rows;
}

static json_t *models_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index m = 0; m < e->models.n_models; m++)
        json_array_append_new(rows, json_pack("{s:s,s:s}", "model", e->models.model[m]->name, "summary", e->models.model[m]->summary));
    return rows;
}

static json_t *left_out_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index i = 0; i < e->models.n_left_out; i++)
        json_array_append_new(rows, json_pack("{s:s,s:s}", "model", e->models.left_out[i].model->name, "why", e->models.left_out[i].why_not));
    return rows;
}

/* Models that were asked for by name and know nothing of what is unseen. */
static json_t *fall_backs_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index m = 0; e->asked_unseen && m < e->models.n_models; m++) {
        const char *what = sow_i_falls_back(e->models.model[m]);
        if (what) json_array_append_new(rows, json_pack("{s:s,s:s}", "model", e->models.model[m]->name, "why", what));
    }
    return rows;
}

static json_t *leading_json(const sow_i_context_evaluation *e)
{
    json_t *rows = json_array();
    for (int i = 0; i < 3 && e->measures.leading[i] >= 0; i++)
        json_array_append_new(rows, json_string(e->measures.name[e->measures.leading[i]]));
    return rows;
}

static json_t *fact(const char *key, json_t *value)
{
    return json_pack("{s:s,s:o}", "key", key, "value", value);
}

static json_t *provenance_json(const sow_i_context_evaluation *e)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->c->config->seed);
    return json_pack("[o,o,o,o]", fact("version", json_string(sow_version())), fact("commit", json_string(sow_git_hash())), fact("seed", json_string(seed)),
                     fact("SHA-256 over the data files", json_string(e->c->world_digest)));
}

sow_status sow_i_contexts_document(char **out, const sow_i_context_evaluation *e, const char *headline, const char *numbers, sow_error *err)
{
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", e->c->config->name, "generated_by", "sower evaluate", "readout", sow_i_readout_word(e->c), "headline",
                          headline, "draws", (json_int_t)e->n_draws, "without_prior", (json_int_t)e->no_prior, "headline_seeds", (json_int_t)e->count[sow_i_headline_count(e)], "seeds",
                          counts_json(e->count, e->n_counts), "leading", leading_json(e), "contexts", contexts_json(e), "models", models_json(e), "left_out", left_out_json(e), "summary",
                          sow_i_context_summary_json(e), "paired", duels_json(e), "provenance", provenance_json(e));
    if (j) json_object_set_new(j, "numbers", json_string(numbers));
    if (j && e->asked_unseen) json_object_set_new(j, "unseen", json_string(e->asked_unseen));
    if (j) json_object_set_new(j, "fall_backs", fall_backs_json(e));
    if (j) json_object_set_new(j, "model", json_string(e->c->model_class->name));
    *out = j ? sow_i_json_text(j, 0) : NULL;
    json_decref(j);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}
