#include "planner/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/calibration.h"
#include "io/file.h"
#include "io/h5ad_cells.h"
#include "planner/cells_internal.h"
#include "simulator/power.h"

static void take_lab(sow_cell_world_options *w, const sow_config *k)
{
    const sow_umi_curve k562 = SOW_UMI_CURVE_K562, curve = {k->oracle.saturation, k562.variation, k562.mapping};
    if (!isnan(k->oracle.saturation)) w->depth = sow_umis_of_reads(&curve, k->design.reads_per_cell);
    w->guides = k->oracle.guides;
    w->efficiency = k->oracle.efficiency;
    w->efficiency_sd = k->oracle.efficiency_sd;
    w->failed_guides = k->oracle.failed_guides;
    w->escapers = k->oracle.escapers;
    w->batches = k->oracle.technical_batches;
    w->batch_effect = k->oracle.batch_effect;
    w->batch_depth = k->oracle.batch_depth;
    w->doublets = k->oracle.doublets;
    w->dropout = k->oracle.dropout;
}

static sow_status take_combinations(sow_cell_world_options *w, const sow_config *k, sow_error *err)
{
    const sow_index n = k->oracle.perturbations, most = sow_most_combinations(n);
    int given = 0;
    w->n_combinations = k->oracle.combinations;
    if (w->n_combinations > most)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: oracle.combinations is %lld; the stronger half of %lld oracle.perturbations makes %lld pairs at most, and all together may not be more than 200000: ask for fewer combinations, or for more perturbations",
                         k->path, (long long)w->n_combinations, (long long)n, (long long)most);
    for (int i = 0; i < SOW_INTERACTIONS; i++)
        given |= !isnan(k->oracle.interactions[i]);
    for (int i = 0; i < SOW_INTERACTIONS && given; i++)
        w->interactions[i] = isnan(k->oracle.interactions[i]) ? 0 : k->oracle.interactions[i];
    return SOW_OK;
}

sow_status sow_i_world_options(sow_cell_world_options *out, sow_calibration *measured, const sow_config *k, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = (sow_cell_world_options)SOW_CELL_WORLD_OPTIONS_INIT;
    out->seed = k->seed;
    out->n_perturbations = k->oracle.perturbations;
    out->n_genes = k->oracle.genes;
    out->n_modules = k->oracle.modules;
    out->n_programs = k->oracle.programs;
    out->n_controls = k->oracle.controls;
    out->cells_median = k->oracle.cells;
    out->prior_informativeness = k->oracle.informativeness;
    out->prior_dims = k->oracle.prior_dims;
    out->n_contexts = k->oracle.contexts;
    out->n_targets = k->oracle.targets;
    out->context_scale = k->oracle.context_scale;
    out->context_flip = k->oracle.context_flip;
    out->context_lose = k->oracle.context_lose;
    out->context_shift = k->oracle.context_shift;
    out->context_baseline = k->oracle.context_baseline;
    out->context_coverage = k->oracle.context_coverage;
    take_lab(out, k);
    SOW_TRY(take_combinations(out, k, err));
    if (!k->oracle.baseline) return SOW_OK;
    SOW_TRY(sow_calibration_read(measured, k->oracle.baseline, err));
    out->measured = measured;
done:
    return st;
}

/* ---- the cells ---- */

static sow_status text_column(sow_h5ad_column *c, const char *name, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    c->kind = SOW_COLUMN_STRING;
    c->name = sow_strdup(name);
    if (!c->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(c->text, n);
done:
    return st;
}

enum { PERTURBATION, CONTEXT, BATCH, GUIDE, COLUMNS };

/* Texts are borrowed from the names. */
static sow_status label_obs(sow_h5ad_column *column, char **name, const sow_cells *cells, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    static const char *const title[COLUMNS] = {"perturbation", "context", "batch", "guide"};
    for (int k = 0; k < COLUMNS; k++)
        SOW_TRY(text_column(&column[k], title[k], cells->n, err));
    for (sow_index i = 0; i < cells->n; i++) {
        name[i] = sow_format("cell%09lld", (long long)i + 1);
        if (!name[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        const char *p = cells->perturbation[i] == SOW_CONTROL ? "control" : sow_names_get(screen->perturbations, cells->perturbation[i]);
        column[PERTURBATION].text[i] = (char *)(uintptr_t)p;
        column[CONTEXT].text[i] = (char *)(uintptr_t)sow_names_get(screen->contexts, cells->context[i]);
        column[BATCH].text[i] = (char *)(uintptr_t)sow_names_get(cells->batches, cells->batch[i]);
        column[GUIDE].text[i] = cells->guide[i] == SOW_NO_LABEL ? NULL : (char *)(uintptr_t)sow_names_get(cells->guides, cells->guide[i]);
    }
done:
    return st;
}

static sow_status write_cells(const char *file, sow_cell_stream *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *screen = NULL;
    const sow_cells *cells = sow_cell_stream_cells(&screen, s);
    sow_h5ad_writer *w = NULL;
    sow_h5ad_column column[COLUMNS] = {0};
    char **name = NULL;
    sow_index n = 0;
    const int64_t *start = NULL;
    const int32_t *gene = NULL;
    const float *value = NULL;
    SOW_NEW(name, cells->n);
    SOW_TRY(label_obs(column, name, cells, screen, err));
    SOW_TRY(sow_h5ad_writer_create(&w, file, cells->genes, NULL, 0, 1, err));
    sow_h5ad_writer_use(w, sow_env_threads(env));
    for (;;) {
        SOW_TRY(sow_cell_stream_next(&n, &start, &gene, &value, s, env, err));
        if (n == 0) break;
        SOW_TRY(sow_h5ad_writer_append(w, n, start, gene, value, err));
        SOW_TRY(sow_progress(env, "writing cells", (double)sow_h5ad_writer_n_cells(w) / (double)cells->n, err));
    }
    sow_h5ad_writer *finished = w;
    w = NULL;
    st = sow_h5ad_writer_finish(finished, name, column, sow_names_count(cells->guides) > 0 ? COLUMNS : GUIDE, err);
done:
    sow_h5ad_writer_abandon(w);
    for (sow_index i = 0; name && i < cells->n; i++)
        free(name[i]);
    free(name);
    for (int k = 0; k < COLUMNS; k++) {
        free(column[k].name);
        free(column[k].text);
    }
    return st;
}

/* ---- what is true ---- */

static sow_status number_column(sow_h5ad_column *c, const char *name, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    c->kind = SOW_COLUMN_NUMBER;
    c->name = sow_strdup(name);
    if (!c->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(c->number, n);
done:
    return st;
}

/* Rows of `x` [rows, genes] under their names; `column` may be NULL. Names and columns are the caller's. */
static sow_status write_rows(const char *file, double *x, sow_index rows, char **names, const sow_names *genes, sow_h5ad_column *column, sow_index n_columns, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_h5ad a = {.n_obs = rows, .n_vars = sow_names_count(genes), .obs_names = names, .n_obs_columns = n_columns, .obs = column, .x = x};
    SOW_NEW(a.var_names, a.n_vars);
    for (sow_index g = 0; g < a.n_vars; g++)
        a.var_names[g] = (char *)(uintptr_t)sow_names_get(genes, g); /* only read */
    SOW_TRY(sow_h5ad_write(file, &a, 1, err));
done:
    free(a.var_names);
    return st;
}

/* Who is in a combination, and what comes of it; names are borrowed. Perturbations alone have none of it. */
static void describe_combination(sow_h5ad_column *c, sow_index r, const sow_cell_truth *t, sow_index context, sow_index p, const sow_screen *screen)
{
    enum { KIND, FIRST, SECOND, LEAD, STRENGTH, DEVIATION };
    const sow_index k = p - (t->n - t->n_combinations);
    c[STRENGTH].number[r] = c[DEVIATION].number[r] = NAN;
    if (k < 0) return;
    const sow_combination *both = &t->combination[k];
    c[KIND].text[r] = (char *)(uintptr_t)sow_interaction_name(both->kind);
    c[FIRST].text[r] = (char *)(uintptr_t)sow_names_get(screen->perturbations, both->first);
    c[SECOND].text[r] = (char *)(uintptr_t)sow_names_get(screen->perturbations, both->second);
    if (both->lead >= 0) c[LEAD].text[r] = (char *)(uintptr_t)sow_names_get(screen->perturbations, both->lead);
    c[STRENGTH].number[r] = both->strength;
    c[DEVIATION].number[r] = t->deviation[context * t->n_combinations + k];
}

static sow_status write_truth(const char *file, const sow_cell_truth *t, const sow_cells *cells, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    enum { WHO, WHERE, MODULE, GROWTH, CELLS, OF_COMBINATIONS, N = OF_COMBINATIONS + 6 };
    static const char *const texts[] = {"interaction", "first", "second", "lead"}, *const numbers[] = {"strength", "deviation"};
    sow_h5ad_column c[N] = {0};
    char **name = NULL;
    const sow_index rows = t->n * t->n_contexts;
    SOW_NEW(name, rows);
    SOW_TRY(text_column(&c[WHO], "perturbation", rows, err));
    SOW_TRY(text_column(&c[WHERE], "context", rows, err));
    SOW_TRY(number_column(&c[MODULE], "module", rows, err));
    SOW_TRY(number_column(&c[GROWTH], "growth", rows, err));
    SOW_TRY(number_column(&c[CELLS], "cells", rows, err));
    for (int i = 0; t->n_combinations > 0 && i < 4; i++)
        SOW_TRY(text_column(&c[OF_COMBINATIONS + i], texts[i], rows, err));
    for (int i = 0; t->n_combinations > 0 && i < 2; i++)
        SOW_TRY(number_column(&c[OF_COMBINATIONS + 4 + i], numbers[i], rows, err));
    for (sow_index r = 0; r < rows; r++) {
        const sow_index k = r / t->n, p = r % t->n;
        c[WHO].text[r] = (char *)(uintptr_t)sow_names_get(screen->perturbations, p);
        c[WHERE].text[r] = (char *)(uintptr_t)sow_names_get(screen->contexts, k);
        c[MODULE].number[r] = (double)t->module[p] + 1;
        c[GROWTH].number[r] = t->growth[p];
        c[CELLS].number[r] = (double)sow_cells_of(NULL, cells, p, k);
        if (t->n_combinations > 0) describe_combination(&c[OF_COMBINATIONS], r, t, k, p, screen);
        name[r] = t->n_contexts > 1 ? sow_format("%s|%s", c[WHERE].text[r], c[WHO].text[r]) : sow_strdup(c[WHO].text[r]);
        if (!name[r]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(write_rows(file, t->change, rows, name, cells->genes, c, t->n_combinations > 0 ? N : OF_COMBINATIONS, err));
done:
    for (sow_index r = 0; name && r < rows; r++)
        free(name[r]);
    free(name);
    for (int i = 0; i < N; i++) {
        free(c[i].name);
        free(c[i].text);
        free(c[i].number);
    }
    return st;
}

static sow_status write_programs(const char *file, const sow_cell_truth *t, const sow_names *genes, sow_error *err)
{
    sow_status st = SOW_OK;
    char **name = NULL;
    SOW_NEW(name, t->programs);
    for (sow_index p = 0; p < t->programs; p++) {
        name[p] = sow_format("program%lld", (long long)p + 1);
        if (!name[p]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(write_rows(file, t->loading, t->programs, name, genes, NULL, 0, err));
done:
    for (sow_index p = 0; name && p < t->programs; p++)
        free(name[p]);
    free(name);
    return st;
}

static sow_status write_guides(const char *file, const sow_cell_truth *t, const sow_cells *cells, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0};
    sow_text_append(&text, "guide,perturbation,efficiency\n");
    for (sow_index p = 0; p < t->n - t->n_combinations; p++) /* a combination's are those of both */
        for (sow_index j = 0; j < t->guides; j++) {
            sow_text_printf(&text, "%s,%s,", sow_names_get(cells->guides, (p + 1) * t->guides + j), sow_names_get(screen->perturbations, p));
            sow_text_number(&text, t->efficiency[p * t->guides + j]);
            sow_text_append(&text, "\n");
        }
    SOW_TRY(sow_text_save(&text, file, err));
done:
    sow_text_clear(&text);
    return st;
}

static sow_status name_file(char **out, sow_text *said, const char *file, const char *ending, sow_error *err)
{
    *out = sow_format("%.*s%s", (int)(strlen(file) - strlen(".h5ad")), file, ending);
    if (!*out) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_text_printf(said, "%s\n", *out);
    return SOW_OK;
}

static sow_status check_request(const sow_config *k, const char *file, sow_error *err)
{
    const char *dot = file ? strrchr(file, '.') : NULL;
    if (strcmp(k->oracle.kind, "generative") != 0 || k->readout.kind != SOW_READOUT_CELLS)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: only a simulated screen of cells can be written: oracle: {kind: generative} with readout: {kind: cells}", k->path);
    if (file && (!dot || strcmp(dot, ".h5ad") != 0)) return SOW_ERROR(err, SOW_E_CONFIG, "--to %s: a screen is written as .h5ad", file);
    return SOW_OK;
}

sow_status sow_generate(char **said, const sow_config *k, const char *to, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_world_options world;
    sow_calibration measured = {0};
    sow_cell_stream *s = NULL;
    sow_cell_truth truth = {0};
    const sow_screen *screen = NULL;
    sow_text names = {0};
    char *file = NULL, *of_truth = NULL, *of_programs = NULL, *of_guides = NULL;
    *said = NULL;
    SOW_TRY(check_request(k, to, err));
    if (k->oracle.baseline && !sow_file_exists(k->oracle.baseline)) SOW_FAIL(err, SOW_E_DATA, "%s: oracle.baseline: no such file '%s'", k->path, k->oracle.baseline);
    SOW_TRY(sow_i_world_options(&world, &measured, k, err));
    file = to ? sow_strdup(to) : sow_format("%s.screen.h5ad", k->name);
    if (!file) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_text_printf(&names, "%s\n", file);
    SOW_TRY(name_file(&of_truth, &names, file, ".truth.h5ad", err));
    SOW_TRY(name_file(&of_programs, &names, file, ".programs.h5ad", err));
    if (world.guides > 0) SOW_TRY(name_file(&of_guides, &names, file, ".guides.csv", err));
    SOW_TRY(sow_cell_stream_create(&s, &world, env, err));
    SOW_TRY(write_cells(file, s, env, err));
    const sow_cells *cells = sow_cell_stream_cells(&screen, s);
    SOW_TRY(sow_cell_stream_truth(&truth, s, err));
    SOW_TRY(write_truth(of_truth, &truth, cells, screen, err));
    SOW_TRY(write_programs(of_programs, &truth, cells->genes, err));
    if (of_guides) SOW_TRY(write_guides(of_guides, &truth, cells, screen, err));
    if (names.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    *said = names.text;
    names = (sow_text){0};
done:
    sow_text_clear(&names);
    sow_cell_truth_clear(&truth);
    sow_cell_stream_destroy(s);
    sow_calibration_clear(&measured);
    free(file);
    free(of_truth);
    free(of_programs);
    free(of_guides);
    return st;
}
