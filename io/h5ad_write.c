/* Writing AnnData files as anndata 0.8 and later read them: on-disk format "anndata 0.1.0", dataframes "0.2.0". Text columns are written as
 * categoricals, which can hold missing entries. No times are stored, so equal data give equal bytes. */
#include "io/h5ad.h"
#include "io/h5ad_cells.h"

#include "core/memory.h"
#include "io/h5ad_write_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef sow_i_h5ad_file writer;

void sow_i_anndata_note(writer *w, herr_t result)
{
    if (result < 0) w->failed = 1;
}

static void attribute(writer *w, hid_t object, const char *name, hid_t type, hid_t space, const void *value)
{
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    sow_i_anndata_note(w, a < 0 ? -1 : H5Awrite(a, type, value));
    if (a >= 0) sow_i_anndata_note(w, H5Aclose(a));
}

static void text_attribute(writer *w, hid_t object, const char *name, const char *value)
{
    hid_t scalar = H5Screate(H5S_SCALAR);
    attribute(w, object, name, w->text, scalar, &value);
    H5Sclose(scalar);
}

void sow_i_anndata_encoding(writer *w, hid_t object, const char *type, const char *version)
{
    text_attribute(w, object, "encoding-type", type);
    text_attribute(w, object, "encoding-version", version);
}

hid_t sow_i_anndata_group(writer *w, hid_t parent, const char *name, const char *type, const char *version)
{
    hid_t g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    sow_i_anndata_note(w, g < 0 ? -1 : 0);
    if (g >= 0) sow_i_anndata_encoding(w, g, type, version);
    return g;
}

void sow_i_anndata_close_group(writer *w, hid_t g)
{
    if (g >= 0) sow_i_anndata_note(w, H5Gclose(g));
}

/* A 1-D dataset of `n` values that lie in memory as `memory_type`. */
static void vector(writer *w, hid_t parent, const char *name, hid_t file_type, hid_t memory_type, sow_index n, const void *values,
                   const char *encoding_type)
{
    hsize_t size = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &size, NULL);
    hid_t d = H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, w->plain, H5P_DEFAULT);
    sow_i_anndata_note(w, d < 0 ? -1 : 0);
    if (d >= 0) {
        if (n > 0) sow_i_anndata_note(w, H5Dwrite(d, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values));
        sow_i_anndata_encoding(w, d, encoding_type, "0.2.0");
        sow_i_anndata_note(w, H5Dclose(d));
    }
    H5Sclose(space);
}

static void strings(writer *w, hid_t parent, const char *name, char *const *values, sow_index n)
{
    vector(w, parent, name, w->text, w->text, n, values, "string-array");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_key(const void *key, const void *entry)
{
    return strcmp(key, *(char *const *)entry);
}

static sow_status write_categorical(writer *w, hid_t parent, const sow_h5ad_column *column, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char **category = NULL;
    int32_t *code = NULL;
    sow_index n_categories = 0;
    signed char ordered = 0;
    SOW_NEW(category, n);
    SOW_NEW(code, n);
    for (sow_index i = 0; i < n; i++)
        if (column->text[i]) category[n_categories++] = column->text[i];
    qsort(category, (size_t)n_categories, sizeof *category, by_text);
    sow_index kept = 0;
    for (sow_index i = 0; i < n_categories; i++)
        if (kept == 0 || strcmp(category[kept - 1], category[i]) != 0) category[kept++] = category[i];
    if (kept > INT32_MAX) SOW_FAIL(err, SOW_E_DATA, "column '%s' has too many different values", column->name);
    for (sow_index i = 0; i < n; i++) {
        char **found = column->text[i] ? bsearch(column->text[i], category, (size_t)kept, sizeof *category, by_key) : NULL;
        code[i] = found ? (int32_t)(found - category) : -1;
    }
    hid_t g = sow_i_anndata_group(w, parent, column->name, "categorical", "0.2.0");
    if (g < 0) goto done;
    hid_t scalar = H5Screate(H5S_SCALAR);
    attribute(w, g, "ordered", w->boolean, scalar, &ordered);
    H5Sclose(scalar);
    hid_t small = kept <= INT8_MAX ? H5T_STD_I8LE : kept <= INT16_MAX ? H5T_STD_I16LE : H5T_STD_I32LE; /* as pandas does */
    vector(w, g, "codes", small, H5T_NATIVE_INT32, n, code, "array");
    strings(w, g, "categories", category, kept);
    sow_i_anndata_close_group(w, g);
done:
    free(category);
    free(code);
    return st;
}

static sow_status write_booleans(writer *w, hid_t parent, const sow_h5ad_column *column, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    signed char *byte = NULL;
    SOW_NEW(byte, n);
    for (sow_index i = 0; i < n; i++) byte[i] = column->number[i] != 0;
    vector(w, parent, column->name, w->boolean, w->boolean, n, byte, "array");
done:
    free(byte);
    return st;
}

static sow_status write_column(writer *w, hid_t parent, const sow_h5ad_column *column, sow_index n, sow_error *err)
{
    if (column->kind == SOW_COLUMN_STRING) return write_categorical(w, parent, column, n, err);
    int whole = column->kind == SOW_COLUMN_BOOL;
    for (sow_index i = 0; i < n; i++) whole = whole && !isnan(column->number[i]);
    if (whole) return write_booleans(w, parent, column, n, err); /* a boolean with gaps is written as numbers with NaN */
    vector(w, parent, column->name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, n, column->number, "array");
    return SOW_OK;
}

sow_status sow_i_anndata_write_frame(writer *w, const char *name, char *const *index, sow_index n, const sow_h5ad_column *columns,
                              sow_index n_columns, sow_error *err)
{
    sow_status st = SOW_OK;
    const char **order = NULL;
    hid_t frame = -1;
    SOW_NEW(order, n_columns);
    for (sow_index i = 0; i < n_columns; i++) order[i] = columns[i].name;
    frame = sow_i_anndata_group(w, w->file, name, "dataframe", "0.2.0");
    if (frame < 0) goto done;
    text_attribute(w, frame, "_index", "_index");
    hsize_t size = (hsize_t)n_columns;
    hid_t space = H5Screate_simple(1, &size, NULL);
    attribute(w, frame, "column-order", w->text, space, order);
    H5Sclose(space);
    strings(w, frame, "_index", index, n);
    for (sow_index i = 0; i < n_columns; i++) SOW_TRY(write_column(w, frame, &columns[i], n, err));
done:
    sow_i_anndata_close_group(w, frame);
    free(order);
    return st;
}

sow_index sow_i_anndata_chunk_rows(sow_index rows, sow_index cols)
{
    const sow_index entries = 131072, fit = cols > 0 ? entries / cols : rows;
    return fit < 1 ? 1 : fit < rows ? fit : rows;
}

/* Of rows that are longer than a chunk may be, a chunk holds a part. */
hid_t sow_i_anndata_dense(writer *w, hid_t parent, const char *name, hid_t type, sow_index rows, sow_index cols, unsigned gzip, float fill)
{
    hsize_t dims[2] = {(hsize_t)rows, (hsize_t)cols};
    hid_t space = H5Screate_simple(2, dims, NULL), create = H5Pcopy(w->plain);
    if (rows > 0 && cols > 0) {
        hsize_t chunk[2] = {(hsize_t)sow_i_anndata_chunk_rows(rows, cols), dims[1] < 131072 ? dims[1] : 131072};
        sow_i_anndata_note(w, H5Pset_chunk(create, 2, chunk));
        sow_i_anndata_note(w, H5Pset_shuffle(create));
        if (H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) sow_i_anndata_note(w, H5Pset_deflate(create, gzip));
    }
    if (fill != 0) sow_i_anndata_note(w, H5Pset_fill_value(create, H5T_NATIVE_FLOAT, &fill));
    hid_t d = H5Dcreate2(parent, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    sow_i_anndata_note(w, d < 0 ? -1 : 0);
    if (d >= 0) sow_i_anndata_encoding(w, d, "array", "0.2.0");
    H5Pclose(create);
    H5Sclose(space);
    return d;
}

static void write_x(writer *w, const sow_h5ad *a, int f32)
{
    hid_t d = sow_i_anndata_dense(w, w->file, "X", f32 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, a->n_obs, a->n_vars, 4, 0);
    if (d < 0) return;
    if (a->n_obs > 0 && a->n_vars > 0) sow_i_anndata_note(w, H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, a->x));
    sow_i_anndata_note(w, H5Dclose(d));
}

static void make_types(writer *w)
{
    signed char no = 0, yes = 1;
    w->text = H5Tcopy(H5T_C_S1);
    sow_i_anndata_note(w, H5Tset_size(w->text, H5T_VARIABLE));
    sow_i_anndata_note(w, H5Tset_cset(w->text, H5T_CSET_UTF8));
    w->boolean = H5Tenum_create(H5T_NATIVE_INT8);
    sow_i_anndata_note(w, H5Tenum_insert(w->boolean, "FALSE", &no));
    sow_i_anndata_note(w, H5Tenum_insert(w->boolean, "TRUE", &yes));
    w->plain = H5Pcreate(H5P_DATASET_CREATE);
    sow_i_anndata_note(w, H5Pset_obj_track_times(w->plain, 0));
}

void sow_i_anndata_write_empty_groups(writer *w)
{
    static const char *const empty[] = {"layers", "obsm", "obsp", "uns", "varm", "varp"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) sow_i_anndata_close_group(w, sow_i_anndata_group(w, w->file, empty[i], "dict", "0.1.0"));
}

static sow_status write_all(writer *w, const sow_h5ad *a, int f32, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_anndata_write_frame(w, "obs", a->obs_names, a->n_obs, a->obs, a->n_obs_columns, err));
    SOW_TRY(sow_i_anndata_write_frame(w, "var", a->var_names, a->n_vars, NULL, 0, err));
    if (a->x) write_x(w, a, f32);
    sow_i_anndata_write_empty_groups(w);
done:
    return st;
}

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) return -1;
    int result = fsync(fd);
    return close(fd) == 0 ? result : -1;
}

/* HDF5 keeps the cause of a failed write to itself; trying to write one byte more tells "disk full" from the rest. */
const char *sow_i_anndata_why(const char *path)
{
    FILE *f = fopen(path, "ab");
    if (!f) return strerror(errno);
    char block[4096] = {0};
    int bad = fwrite(block, sizeof block, 1, f) != 1 || fflush(f) != 0;
    int code = errno;
    fclose(f);
    return bad ? strerror(code) : "HDF5 could not write it";
}

/* ---- the file as a whole: beside, then renamed ---- */

sow_status sow_i_anndata_begin(writer *w, const char *path, const char *beside, sow_error *err)
{
    w->file = H5Fcreate(beside, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (w->file < 0) return SOW_ERROR(err, SOW_E_IO, "%s: cannot write: %s", path, sow_i_anndata_why(beside));
    make_types(w);
    sow_i_anndata_encoding(w, w->file, "anndata", "0.1.0");
    return SOW_OK;
}

sow_status sow_i_anndata_commit(writer *w, const char *path, const char *beside, sow_error *err)
{
    sow_i_anndata_note(w, H5Fflush(w->file, H5F_SCOPE_GLOBAL));
    sow_i_anndata_note(w, H5Fclose(w->file));
    w->file = -1;
    if (w->failed || sync_file(beside) != 0) return SOW_ERROR(err, SOW_E_IO, "%s: cannot write: %s", path, sow_i_anndata_why(beside));
    if (rename(beside, path) != 0) return SOW_ERROR(err, SOW_E_IO, "%s: cannot write: %s", path, strerror(errno));
    return SOW_OK;
}

void sow_i_anndata_let_go(writer *w)
{
    if (w->file >= 0) H5Fclose(w->file);
    if (w->plain >= 0) H5Pclose(w->plain);
    if (w->boolean >= 0) H5Tclose(w->boolean);
    if (w->text >= 0) H5Tclose(w->text);
}

sow_status sow_h5ad_write(const char *path, const sow_h5ad *data, int f32, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    writer w = {-1, -1, -1, -1, 0};
    char *beside = sow_format("%s.tmp-%ld", path, (long)getpid());
    sow_i_h5_quiet(&silence);
    if (!beside) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_anndata_begin(&w, path, beside, err));
    SOW_TRY(write_all(&w, data, f32, err));
    SOW_TRY(sow_i_anndata_commit(&w, path, beside, err));
done:
    sow_i_anndata_let_go(&w);
    if (st != SOW_OK && beside) unlink(beside);
    free(beside);
    sow_i_h5_loud(&silence);
    return st;
}

/* ---- cells, block by block ---- */

enum { CHUNK = 16384 }; /* entries of a chunk */

struct sow_h5ad_writer {
    char *path, *beside;
    writer w;
    sow_index n_cells, n_genes, n_values;
    hid_t x, value, gene, start; /* the group X and its data, indices, indptr */
    int gzip;
    sow_threads *threads;        /* that deflate; borrowed */
    sow_index n_waiting;         /* the last n_waiting < CHUNK entries, not yet in the file; 0 where HDF5 deflates or nobody does */
    float *last_value;           /* [CHUNK] */
    int32_t *last_gene;          /* [CHUNK] */
};

void sow_h5ad_writer_use(sow_h5ad_writer *s, sow_threads *threads)
{
    s->threads = threads;
}

sow_index sow_h5ad_writer_n_cells(const sow_h5ad_writer *s)
{
    return s->n_cells;
}

static hid_t growing_vector(sow_h5ad_writer *s, const char *name, hid_t type, int gzip)
{
    writer *w = &s->w;
    hsize_t none = 0, chunk = CHUNK, unlimited = H5S_UNLIMITED;
    hid_t space = H5Screate_simple(1, &none, &unlimited), create = H5Pcopy(w->plain);
    sow_i_anndata_note(w, H5Pset_chunk(create, 1, &chunk));
    if (gzip > 0 && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
        sow_i_anndata_note(w, H5Pset_shuffle(create));
        sow_i_anndata_note(w, H5Pset_deflate(create, (unsigned)(gzip < 9 ? gzip : 9)));
    }
    hid_t d = H5Dcreate2(s->x, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    sow_i_anndata_note(w, d < 0 ? -1 : 0);
    H5Pclose(create);
    H5Sclose(space);
    return d;
}

static void append_vector(writer *w, hid_t d, hid_t memory_type, sow_index at, sow_index n, const void *values)
{
    if (w->failed || n == 0) return;
    hsize_t size = (hsize_t)(at + n), first = (hsize_t)at, count = (hsize_t)n;
    sow_i_anndata_note(w, H5Dset_extent(d, &size));
    hid_t file_space = H5Dget_space(d), memory_space = H5Screate_simple(1, &count, NULL);
    sow_i_anndata_note(w, H5Sselect_hyperslab(file_space, H5S_SELECT_SET, &first, NULL, &count, NULL));
    sow_i_anndata_note(w, H5Dwrite(d, memory_type, memory_space, file_space, H5P_DEFAULT, values));
    H5Sclose(memory_space);
    H5Sclose(file_space);
}

/* Entries at..at + n of a vector of chunks deflated here; the first `waiting` of the chunk that `at` lies in are in `last`, and so is the rest that fills no chunk when it is done. */
static sow_status append_packed(sow_h5ad_writer *s, hid_t d, void *last, const void *numbers, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const size_t width = 4;
    const sow_index at = s->n_values - s->n_waiting, all = s->n_waiting + n, head = all < CHUNK ? n : (CHUNK - s->n_waiting) % CHUNK, chunks = all < CHUNK ? 0 : (n - head) / CHUNK;
    const char *from = numbers;
    memcpy((char *)last + (size_t)s->n_waiting * width, from, (size_t)head * width);
    if (all < CHUNK || s->w.failed) return SOW_OK;
    const hsize_t size = (hsize_t)(s->n_values + n);
    sow_i_anndata_note(&s->w, H5Dset_extent(d, &size));
    if (head > 0) SOW_TRY(sow_i_anndata_put_chunks(&s->w, d, at, CHUNK, 1, CHUNK, last, s->gzip, s->threads, err));
    SOW_TRY(sow_i_anndata_put_chunks(&s->w, d, at + (head > 0 ? CHUNK : 0), CHUNK, chunks, CHUNK, from + (size_t)head * width, s->gzip, s->threads, err));
    memcpy(last, from + (size_t)(head + chunks * CHUNK) * width, (size_t)(n - head - chunks * CHUNK) * width);
done:
    return st;
}

static sow_status append_entries(sow_h5ad_writer *s, sow_index n, const int32_t *gene, const float *value, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!s->last_value) {
        append_vector(&s->w, s->gene, H5T_NATIVE_INT32, s->n_values, n, gene);
        append_vector(&s->w, s->value, H5T_NATIVE_FLOAT, s->n_values, n, value);
        return SOW_OK;
    }
    SOW_TRY(append_packed(s, s->gene, s->last_gene, gene, n, err));
    SOW_TRY(append_packed(s, s->value, s->last_value, value, n, err));
    s->n_waiting = (s->n_waiting + n) % CHUNK;
done:
    return st;
}

sow_status sow_i_anndata_write_var(writer *w, const sow_names *genes, const sow_h5ad_column *var, sow_index n_var, sow_error *err)
{
    sow_status st = SOW_OK;
    char **name = NULL;
    sow_index n = sow_names_count(genes);
    SOW_NEW(name, n);
    for (sow_index i = 0; i < n; i++) name[i] = (char *)(uintptr_t)sow_names_get(genes, i); /* only read */
    SOW_TRY(sow_i_anndata_write_frame(w, "var", name, n, var, n_var, err));
done:
    free(name);
    return st;
}

static void close_matrix(sow_h5ad_writer *s)
{
    hid_t *dataset[] = {&s->value, &s->gene, &s->start};
    for (size_t i = 0; i < sizeof dataset / sizeof *dataset; i++) {
        if (*dataset[i] >= 0) sow_i_anndata_note(&s->w, H5Dclose(*dataset[i]));
        *dataset[i] = -1;
    }
    sow_i_anndata_close_group(&s->w, s->x);
    s->x = -1;
}

void sow_h5ad_writer_abandon(sow_h5ad_writer *s)
{
    if (!s) return;
    sow_i_h5_silence silence;
    sow_i_h5_quiet(&silence);
    close_matrix(s);
    sow_i_anndata_let_go(&s->w);
    sow_i_h5_loud(&silence);
    if (s->beside) unlink(s->beside);
    free(s->last_value);
    free(s->last_gene);
    free(s->beside);
    free(s->path);
    free(s);
}

sow_status sow_h5ad_writer_create(sow_h5ad_writer **out, const char *path, const sow_names *genes, const sow_h5ad_column *var, sow_index n_var, int gzip,
                                  sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    sow_h5ad_writer *s = NULL;
    int64_t zero = 0;
    *out = NULL;
    sow_i_h5_quiet(&silence);
    SOW_NEW(s, 1);
    s->w = (writer){-1, -1, -1, -1, 0};
    s->x = s->value = s->gene = s->start = -1;
    s->n_genes = sow_names_count(genes);
    s->gzip = gzip < 9 ? gzip : 9;
    if (gzip > 0 && sow_i_anndata_packs()) {
        SOW_NEW(s->last_value, CHUNK);
        SOW_NEW(s->last_gene, CHUNK);
    }
    s->path = sow_strdup(path);
    s->beside = s->path ? sow_format("%s.tmp-%ld", path, (long)getpid()) : NULL;
    if (!s->beside) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_anndata_begin(&s->w, path, s->beside, err));
    SOW_TRY(sow_i_anndata_write_var(&s->w, genes, var, n_var, err));
    sow_i_anndata_write_empty_groups(&s->w);
    s->x = sow_i_anndata_group(&s->w, s->w.file, "X", "csr_matrix", "0.1.0");
    s->value = growing_vector(s, "data", H5T_IEEE_F32LE, gzip);
    s->gene = growing_vector(s, "indices", H5T_STD_I32LE, gzip);
    s->start = growing_vector(s, "indptr", H5T_STD_I64LE, gzip);
    append_vector(&s->w, s->start, H5T_NATIVE_INT64, 0, 1, &zero);
    if (s->w.failed) SOW_FAIL(err, SOW_E_IO, "%s: cannot write: %s", path, sow_i_anndata_why(s->beside));
    *out = s;
    s = NULL;
done:
    sow_h5ad_writer_abandon(s);
    sow_i_h5_loud(&silence);
    return st;
}

sow_status sow_h5ad_writer_append(sow_h5ad_writer *s, sow_index n, const int64_t *start, const int32_t *gene, const float *value, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    int64_t *end = NULL;
    sow_i_h5_quiet(&silence);
    if (n == 0) goto done;
    SOW_NEW(end, n);
    for (sow_index i = 0; i < n; i++) end[i] = s->n_values + start[i + 1] - start[0];
    sow_index added = start[n] - start[0];
    append_vector(&s->w, s->start, H5T_NATIVE_INT64, s->n_cells + 1, n, end);
    SOW_TRY(append_entries(s, added, gene + start[0], value + start[0], err));
    if (s->w.failed) SOW_FAIL(err, SOW_E_IO, "%s: cannot write: %s", s->path, sow_i_anndata_why(s->beside));
    s->n_cells += n;
    s->n_values += added;
done:
    free(end);
    sow_i_h5_loud(&silence);
    return st;
}

sow_status sow_h5ad_writer_finish(sow_h5ad_writer *s, char *const *obs_names, const sow_h5ad_column *obs, sow_index n_columns, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    sow_i_h5_quiet(&silence);
    int64_t shape[2] = {s->n_cells, s->n_genes};
    hsize_t two = 2;
    hid_t space = H5Screate_simple(1, &two, NULL);
    attribute(&s->w, s->x, "shape", H5T_STD_I64LE, space, shape);
    H5Sclose(space);
    if (s->last_value) {
        append_vector(&s->w, s->gene, H5T_NATIVE_INT32, s->n_values - s->n_waiting, s->n_waiting, s->last_gene);
        append_vector(&s->w, s->value, H5T_NATIVE_FLOAT, s->n_values - s->n_waiting, s->n_waiting, s->last_value);
    }
    close_matrix(s);
    SOW_TRY(sow_i_anndata_write_frame(&s->w, "obs", obs_names, s->n_cells, obs, n_columns, err));
    SOW_TRY(sow_i_anndata_commit(&s->w, s->path, s->beside, err));
    free(s->beside);
    s->beside = NULL; /* it is `path` now */
done:
    sow_i_h5_loud(&silence);
    sow_h5ad_writer_abandon(s);
    return st;
}
