/* Who is who among the cells of a source. */
#include "io/cell_source_internal.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/text_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* ---- MatrixMarket folders ---- */

static sow_status find_barcodes(char **out, const char *folder, sow_error *err)
{
    static const char *const allowed[] = {"barcodes.tsv.gz", "barcodes.tsv"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        *out = sow_path_join(folder, allowed[i]);
        if (!*out) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
        if (sow_file_exists(*out)) return SOW_OK;
        free(*out);
        *out = NULL;
    }
    return SOW_ERROR(err, SOW_E_DATA, "%s: it has no barcodes.tsv or barcodes.tsv.gz", folder);
}

/* One a line, up to a TAB. */
static sow_status read_barcodes(sow_names **out, const char *folder, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = NULL, *text = NULL;
    size_t size = 0;
    long long line = 0;
    SOW_TRY(find_barcodes(&path, folder, err));
    SOW_TRY(sow_file_read_text(&text, &size, path, err));
    SOW_TRY(sow_names_create(out, err));
    for (char *p = text, *next; *p; p = next) {
        size_t length = strcspn(p, "\n");
        next = p + length + (p[length] == '\n');
        p[length] = '\0';
        p[strcspn(p, "\t\r")] = '\0';
        line++;
        sow_index position = 0, known = sow_names_count(*out);
        if (!*p) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: no barcode", path, line);
        SOW_TRY(sow_names_add(*out, p, &position, err));
        if (position != known) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: the barcode '%.60s' a second time (first: line %lld)", path, line, p, (long long)position + 1);
    }
done:
    free(path);
    free(text);
    return st;
}

static sow_status report_unlabelled(const sow_i_cell_labels *l, sow_index labelled, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *first[SOW_I_NAMES_SHOWN], *spelt;
    char buffer[40];
    sow_index shown = 0, missing = l->n_cells - labelled;
    const sow_i_frame *f = &l->table.frame;
    for (sow_index i = 0; i < l->n_cells && shown < SOW_I_NAMES_SHOWN; i++)
        if (l->row_of[i] < 0) first[shown++] = sow_names_get(l->barcodes, i);
    if (labelled == 0) {
        spelt = f->n_rows ? sow_i_frame_text(f, 0, 0, buffer) : "";
        SOW_FAIL(err, SOW_E_DATA, "%s: none of the %lld barcodes of %s is in its first column ('%.60s' there, '%.60s' in the matrix)", f->path,
                 (long long)l->n_cells, l->spec->file, spelt, l->n_cells ? sow_names_get(l->barcodes, 0) : "");
    }
    SOW_TRY(sow_i_dropped_add_first(dropped, l->spec->file, "cells that the table of labels lacks", first, missing, err));
done:
    return st;
}

static sow_status match_barcodes(sow_i_cell_labels *l, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_frame *f = &l->table.frame;
    sow_index labelled = 0;
    char buffer[40];
    SOW_TRY(read_barcodes(&l->barcodes, l->spec->file, err));
    l->n_cells = sow_names_count(l->barcodes);
    SOW_NEW(l->row_of, l->n_cells);
    for (sow_index i = 0; i < l->n_cells; i++) l->row_of[i] = -1;
    for (sow_index r = 0; r < f->n_rows; r++) {
        const char *barcode = sow_i_frame_text(f, r, f->table ? 0 : SOW_I_INDEX, buffer);
        sow_index cell = sow_names_find(l->barcodes, barcode);
        if (cell < 0) continue; /* labels of cells that were filtered away */
        if (l->row_of[cell] >= 0)
            SOW_FAIL(err, SOW_E_DATA, "%s: the barcode '%.60s' a second time (first: %s)", sow_i_frame_place(f, r).text, barcode,
                     sow_i_frame_place(f, l->row_of[cell]).text);
        l->row_of[cell] = r;
        labelled++;
    }
    SOW_TRY(report_unlabelled(l, labelled, dropped, err));
done:
    return st;
}

/* ---- any source ---- */

static sow_status check_spec(const sow_source *s, sow_error *err)
{
    if (s->names_only) return SOW_OK;
    if (s->values == SOW_VALUES_RESPONSE)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: the readout cells needs values: counts or log1p, not finished responses", s->file);
    if (!s->perturbation_column)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: cells need perturbation.column, which names each cell's perturbation", s->file);
    if (!s->control)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: single cells are compared with controls: perturbation.control names their label", s->file);
    if (!s->labels && is_folder(s->file))
        return SOW_ERROR(err, SOW_E_DATA, "%s: a MatrixMarket folder says nothing of its cells; give `labels`, a table whose first column is the barcode",
                         s->file);
    if (s->labels && !is_folder(s->file))
        return SOW_ERROR(err, SOW_E_DATA, "%s: `labels` is for MatrixMarket folders; the labels of an .h5ad are its obs", s->file);
    return SOW_OK;
}

static sow_status find_column(sow_index *out, const sow_i_frame *f, const char *name, const char *purpose, sow_error *err)
{
    *out = -1;
    return name ? sow_i_frame_column(out, f, name, purpose, err) : SOW_OK;
}

sow_status sow_i_cell_labels_open(sow_i_cell_labels *l, const sow_source *spec, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_readout_spec readout = {.kind = SOW_READOUT_CELLS};
    memset(l, 0, sizeof *l);
    l->spec = spec;
    l->table_spec = *spec;
    l->guide = l->batch = l->replicate = -1;
    SOW_TRY(check_spec(spec, err));
    if (!spec->names_only && spec->labels) l->table_spec.file = spec->labels;
    SOW_TRY(sow_i_source_load(&l->table, &l->table_spec, &readout, NULL, 0, dropped, err));
    const sow_i_frame *f = &l->table.frame;
    l->n_cells = f->n_rows;
    l->own_context = sow_i_own_context(spec);
    if (!l->own_context) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (spec->names_only) goto done;
    if (f->table && !spec->labels)
        SOW_FAIL(err, SOW_E_DATA, "%s: a table cannot hold the readout cells; give an .h5ad or a MatrixMarket folder", spec->file);
    SOW_TRY(find_column(&l->guide, f, spec->guide_column, "guide", err));
    SOW_TRY(find_column(&l->batch, f, spec->batch_column, "technical batch", err));
    SOW_TRY(find_column(&l->replicate, f, spec->replicate_column, "replicate", err));
    if (spec->labels) SOW_TRY(match_barcodes(l, dropped, err));
done:
    return st;
}

void sow_i_cell_labels_close(sow_i_cell_labels *l)
{
    sow_i_source_unload(&l->table);
    sow_names_destroy(l->barcodes);
    free(l->row_of);
    free(l->own_context);
    memset(l, 0, sizeof *l);
}

sow_index sow_i_cell_labels_row(const sow_i_cell_labels *l, sow_index cell)
{
    return l->row_of ? l->row_of[cell] : cell;
}

const char *sow_i_cell_labels_name(const sow_i_cell_labels *l, sow_index cell, char buffer[40])
{
    if (l->barcodes) return sow_names_get(l->barcodes, cell);
    if (l->table.frame.h5ad) return l->table.frame.h5ad->obs_names[cell];
    snprintf(buffer, 40, "line %lld", (long long)sow_table_line(l->table.frame.table, cell));
    return buffer;
}
