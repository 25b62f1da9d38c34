/* Opening one source: its file, the columns it names, and for profiles its matrix of features. */
#include "io/source_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <stdlib.h>
#include <string.h>

static const char cells_are_not_supported[] =
    "single-cell matrices (readout cells) are not supported by this version; give one row per perturbation: a table, or an .h5ad with a dense X";

static sow_status optional_column(sow_index *out, const sow_i_frame *f, const char *name, const char *purpose, sow_error *err)
{
    *out = -1;
    return name ? sow_i_frame_column(out, f, name, purpose, err) : SOW_OK;
}

/* A reference need not have it: its rows are nobody's hits. */
static sow_status find_hit_column(sow_index *out, const sow_i_frame *f, const char *name, sow_source_role role, sow_error *err)
{
    *out = name ? sow_i_frame_find(f, name) : -1;
    if (name && *out == -1 && role == SOW_ROLE_TARGET) return sow_i_frame_column(out, f, name, "objective", err);
    return SOW_OK;
}

/* A fixed name or a column; a source that gives neither is its own context, named after its file. */
static sow_status find_columns(sow_i_loaded *s, const sow_readout_spec *readout, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_source *spec = s->spec;
    const sow_i_frame *f = &s->frame;
    s->perturbation = f->h5ad ? SOW_I_INDEX : 0;
    if (spec->perturbation_column) SOW_TRY(sow_i_frame_column(&s->perturbation, f, spec->perturbation_column, "perturbation", err));
    s->context = -1;
    if (!spec->context || !spec->context_column || sow_i_frame_find(f, spec->context_column) != -1)
        SOW_TRY(optional_column(&s->context, f, spec->context_column, "context", err));
    SOW_TRY(optional_column(&s->dose, f, spec->dose_column, "dose", err));
    s->cells = s->variance = s->hit = s->or_hit = s->readout = -1;
    s->hit_is_above = readout->hit_is_above;
    if (spec->names_only) goto done; /* nothing is measured yet: columns of results need not be there */
    SOW_TRY(optional_column(&s->cells, f, spec->cells_column, "number of cells", err));
    SOW_TRY(optional_column(&s->variance, f, spec->variance_column, "variance", err));
    sow_index replicate = -1;
    SOW_TRY(optional_column(&replicate, f, spec->replicate_column, "replicate", err));
    SOW_TRY(find_hit_column(&s->hit, f, readout->hit_column, spec->role, err));
    SOW_TRY(find_hit_column(&s->or_hit, f, readout->or_hit_column, spec->role, err));
    if (readout->kind == SOW_READOUT_SCALAR) {
        if (!readout->column) SOW_FAIL(err, SOW_E_CONFIG, "readout.column: a scalar readout needs the name of its column");
        SOW_TRY(sow_i_frame_column(&s->readout, f, readout->column, "readout", err));
    }
done:
    return st;
}

static sow_status find_covariates(sow_i_loaded *s, const sow_i_covariate *covariates, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(s->covariate, n);
    for (sow_index i = 0; i < n; i++) {
        s->covariate[i] = -1;
        if (s->spec->names_only) continue;
        if (covariates[i].column) {
            SOW_TRY(sow_i_frame_column(&s->covariate[i], &s->frame, covariates[i].column, "readout.adjust_for", err));
        } else if (s->cells == -1) {
            SOW_FAIL(err, SOW_E_CONFIG, "%s: readout.adjust_for needs the number of cells, but this source names no cells column", s->frame.path);
        }
    }
done:
    return st;
}

/* ---- profiles ---- */

static sow_status features_of_h5ad(sow_i_loaded *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_h5ad *a = s->frame.h5ad;
    if (a->x_is_sparse) SOW_FAIL(err, SOW_E_UNSUPPORTED, "%s: %s", s->frame.path, cells_are_not_supported);
    for (sow_index i = 0; i < a->n_vars; i++) {
        if (sow_names_find(s->features, a->var_names[i]) >= 0)
            SOW_FAIL(err, SOW_E_DATA, "%s: two columns of X are named '%s'; make var_names unique", s->frame.path, a->var_names[i]);
        SOW_TRY(sow_names_add(s->features, a->var_names[i], NULL, err));
    }
    s->x = a->x;
    s->width = a->n_vars;
done:
    return st;
}

static int is_otherwise_used(const sow_i_loaded *s, sow_index column, sow_index n_covariates)
{
    const sow_source *spec = s->spec;
    const char *const named[] = {spec->replicate_column, spec->cells_column, spec->variance_column};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) /* by name: a list of candidates does not look them up */
        if (named[i] && strcmp(named[i], sow_table_column_name(s->frame.table, column)) == 0) return 1;
    for (sow_index i = 0; i < n_covariates; i++)
        if (s->covariate[i] == column) return 1;
    return column == s->perturbation || column == s->context || column == s->dose || column == s->hit || column == s->or_hit;
}

/* A list of candidates may name the features of results to come by columns that are still empty. */
static int is_feature(const sow_i_loaded *s, sow_index column)
{
    sow_index missing = 0;
    return sow_i_frame_is_numeric(&s->frame, column, &missing) || (s->spec->names_only && missing == s->frame.n_rows);
}

/* Every numeric column of a table that has no other use. */
static sow_status features_of_table(sow_i_loaded *s, sow_index n_covariates, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_frame *f = &s->frame;
    sow_index *column = NULL;
    SOW_NEW(column, f->n_columns);
    for (sow_index i = 0; i < f->n_columns; i++) {
        if (is_otherwise_used(s, i, n_covariates) || !is_feature(s, i)) continue;
        column[s->width++] = i;
        SOW_TRY(sow_names_add(s->features, sow_table_column_name(f->table, i), NULL, err));
    }
    if (s->width == 0 && !s->spec->names_only) SOW_FAIL(err, SOW_E_DATA, "%s: no numeric column is left for a profile readout", f->path);
    SOW_NEW(s->own_x, f->n_rows * s->width);
    for (sow_index i = 0; i < f->n_rows; i++)
        for (sow_index j = 0; j < s->width; j++) SOW_TRY(sow_table_number(&s->own_x[i * s->width + j], f->table, i, column[j], err));
    s->x = s->own_x;
done:
    free(column);
    return st;
}

/* Columns that are numbers but for a few cells are not features; someone may have meant them to be. */
static sow_status report_text_columns(sow_i_loaded *s, sow_index n_covariates, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_frame *f = &s->frame;
    sow_names *names = NULL;
    SOW_TRY(sow_names_create(&names, err));
    for (sow_index i = 0; i < f->n_columns; i++) {
        if (is_otherwise_used(s, i, n_covariates) || sow_names_find(s->features, sow_table_column_name(f->table, i)) >= 0) continue;
        sow_index numbers = 0;
        double x = 0;
        for (sow_index r = 0; r < f->n_rows; r++) numbers += sow_i_parse_number(&x, sow_table_cell(f->table, r, i)) && x == x;
        if (2 * numbers > f->n_rows) SOW_TRY(sow_names_add(names, sow_table_column_name(f->table, i), NULL, err));
    }
    SOW_TRY(sow_i_dropped_add(dropped, f->path, "columns left out of the profile: not all numbers", names, sow_names_count(names), err));
done:
    sow_names_destroy(names);
    return st;
}

static sow_status load_features(sow_i_loaded *s, sow_index n_covariates, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_names_create(&s->features, err));
    if (s->frame.h5ad) {
        SOW_TRY(features_of_h5ad(s, err));
    } else {
        SOW_TRY(features_of_table(s, n_covariates, err));
        SOW_TRY(report_text_columns(s, n_covariates, dropped, err));
    }
done:
    return st;
}

/* ---- one source ---- */

static sow_status check_kept_contexts(const sow_i_loaded *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *present = NULL;
    sow_index found = 0;
    char *all = NULL;
    const sow_source *spec = s->spec;
    if (spec->n_keep_contexts == 0) return SOW_OK;
    if (s->context == -1 && spec->context && spec->context_column) return SOW_OK; /* all of it is of the context named instead */
    if (s->context == -1) SOW_FAIL(err, SOW_E_CONFIG, "%s: contexts to keep need a context column", s->frame.path);
    SOW_TRY(sow_names_create(&present, err));
    for (sow_index i = 0; i < s->frame.n_rows; i++) {
        char buffer[40];
        SOW_TRY(sow_names_add(present, sow_i_frame_text(&s->frame, i, s->context, buffer), NULL, err));
    }
    for (sow_index k = 0; k < spec->n_keep_contexts; k++)
        found += sow_names_find(present, spec->keep_contexts[k]) >= 0;
    for (sow_index k = 0; k < spec->n_keep_contexts; k++) {
        if (sow_names_find(present, spec->keep_contexts[k]) >= 0 || (spec->may_be_empty && found > 0)) continue; /* results may come one context after the other */
        const char *near = sow_names_nearest(present, spec->keep_contexts[k]);
        all = sow_i_quoted_names(present, 20);
        SOW_FAIL(err, SOW_E_DATA, "%s: no row has the context '%s' in column '%s'%s%s%s; it has %s", s->frame.path, spec->keep_contexts[k],
                 sow_i_frame_column_name(&s->frame, s->context), near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                 all ? all : "(out of memory)");
    }
done:
    free(all);
    sow_names_destroy(present);
    return st;
}

static sow_status open_file(sow_i_frame *frame, const sow_source *s, sow_readout_kind kind, sow_error *err)
{
    const char *const all[] = {s->perturbation_column, s->context_column, s->dose_column, s->replicate_column, s->guide_column, s->batch_column};
    const char *wanted[sizeof all / sizeof *all];
    sow_index n = 0;
    if (kind != SOW_READOUT_CELLS) return sow_i_frame_open(frame, s->file, kind == SOW_READOUT_PROFILE, err);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) wanted[n++] = all[i];
    return sow_i_frame_open_columns(frame, s->file, wanted, n, err);
}

sow_status sow_i_source_load(sow_i_loaded *out, const sow_source *spec, const sow_readout_spec *readout, const sow_i_covariate *covariates,
                             sow_index n_covariates, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    int profile = readout->kind == SOW_READOUT_PROFILE;
    memset(out, 0, sizeof *out);
    out->spec = spec;
    SOW_TRY(sow_i_tally_create(&out->tally, err));
    SOW_TRY(open_file(&out->frame, spec, readout->kind, err));
    if (out->frame.n_rows == 0) SOW_FAIL(err, SOW_E_DATA, "%s: it has no rows", spec->file);
    SOW_TRY(find_columns(out, readout, err));
    SOW_TRY(find_covariates(out, covariates, n_covariates, err));
    SOW_TRY(check_kept_contexts(out, err));
    if (profile) SOW_TRY(load_features(out, n_covariates, dropped, err));
done:
    return st; /* on failure too the caller unloads */
}

void sow_i_source_unload(sow_i_loaded *s)
{
    sow_i_frame_close(&s->frame);
    sow_i_tally_clear(&s->tally);
    sow_names_destroy(s->features);
    free(s->covariate);
    free(s->own_x);
    free(s->feature_map);
    memset(s, 0, sizeof *s);
}

/* ---- all sources ---- */

/* A bare list of candidates has no say in what is measured. */
static int has_features(const sow_i_loaded *s)
{
    return s->width > 0;
}

static int every_source_has(const sow_i_loaded *loaded, sow_index n, const char *feature)
{
    for (sow_index k = 0; k < n; k++)
        if (has_features(&loaded[k]) && sow_names_find(loaded[k].features, feature) < 0) return 0;
    return 1;
}

sow_status sow_i_sources_intersect(sow_names *features, sow_i_loaded *loaded, sow_index n, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *lost = NULL;
    char *first = NULL, *second = NULL;
    sow_index lead = 0;
    while (lead < n && !has_features(&loaded[lead])) lead++;
    if (lead == n)
        SOW_FAIL(err, SOW_E_DATA, "%s: a profile readout needs to know its features: give the list of candidates one (empty) column a feature",
                 loaded[0].frame.path);
    SOW_TRY(sow_names_create(&lost, err));
    for (sow_index k = 0; k < n; k++)
        for (sow_index j = 0; j < loaded[k].width; j++) {
            const char *name = sow_names_get(loaded[k].features, j);
            int shared = every_source_has(loaded, n, name);
            if (!shared || k == lead) SOW_TRY(sow_names_add(shared ? features : lost, name, NULL, err));
        }
    if (sow_names_count(features) == 0) {
        first = sow_i_quoted_names(loaded[lead].features, 3);
        second = sow_i_quoted_names(loaded[n - 1].features, 3);
        SOW_FAIL(err, SOW_E_DATA, "no feature is in every source: %s has %s, %s has %s; are they named by the same kind of id?",
                 loaded[lead].frame.path, first ? first : "", loaded[n - 1].frame.path, second ? second : "");
    }
    SOW_TRY(sow_i_dropped_add(dropped, "data.sources", "features not in every source", lost, sow_names_count(lost), err));
    for (sow_index k = 0; k < n; k++) {
        SOW_NEW(loaded[k].feature_map, sow_names_count(features));
        for (sow_index j = 0; j < sow_names_count(features); j++)
            loaded[k].feature_map[j] = sow_names_find(loaded[k].features, sow_names_get(features, j));
    }
done:
    free(first);
    free(second);
    sow_names_destroy(lost);
    return st;
}
