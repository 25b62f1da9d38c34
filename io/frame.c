#include "io/frame_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int begins_as_hdf5(const char *path)
{
    char magic[8] = {0};
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(magic, 1, sizeof magic, f);
    fclose(f);
    return n == sizeof magic && memcmp(magic, "\211HDF\r\n\032\n", sizeof magic) == 0;
}

static sow_status open_frame(sow_i_frame *frame, const char *path, int load_x, const char *const *wanted, sow_index n_wanted, sow_error *err)
{
    sow_status st = SOW_OK;
    memset(frame, 0, sizeof *frame);
    frame->path = path;
    if (sow_i_has_extension(path, ".h5ad") || begins_as_hdf5(path)) {
        SOW_TRY(sow_i_h5ad_read_columns(&frame->h5ad, path, load_x, wanted, n_wanted, err));
        frame->n_rows = frame->h5ad->n_obs;
        frame->n_columns = frame->h5ad->n_obs_columns;
    } else {
        SOW_TRY(sow_table_read(&frame->table, path, err));
        frame->n_rows = sow_table_n_rows(frame->table);
        frame->n_columns = sow_table_n_columns(frame->table);
    }
done:
    return st;
}

sow_status sow_i_frame_open(sow_i_frame *frame, const char *path, int load_x, sow_error *err)
{
    return open_frame(frame, path, load_x, NULL, 0, err);
}

sow_status sow_i_frame_open_columns(sow_i_frame *frame, const char *path, const char *const *wanted, sow_index n, sow_error *err)
{
    return open_frame(frame, path, 0, wanted, n, err);
}

void sow_i_frame_close(sow_i_frame *frame)
{
    sow_table_destroy(frame->table);
    sow_h5ad_destroy(frame->h5ad);
    memset(frame, 0, sizeof *frame);
}

const char *sow_i_frame_column_name(const sow_i_frame *f, sow_index column)
{
    if (column == SOW_I_INDEX) return "index";
    return f->table ? sow_table_column_name(f->table, column) : f->h5ad->obs[column].name;
}

sow_index sow_i_frame_find(const sow_i_frame *f, const char *name)
{
    for (sow_index i = 0; i < f->n_columns; i++)
        if (strcmp(sow_i_frame_column_name(f, i), name) == 0) return i;
    return f->h5ad && (strcmp(name, "index") == 0 || strcmp(name, "_index") == 0) ? SOW_I_INDEX : -1;
}

sow_status sow_i_frame_column(sow_index *out, const sow_i_frame *f, const char *name, const char *purpose, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    char *all = NULL;
    *out = sow_i_frame_find(f, name);
    if (*out != -1) return SOW_OK;
    SOW_TRY(sow_names_create(&names, err));
    for (sow_index i = 0; i < f->n_columns; i++) SOW_TRY(sow_names_add(names, sow_i_frame_column_name(f, i), NULL, err));
    if (f->h5ad) SOW_TRY(sow_names_add(names, "index", NULL, err));
    const char *near = sow_names_nearest(names, name);
    all = sow_i_quoted_names(names, 30);
    SOW_FAIL(err, SOW_E_DATA, "%s%s: no column '%s' (%s)%s%s%s columns are %s", f->path, f->table ? ":1" : ": obs", name, purpose,
             near ? "; did you mean '" : "", near ? near : "", near ? "'? The" : "; the", all ? all : "(out of memory)");
done:
    free(all);
    sow_names_destroy(names);
    return st;
}

const char *sow_i_frame_text(const sow_i_frame *f, sow_index row, sow_index column, char buffer[40])
{
    if (f->table) return sow_table_cell(f->table, row, column);
    if (column == SOW_I_INDEX) return f->h5ad->obs_names[row];
    const sow_h5ad_column *c = &f->h5ad->obs[column];
    if (c->kind == SOW_COLUMN_STRING) return c->text[row] ? c->text[row] : "";
    if (isnan(c->number[row])) return "";
    if (c->kind == SOW_COLUMN_BOOL) return c->number[row] != 0 ? "True" : "False";
    snprintf(buffer, 40, "%.15g", c->number[row]);
    return buffer;
}

sow_status sow_i_frame_number(double *out, const sow_i_frame *f, sow_index row, sow_index column, sow_error *err)
{
    if (f->table) return sow_table_number(out, f->table, row, column, err);
    if (column != SOW_I_INDEX && f->h5ad->obs[column].number) {
        *out = f->h5ad->obs[column].number[row];
        return SOW_OK;
    }
    const char *text = sow_i_frame_text(f, row, column, (char[40]){0});
    if (sow_i_parse_number(out, text)) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s: column '%s' has '%.60s' where a number is needed", sow_i_frame_place(f, row).text,
                     sow_i_frame_column_name(f, column), text);
}

int sow_i_frame_is_numeric(const sow_i_frame *f, sow_index column, sow_index *missing)
{
    sow_index numbers = 0, gaps = 0;
    int numeric = 1;
    for (sow_index i = 0; i < f->n_rows; i++) {
        double x = 0;
        char buffer[40];
        const char *text = sow_i_frame_text(f, i, column, buffer);
        if (sow_i_is_missing(text))
            gaps++;
        else if (numeric && sow_i_parse_number(&x, text))
            numbers++;
        else
            numeric = 0;
    }
    if (missing) *missing = gaps;
    return numeric && numbers > 0;
}

sow_i_place sow_i_frame_place(const sow_i_frame *f, sow_index row)
{
    sow_i_place p;
    if (f->table)
        snprintf(p.text, sizeof p.text, "%s:%lld", f->path, (long long)sow_table_line(f->table, row));
    else
        snprintf(p.text, sizeof p.text, "%s: row '%s'", f->path, f->h5ad->obs_names[row]);
    return p;
}
