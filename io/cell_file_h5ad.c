/* Cells of AnnData files: which matrix is meant, what must agree with it, and its blocks when it is dense or CSR. CSC goes through a spool. */
#include "io/cell_disk_internal.h"
#include "io/cell_file_internal.h"
#include "io/h5ad_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CELLS = 1 << 16, TILE_ENTRIES = 1 << 15 };

typedef struct {
    sow_i_disk_file file;
    hid_t parent;                    /* group that holds the matrix */
    const char *name;                /* its name there */
    sow_i_window value, index, start; /* dense: value only */
    int64_t *begin;                  /* [cells of a block + 1] */
    sow_index begin_capacity;
    /* dense */
    int flat;                        /* one cell stored as a vector */
    sow_index block_cells;
    int32_t *gene;                   /* [block_cells * n_genes] */
    float *nonzero;
    /* CSC */
    sow_i_spool *spool;
} state;

static void forget(state *s)
{
    s->value.first = s->value.end = s->index.first = s->index.end = s->start.first = s->start.end = 0;
}

static void close_h5ad(sow_cell_file *f)
{
    state *s = f->state;
    sow_i_h5_silence silence;
    if (!s) return;
    sow_i_h5_quiet(&silence);
    sow_i_window_close(&s->value);
    sow_i_window_close(&s->index);
    sow_i_window_close(&s->start);
    if (s->parent >= 0) H5Gclose(s->parent);
    sow_i_disk_file_close(&s->file);
    sow_i_h5_loud(&silence);
    sow_i_spool_destroy(s->spool);
    free(s->begin);
    free(s->gene);
    free(s->nonzero);
    free(s);
    f->state = NULL;
}

static sow_status rewind_h5ad(sow_cell_file *f, sow_error *err)
{
    state *s = f->state;
    (void)err;
    forget(s); /* blocks were altered in place */
    if (s->spool) sow_i_spool_rewind(s->spool);
    return SOW_OK;
}

/* ---- CSR ---- */

/* How many of the next `most` cells fit into a block, their starts checked: they rise, by no more than there are genes, and end where the values do. */
static sow_status cells_that_fit(sow_index *n, const sow_cell_file *f, const int64_t *start, sow_index most, sow_error *err)
{
    sow_status st = SOW_OK;
    *n = 0;
    if (f->at == 0 && start[0] != 0) SOW_FAIL(err, SOW_E_DATA, "%s/indptr: begins with %lld, not 0; the file is damaged", f->where, (long long)start[0]);
    for (sow_index i = 0; i < most; i++) {
        int falls = start[i + 1] < start[i]; /* asked first: a difference of wild numbers may not be taken */
        if (!falls && start[i + 1] - start[0] > f->capacity) break;
        if (falls || start[i + 1] > f->n_values)
            SOW_FAIL(err, SOW_E_DATA, "%s/indptr: entry %lld is %lld after %lld of %lld values; the file is damaged", f->where, (long long)(f->at + i + 2),
                     (long long)start[i + 1], (long long)start[i], (long long)f->n_values);
        *n = i + 1;
    }
    if (*n == 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: cell %lld has %lld values for %lld genes; the file is damaged", f->where, (long long)(f->at + 1),
                 (long long)(start[1] - start[0]), (long long)f->n_genes);
    if (f->at + *n == f->n_cells && start[*n] != f->n_values)
        SOW_FAIL(err, SOW_E_DATA, "%s/indptr: ends with %lld but there are %lld values; the file is damaged", f->where, (long long)start[*n],
                 (long long)f->n_values);
done:
    return st;
}

static sow_status read_csr(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_i_disk_read read[2];
    sow_index most = f->n_cells - f->at < MOST_CELLS ? f->n_cells - f->at : MOST_CELLS, n = 0;
    sow_i_window_plan(&read[0], &s->start, f->at, f->at + most + 1);
    SOW_TRY(sow_i_disk_read_all(read, 1, env, err));
    const int64_t *start = sow_i_window_at(&s->start, f->at);
    SOW_TRY(cells_that_fit(&n, f, start, most, err));
    sow_i_window_plan(&read[0], &s->index, start[0], start[n]);
    sow_i_window_plan(&read[1], &s->value, start[0], start[n]);
    SOW_TRY(sow_i_disk_read_all(read, 2, env, err));
    SOW_TRY(sow_grow(&s->begin, &s->begin_capacity, n + 1, sizeof *s->begin, err));
    for (sow_index i = 0; i <= n; i++) s->begin[i] = start[i] - start[0];
    *out = (sow_i_raw_block){n, s->begin, sow_i_window_at(&s->index, start[0]), sow_i_window_at(&s->value, start[0])};
done:
    return st;
}

/* ---- dense ---- */

typedef struct {
    const float *x;
    state *s;
    sow_index n, n_genes, tile;
} densely;

static sow_status count_rows(void *user, sow_index k, sow_error *err)
{
    const densely *d = user;
    (void)err;
    for (sow_index i = k * d->tile; i < d->n && i < (k + 1) * d->tile; i++) {
        const float *row = d->x + i * d->n_genes;
        int32_t n = 0;
        for (sow_index j = 0; j < d->n_genes; j++) n += row[j] != 0.0f;
        d->s->begin[i + 1] = n;
    }
    return SOW_OK;
}

static sow_status gather_rows(void *user, sow_index k, sow_error *err)
{
    const densely *d = user;
    (void)err;
    for (sow_index i = k * d->tile; i < d->n && i < (k + 1) * d->tile; i++) {
        const float *row = d->x + i * d->n_genes;
        sow_index at = d->s->begin[i];
        for (sow_index j = 0; j < d->n_genes; j++) {
            if (row[j] == 0.0f) continue;
            d->s->gene[at] = (int32_t)j;
            d->s->nonzero[at++] = row[j];
        }
    }
    return SOW_OK;
}

static sow_status read_dense(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_i_disk_read read;
    sow_index n = f->n_cells - f->at < s->block_cells ? f->n_cells - f->at : s->block_cells, rows = s->flat ? f->n_genes : 1;
    sow_i_window_plan(&read, &s->value, f->at * rows, (f->at + n) * rows);
    SOW_TRY(sow_i_disk_read_all(&read, 1, env, err));
    densely d = {sow_i_window_at(&s->value, f->at * rows), s, n, f->n_genes, TILE_ENTRIES / (f->n_genes > 0 ? f->n_genes : 1) + 1};
    sow_index tiles = (n - 1) / d.tile + 1;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, count_rows, &d, err));
    s->begin[0] = 0;
    for (sow_index i = 0; i < n; i++) s->begin[i + 1] += s->begin[i];
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, gather_rows, &d, err));
    *out = (sow_i_raw_block){n, s->begin, s->gene, s->nonzero};
done:
    return st;
}

/* ---- CSC ---- */

static sow_status check_columns(const sow_cell_file *f, const int64_t *start, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index j = 0; j < f->n_genes; j++)
        if (start[j + 1] < start[j]) SOW_FAIL(err, SOW_E_DATA, "%s/indptr: falls at entry %lld; the file is damaged", f->where, (long long)(j + 2));
    if (start[0] != 0 || start[f->n_genes] != f->n_values)
        SOW_FAIL(err, SOW_E_DATA, "%s/indptr: goes from %lld to %lld but there are %lld values; the file is damaged", f->where, (long long)start[0],
                 (long long)start[f->n_genes], (long long)f->n_values);
done:
    return st;
}

static sow_status check_cells(const sow_cell_file *f, const int32_t *cell, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        if (cell[i] < 0 || cell[i] >= f->n_cells)
            return SOW_ERROR(err, SOW_E_DATA, "%s: a cell index outside 0 to %lld; the file is damaged", f->where, (long long)(f->n_cells - 1));
    return SOW_OK;
}

static sow_status count_cells(sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    for (sow_index at = 0; at < f->n_values; at += f->capacity) {
        sow_index n = f->n_values - at < f->capacity ? f->n_values - at : f->capacity;
        sow_i_disk_read read;
        sow_i_window_plan(&read, &s->index, at, at + n);
        SOW_TRY(sow_i_disk_read_all(&read, 1, env, err));
        const int32_t *cell = sow_i_window_at(&s->index, at);
        SOW_TRY(check_cells(f, cell, n, err));
        sow_i_spool_count(s->spool, cell, n);
        SOW_TRY(sow_progress(env, "reading cells", 0.5 * (double)(at + n) / (double)f->n_values, err));
    }
done:
    forget(s);
    return st;
}

static sow_status spool_entries(sow_cell_file *f, const int64_t *start, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_i_entry *entry = NULL;
    sow_index gene = 0, piece = f->capacity / 2;
    SOW_NEW(entry, piece);
    for (sow_index at = 0; at < f->n_values; at += piece) {
        sow_index n = f->n_values - at < piece ? f->n_values - at : piece;
        sow_i_disk_read read[2];
        sow_i_window_plan(&read[0], &s->index, at, at + n);
        sow_i_window_plan(&read[1], &s->value, at, at + n);
        SOW_TRY(sow_i_disk_read_all(read, 2, env, err));
        const int32_t *cell = sow_i_window_at(&s->index, at);
        const float *value = sow_i_window_at(&s->value, at);
        SOW_TRY(check_cells(f, cell, n, err)); /* again: the file may have been changed between */
        for (sow_index i = 0; i < n; i++) {
            while (start[gene + 1] <= at + i) gene++;
            entry[i] = (sow_i_entry){cell[i], (int32_t)gene, value[i]};
        }
        SOW_TRY(sow_i_spool_put(s->spool, entry, n, err));
        SOW_TRY(sow_progress(env, "reading cells", 0.5 + 0.5 * (double)(at + n) / (double)f->n_values, err));
    }
done:
    forget(s);
    free(entry);
    return st;
}

static sow_status turn_columns(sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    int64_t *start = NULL;
    SOW_NEW(start, f->n_genes + 1);
    sow_i_disk_read all = {&s->start.disk, start, 0, f->n_genes + 1};
    SOW_TRY(sow_i_disk_read_all(&all, 1, env, err));
    SOW_TRY(check_columns(f, start, err));
    SOW_TRY(sow_i_spool_create(&s->spool, f, err));
    SOW_TRY(count_cells(f, env, err));
    SOW_TRY(sow_i_spool_plan(s->spool, err));
    SOW_TRY(spool_entries(f, start, env, err));
    SOW_TRY(sow_i_spool_finish(s->spool, err));
done:
    if (st != SOW_OK) {
        sow_i_spool_destroy(s->spool);
        s->spool = NULL;
    }
    free(start);
    return st;
}

static sow_status read_csc(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    if (!s->spool) SOW_TRY(turn_columns(f, env, err));
    SOW_TRY(sow_i_spool_next(out, s->spool, err));
done:
    return st;
}

/* ---- all three ---- */

static sow_status quietly(sow_status (*read)(sow_i_raw_block *, sow_cell_file *, const sow_env *, sow_error *), sow_i_raw_block *out, sow_cell_file *f,
                          const sow_env *env, sow_error *err)
{
    sow_i_h5_silence silence;
    if (f->at >= f->n_cells) return SOW_OK;
    sow_i_h5_quiet(&silence);
    sow_status st = read(out, f, env, err);
    sow_i_h5_loud(&silence);
    if (st != SOW_OK) forget(f->state); /* a window may say that it holds what was never read */
    return st;
}

static sow_status next_csr(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    return quietly(read_csr, out, f, env, err);
}

static sow_status next_dense(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    return quietly(read_dense, out, f, env, err);
}

static sow_status next_csc(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    return quietly(read_csc, out, f, env, err);
}

static const sow_i_cell_backend csr_backend = {"CSR", next_csr, rewind_h5ad, close_h5ad};
static const sow_i_cell_backend csc_backend = {"CSC", next_csc, rewind_h5ad, close_h5ad};
static const sow_i_cell_backend dense_backend = {"dense", next_dense, rewind_h5ad, close_h5ad};

/* ---- opening ---- */

static sow_status no_such_layer(const sow_cell_file *f, hid_t layers, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    char *list = NULL;
    SOW_TRY(sow_names_create(&names, err));
    if (layers >= 0) SOW_TRY(sow_i_h5ad_columns(names, layers, f->where, err));
    list = sow_i_quoted_names(names, 20);
    const char *near = sow_names_nearest(names, f->layer);
    SOW_FAIL(err, SOW_E_DATA, "%s: no layer '%s'%s%s%s; %s%s, 'X' for the main matrix and 'raw' for raw/X can be named", f->path, f->layer,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", sow_names_count(names) > 0 ? "the layers " : "the file has no layers",
             list ? list : "(out of memory)");
done:
    free(list);
    sow_names_destroy(names);
    return st;
}

/* Which matrix: s->parent, s->name, f->where. */
static sow_status choose_matrix(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    int main_matrix = !f->layer || strcmp(f->layer, "X") == 0, raw = f->layer && strcmp(f->layer, "raw") == 0;
    f->where = main_matrix ? sow_format("%s: /X", f->path) : raw ? sow_format("%s: /raw/X", f->path) : sow_format("%s: /layers/%s", f->path, f->layer);
    if (!f->where) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    s->name = main_matrix || raw ? "X" : f->layer;
    if (main_matrix) {
        s->parent = H5Gopen2(s->file.file, "/", H5P_DEFAULT);
    } else if (raw) {
        if (sow_i_h5_kind(s->file.file, "raw") != H5I_GROUP) SOW_FAIL(err, SOW_E_DATA, "%s: there is no raw (layer: raw); use X or a layer", f->path);
        s->parent = H5Gopen2(s->file.file, "raw", H5P_DEFAULT);
    } else {
        if (sow_i_h5_kind(s->file.file, "layers") == H5I_GROUP) s->parent = H5Gopen2(s->file.file, "layers", H5P_DEFAULT);
        if (s->parent < 0 || strchr(f->layer, '/') || !sow_i_h5_has(s->parent, f->layer)) SOW_TRY(no_such_layer(f, s->parent, err));
    }
    if (s->parent < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, cannot be opened", f->where);
done:
    return st;
}

static sow_status count_cells_of_obs(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    hid_t obs = -1;
    char *index = NULL, *at = sow_format("%s: /obs", f->path);
    if (!at) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_h5ad_group(&obs, s->file.file, "obs", at, err));
    SOW_TRY(sow_i_h5ad_index_name(&index, obs, err));
    SOW_TRY(sow_i_h5ad_length(&f->n_cells, obs, index, at, err));
done:
    free(index);
    free(at);
    if (obs >= 0) H5Gclose(obs);
    return st;
}

static sow_status genes_of_column(sow_cell_file *f, hid_t var, const char *index, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    sow_h5ad_column column = {0};
    char *list = NULL;
    sow_index n = 0;
    int known = 0;
    SOW_TRY(sow_i_h5ad_length(&n, var, index, at, err));
    if (sow_i_h5_has(var, f->gene_column)) SOW_TRY(sow_i_h5ad_column(&column, &known, var, f->gene_column, n, at, err));
    if (!known || !column.text) {
        SOW_TRY(sow_names_create(&names, err));
        SOW_TRY(sow_i_h5ad_columns(names, var, at, err));
        const char *near = sow_names_nearest(names, f->gene_column);
        list = sow_i_quoted_names(names, 20);
        SOW_FAIL(err, SOW_E_DATA, "%s: no column of names '%s' (gene_column)%s%s%s; the columns are %s", at, f->gene_column, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "", list ? list : "(out of memory)");
    }
    SOW_TRY(sow_i_cell_take_genes(f, column.text, n, at, "choose another column with gene_column", err));
done:
    free(list);
    sow_names_destroy(names);
    sow_i_h5ad_clear_column(&column, n);
    return st;
}

static sow_status read_genes(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    hid_t var = -1;
    int raw = f->layer && strcmp(f->layer, "raw") == 0;
    char *index = NULL, *at = sow_format("%s: %s", f->path, raw ? "/raw/var" : "/var"), **name = NULL;
    sow_index n = 0;
    if (!at) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_h5ad_group(&var, raw ? s->parent : s->file.file, "var", at, err));
    SOW_TRY(sow_i_h5ad_index_name(&index, var, err));
    if (f->gene_column && strcmp(f->gene_column, index) != 0 && strcmp(f->gene_column, "index") != 0 && strcmp(f->gene_column, "_index") != 0) {
        SOW_TRY(genes_of_column(f, var, index, at, err));
    } else {
        SOW_TRY(sow_i_h5ad_index(&name, &n, var, index, at, err));
        SOW_TRY(sow_i_cell_take_genes(f, name, n, at, "call adata.var_names_make_unique() and write the file again, or choose a column with gene_column", err));
    }
done:
    sow_i_free_strings(name, n);
    free(index);
    free(at);
    if (var >= 0) H5Gclose(var);
    return st;
}

static sow_status open_part(sow_i_window *w, sow_cell_file *f, hid_t group, const char *name, sow_i_as as, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    char *at = sow_format("%s/%s", f->where, name);
    if (!at) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_disk_open(&w->disk, &s->file, group, name, at, as, err));
    if (w->disk.d.n_dims != 1) SOW_FAIL(err, SOW_E_DATA, "%s: %d dimensions where 1 is expected; the file is damaged", at, w->disk.d.n_dims);
done:
    free(at);
    return st;
}

static sow_status check_shape(const sow_cell_file *f, sow_index rows, sow_index columns, sow_error *err)
{
    if (rows == f->n_cells && columns == f->n_genes) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s is %lld x %lld but obs names %lld cells and var %lld genes; the file is damaged", f->where, (long long)rows,
                     (long long)columns, (long long)f->n_cells, (long long)f->n_genes);
}

static sow_status open_sparse(sow_cell_file *f, hid_t group, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_i_h5ad_sparse matrix;
    SOW_TRY(sow_i_h5ad_sparse_open(&matrix, group, f->where, err));
    SOW_TRY(check_shape(f, matrix.rows, matrix.columns, err));
    SOW_TRY(open_part(&s->value, f, group, "data", SOW_I_AS_FLOAT, err));
    SOW_TRY(open_part(&s->index, f, group, "indices", SOW_I_AS_INT32, err));
    SOW_TRY(open_part(&s->start, f, group, "indptr", SOW_I_AS_INT64, err));
    sow_index lines = matrix.by_column ? matrix.columns : matrix.rows;
    if (s->start.disk.rows != lines + 1)
        SOW_FAIL(err, SOW_E_DATA, "%s/indptr: %lld entries for %lld %s (one more is needed); the file is damaged", f->where, (long long)s->start.disk.rows,
                 (long long)lines, matrix.by_column ? "genes" : "cells");
    if (s->value.disk.rows != s->index.disk.rows)
        SOW_FAIL(err, SOW_E_DATA, "%s: %lld values in data but %lld in indices; the file is damaged", f->where, (long long)s->value.disk.rows,
                 (long long)s->index.disk.rows);
    f->n_values = s->value.disk.rows;
    f->backend = matrix.by_column ? &csc_backend : &csr_backend;
    SOW_TRY(sow_i_window_init(&s->value, f->capacity, err));
    SOW_TRY(sow_i_window_init(&s->index, f->capacity, err));
    if (!matrix.by_column) SOW_TRY(sow_i_window_init(&s->start, MOST_CELLS + 1, err));
done:
    return st;
}

static sow_status open_dense(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    SOW_TRY(sow_i_disk_open(&s->value.disk, &s->file, s->parent, s->name, f->where, SOW_I_AS_FLOAT, err));
    const sow_i_disk *d = &s->value.disk;
    int vector = d->d.n_dims == 1 && (f->n_cells == 1 || f->n_genes == 1) && d->rows == f->n_cells * f->n_genes;
    s->flat = vector && f->n_genes != 1;
    if (!vector) SOW_TRY(check_shape(f, d->rows, d->d.n_dims == 2 ? d->width : 1, err));
    f->n_values = f->n_cells * f->n_genes;
    f->backend = &dense_backend;
    s->block_cells = f->n_genes > 0 ? f->capacity / f->n_genes : MOST_CELLS;
    if (s->block_cells > MOST_CELLS) s->block_cells = MOST_CELLS;
    SOW_TRY(sow_i_window_init(&s->value, s->block_cells * (s->flat ? f->n_genes : 1), err));
    SOW_NEW(s->begin, s->block_cells + 1);
    SOW_NEW(s->gene, s->block_cells * f->n_genes);
    SOW_NEW(s->nonzero, s->block_cells * f->n_genes);
done:
    return st;
}

static sow_status open_matrix(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    hid_t group = -1;
    SOW_TRY(sow_i_disk_file_open(&s->file, f->path, f->memory / 2, err));
    SOW_TRY(choose_matrix(f, err));
    SOW_TRY(count_cells_of_obs(f, err));
    SOW_TRY(read_genes(f, err));
    SOW_TRY(sow_i_cell_size_block(f, err));
    H5I_type_t kind = sow_i_h5_kind(s->parent, s->name);
    if (kind == H5I_GROUP) {
        group = H5Gopen2(s->parent, s->name, H5P_DEFAULT);
        if (group < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, cannot be opened", f->where);
        SOW_TRY(open_sparse(f, group, err));
    } else {
        if (kind == H5I_BADID) SOW_FAIL(err, SOW_E_DATA, "%s: missing; name a layer that has the values (layer)", f->where);
        SOW_TRY(open_dense(f, err));
    }
done:
    if (group >= 0) H5Gclose(group);
    return st;
}

sow_status sow_i_cell_open_h5ad(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    state *s = NULL;
    sow_i_h5_quiet(&silence);
    SOW_NEW(s, 1);
    s->parent = s->file.file = -1;
    s->file.fd = -1;
    s->value.disk = s->index.disk = s->start.disk = (sow_i_disk)SOW_I_DISK_NONE;
    f->state = s;
    f->backend = &dense_backend; /* whichever it will be, they close alike */
    SOW_TRY(open_matrix(f, err));
done:
    sow_i_h5_loud(&silence);
    return st;
}
