#include "io/inspect_internal.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/gmt.h"
#include "io/npy.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *sow_file_kind_name(sow_file_kind kind)
{
    static const char *const name[] = {[SOW_FILE_TABLE] = "table", [SOW_FILE_H5AD] = "h5ad", [SOW_FILE_GMT] = "gene sets", [SOW_FILE_NPY] = "npy",
                                       [SOW_FILE_MTX] = "MatrixMarket"};
    return name[kind];
}

/* ---- columns ---- */

static sow_column_kind kind_of(const sow_i_frame *f, sow_index column)
{
    if (column != SOW_I_INDEX && f->h5ad) return f->h5ad->obs[column].kind;
    if (sow_i_frame_is_numeric(f, column, NULL)) return SOW_COLUMN_NUMBER;
    int boolean = 0;
    for (sow_index i = 0; i < f->n_rows; i++) {
        const char *text = sow_i_frame_text(f, i, column, (char[40]){0});
        if (sow_i_is_missing(text)) continue;
        boolean = strcmp(text, "True") == 0 || strcmp(text, "False") == 0 || strcmp(text, "TRUE") == 0 || strcmp(text, "FALSE") == 0;
        if (!boolean) break;
    }
    return boolean ? SOW_COLUMN_BOOL : SOW_COLUMN_STRING;
}

sow_status sow_i_inspect_column(sow_inspect_column *out, const sow_i_frame *f, sow_index column, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *values = NULL;
    out->low = out->high = NAN;
    out->role = "";
    out->kind = kind_of(f, column);
    out->name = sow_strdup(sow_i_frame_column_name(f, column));
    SOW_TRY(sow_names_create(&values, err));
    for (sow_index i = 0; i < f->n_rows; i++) {
        char buffer[40];
        const char *text = sow_i_frame_text(f, i, column, buffer);
        double x = NAN;
        if (sow_i_is_missing(text)) {
            out->missing++;
            continue;
        }
        SOW_TRY(sow_names_add(values, text, NULL, err));
        if (out->kind != SOW_COLUMN_NUMBER || !sow_i_parse_number(&x, text)) continue;
        out->low = fmin(out->low, x);
        out->high = fmax(out->high, x);
    }
    out->distinct = sow_names_count(values);
    for (sow_index i = 0; i < out->distinct && !out->has_control; i++)
        out->has_control = sow_i_is_control(sow_names_get(values, i));
    out->example = sow_strdup(out->distinct ? sow_names_get(values, 0) : "");
    if (!out->name || !out->example) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    sow_names_destroy(values);
    return st;
}

static sow_status describe_columns(sow_inspection *in, const sow_i_frame *f, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(in->column, f->n_columns);
    for (sow_index i = 0; i < f->n_columns; i++) {
        in->n_columns = i + 1;
        SOW_TRY(sow_i_inspect_column(&in->column[i], f, i, err));
    }
done:
    return st;
}

/* ---- summaries ---- */

static char *summary_of_h5ad(const sow_inspection *in)
{
    if (in->is_cells) return sow_i_summary_of_cells(in);
    if (!in->x_is_dense) return sow_format("AnnData without X: %lld rows described by obs.", (long long)in->rows);
    if (in->n_columns == 0)
        return sow_format("AnnData with a dense X of %lld x %lld and only row names: an embedding, good as a prior.", (long long)in->rows,
                          (long long)in->width);
    if (in->n_matrices > 0)
        return sow_format("AnnData with a dense X of %lld x %lld, about %lld rows a perturbation: if the rows are single cells, raw counts or log1p values are "
                          "needed in X, raw or a layer, and X is %s.",
                          (long long)in->rows, (long long)in->width, (long long)(in->rows / in->n_perturbations), sow_numbers_name(in->matrix[0].numbers));
    return sow_format("AnnData with a dense X of %lld rows x %lld columns: profiles%s%s.", (long long)in->rows, (long long)in->width,
                      in->perturbation_column ? ", perturbations in " : "", in->perturbation_column ? in->perturbation_column : "");
}

static char *summary_of_table(const sow_inspection *in)
{
    if (in->n_columns == 1) return sow_format("A list of %lld names.", (long long)in->rows);
    if (!in->readout_kind)
        return sow_format("A table of %lld rows x %lld columns without a readout that could be recognised.", (long long)in->rows, (long long)in->width);
    int once = in->n_perturbations == in->rows && !in->cells_column; /* one row a name: measurements, or features of genes */
    return sow_format("A table of %lld rows x %lld columns: %s readout of %lld perturbations%s.", (long long)in->rows, (long long)in->width,
                      in->readout_kind, (long long)in->n_perturbations, once ? ", or a prior" : "");
}

/* ---- kinds ---- */

static sow_status inspect_frame(sow_inspection *in, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_frame f = {0};
    SOW_TRY(sow_i_frame_open(&f, path, 0, err));
    in->kind = f.h5ad ? SOW_FILE_H5AD : SOW_FILE_TABLE;
    in->rows = f.n_rows;
    in->width = f.h5ad ? f.h5ad->n_vars : f.n_columns;
    in->x_is_sparse = f.h5ad && f.h5ad->x_is_sparse;
    in->x_is_dense = f.h5ad && f.h5ad->x_is_dense;
    SOW_TRY(describe_columns(in, &f, err));
    SOW_TRY(sow_i_inspect_guess(in, &f, err));
    in->summary = f.h5ad ? summary_of_h5ad(in) : summary_of_table(in);
done:
    sow_i_frame_close(&f);
    return st;
}

/* The table of labels that lies in an MTX folder, by the names people give it. NULL = none, or out of memory. */
static char *find_labels(const char *folder)
{
    static const char *const stem[] = {"labels", "cells", "metadata", "meta", "obs", "cell_identities", "cell_metadata", "barcodes_metadata"};
    static const char *const ending[] = {".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz"};
    for (size_t i = 0; i < sizeof stem / sizeof *stem; i++)
        for (size_t k = 0; k < sizeof ending / sizeof *ending; k++) {
            char *path = sow_format("%s/%s%s", folder, stem[i], ending[k]);
            if (!path || sow_file_exists(path)) return path;
            free(path);
        }
    return NULL;
}

static int is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static sow_status inspect_folder(sow_inspection *in, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_frame f = {0};
    in->kind = SOW_FILE_MTX;
    in->is_cells = 1;
    in->target = -1;
    in->labels = find_labels(path);
    if (in->labels) {
        SOW_TRY(sow_i_frame_open(&f, in->labels, 0, err));
        in->rows = f.n_rows;
        SOW_TRY(describe_columns(in, &f, err));
        SOW_TRY(sow_i_inspect_guess(in, &f, err));
    } else {
        SOW_TRY(sow_i_inspect_are_cells(in, &f, err));
    }
    if (in->matrix[0].problem) SOW_FAIL(err, SOW_E_DATA, "%s", in->matrix[0].problem);
    in->rows = in->matrix[0].n_cells;
    in->width = in->matrix[0].n_genes;
    in->summary = sow_i_summary_of_cells(in);
done:
    sow_i_frame_close(&f);
    return st;
}

static sow_status inspect_sets(sow_inspection *in, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_gmt *g = NULL;
    SOW_TRY(sow_gmt_read(&g, path, err));
    in->kind = SOW_FILE_GMT;
    in->rows = sow_names_count(g->sets);
    in->width = sow_names_count(g->members);
    sow_index largest = 0;
    for (sow_index s = 0; s < in->rows; s++)
        if (g->start[s + 1] - g->start[s] > largest) largest = g->start[s + 1] - g->start[s];
    in->summary = sow_format("%lld gene sets over %lld names, the largest of %lld: good as a prior and for quotas.", (long long)in->rows,
                             (long long)in->width, (long long)largest);
done:
    sow_gmt_destroy(g);
    return st;
}

static sow_status inspect_npy(sow_inspection *in, const char *path, sow_error *err)
{
    double *x = NULL;
    in->kind = SOW_FILE_NPY;
    sow_status st = sow_npy_read(&x, &in->rows, &in->width, path, err);
    free(x);
    if (st == SOW_OK)
        in->summary = sow_format("An array of %lld x %lld: good as a prior, with a file of the rows' names.", (long long)in->rows,
                                 (long long)in->width);
    return st;
}

sow_status sow_inspect_file(sow_inspection **out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_inspection *in = NULL;
    *out = NULL;
    SOW_NEW(in, 1);
    in->path = sow_strdup(path);
    if (is_folder(path))
        SOW_TRY(inspect_folder(in, path, err));
    else if (sow_i_has_extension(path, ".gmt"))
        SOW_TRY(inspect_sets(in, path, err));
    else if (sow_i_has_extension(path, ".npy"))
        SOW_TRY(inspect_npy(in, path, err));
    else
        SOW_TRY(inspect_frame(in, path, err));
    if (!in->path || !in->summary) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    *out = in;
    in = NULL;
done:
    sow_inspection_destroy(in);
    return st;
}

static void free_columns(sow_inspect_column *column, sow_index n)
{
    for (sow_index i = 0; column && i < n; i++) {
        free(column[i].name);
        free(column[i].example);
    }
    free(column);
}

static void free_cells(sow_inspection *in)
{
    for (sow_index i = 0; in->matrix && i < in->n_matrices; i++) {
        free(in->matrix[i].name);
        free(in->matrix[i].layout);
        free(in->matrix[i].problem);
    }
    for (sow_index i = 0; in->context_found && i < in->n_contexts; i++)
        free(in->context_found[i].name);
    free(in->matrix);
    free(in->context_found);
    free(in->reference);
    free(in->guide_column);
    free(in->replicate_column);
    free(in->batch_column);
    free(in->gene_column);
    free(in->labels);
}

void sow_inspection_destroy(sow_inspection *in)
{
    if (!in) return;
    free_columns(in->column, in->n_columns);
    free_columns(in->var_column, in->n_var_columns);
    free_cells(in);
    free(in->path);
    free(in->summary);
    free(in->readout_kind);
    free(in->perturbation_column);
    free(in->control);
    free(in->separator);
    free(in->context_column);
    free(in->context);
    free(in->readout_column);
    free(in->transform);
    free(in->cells_column);
    free(in);
}

static void guess_of_cells(sow_config_guess *out, const sow_inspection *in)
{
    const sow_inspect_matrix *x = &in->matrix[in->chosen];
    const sow_inspect_context *t = &in->context_found[in->target];
    out->first_context = in->context_column ? t->name : NULL;
    out->n_references = in->n_references;
    out->reference_contexts = in->reference;
    out->values = x->numbers == SOW_NUMBERS_COUNTS ? "counts" : "log1p";
    out->layer = strcmp(x->name, "X") == 0 ? NULL : x->name;
    out->gene_column = in->gene_column;
    out->labels = in->labels;
    out->guide_column = in->guide_column;
    out->replicate_column = in->replicate_column;
    out->batch_column = in->batch_column;
    out->n_genes = x->n_genes;
    out->n_perturbations = t->enough;
    out->n_controls = t->controls;
    out->cells_per_perturbation = t->median;
}

void sow_inspection_guess(sow_config_guess *out, const sow_inspection *in)
{
    const char *first_context = NULL;
    for (sow_index i = 0; in->context_column && i < in->n_columns; i++)
        if (strcmp(in->column[i].name, in->context_column) == 0) first_context = in->column[i].example;
    *out = (sow_config_guess){.file = in->path,
                              .readout_kind = in->readout_kind,
                              .perturbation_column = in->perturbation_column,
                              .control = in->control,
                              .separator = in->separator,
                              .context_column = in->context_column,
                              .context = in->context,
                              .readout_column = in->readout_column,
                              .transform = in->transform,
                              .cells_column = in->cells_column,
                              .first_context = first_context,
                              .n_perturbations = in->n_perturbations};
    if (in->is_cells && in->readout_kind) guess_of_cells(out, in);
}
