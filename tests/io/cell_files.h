/* Single-cell files built by hand, and what is read back from them, for test_cell_file.c and test_cell_file_bad.c. */
#ifndef SOWER_TESTS_IO_CELL_FILES_H
#define SOWER_TESTS_IO_CELL_FILES_H

#include "io/cell_file.h"

#include "faults.h"
#include "scratch.h"

#include <hdf5.h>
#include <math.h>
#include <zlib.h>

/* ---- a matrix in memory ---- */

typedef struct {
    int n, m;
    float *x; /* [n, m] */
} matrix;

static inline matrix matrix_of(int n, int m, const float *x)
{
    matrix a = {n, m, calloc((size_t)(n * m) + 1, sizeof(float))};
    if (x) memcpy(a.x, x, sizeof(float) * (size_t)(n * m));
    return a;
}

/* Counts of 1 to 99, `density` of them; the fourth cell and the third gene have none. */
static inline matrix matrix_random(int n, int m, double density)
{
    matrix a = matrix_of(n, m, NULL);
    unsigned state = 12345;
    for (int i = 0; i < n * m; i++) {
        state = state * 1664525u + 1013904223u;
        double u = (double)(state >> 8) / 16777216.0;
        state = state * 1664525u + 1013904223u;
        if (u < density && i / m != 3 && i % m != 2) a.x[i] = (float)(1 + (state >> 16) % 99);
    }
    return a;
}

/* ---- files ---- */

typedef struct {
    const char *format;           /* "csr_matrix" (default), "csc_matrix" or "dense" */
    hid_t value, index, start;    /* types on disk; 0 = float32, int32, int64 */
    hsize_t chunk[2];             /* 0 = contiguous (chunk[1] for dense only) */
    int gzip, shuffle, fletcher;
    const char *group;            /* "/" (default), "raw" or "layers" */
    const char *name;             /* "X" (default) */
} how;

static inline hid_t text_type(void)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, H5T_VARIABLE);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static inline void put_text_attribute(hid_t object, const char *name, const char *value)
{
    hid_t t = text_type(), space = H5Screate(H5S_SCALAR), a = H5Acreate2(object, name, t, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, t, &value);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(t);
}

static inline void put_shape(hid_t object, const char *name, long long n, long long m)
{
    hsize_t two = 2;
    long long shape[2] = {n, m};
    hid_t space = H5Screate_simple(1, &two, NULL), a = H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, H5T_NATIVE_LLONG, shape);
    H5Aclose(a);
    H5Sclose(space);
}

static inline hid_t storage(const how *h, int rank, const hsize_t *dims)
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[2] = {h->chunk[0], h->chunk[1] ? h->chunk[1] : 1};
    if (h->chunk[0] == 0) return p;
    for (int i = 0; i < rank; i++)
        if (chunk[i] > dims[i]) chunk[i] = dims[i] ? dims[i] : 1;
    H5Pset_chunk(p, rank, chunk);
    if (h->shuffle) H5Pset_shuffle(p);
    if (h->gzip) H5Pset_deflate(p, 6);
    if (h->fletcher) H5Pset_fletcher32(p);
    return p;
}

static inline void put_as(hid_t parent, const char *name, hid_t disk, hid_t memory, int rank, const hsize_t *dims, const void *data, const how *h)
{
    hid_t space = H5Screate_simple(rank, dims, NULL), p = storage(h, rank, dims);
    hid_t d = H5Dcreate2(parent, name, disk, space, H5P_DEFAULT, p, H5P_DEFAULT);
    cr_assert_geq(d, 0, "%s", name);
    if (data && H5Sget_simple_extent_npoints(space) > 0) cr_assert_geq(H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(d);
    H5Pclose(p);
    H5Sclose(space);
}

static inline void put_vector(hid_t parent, const char *name, hid_t disk, hid_t memory, hsize_t n, const void *data)
{
    put_as(parent, name, disk, memory, 1, &n, data, &(how){0});
}

/* A dataframe of n rows named PREFIX0, PREFIX1, ... */
static inline void put_frame(hid_t parent, const char *name, int n, const char *prefix)
{
    char (*text)[32] = calloc((size_t)n + 1, sizeof *text);
    char **names = calloc((size_t)n + 1, sizeof *names);
    hid_t g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), t = text_type();
    for (int i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%s%d", prefix, i);
        names[i] = text[i];
    }
    put_text_attribute(g, "encoding-type", "dataframe");
    put_text_attribute(g, "_index", "_index");
    put_vector(g, "_index", t, t, (hsize_t)n, names);
    H5Tclose(t);
    H5Gclose(g);
    free(names);
    free(text);
}

/* The compressed form of `a` by rows, or by columns; returns the number of entries. Arrays are of n * m (start: one more than lines). */
static inline int compress_matrix(const matrix *a, int by_column, double *value, int *index, long long *start)
{
    int k = 0, lines = by_column ? a->m : a->n, across = by_column ? a->n : a->m;
    for (int i = 0; i < lines; i++) {
        start[i] = k;
        for (int j = 0; j < across; j++) {
            float x = by_column ? a->x[j * a->m + i] : a->x[i * a->m + j];
            if (x == 0) continue;
            value[k] = (double)x;
            index[k++] = j;
        }
    }
    start[lines] = k;
    return k;
}

static inline void put_sparse(hid_t parent, const char *name, const char *format, int n, int m, hsize_t entries, const double *value, const int *index,
                              const long long *start, hsize_t lines, const how *h)
{
    hid_t g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t starts = lines + 1;
    put_text_attribute(g, "encoding-type", format);
    put_shape(g, "shape", n, m);
    put_as(g, "data", h->value ? h->value : H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 1, &entries, value, h);
    put_as(g, "indices", h->index ? h->index : H5T_STD_I32LE, H5T_NATIVE_INT, 1, &entries, index, h);
    put_as(g, "indptr", h->start ? h->start : H5T_STD_I64LE, H5T_NATIVE_LLONG, 1, &starts, start, h);
    H5Gclose(g);
}

static inline void put_matrix(hid_t parent, const char *name, const matrix *a, const how *h)
{
    const char *format = h->format ? h->format : "csr_matrix";
    if (strcmp(format, "dense") == 0) {
        hsize_t dims[2] = {(hsize_t)a->n, (hsize_t)a->m};
        put_as(parent, name, h->value ? h->value : H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, a->x, h);
        return;
    }
    int by_column = strcmp(format, "csc_matrix") == 0, lines = by_column ? a->m : a->n;
    double *value = calloc((size_t)(a->n * a->m) + 1, sizeof *value);
    int *index = calloc((size_t)(a->n * a->m) + 1, sizeof *index);
    long long *start = calloc((size_t)lines + 1, sizeof *start);
    int k = compress_matrix(a, by_column, value, index, start);
    put_sparse(parent, name, format, a->n, a->m, (hsize_t)k, value, index, start, (hsize_t)lines, h);
    free(value);
    free(index);
    free(start);
}

static inline hid_t create_h5ad(const char *path, int n, int m)
{
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(f, 0);
    put_frame(f, "obs", n, "cell");
    put_frame(f, "var", m, "gene");
    return f;
}

static inline const char *write_cells(const char *name, const matrix *a, const how *h)
{
    const char *path = scratch_path(name);
    hid_t f = create_h5ad(path, a->n, a->m);
    put_matrix(f, "X", a, h);
    H5Fclose(f);
    return path;
}

static inline hid_t reopen(const char *path)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    cr_assert_geq(f, 0);
    return f;
}

/* A fixture of tests/io/fixtures, unpacked into the scratch folder. */
static inline const char *unpack(const char *name)
{
    static char bytes[1 << 18];
    char packed[512];
    snprintf(packed, sizeof packed, SOWER_SOURCE_DIR "/tests/io/fixtures/%s.gz", name);
    const char *path = scratch_path(name);
    gzFile in = gzopen(packed, "rb");
    FILE *out = fopen(path, "wb");
    cr_assert(in && out, "%s", packed);
    int n = gzread(in, bytes, sizeof bytes);
    cr_assert(n > 0 && n < (int)sizeof bytes);
    cr_assert_eq(fwrite(bytes, 1, (size_t)n, out), (size_t)n);
    gzclose(in);
    fclose(out);
    return path;
}

/* ---- reading back ---- */

/* What a pass says as a dense matrix; asserts what the header promises of every block. *blocks (may be NULL) counts them. */
static inline sow_status read_pass(float *x, int *blocks, sow_cell_file *f, const sow_env *env, sow_error *e)
{
    sow_index n = sow_cell_file_n_cells(f), m = sow_cell_file_n_genes(f), seen = 0;
    if (blocks) *blocks = 0;
    for (;;) {
        sow_cell_block b;
        sow_status st = sow_cell_file_next(&b, f, env, e);
        if (st != SOW_OK) return st;
        if (b.n == 0) break;
        if (blocks) (*blocks)++;
        cr_assert_eq(b.first, seen);
        cr_assert_eq(b.start[0], 0);
        for (sow_index i = 0; i < b.n; i++)
            for (int64_t k = b.start[i]; k < b.start[i + 1]; k++) {
                cr_assert(b.gene[k] >= 0 && b.gene[k] < m && (k == b.start[i] || b.gene[k] > b.gene[k - 1]));
                cr_assert(isfinite(b.value[k]) && b.value[k] != 0);
                x[(b.first + i) * m + b.gene[k]] = b.value[k];
            }
        seen += b.n;
    }
    cr_assert_eq(seen, n);
    return SOW_OK;
}

static inline void must_read_as(const sow_cell_file_options *o, int threads, const matrix *want, const char *layout)
{
    sow_error e = {0};
    sow_threads *pool = NULL;
    sow_cell_file *f = NULL;
    cr_assert_eq(sow_threads_create(&pool, threads, &e), SOW_OK);
    sow_env env = {.threads = pool};
    cr_assert_eq(sow_cell_file_open(&f, o, &env, &e), SOW_OK, "%s", e.message);
    cr_assert_str_eq(sow_cell_file_layout(f), layout);
    cr_assert_eq(sow_cell_file_n_cells(f), want->n);
    cr_assert_eq(sow_cell_file_n_genes(f), want->m);
    cr_assert_eq(sow_names_count(sow_cell_file_genes(f)), want->m);
    float *x = calloc((size_t)(want->n * want->m) + 1, sizeof *x);
    for (int pass = 0; pass < 2; pass++) {
        memset(x, 0, sizeof(float) * (size_t)(want->n * want->m));
        cr_assert_eq(read_pass(x, NULL, f, &env, &e), SOW_OK, "%s", e.message);
        for (int i = 0; i < want->n * want->m; i++)
            cr_assert(x[i] == want->x[i], "%s: pass %d: cell %d, gene %d: %g, not %g", o->path, pass, i / want->m, i % want->m, (double)x[i],
                      (double)want->x[i]);
        cr_assert_eq(sow_cell_file_rewind(f, &e), SOW_OK);
    }
    free(x);
    sow_cell_file_close(f);
    sow_threads_destroy(pool);
}

/* Opening or reading ends with `status` and a message that has `message`, is one line and names the file. */
static inline void must_refuse(const sow_cell_file_options *o, sow_status status, const char *message)
{
    sow_error e = {0};
    sow_cell_file *f = NULL;
    sow_status st = sow_cell_file_open(&f, o, NULL, &e);
    if (st == SOW_OK) {
        float *x = calloc((size_t)(sow_cell_file_n_cells(f) * sow_cell_file_n_genes(f)) + 1, sizeof *x);
        st = read_pass(x, NULL, f, NULL, &e);
        free(x);
    }
    cr_assert_eq(st, status, "%s: %s (expected: %s)", sow_status_name(st), e.message, message);
    cr_assert(strstr(e.message, message), "'%s' lacks '%s'", e.message, message);
    cr_assert_null(strchr(e.message, '\n'));
    sow_cell_file_close(f);
}

static inline void refuse_file(const char *path, const char *message)
{
    must_refuse(&(sow_cell_file_options){.path = path}, SOW_E_DATA, message);
}

/* ---- MatrixMarket ---- */

static inline void write_packed(const char *path, const char *text, int packed)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s", path, packed ? ".gz" : "");
    gzFile f = gzopen(name, packed ? "wb" : "wbT");
    cr_assert(f && (size_t)gzwrite(f, text, (unsigned)strlen(text)) == strlen(text));
    gzclose(f);
}

/* FOLDER/PREFIXmatrix.mtx and the files beside it. */
static inline const char *write_mtx(const char *folder, const char *prefix, const char *text, const char *barcodes, const char *features_name, const char *features,
                                    int packed)
{
    const char *path = scratch_path(folder);
    char name[400];
    mkdir(path, 0700);
    snprintf(name, sizeof name, "%s/%smatrix.mtx", path, prefix);
    if (text) write_packed(name, text, packed);
    snprintf(name, sizeof name, "%s/%sbarcodes.tsv", path, prefix);
    if (barcodes) write_packed(name, barcodes, packed);
    snprintf(name, sizeof name, "%s/%s%s", path, prefix, features_name);
    if (features) write_packed(name, features, packed);
    return path;
}

#endif
