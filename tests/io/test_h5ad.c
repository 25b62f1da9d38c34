#include "io/cell_file.h"
#include "io/file.h"
#include "io/h5ad.h"
#include "io/h5ad_cells.h"

#include "faults.h"
#include "scratch.h"

#include <hdf5.h>
#include <math.h>
#include <zlib.h>

TestSuite(h5ad, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static char *obs_names[] = {"r0", "r1", "r2", "r3"}, *var_names[] = {"a", "b", "c"};
static char *genes[] = {"STAT1", "JAK2", "STAT1", NULL};
static double cells[] = {12.5, NAN, 3, 4}, good[] = {1, 0, 1, 1};
static double values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.1};

static sow_h5ad example(sow_h5ad_column columns[3])
{
    columns[0] = (sow_h5ad_column){"gene", SOW_COLUMN_STRING, genes, NULL};
    columns[1] = (sow_h5ad_column){"cells", SOW_COLUMN_NUMBER, NULL, cells};
    columns[2] = (sow_h5ad_column){"good", SOW_COLUMN_BOOL, NULL, good};
    return (sow_h5ad){.n_obs = 4, .n_vars = 3, .obs_names = obs_names, .var_names = var_names, .n_obs_columns = 3, .obs = columns, .x = values};
}

static const char *write_example(int f32)
{
    sow_h5ad_column columns[3];
    sow_h5ad a = example(columns);
    const char *path = scratch_path("a.h5ad");
    cr_assert_eq(sow_h5ad_write(path, &a, f32, &err), SOW_OK, "%s", err.message);
    return path;
}

static void refuses(const char *path, sow_status status, const char *message)
{
    sow_h5ad *a = NULL;
    sow_status st = sow_h5ad_read(&a, path, 1, &err);
    cr_assert_eq(st, status, "%s: %s", sow_status_name(st), err.message);
    cr_assert_null(a);
    cr_assert(strstr(err.message, message), "%s", err.message);
    cr_assert_null(strchr(err.message, '\n'));
}

/* ---- building odd files by hand ---- */

static hid_t text_type(size_t fixed)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, fixed ? fixed : H5T_VARIABLE);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static void put(hid_t parent, const char *name, hid_t file_type, hid_t memory_type, int n_dims, const hsize_t *dims, const void *data)
{
    hid_t space = H5Screate_simple(n_dims, dims, NULL), d = H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(d, 0);
    if (data) cr_assert_geq(H5Dwrite(d, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(d);
    H5Sclose(space);
}

static void put_strings(hid_t parent, const char *name, const char **s, hsize_t n)
{
    hid_t t = text_type(0);
    put(parent, name, t, t, 1, &n, s);
    H5Tclose(t);
}

static hid_t reopen(const char *path)
{
    hid_t f = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    cr_assert_geq(f, 0);
    return f;
}

/* An old file: no encodings, fixed strings, "index", categories in obs/__categories, float and int X as given. */
static const char *write_old(hid_t x_type, int x_dims)
{
    const char *path = scratch_path("old.h5ad");
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t obs = H5Gcreate2(f, "obs", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), var = H5Gcreate2(f, "var", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t old = H5Gcreate2(obs, "__categories", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), t = text_type(5);
    hsize_t two = 2, one = 1, x_size[2] = {2, 1};
    put(obs, "index", t, t, 1, &two, "c0\0\0\0long5");
    put(var, "index", t, t, 1, &one, "g0\0\0\0");
    put_strings(old, "gene", (const char *[]){"A", "B"}, 2);
    put(obs, "gene", H5T_STD_I8LE, H5T_NATIVE_INT, 1, &two, (int[]){1, -1});
    put(f, "X", x_type, H5T_NATIVE_INT, x_dims, x_size, (int[]){7, 8});
    H5Tclose(t);
    H5Gclose(old);
    H5Gclose(obs);
    H5Gclose(var);
    H5Fclose(f);
    return path;
}

/* ---- reading what we wrote ---- */

Test(h5ad, reads_back_what_it_wrote)
{
    sow_h5ad *a = NULL;
    const char *path = write_example(0);
    cr_assert_eq(sow_h5ad_read(&a, path, 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(a->n_obs, 4);
    cr_assert_eq(a->n_vars, 3);
    cr_assert(a->x_is_dense && !a->x_is_sparse);
    cr_assert_eq(memcmp(a->x, values, sizeof values), 0, "doubles come back bit for bit");
    cr_assert_str_eq(a->obs_names[3], "r3");
    cr_assert_str_eq(a->var_names[2], "c");
    cr_assert_eq(a->n_obs_columns, 3);
    cr_assert_str_eq(a->obs[0].name, "gene", "in the order of writing");
    const sow_h5ad_column *gene = sow_h5ad_obs(a, "gene"), *n = sow_h5ad_obs(a, "cells"), *b = sow_h5ad_obs(a, "good");
    cr_assert(gene->kind == SOW_COLUMN_STRING && n->kind == SOW_COLUMN_NUMBER && b->kind == SOW_COLUMN_BOOL);
    cr_assert_str_eq(gene->text[1], "JAK2");
    cr_assert_null(gene->text[3]);
    cr_assert(n->number[0] == 12.5 && isnan(n->number[1]));
    cr_assert(b->number[0] == 1 && b->number[1] == 0);
    cr_assert_null(sow_h5ad_obs(a, "absent"));
    sow_h5ad_destroy(a);
    cr_assert_eq(scratch_count_entries(scratch), 1, "nothing is left beside");
}

Test(h5ad, writes_single_precision_and_equal_bytes_for_equal_data)
{
    sow_h5ad *a = NULL;
    static char first[1 << 16];
    const char *path = write_example(1);
    FILE *f = fopen(path, "rb");
    size_t n = fread(first, 1, sizeof first, f), m;
    fclose(f);
    sleep(1); /* a stored time would differ */
    write_example(1);
    static char second[1 << 16];
    f = fopen(path, "rb");
    m = fread(second, 1, sizeof second, f);
    fclose(f);
    cr_assert(n == m && memcmp(first, second, n) == 0);
    cr_assert_eq(sow_h5ad_read(&a, path, 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(a->x[11], (double)0.1f);
    sow_h5ad_destroy(a);
}

Test(h5ad, leaves_the_matrix_when_not_asked_and_takes_empty_data)
{
    sow_h5ad *a = NULL, empty = {0};
    cr_assert_eq(sow_h5ad_read(&a, write_example(0), 0, &err), SOW_OK, "%s", err.message);
    cr_assert_null(a->x);
    cr_assert(a->x_is_dense);
    sow_h5ad_destroy(a);
    double none = 0;
    empty.x = &none;
    cr_assert_eq(sow_h5ad_write(scratch_path("e.h5ad"), &empty, 0, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_h5ad_read(&a, scratch_path("e.h5ad"), 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(a->n_obs, 0);
    sow_h5ad_destroy(a);
}

/* ---- layouts of others ---- */

Test(h5ad, reads_old_layouts_fixed_strings_and_integers)
{
    sow_h5ad *a = NULL;
    cr_assert_eq(sow_h5ad_read(&a, write_old(H5T_STD_I16BE, 2), 1, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(a->obs_names[0], "c0");
    cr_assert_str_eq(a->obs_names[1], "long5", "a fixed string may fill its field");
    cr_assert_eq(a->n_obs_columns, 1);
    cr_assert_str_eq(a->obs[0].text[0], "B");
    cr_assert_null(a->obs[0].text[1]);
    cr_assert(a->x[0] == 7 && a->x[1] == 8);
    sow_h5ad_destroy(a);
    cr_assert_eq(sow_h5ad_read(&a, write_old(H5T_IEEE_F32LE, 1), 1, &err), SOW_OK, "one column as a vector: %s", err.message);
    cr_assert(a->x[0] == 7 && a->x[1] == 8);
    sow_h5ad_destroy(a);
}

Test(h5ad, flags_a_sparse_matrix_and_does_not_read_it)
{
    sow_h5ad *a = NULL;
    const char *path = write_example(0);
    hid_t f = reopen(path);
    H5Ldelete(f, "X", H5P_DEFAULT);
    H5Gclose(H5Gcreate2(f, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(f);
    cr_assert_eq(sow_h5ad_read(&a, path, 1, &err), SOW_OK, "%s", err.message);
    cr_assert(a->x_is_sparse && !a->x_is_dense);
    cr_assert_null(a->x);
    sow_h5ad_destroy(a);
}

Test(h5ad, passes_over_columns_of_kinds_it_does_not_know)
{
    sow_h5ad *a = NULL;
    const char *path = write_example(0);
    hid_t f = reopen(path);
    H5Gclose(H5Gcreate2(f, "obs/nested", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(f);
    cr_assert_eq(sow_h5ad_read(&a, path, 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(a->n_obs_columns, 3);
    sow_h5ad_destroy(a);
}

/* ---- files of anndata ---- */

static const char *unpack(const char *name)
{
    static char bytes[1 << 18];
    char packed[512];
    snprintf(packed, sizeof packed, SOWER_SOURCE_DIR "/tests/io/fixtures/anndata-%s.h5ad.gz", name);
    const char *path = scratch_path("fixture.h5ad");
    gzFile in = gzopen(packed, "rb");
    FILE *out = fopen(path, "wb");
    cr_assert(in && out, "%s", packed);
    int n = gzread(in, bytes, sizeof bytes);
    cr_assert(n > 0 && n < (int)sizeof bytes && fwrite(bytes, 1, (size_t)n, out) == (size_t)n);
    gzclose(in);
    fclose(out);
    return path;
}

static void check_obs_of_fixture(const sow_h5ad *a, int nullable)
{
    const sow_h5ad_column *gene = sow_h5ad_obs(a, "gene"), *note = sow_h5ad_obs(a, "note"), *depth = sow_h5ad_obs(a, "depth");
    const sow_h5ad_column *fine = sow_h5ad_obs(a, "good"), *batch = sow_h5ad_obs(a, "batch"), *lane = sow_h5ad_obs(a, "lane"), *kept = sow_h5ad_obs(a, "kept");
    cr_assert_str_eq(gene->text[0], "STAT1");
    cr_assert_null(gene->text[1]);
    cr_assert_str_eq(gene->text[4], "JAK2");
    cr_assert_str_eq(note->text[5], "\xc3\xa9");
    cr_assert(depth->number[3] == 15 && isnan(depth->number[4]));
    cr_assert(fine->kind == SOW_COLUMN_BOOL && fine->number[1] == 1 && fine->number[2] == 0);
    cr_assert(batch->number[2] == 0 && batch->number[3] == 1);
    cr_assert_eq(lane != NULL, nullable);
    if (!nullable) return;
    cr_assert(lane->number[0] == 1 && isnan(lane->number[1]) && lane->number[2] == 2);
    cr_assert(kept->number[0] == 1 && kept->number[1] == 0 && isnan(kept->number[2]));
}

Test(h5ad, reads_obs_of_three_versions_of_anndata_and_looks_at_the_rest)
{
    const char *versions[] = {"0.7.8", "0.8.0", "0.10.9"}, *layouts[][2] = {{"dense", "dense"}, {"csr", "CSR"}, {"csc", "CSC"}};
    for (int v = 0; v < 3; v++)
        for (int l = 0; l < 3; l++) {
            char name[40];
            sow_h5ad *a = NULL;
            snprintf(name, sizeof name, "%s-%s", versions[v], layouts[l][0]);
            cr_assert_eq(sow_h5ad_read(&a, unpack(name), 0, &err), SOW_OK, "%s: %s", name, err.message);
            cr_assert(a->n_obs == 6 && a->n_vars == 4 && a->has_raw);
            cr_assert_str_eq(a->x_layout, layouts[l][1]);
            cr_assert_eq(a->n_stored, l == 0 ? 24 : 9);
            cr_assert_eq(a->n_layers, 2);
            cr_assert_str_eq(a->layers[0], "half");
            cr_assert_str_eq(a->layers[1], "whole");
            cr_assert_eq(a->n_var_columns, 2);
            cr_assert_str_eq(a->var_columns[0], "symbol");
            cr_assert_str_eq(a->var_columns[1], "alias");
            check_obs_of_fixture(a, v > 0);
            sow_h5ad_destroy(a);
        }
    refuses(unpack("0.10.9-lzf"), SOW_E_DATA, "/obs/_index: compressed with the HDF5 filter 'lzf' (32000), which this HDF5 does not have");
}

Test(h5ad, says_that_a_plain_file_has_neither_layers_nor_raw)
{
    sow_h5ad *a = NULL;
    cr_assert_eq(sow_h5ad_read(&a, write_example(0), 0, &err), SOW_OK, "%s", err.message);
    cr_assert(!a->has_raw && a->n_layers == 0 && a->n_var_columns == 0 && a->n_stored == 12);
    sow_h5ad_destroy(a);
}

/* ---- cells written block by block ---- */

static const int64_t cell_start[] = {0, 2, 2, 3};
static const int32_t cell_gene[] = {0, 2, 1};
static const float cell_value[] = {1, 2, 3.5f};
static char *cell_names[] = {"c0", "c1", "c2", "c3", "c4"};
static char *cell_genes_of[] = {"STAT1", NULL, "ctrl", "ctrl", "JAK2"};
static double cell_depths[] = {3, 0, 3.5, 3.5, NAN};

static sow_status write_cells(const char *path, int gzip, sow_error *e)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    sow_h5ad_writer *w = NULL;
    char *symbols[] = {"x", NULL, "z"};
    double variable[] = {1, 0, 1};
    const sow_h5ad_column var[] = {{"symbol", SOW_COLUMN_STRING, symbols, NULL}, {"highly_variable", SOW_COLUMN_BOOL, NULL, variable}};
    const sow_h5ad_column obs[] = {{"gene", SOW_COLUMN_STRING, cell_genes_of, NULL}, {"depth", SOW_COLUMN_NUMBER, NULL, cell_depths}};
    st = sow_names_create(&names, e);
    for (int i = 0; i < 3 && st == SOW_OK; i++) st = sow_names_add(names, var_names[i], NULL, e);
    if (st == SOW_OK) st = sow_h5ad_writer_create(&w, path, names, var, 2, gzip, e);
    if (st == SOW_OK) st = sow_h5ad_writer_append(w, 3, cell_start, cell_gene, cell_value, e);
    if (st == SOW_OK) st = sow_h5ad_writer_append(w, 0, cell_start, NULL, NULL, e);
    if (st == SOW_OK) st = sow_h5ad_writer_append(w, 2, cell_start + 1, cell_gene, cell_value, e); /* starts at entry 2 */
    if (st == SOW_OK) {
        cr_assert_eq(sow_h5ad_writer_n_cells(w), 5);
        st = sow_h5ad_writer_finish(w, cell_names, obs, 2, e);
    } else {
        sow_h5ad_writer_abandon(w);
    }
    sow_names_destroy(names);
    return st;
}

static void check_cells(const char *path)
{
    const float want[] = {1, 0, 2, 0, 0, 0, 0, 3.5f, 0, 0, 0, 0, 0, 3.5f, 0};
    sow_cell_file *f = NULL;
    sow_cell_file_options o = {.path = path};
    float x[15] = {0};
    sow_cell_block b;
    cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(sow_cell_file_layout(f), "CSR");
    cr_assert_eq(sow_cell_file_next(&b, f, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(b.n, 5);
    for (int i = 0; i < 5; i++)
        for (int64_t k = b.start[i]; k < b.start[i + 1]; k++) x[i * 3 + b.gene[k]] = b.value[k];
    cr_assert_eq(memcmp(x, want, sizeof want), 0);
    sow_cell_file_close(f);
}

Test(h5ad, writes_cells_block_by_block)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        sow_h5ad *a = NULL;
        const char *path = scratch_path("cells.h5ad");
        cr_assert_eq(write_cells(path, gzip, &err), SOW_OK, "%s", err.message);
        cr_assert_eq(scratch_count_entries(scratch), 1, "nothing is left beside");
        check_cells(path);
        cr_assert_eq(sow_h5ad_read(&a, path, 0, &err), SOW_OK, "%s", err.message);
        cr_assert(a->n_obs == 5 && a->n_vars == 3 && a->n_stored == 4);
        cr_assert_str_eq(a->obs_names[4], "c4");
        cr_assert_str_eq(sow_h5ad_obs(a, "gene")->text[4], "JAK2");
        cr_assert_null(sow_h5ad_obs(a, "gene")->text[1]);
        cr_assert(sow_h5ad_obs(a, "depth")->number[2] == 3.5 && isnan(sow_h5ad_obs(a, "depth")->number[4]));
        cr_assert_eq(a->n_var_columns, 2);
        sow_h5ad_destroy(a);
    }
}

/* More cells than chunks hold, in blocks that do not end where chunks do. */
enum { CELLS = 30000, CELL_GENES = 7, BLOCK = 777 };

static void write_many(const char *path, sow_threads *threads)
{
    sow_names *names = NULL;
    sow_h5ad_writer *w = NULL;
    int64_t start[BLOCK + 1] = {0};
    int32_t gene[BLOCK * CELL_GENES];
    float value[BLOCK * CELL_GENES];
    char **ids = calloc(CELLS, sizeof *ids), name[16];
    cr_assert_eq(sow_names_create(&names, &err), SOW_OK);
    for (int j = 0; j < CELL_GENES; j++) {
        snprintf(name, sizeof name, "g%d", j);
        cr_assert_eq(sow_names_add(names, name, NULL, &err), SOW_OK);
    }
    cr_assert_eq(sow_h5ad_writer_create(&w, path, names, NULL, 0, 1, &err), SOW_OK, "%s", err.message);
    sow_h5ad_writer_use(w, threads);
    for (int first = 0; first < CELLS; first += BLOCK) {
        int n = first + BLOCK < CELLS ? BLOCK : CELLS - first;
        int64_t k = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < CELL_GENES; j++)
                if ((first + i + j) % 3) {
                    gene[k] = j;
                    value[k++] = (float)(first + i + 100000 * j);
                }
            start[i + 1] = k;
            ids[first + i] = "same";
        }
        cr_assert_eq(sow_h5ad_writer_append(w, n, start, gene, value, &err), SOW_OK, "%s", err.message);
    }
    cr_assert_eq(sow_h5ad_writer_finish(w, ids, NULL, 0, &err), SOW_OK, "%s", err.message);
    sow_names_destroy(names);
    free(ids);
}

Test(h5ad, writes_many_cells_in_odd_blocks)
{
    sow_threads *threads = NULL;
    char one[65], three[65];
    cr_assert_eq(sow_threads_create(&threads, 3, &err), SOW_OK);
    write_many(scratch_path("many.h5ad"), threads);
    cr_assert_eq(sow_file_sha256(three, scratch_path("many.h5ad"), &err), SOW_OK, "%s", err.message);
    write_many(scratch_path("many.h5ad"), NULL);
    cr_assert_eq(sow_file_sha256(one, scratch_path("many.h5ad"), &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(one, three, "the same bytes for any number of threads");
    sow_threads_destroy(threads);
    sow_cell_file *f = NULL;
    sow_cell_file_options o = {.path = scratch_path("many.h5ad")};
    sow_cell_block b;
    sow_index seen = 0;
    cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
    for (;;) {
        cr_assert_eq(sow_cell_file_next(&b, f, NULL, &err), SOW_OK, "%s", err.message);
        if (b.n == 0) break;
        for (sow_index i = 0; i < b.n; i++)
            for (int64_t k = b.start[i], j = 0; j < CELL_GENES; j++) {
                if ((b.first + i + j) % 3 == 0) continue;
                cr_assert(k < b.start[i + 1] && b.gene[k] == j && b.value[k] == (float)(b.first + i + 100000 * j));
                k++;
            }
        seen += b.n;
    }
    cr_assert_eq(seen, CELLS);
    sow_cell_file_close(f);
}

Test(h5ad, gives_cells_up_without_a_trace)
{
    sow_names *names = NULL;
    sow_h5ad_writer *w = NULL;
    cr_assert_eq(sow_names_create(&names, &err), SOW_OK);
    cr_assert_eq(sow_h5ad_writer_create(&w, scratch_path("a.h5ad"), names, NULL, 0, 0, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(scratch_count_entries(scratch), 1);
    sow_h5ad_writer_abandon(w);
    cr_assert_eq(scratch_count_entries(scratch), 0);
    cr_assert_eq(sow_h5ad_writer_create(&w, scratch_path("no/such/folder.h5ad"), names, NULL, 0, 0, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "folder.h5ad: cannot write: No such file or directory"), "%s", err.message);
    cr_assert_null(w);
    sow_names_destroy(names);
}

/* ---- broken files ---- */

Test(h5ad, says_what_is_no_h5ad)
{
    refuses(scratch_path("absent.h5ad"), SOW_E_IO, "absent.h5ad: cannot open: No such file");
    refuses(scratch_write("empty.h5ad", ""), SOW_E_DATA, "the file is empty");
    refuses(scratch_write("text.h5ad", "gene,x\nA,1\n"), SOW_E_DATA, "not an HDF5 file");
    const char *path = scratch_path("other.h5ad");
    H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    refuses(path, SOW_E_DATA, "/obs: missing; not an AnnData file?");
}

static const char *cut_to; /* file that the child reads, cut off */

static int read_cut(void)
{
    sow_h5ad *a = NULL;
    sow_error e = {0};
    sow_status st = sow_h5ad_read(&a, cut_to, 1, &e);
    return st == SOW_E_DATA && !a && strstr(e.message, cut_to) && !strchr(e.message, '\n') ? 0 : 1;
}

Test(h5ad, refuses_a_truncated_file_at_any_length)
{
    static char bytes[1 << 16];
    const char *path = write_example(0);
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    cut_to = scratch_path("cut.h5ad");
    for (size_t cut = 1; cut < n; cut += n / 12) {
        f = fopen(cut_to, "wb");
        fwrite(bytes, 1, cut, f);
        fclose(f);
        cr_assert_eq(scratch_in_child(read_cut), 0, "cut at %zu of %zu", cut, n);
    }
}

Test(h5ad, names_the_dataset_that_is_missing)
{
    const char *path = write_example(0);
    hid_t f = reopen(path);
    H5Ldelete(f, "X", H5P_DEFAULT);
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "/X: no such dataset");
    f = reopen(path);
    H5Ldelete(f, "var/_index", H5P_DEFAULT);
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "/var/_index: no such dataset");
}

Test(h5ad, refuses_shapes_that_disagree)
{
    const char *path = write_example(0);
    hid_t f = reopen(path);
    hsize_t dims[2] = {3, 4}, five = 5;
    H5Ldelete(f, "X", H5P_DEFAULT);
    put(f, "X", H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE, 2, dims, values);
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "/X is 3 x 4 but obs names 4 rows and var 3 columns");
    f = reopen(path);
    put(f, "obs/extra", H5T_NATIVE_DOUBLE, H5T_NATIVE_DOUBLE, 1, &five, values);
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "/obs/extra: 5 values for 4 rows");
}

Test(h5ad, refuses_categories_out_of_range)
{
    const char *path = write_example(0);
    hid_t f = reopen(path), d = H5Dopen2(f, "obs/gene/codes", H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, (int[]){0, 1, 9, 0});
    H5Dclose(d);
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "/obs/gene: row 3 has category 9 of 2");
}

Test(h5ad, gives_no_memory_to_a_small_file_that_claims_to_be_huge)
{
    const char *path = write_example(0);
    hsize_t huge[2] = {1u << 20, 1u << 20}, chunk[2] = {1024, 1024}, many = (hsize_t)1 << 40;
    hid_t f = reopen(path), space = H5Screate_simple(2, huge, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 2, chunk);
    H5Ldelete(f, "X", H5P_DEFAULT);
    H5Dclose(H5Dcreate2(f, "X", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, create, H5P_DEFAULT));
    H5Fclose(f);
    H5Sclose(space);
    refuses(path, SOW_E_DATA, "/X: claims 1099511627776 values but stores only 0 bytes");
    f = reopen(path);
    H5Ldelete(f, "obs/_index", H5P_DEFAULT);
    hsize_t small = 1024;
    space = H5Screate_simple(1, &many, NULL);
    H5Pset_chunk(create, 1, &small);
    hid_t t = text_type(0);
    H5Dclose(H5Dcreate2(f, "obs/_index", t, space, H5P_DEFAULT, create, H5P_DEFAULT));
    H5Tclose(t);
    H5Fclose(f);
    H5Sclose(space);
    H5Pclose(create);
    refuses(path, SOW_E_DATA, "/obs/_index: claims");
}

Test(h5ad, says_what_to_do_about_tables_older_than_anndata_0_7)
{
    const char *path = scratch_path("ancient.h5ad");
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t one = 1;
    put(f, "obs", H5T_NATIVE_INT, H5T_NATIVE_INT, 1, &one, (int[]){1});
    H5Fclose(f);
    refuses(path, SOW_E_DATA, "read and write the file once with a newer anndata");
}

/* ---- failing to write, failing to allocate ---- */

static int write_on_full_disk(void)
{
    sow_h5ad_column columns[3];
    sow_h5ad a = example(columns);
    sow_error e = {0};
    scratch_limit_file_size(3000);
    sow_status st = sow_h5ad_write(scratch_path("a.h5ad"), &a, 0, &e);
    if (st != SOW_E_IO || !strstr(e.message, "a.h5ad: cannot write: File too large")) {
        fprintf(stderr, "%d %s\n", st, e.message);
        _exit(1);
    }
    _exit(0); /* HDF5's own exit handler would try to flush the file again */
}

Test(h5ad, leaves_the_old_file_when_the_disk_is_full)
{
    scratch_write("a.h5ad", "old");
    cr_assert_eq(scratch_in_child(write_on_full_disk), 0);
    cr_assert_str_eq(scratch_read(scratch_path("a.h5ad")), "old");
    cr_assert_eq(scratch_count_entries(scratch), 1, "the temporary file was left behind");
}

static int write_cells_on_full_disk(void)
{
    sow_error e = {0};
    scratch_limit_file_size(3000);
    sow_status st = write_cells(scratch_path("a.h5ad"), 0, &e);
    if (st != SOW_E_IO || !strstr(e.message, "a.h5ad: cannot write: File too large")) {
        fprintf(stderr, "%d %s\n", st, e.message);
        _exit(1);
    }
    _exit(0);
}

Test(h5ad, leaves_the_old_cells_when_the_disk_is_full)
{
    scratch_write("a.h5ad", "old");
    cr_assert_eq(scratch_in_child(write_cells_on_full_disk), 0);
    cr_assert_str_eq(scratch_read(scratch_path("a.h5ad")), "old");
    cr_assert_eq(scratch_count_entries(scratch), 1, "the temporary file was left behind");
}

Test(h5ad, says_why_it_cannot_write)
{
    sow_h5ad_column columns[3];
    sow_h5ad a = example(columns);
    cr_assert_eq(sow_h5ad_write(scratch_path("no/such/folder.h5ad"), &a, 0, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "folder.h5ad: cannot write: No such file or directory"), "%s", err.message);
}

static sow_status read_once(sow_error *e)
{
    sow_h5ad *a = NULL;
    sow_status st = sow_h5ad_read(&a, scratch_path("a.h5ad"), 1, e);
    sow_h5ad_destroy(a);
    return st;
}

static sow_status write_once(sow_error *e)
{
    sow_h5ad_column columns[3];
    sow_h5ad a = example(columns);
    return sow_h5ad_write(scratch_path("b.h5ad"), &a, 0, e);
}

static sow_status write_cells_once(sow_error *e)
{
    return write_cells(scratch_path("c.h5ad"), 1, e);
}

static sow_status read_fixture_once(sow_error *e)
{
    sow_h5ad *a = NULL;
    sow_status st = sow_h5ad_read(&a, scratch_path("fixture.h5ad"), 0, e);
    sow_h5ad_destroy(a);
    return st;
}

Test(h5ad, survives_every_failing_allocation)
{
    write_example(0);
    unpack("0.10.9-csr");
    every_allocation_may_fail(read_once, 1);
    every_allocation_may_fail(read_fixture_once, 1);
    every_allocation_may_fail(write_once, 1);
    every_allocation_may_fail(write_cells_once, 1);
    cr_assert_eq(scratch_count_entries(scratch), 4);
}

Test(h5ad, reads_real_profiles)
{
    sow_h5ad *a = NULL;
    const char *path = SOWER_SHARED_DIR "/data/neurips2023_pbmc_signed_ranks.h5ad";
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: needs ../shared/data\n");
        cr_skip_test("needs ../shared/data");
    }
    cr_assert_eq(sow_h5ad_read(&a, path, 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(a->n_obs, 540);
    cr_assert_eq(a->n_vars, 6349);
    for (sow_index i = 0; i < 540 * 6349; i++) cr_assert(a->x[i] >= -1 && a->x[i] <= 1);
    cr_assert_str_eq(sow_h5ad_obs(a, "context")->text[0], "b");
    sow_h5ad_destroy(a);
    cr_assert_eq(sow_h5ad_read(&a, SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad", 1, &err), SOW_OK, "%s", err.message);
    cr_assert(a->x_is_sparse && a->n_obs == 20729 && a->n_vars == 299);
    sow_h5ad_destroy(a);
}

/* ---- dense, block by block ---- */

enum { T_ROWS = 1100, T_COLS = 700 }; /* chunks of 187 rows */

static float table_value(int i, int j, int layer)
{
    return (float)(sin(i * 0.37 + j) + layer);
}

/* In blocks of these sizes, turn by turn. */
static void write_table(const char *name, const int *block, int n_blocks, sow_threads *threads)
{
    static const char *const layers[] = {"extra"};
    static float rows[T_ROWS * T_COLS];
    sow_names *names = NULL;
    sow_h5ad_table *t = NULL;
    char label[16], *obs[T_ROWS], *storage = calloc(T_ROWS, 8);
    cr_assert_eq(sow_names_create(&names, &err), SOW_OK);
    for (int j = 0; j < T_COLS; j++) {
        sprintf(label, "g%d", j);
        cr_assert_eq(sow_names_add(names, label, NULL, &err), SOW_OK);
    }
    for (int i = 0; i < T_ROWS; i++) sprintf(obs[i] = storage + 8 * i, "r%d", i);
    cr_assert_eq(sow_h5ad_table_create(&t, scratch_path(name), T_ROWS, names, layers, 1, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_h5ad_table_step(t), 187);
    for (int first = 0, n, k = 0; first < T_ROWS; first += n, k++) {
        n = block[k % n_blocks] < T_ROWS - first ? block[k % n_blocks] : T_ROWS - first;
        for (int layer = 0; layer < 2; layer++) {
            for (int i = 0; i < n * T_COLS; i++) rows[i] = table_value(first + i / T_COLS, i % T_COLS, layer);
            if (layer == 0 || first < 600) cr_assert_eq(sow_h5ad_table_put(t, layer - 1, first, n, rows, threads, &err), SOW_OK, "%s", err.message);
        }
    }
    for (int first = 0; first < T_ROWS; first += 300) { /* what was put can be had back before the file is finished */
        const int n = T_ROWS - first < 300 ? T_ROWS - first : 300;
        cr_assert_eq(sow_h5ad_table_get(t, -1, first, n, rows, threads, &err), SOW_OK, "%s", err.message);
        for (int i = 0; i < n * T_COLS; i++) cr_assert_eq(rows[i], table_value(first + i / T_COLS, i % T_COLS, 0));
    }
    cr_assert_eq(sow_h5ad_table_finish(t, obs, NULL, 0, "test", NULL, 0, &err), SOW_OK, "%s", err.message);
    sow_names_destroy(names);
    free(storage);
}

Test(h5ad, writes_dense_rows_in_blocks_of_any_size)
{
    const int sizes[] = {187, 500, 3, 374, 200};
    sow_threads *threads = NULL;
    sow_h5ad *a = NULL;
    cr_assert_eq(sow_threads_create(&threads, 3, &err), SOW_OK);
    for (int way = 0; way < 4; way++) {
        char name[16];
        sprintf(name, "t%d.h5ad", way);
        write_table(name, sizes + way, way == 3 ? 2 : 1 + way, way ? threads : NULL);
        cr_assert_eq(sow_h5ad_read(&a, scratch_path(name), 1, &err), SOW_OK, "%s", err.message);
        cr_assert(a->n_obs == T_ROWS && a->n_vars == T_COLS);
        for (int i = 0; i < T_ROWS * T_COLS; i++) cr_assert_eq(a->x[i], (double)table_value(i / T_COLS, i % T_COLS, 0), "way %d, entry %d", way, i);
        sow_h5ad_destroy(a);
    }
    sow_threads_destroy(threads);
}
