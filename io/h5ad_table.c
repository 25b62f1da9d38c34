/* Dense matrices of an AnnData file, block by block. */
#include "io/h5ad_cells.h"
#include "io/h5ad_write_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "io/deflate.h"

typedef sow_i_h5ad_file writer;

static void note(writer *w, herr_t result)
{
    sow_i_anndata_note(w, result);
}

enum { LEVEL = 1 };
typedef sow_i_packed_chunk packed;

struct sow_h5ad_table {
    char *path, *beside;
    writer w;
    sow_index n_rows, n_cols, n_layers, chunk_rows;
    hid_t *matrix; /* [n_layers + 1] X first */
};

static void close_matrices(sow_h5ad_table *t)
{
    for (sow_index i = 0; t->matrix && i <= t->n_layers; i++)
        if (t->matrix[i] >= 0) note(&t->w, H5Dclose(t->matrix[i]));
    free(t->matrix);
    t->matrix = NULL;
}

void sow_h5ad_table_abandon(sow_h5ad_table *t)
{
    if (!t) return;
    sow_i_h5_silence silence;
    sow_i_h5_quiet(&silence);
    close_matrices(t);
    sow_i_anndata_let_go(&t->w);
    sow_i_h5_loud(&silence);
    if (t->beside) unlink(t->beside);
    free(t->beside);
    free(t->path);
    free(t);
}

static hid_t open_group(writer *w, const char *name)
{
    hid_t g = H5Gopen2(w->file, name, H5P_DEFAULT);
    note(w, g < 0 ? -1 : 0);
    return g;
}

static sow_status open_matrices(sow_h5ad_table *t, const char *const *layers, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(t->matrix, t->n_layers + 1);
    for (sow_index i = 0; i <= t->n_layers; i++) t->matrix[i] = -1;
    hid_t group = open_group(&t->w, "layers");
    for (sow_index i = 0; i <= t->n_layers && !t->w.failed; i++)
        t->matrix[i] = sow_i_anndata_dense(&t->w, i ? group : t->w.file, i ? layers[i - 1] : "X", H5T_IEEE_F32LE, t->n_rows, t->n_cols, LEVEL, i ? NAN : 0);
    sow_i_anndata_close_group(&t->w, group);
done:
    return st;
}

sow_status sow_h5ad_table_create(sow_h5ad_table **out, const char *path, sow_index n_rows, const sow_names *names, const char *const *layers, sow_index n_layers, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    sow_h5ad_table *t = NULL;
    *out = NULL;
    sow_i_h5_quiet(&silence);
    SOW_NEW(t, 1);
    *t = (sow_h5ad_table){.w = {-1, -1, -1, -1, 0}, .n_rows = n_rows, .n_cols = sow_names_count(names), .n_layers = n_layers, .path = sow_strdup(path)};
    t->chunk_rows = sow_i_anndata_chunk_rows(t->n_rows, t->n_cols);
    t->beside = t->path ? sow_format("%s.tmp-%ld", path, (long)getpid()) : NULL;
    if (!t->beside) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_anndata_begin(&t->w, path, t->beside, err));
    SOW_TRY(sow_i_anndata_write_var(&t->w, names, NULL, 0, err));
    sow_i_anndata_write_empty_groups(&t->w);
    SOW_TRY(open_matrices(t, layers, err));
    if (t->w.failed) SOW_FAIL(err, SOW_E_IO, "%s: cannot write: %s", path, sow_i_anndata_why(t->beside));
    *out = t;
    t = NULL;
done:
    sow_h5ad_table_abandon(t);
    sow_i_h5_loud(&silence);
    return st;
}

/* ---- chunks ---- */

/* Rows that are no whole chunks: HDF5 puts them together. */
static void put_rows(sow_h5ad_table *t, hid_t d, sow_index first, sow_index n, const float *rows)
{
    const hsize_t at[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)n, (hsize_t)t->n_cols};
    if (n == 0 || t->w.failed) return;
    hid_t file_space = H5Dget_space(d), memory_space = H5Screate_simple(2, count, NULL);
    note(&t->w, H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, count, NULL));
    note(&t->w, H5Dwrite(d, H5T_NATIVE_FLOAT, memory_space, file_space, H5P_DEFAULT, rows));
    H5Sclose(memory_space);
    H5Sclose(file_space);
}

/* Where the rows lie in the file as they lie in memory: single precision of the machine's own order, chunks as wide as the matrix. */
static int packs(const sow_h5ad_table *t)
{
    return sow_i_anndata_packs() && t->n_cols <= 131072;
}

sow_status sow_h5ad_table_put(sow_h5ad_table *t, sow_index layer, sow_index first, sow_index n, const float *rows, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    if (n == 0 || t->n_cols == 0) return SOW_OK;
    sow_i_h5_quiet(&silence);
    const hid_t d = t->matrix[layer + 1];
    const sow_index step = t->chunk_rows, before = (step - first % step) % step, head = before < n && packs(t) ? before : n, chunks = (n - head) / step, done_rows = head + chunks * step;
    put_rows(t, d, first, head, rows);
    SOW_TRY(sow_i_anndata_put_chunks(&t->w, d, first + head, step, chunks, step * t->n_cols, rows + head * t->n_cols, LEVEL, threads, err));
    put_rows(t, d, first + done_rows, n - done_rows, rows + done_rows * t->n_cols);
    if (t->w.failed) SOW_FAIL(err, SOW_E_IO, "%s: cannot write: %s", t->path, sow_i_anndata_why(t->beside));
done:
    sow_i_h5_loud(&silence);
    return st;
}

/* ---- back ---- */

typedef struct {
    float *rows;
    sow_index entries;
    const packed *chunk;
} unpacking;

static sow_status unpack(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const unpacking *p = user;
    const packed *c = &p->chunk[i];
    unsigned char *shuffled = NULL, *out = (unsigned char *)(p->rows + i * p->entries);
    const size_t size = (size_t)p->entries * sizeof *p->rows;
    SOW_NEW(shuffled, size);
    if (c->skips) memcpy(shuffled, c->bytes, size);
    else if (!sow_i_inflate(shuffled, size, c->bytes, c->size)) SOW_FAIL(err, SOW_E_IO, "what was written a moment ago cannot be read back");
    for (size_t b = 0; b < sizeof *p->rows; b++)
        for (sow_index k = 0; k < p->entries; k++) out[k * (sow_index)sizeof *p->rows + (sow_index)b] = shuffled[(sow_index)b * p->entries + k];
done:
    free(shuffled);
    return st;
}

static void get_rows(sow_h5ad_table *t, hid_t d, sow_index first, sow_index n, float *rows)
{
    const hsize_t at[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)n, (hsize_t)t->n_cols};
    if (n == 0 || t->w.failed) return;
    hid_t file_space = H5Dget_space(d), memory_space = H5Screate_simple(2, count, NULL);
    note(&t->w, H5Sselect_hyperslab(file_space, H5S_SELECT_SET, at, NULL, count, NULL));
    note(&t->w, H5Dread(d, H5T_NATIVE_FLOAT, memory_space, file_space, H5P_DEFAULT, rows));
    H5Sclose(memory_space);
    H5Sclose(file_space);
}

static sow_status get_chunks(sow_h5ad_table *t, hid_t d, sow_index first, sow_index n_chunks, float *rows, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    packed chunk[SOW_I_CHUNKS_AT_ONCE] = {{0}};
    const sow_index entries = t->chunk_rows * t->n_cols;
    for (sow_index from = 0; from < n_chunks; from += SOW_I_CHUNKS_AT_ONCE) {
        const sow_index n = n_chunks - from < SOW_I_CHUNKS_AT_ONCE ? n_chunks - from : SOW_I_CHUNKS_AT_ONCE;
        const unpacking p = {rows + from * entries, entries, chunk};
        for (sow_index i = 0; i < n; i++) {
            const hsize_t at[2] = {(hsize_t)(first + (from + i) * t->chunk_rows), 0};
            hsize_t size = 0;
            uint32_t mask = 0;
            note(&t->w, H5Dget_chunk_storage_size(d, at, &size));
            SOW_NEW(chunk[i].bytes, size);
            if (!t->w.failed) note(&t->w, H5Dread_chunk(d, H5P_DEFAULT, at, &mask, chunk[i].bytes));
            chunk[i].size = (size_t)size;
            chunk[i].skips = chunk[i].size == (size_t)entries * sizeof *rows ? SOW_I_SKIPS_DEFLATE : 0; /* HDF5 1.10 says 0 for a mask it has just been given */
        }
        if (t->w.failed) break;
        SOW_TRY(sow_parallel_for(threads, n, unpack, (void *)(uintptr_t)&p, err));
        for (sow_index i = 0; i < n; i++) free(chunk[i].bytes);
        memset(chunk, 0, sizeof chunk);
    }
done:
    for (int i = 0; i < SOW_I_CHUNKS_AT_ONCE; i++) free(chunk[i].bytes);
    return st;
}

sow_status sow_h5ad_table_get(sow_h5ad_table *t, sow_index layer, sow_index first, sow_index n, float *rows, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    if (n == 0 || t->n_cols == 0) return SOW_OK;
    sow_i_h5_quiet(&silence);
    const hid_t d = t->matrix[layer + 1];
    const sow_index step = t->chunk_rows, before = (step - first % step) % step, head = before < n && packs(t) ? before : n, chunks = (n - head) / step, done_rows = head + chunks * step;
    note(&t->w, H5Dflush(d)); /* chunks that HDF5 still puts together */
    get_rows(t, d, first, head, rows);
    SOW_TRY(get_chunks(t, d, first + head, chunks, rows + head * t->n_cols, threads, err));
    get_rows(t, d, first + done_rows, n - done_rows, rows + done_rows * t->n_cols);
    if (t->w.failed) SOW_FAIL(err, SOW_E_IO, "%s: cannot be read back while it is written: %s", t->path, sow_i_anndata_why(t->beside));
done:
    sow_i_h5_loud(&silence);
    return st;
}

sow_index sow_h5ad_table_step(const sow_h5ad_table *t)
{
    return t->chunk_rows;
}

static void write_notes(writer *w, const char *section, const char *const *notes, sow_index n)
{
    hid_t uns = open_group(w, "uns"), scalar = H5Screate(H5S_SCALAR);
    hid_t g = sow_i_anndata_group(w, uns, section, "dict", "0.1.0");
    for (sow_index i = 0; i < n && g >= 0; i++) {
        hid_t d = H5Dcreate2(g, notes[2 * i], w->text, scalar, H5P_DEFAULT, w->plain, H5P_DEFAULT);
        note(w, d < 0 ? -1 : H5Dwrite(d, w->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, &notes[2 * i + 1]));
        if (d < 0) continue;
        sow_i_anndata_encoding(w, d, "string", "0.2.0");
        note(w, H5Dclose(d));
    }
    sow_i_anndata_close_group(w, g);
    sow_i_anndata_close_group(w, uns);
    H5Sclose(scalar);
}

sow_status sow_h5ad_table_finish(sow_h5ad_table *t, char *const *obs_names, const sow_h5ad_column *obs, sow_index n_columns, const char *section, const char *const *notes, sow_index n_notes, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    sow_i_h5_quiet(&silence);
    close_matrices(t);
    SOW_TRY(sow_i_anndata_write_frame(&t->w, "obs", obs_names, t->n_rows, obs, n_columns, err));
    write_notes(&t->w, section, notes, n_notes);
    SOW_TRY(sow_i_anndata_commit(&t->w, t->path, t->beside, err));
    free(t->beside);
    t->beside = NULL; /* it is `path` now */
done:
    sow_i_h5_loud(&silence);
    sow_h5ad_table_abandon(t);
    return st;
}
