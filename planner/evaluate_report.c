/* The document of an evaluation's page (io/report.h says what it holds). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "core/version.h"
#include "planner/evaluate_internal.h"

enum { DRAWN_MOST = 400 }; /* perturbations drawn of each model: more cannot be told apart, and make the page heavy */

static json_t *summary_of_run(const sow_i_evaluation *e, const sow_i_split_run *r, const sow_i_summary *summary)
{
    json_t *rows = json_array();
    for (sow_index m = 0; m < e->n_models; m++)
        for (sow_index k = 0; k < e->measures.n_totals; k++) {
            const sow_i_summary *s = &summary[m * e->measures.n_totals + k];
            json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:I}", "split", r->kind, "model", e->model[m]->name, "metric", e->measures.total[k].name, "mean",
                                                  sow_i_real_or_null(s->mean), "sd", sow_i_real_or_null(s->sd), "low", sow_i_real_or_null(s->low), "high",
                                                  sow_i_real_or_null(s->high), "n", (json_int_t)s->n));
        }
    return rows;
}

json_t *sow_i_summary_json(const sow_i_evaluation *e, const sow_i_summary *summary)
{
    json_t *all = json_array();
    for (sow_index i = 0; i < e->n_runs; i++) {
        json_t *rows = summary_of_run(e, &e->run[i], &summary[i * e->n_models * e->measures.n_totals]);
        json_array_extend(all, rows);
        json_decref(rows);
    }
    return all;
}

static sow_index held_in(const sow_i_evaluation *e, const sow_i_split_run *r, sow_index fold)
{
    sow_index n = 0;
    for (sow_index i = 0; i < e->n; i++)
        n += fold < 0 ? r->fold[i] >= 0 : r->fold[i] == fold;
    return n;
}

static json_t *folds_json(const sow_i_evaluation *e, const sow_i_split_run *r)
{
    json_t *rows = json_array();
    for (sow_index f = 0; f < r->n_folds; f++) {
        json_t *names = json_array();
        for (sow_index i = 0; i < e->n; i++)
            if (r->fold[i] == f) json_array_append_new(names, json_string(sow_i_name(e->c, e->item[i])));
        json_array_append_new(rows, json_pack("{s:I,s:I,s:I,s:I,s:o}", "fold", (json_int_t)f + 1, "training", (json_int_t)r->training[f], "held_out",
                                              (json_int_t)held_in(e, r, f), "features", (json_int_t)r->features[f], "names", names));
    }
    return rows;
}

/* Clusters by number; each with its members. */
static json_t *clusters_json(const sow_i_evaluation *e, const sow_i_split_run *r)
{
    json_t *rows = json_array();
    sow_index clusters = 0;
    for (sow_index i = 0; i <= e->n; i++)
        clusters = r->cluster[i] >= clusters ? r->cluster[i] + 1 : clusters;
    for (sow_index q = 0; q < clusters; q++) {
        json_t *names = json_array();
        int held = 0;
        for (sow_index i = 0; i < e->n; i++) {
            if (r->cluster[i] != q) continue;
            held = r->fold[i] >= 0;
            json_array_append_new(names, json_string(sow_i_name(e->c, e->item[i])));
        }
        json_array_append_new(rows, json_pack("{s:I,s:b,s:b,s:o}", "cluster", (json_int_t)q + 1, "held_out", held, "controls", r->cluster[e->n] == q, "names", names));
    }
    return rows;
}

/* Rows [model, perturbation, fold, value], thinned evenly in the order of names. */
static json_t *chart_json(const sow_i_evaluation *e, const sow_i_split_run *r, sow_index column)
{
    json_t *rows = json_array();
    sow_index held = held_in(e, r, -1), seen = 0;
    for (sow_index i = 0; i < e->n; i++) {
        if (r->fold[i] < 0) continue;
        int drawn = held <= DRAWN_MOST || seen * DRAWN_MOST / held != (seen + 1) * DRAWN_MOST / held;
        seen++;
        for (sow_index m = 0; drawn && m < e->n_models; m++) {
            double v = r->value[(m * e->n + i) * e->measures.n_columns + column];
            if (isfinite(v))
                json_array_append_new(rows, json_pack("[s,s,I,f]", e->model[m]->name, sow_i_name(e->c, e->item[i]), (json_int_t)r->fold[i] + 1, v));
        }
    }
    return json_pack("{s:s,s:o,s:I}", "metric", e->measures.column[column], "rows", rows, "of", (json_int_t)held);
}

/* The first model less each of the others on the column that leads, perturbation by perturbation. NULL = out of memory. */
static json_t *paired_json(const sow_i_evaluation *e, const sow_i_split_run *r)
{
    json_t *rows = json_array();
    sow_index columns = e->measures.n_columns, at = e->measures.leading[0];
    double *a = sow_calloc(e->n, sizeof *a), *b = sow_calloc(e->n, sizeof *b);
    int failed = !a || !b;
    for (sow_index m = 1; !failed && m < e->n_models; m++) {
        sow_index n = 0;
        sow_interval v;
        for (sow_index i = 0; i < e->n; i++) {
            a[n] = r->value[i * columns + at];
            b[n] = r->value[(m * e->n + i) * columns + at];
            n += r->fold[i] >= 0 && isfinite(a[n]) && isfinite(b[n]);
        }
        if (n == 0) continue;
        failed = sow_paired_interval(&v, a, b, n, 0.95, NULL) != SOW_OK;
        if (failed) break;
        json_array_append_new(rows, json_pack("{s:s,s:o,s:o,s:o,s:I}", "other", e->model[m]->name, "difference", sow_i_real_or_null(v.value), "low", sow_i_real_or_null(v.low), "high",
                                              sow_i_real_or_null(v.high), "n", (json_int_t)n));
    }
    json_t *out = !failed ? json_pack("{s:s,s:s,s:o}", "metric", e->measures.column[at], "model", e->model[0]->name, "rows", rows) : NULL;
    if (!out) json_decref(rows);
    free(a);
    free(b);
    return out;
}

static json_t *run_json(const sow_i_evaluation *e, const sow_i_split_run *r, const sow_i_summary *summary)
{
    json_t *charts = json_array();
    for (int k = 0; k < 4 && e->measures.leading[k] >= 0; k++)
        json_array_append_new(charts, chart_json(e, r, e->measures.leading[k]));
    json_t *j = json_pack("{s:s,s:I,s:o,s:o,s:o,s:o}", "kind", r->kind, "held_out", (json_int_t)held_in(e, r, -1), "folds", folds_json(e, r), "summary", summary_of_run(e, r, summary),
                          "charts", charts, "paired", paired_json(e, r)); /* NULL where any part is */
    if (r->cluster) json_object_set_new(j, "clusters", clusters_json(e, r));
    return j;
}

static json_t *models_json(const sow_i_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index m = 0; m < e->n_models; m++)
        json_array_append_new(rows, json_pack("{s:s,s:s}", "model", e->model[m]->name, "summary", e->model[m]->summary));
    return rows;
}

static json_t *left_out_json(const sow_i_evaluation *e)
{
    json_t *rows = json_array();
    for (sow_index i = 0; i < e->n_left_out; i++)
        json_array_append_new(rows, json_pack("{s:s,s:s}", "model", e->left_out[i].model->name, "why", e->left_out[i].why_not));
    return rows;
}

static json_t *fact(const char *key, json_t *value)
{
    return json_pack("{s:s,s:o}", "key", key, "value", value);
}

static json_t *provenance_json(const sow_i_evaluation *e)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->c->config->seed);
    return json_pack("[o,o,o,o]", fact("version", json_string(sow_version())), fact("commit", json_string(sow_git_hash())), fact("seed", json_string(seed)),
                     fact("SHA-256 over the data files", json_string(e->c->world_digest)));
}

static double sum_cells(const sow_i_evaluation *e)
{
    double sum = 0;
    for (sow_index i = 0; i < e->n; i++)
        sum += e->cells[i];
    return sum;
}

/* By its name in the table; the file may say an alias. */
static const char *own_model(const sow_i_evaluation *e)
{
    const sow_model_class *m = NULL;
    return sow_model_find(&m, e->c->config->model.kind, NULL) == SOW_OK ? m->name : "";
}

sow_status sow_i_evaluation_json(char **out, const sow_i_evaluation *e, const sow_i_summary *summary, sow_error *err)
{
    json_t *runs = json_array();
    for (sow_index i = 0; i < e->n_runs; i++)
        json_array_append_new(runs, run_json(e, &e->run[i], &summary[i * e->n_models * e->measures.n_totals]));
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o}", "name", e->c->config->name, "generated_by", "sower evaluate", "readout", sow_i_readout_word(e->c), "context",
                          sow_i_target_name(e->c), "perturbations", (json_int_t)e->n, "without_prior", (json_int_t)e->no_prior, "not_eligible", (json_int_t)e->not_eligible, "without_value", (json_int_t)e->no_value, "models",
                          models_json(e), "left_out", left_out_json(e), "splits", runs, "provenance", provenance_json(e));
    if (j) json_object_set_new(j, "model", json_string(own_model(e)));
    if (j && e->c->cells) {
        json_object_set_new(j, "cells", json_real(sum_cells(e)));
        json_object_set_new(j, "controls", json_pack("[I,I]", (json_int_t)e->n_controls[0], (json_int_t)e->n_controls[1]));
        json_object_set_new(j, "mode", json_string(e->c->config->evaluation.mode ? "reference" : "default"));
    }
    *out = j ? sow_i_json_text(j, 0) : NULL;
    json_decref(j);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}
