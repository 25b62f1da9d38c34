#include "planner/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/calibration.h"
#include "io/report.h"
#include "planner/calibrate_internal.h"
#include "planner/cells_internal.h"
#include "simulator/calibrate.h"

void sow_calibrated_clear(sow_calibrated *c)
{
    free(c->file);
    free(c->table);
    free(c->page);
    free(c->oracle);
    free(c->note);
    free(c->verdict);
    memset(c, 0, sizeof *c);
}

static double to_digits(double x)
{
    return round(x * 1000) / 1000;
}

sow_cell_world_options sow_i_calibrated_world(const sow_calibration *c)
{
    sow_cell_world_options w = SOW_CELL_WORLD_OPTIONS_INIT;
    w.measured = c;
    w.n_genes = c->genes.n < 16384 ? c->genes.n : 16384;
    if (c->n_perturbations > 1) {
        w.n_perturbations = c->n_perturbations;
        w.cells_median = fmax(1, round(c->cells[3]));
    }
    w.n_modules = w.n_perturbations > 4 ? w.n_perturbations / 5 : 1;
    w.n_controls = c->n_controls;
    if (c->n_batches > 1) {
        w.batches = c->n_batches;
        w.batch_effect = to_digits(c->batch_effect);
        w.batch_depth = to_digits(c->batch_depth);
    }
    return w;
}

/* As the world above. */
static char *oracle_block(const sow_calibration *c, const char *file)
{
    const sow_cell_world_options w = sow_i_calibrated_world(c);
    sow_text t = {0};
    sow_text_printf(&t, "oracle:\n  kind: generative\n  baseline: %s\n  genes: %lld\n  perturbations: %lld\n  modules: %lld\n  controls: %lld\n  cells: %.0f\n", file, (long long)w.n_genes,
                    (long long)w.n_perturbations, (long long)w.n_modules, (long long)w.n_controls, w.cells_median);
    if (w.batches > 1) sow_text_printf(&t, "  technical_batches: %lld\n  batch_effect: %g\n  batch_depth: %g\n", (long long)w.batches, w.batch_effect, w.batch_depth);
    return t.text;
}

static sow_status name_files(sow_calibrated *out, const char *name, const sow_calibrate_options *o, sow_error *err)
{
    const char *dot = o->file ? strrchr(o->file, '.') : NULL;
    if (o->file && (!dot || strcmp(dot, ".json") != 0)) return SOW_ERROR(err, SOW_E_CONFIG, "--to %s: a calibration is written as .json", o->file);
    out->file = o->file ? sow_strdup(o->file) : sow_format("%s.calibration.json", name);
    const int stem = out->file ? (int)(strlen(out->file) - strlen(".json")) : 0;
    if (o->check && out->file) {
        out->table = sow_format("%.*s.check.csv", stem, out->file);
        out->page = sow_format("%.*s.check.html", stem, out->file);
    }
    return out->file && (!o->check || (out->table && out->page)) ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* ---- the check's files ---- */

static void add_number(sow_text *t, const json_t *row, const char *key)
{
    const json_t *x = json_object_get(row, key);
    sow_text_append(t, ",");
    if (json_is_number(x)) sow_text_number(t, json_number_value(x));
}

static sow_status write_table(const char *path, const json_t *rows, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text t = {0};
    sow_text_append(&t, "quantity,cells,real,simulated,low,high,perturbations\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        static const char *const keys[] = {"cells", "real", "simulated", "low", "high", "perturbations"};
        const json_t *row = json_array_get(rows, i);
        sow_text_append(&t, json_string_value(json_object_get(row, "quantity")));
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            add_number(&t, row, keys[k]);
        sow_text_append(&t, "\n");
    }
    SOW_TRY(sow_text_save(&t, path, err));
done:
    sow_text_clear(&t);
    return st;
}

/* How far the simulated reliability is off where it is farthest. */
static char *judge(const json_t *rows)
{
    double worst = -1, at = 0;
    int n = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(json_string_value(json_object_get(row, "quantity")), "split_half_reliability") != 0 || !json_is_number(json_object_get(row, "real")) || !json_is_number(json_object_get(row, "simulated"))) continue;
        const double off = fabs(json_number_value(json_object_get(row, "real")) - json_number_value(json_object_get(row, "simulated")));
        n++;
        if (off <= worst) continue;
        worst = off;
        at = json_number_value(json_object_get(row, "cells"));
    }
    if (n == 0) return sow_strdup("No perturbation has cells enough to say how reliable its effect is.");
    return sow_format("The split-half reliability of simulated effects is within %.3f of the real one at all %d numbers of cells (farthest at %.0f): %s.", worst, n, at,
                      worst <= 0.1 ? "near enough to plan numbers of cells by" : "too far off (more than 0.1) to plan numbers of cells by");
}

static sow_status write_check(sow_calibrated *out, const sow_calibrate_source *of, const sow_calibration *k, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *rows = NULL, *curves = NULL, *doc = NULL;
    char *text = NULL, *reliability = NULL, *likeness = NULL;
    SOW_TRY(sow_i_calibration_check(&rows, &curves, k, of->cells, of->screen, of->context, SOW_CHECK_SCREENS, env, err));
    reliability = judge(rows);
    likeness = sow_i_calibration_words(rows);
    out->verdict = reliability && likeness ? sow_format("%s %s", reliability, likeness) : NULL;
    SOW_TRY(write_table(out->table, rows, err));
    doc = json_pack("{s:s,s:s,s:s?,s:s?,s:i,s:I,s:I,s:I,s:f,s:O,s:O}", "name", of->name, "context", sow_names_get(of->screen->contexts, of->context), "verdict", reliability, "likeness", likeness, "screens", SOW_CHECK_SCREENS, "genes",
                    (json_int_t)k->genes.n, "controls", (json_int_t)k->n_controls, "perturbations", (json_int_t)k->n_perturbations, "umis", k->depth_median, "rows", rows, "curves", curves);
    text = doc ? json_dumps(doc, JSON_SORT_KEYS) : NULL;
    if (!text || !out->verdict) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_report_write_calibration(out->page, text, err));
done:
    free(text);
    json_decref(doc);
    json_decref(rows);
    json_decref(curves);
    free(reliability);
    free(likeness);
    return st;
}

sow_status sow_calibrate_screen(sow_calibrated *out, const sow_calibrate_source *of, const sow_calibrate_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_calibration k = {0};
    *out = (sow_calibrated){0};
    SOW_TRY(name_files(out, of->name, options, err));
    st = sow_calibrate(&k, of->cells, of->screen, of->context, err);
    if (st != SOW_OK) {
        sow_error_prefix(err, "%s", of->path);
        goto done;
    }
    out->n_controls = k.n_controls;
    out->n_perturbations = k.n_perturbations;
    SOW_TRY(sow_calibration_write(out->file, &k, err));
    out->oracle = oracle_block(&k, out->file);
    if (k.n_perturbations == 0) out->note = sow_strdup("No perturbation has 10 cells or more: how large effects are, and how many cells a perturbation has, are those of K562 (Replogle 2022) in what is simulated.");
    if (!out->oracle || (k.n_perturbations == 0 && !out->note)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (options->check) SOW_TRY(write_check(out, of, &k, env, err));
done:
    sow_calibration_clear(&k);
    if (st != SOW_OK) sow_calibrated_clear(out);
    return st;
}

sow_status sow_campaign_calibrate(sow_calibrated *out, sow_campaign *c, const sow_calibrate_options *options, const sow_env *env, sow_error *err)
{
    *out = (sow_calibrated){0};
    if (!c->cells) return SOW_ERROR(err, SOW_E_CONFIG, "%s: a calibration is of single cells; this campaign has no readout: {kind: cells}", c->config->path);
    const sow_calibrate_source of = {c->config->name, c->config->path, &c->cells->table, c->screen, c->site[0].target};
    return sow_calibrate_screen(out, &of, options, env, err);
}
