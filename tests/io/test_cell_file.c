#include "cell_files.h"

TestSuite(cell_file, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* ---- files of anndata ---- */

static const float fixture_x[] = {1, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 4, 5, 0, 6, 0, 0, 0, 7, 300, 0, 0, 1};
static const char *const versions[] = {"0.7.8", "0.8.0", "0.10.9"};
static const char *const layouts[][2] = {{"dense", "dense"}, {"csr", "CSR"}, {"csc", "CSC"}};

static const char *fixture(int version, int layout)
{
    char name[80];
    snprintf(name, sizeof name, "anndata-%s-%s.h5ad", versions[version], layouts[layout][0]);
    return unpack(name);
}

static void read_all_matrices(const char *path, const char *layout)
{
    matrix x = matrix_of(6, 4, fixture_x), half = matrix_of(6, 4, fixture_x), raw = matrix_of(6, 5, NULL);
    for (int i = 0; i < 24; i++) half.x[i] /= 2;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 5; j++) raw.x[i * 5 + j] = j < 4 ? fixture_x[i * 4 + j] : 2;
    must_read_as(&(sow_cell_file_options){.path = path, .counts = 1}, 1, &x, layout);
    must_read_as(&(sow_cell_file_options){.path = path, .layer = "X", .counts = 1}, 1, &x, layout);
    must_read_as(&(sow_cell_file_options){.path = path, .layer = "raw", .counts = 1}, 1, &raw, layout);
    must_read_as(&(sow_cell_file_options){.path = path, .layer = "half"}, 1, &half, "CSR");
    must_read_as(&(sow_cell_file_options){.path = path, .layer = "whole", .counts = 1}, 1, &x, "dense");
    free(x.x);
    free(half.x);
    free(raw.x);
}

Test(cell_file, reads_what_three_versions_of_anndata_wrote)
{
    for (int v = 0; v < 3; v++)
        for (int l = 0; l < 3; l++) read_all_matrices(fixture(v, l), layouts[l][1]);
}

Test(cell_file, names_genes_by_the_index_or_by_a_column)
{
    for (int v = 0; v < 3; v++) {
        const char *path = fixture(v, 1);
        const struct {
            const char *layer, *column, *first;
        } cases[] = {{NULL, NULL, "STAT1"}, {NULL, "symbol", "s1"}, {"half", "symbol", "s1"}, {NULL, "index", "STAT1"}, {"raw", NULL, "STAT1"}};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            sow_cell_file *f = NULL;
            sow_cell_file_options o = {.path = path, .layer = cases[i].layer, .gene_column = cases[i].column};
            cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
            cr_assert_str_eq(sow_names_get(sow_cell_file_genes(f), 0), cases[i].first);
            sow_cell_file_close(f);
        }
        must_refuse(&(sow_cell_file_options){.path = path, .gene_column = "alias"}, SOW_E_DATA, "/var: gene names come more than once: 'x'; choose another column");
        must_refuse(&(sow_cell_file_options){.path = path, .gene_column = "simbol"}, SOW_E_DATA, "no column of names 'simbol' (gene_column); did you mean 'symbol'?");
        must_refuse(&(sow_cell_file_options){.path = path, .layer = "hald"}, SOW_E_DATA, "no layer 'hald'; did you mean 'half'?; the layers 'half', 'whole'");
    }
}

Test(cell_file, names_the_filter_that_is_missing)
{
    refuse_file(unpack("anndata-0.10.9-lzf.h5ad"), "compressed with the HDF5 filter 'lzf' (32000), which this HDF5 does not have; write the file again with "
                                                   "adata.write_h5ad(path, compression='gzip')");
}

/* ---- every way of storing ---- */

/* Small and large memory, one and three threads: several blocks and one. */
static void in_every_way(const char *path, const matrix *want, const char *layout)
{
    for (int i = 0; i < 4; i++) must_read_as(&(sow_cell_file_options){.path = path, .counts = 1, .memory = i & 1 ? 1 : 0}, i & 2 ? 3 : 1, want, layout);
}

Test(cell_file, reads_every_type_of_number)
{
    matrix a = matrix_random(37, 20, 0.4);
    const hid_t values[] = {H5T_STD_I8LE,  H5T_STD_I8BE,  H5T_STD_U8LE,  H5T_STD_I16LE, H5T_STD_I16BE, H5T_STD_U16LE,  H5T_STD_I32LE, H5T_STD_I32BE,
                            H5T_STD_U32LE, H5T_STD_I64LE, H5T_STD_U64LE, H5T_STD_U64BE, H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE};
    const hid_t indices[] = {H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_I16LE, H5T_STD_U16LE, H5T_STD_I32LE, H5T_STD_I32BE, H5T_STD_U32LE, H5T_STD_I64LE, H5T_STD_U64LE};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (int gzip = 0; gzip < 2; gzip++) {
            how h = {.value = values[i], .chunk = {gzip ? 50 : 0, 7}, .gzip = gzip, .shuffle = gzip};
            must_read_as(&(sow_cell_file_options){.path = write_cells("a.h5ad", &a, &h), .counts = 1}, 1, &a, "CSR");
            h.format = "dense";
            must_read_as(&(sow_cell_file_options){.path = write_cells("a.h5ad", &a, &h), .counts = 1}, 1, &a, "dense");
        }
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        how h = {.index = indices[i], .start = i < 2 ? 0 : indices[i], .chunk = {i % 2 ? 64 : 0, 0}, .gzip = 1, .shuffle = i % 3 == 0};
        must_read_as(&(sow_cell_file_options){.path = write_cells("a.h5ad", &a, &h), .counts = 1}, 1, &a, "CSR");
        h.format = "csc_matrix";
        must_read_as(&(sow_cell_file_options){.path = write_cells("a.h5ad", &a, &h), .counts = 1}, 1, &a, "CSC");
    }
    free(a.x);
}

Test(cell_file, reads_every_layout_in_blocks_and_at_once)
{
    matrix a = matrix_random(600, 90, 0.7);
    const how ways[] = {{.format = "csr_matrix"},
                        {.chunk = {1000, 0}},
                        {.chunk = {1000, 0}, .gzip = 1},
                        {.chunk = {777, 0}, .gzip = 1, .shuffle = 1},
                        {.chunk = {777, 0}, .shuffle = 1},
                        {.chunk = {777, 0}, .gzip = 1, .shuffle = 1, .fletcher = 1},
                        {.chunk = {1000000, 0}, .gzip = 1}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        how h = ways[i];
        in_every_way(write_cells("a.h5ad", &a, &h), &a, "CSR");
        h.format = "csc_matrix";
        in_every_way(write_cells("a.h5ad", &a, &h), &a, "CSC");
    }
    free(a.x);
}

Test(cell_file, reads_dense_chunks_of_any_shape)
{
    matrix a = matrix_random(400, 90, 0.5);
    const hsize_t chunks[][2] = {{0, 0}, {400, 90}, {1, 90}, {400, 1}, {7, 13}, {64, 64}, {3, 90}};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        for (int gzip = 0; gzip < 2; gzip++) {
            how h = {.format = "dense", .chunk = {chunks[i][0], chunks[i][1]}, .gzip = gzip, .shuffle = gzip};
            in_every_way(write_cells("a.h5ad", &a, &h), &a, "dense");
        }
    free(a.x);
}

Test(cell_file, reads_chunks_that_were_never_written_as_zeros)
{
    matrix a = matrix_of(40, 10, NULL);
    const char *path = scratch_path("a.h5ad");
    hid_t f = create_h5ad(path, 40, 10);
    hsize_t dims[2] = {40, 10}, first[2] = {16, 0}, count[2] = {8, 10};
    put_as(f, "X", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, NULL, &(how){.chunk = {8, 5}, .gzip = 1});
    hid_t d = H5Dopen2(f, "X", H5P_DEFAULT), space = H5Dget_space(d), memory = H5Screate_simple(2, count, NULL);
    for (int i = 160; i < 240; i++) a.x[i] = (float)i;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL);
    H5Dwrite(d, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, a.x + 160);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(d);
    H5Fclose(f);
    in_every_way(path, &a, "dense");
    free(a.x);
}

/* A writer may leave filters out for a chunk and say so in its mask. */
Test(cell_file, reads_chunks_for_which_filters_were_skipped)
{
    matrix a = matrix_of(8, 4, NULL);
    const char *path = scratch_path("a.h5ad");
    hid_t f = create_h5ad(path, 8, 4);
    hsize_t dims[2] = {8, 4}, at[2] = {4, 0};
    for (int i = 0; i < 32; i++) a.x[i] = (float)(i + 1);
    put_as(f, "X", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, a.x, &(how){.chunk = {4, 4}, .gzip = 1, .shuffle = 1});
    hid_t d = H5Dopen2(f, "X", H5P_DEFAULT);
    cr_assert_geq(H5Dwrite_chunk(d, H5P_DEFAULT, 3, at, 16 * sizeof(float), a.x + 16), 0);
    H5Dclose(d);
    H5Fclose(f);
    in_every_way(path, &a, "dense");
    free(a.x);
}

Test(cell_file, reads_one_cell_and_one_gene_also_as_vectors)
{
    const float x[] = {0, 5, 0, 7, 1};
    matrix row = matrix_of(1, 5, x), column = matrix_of(5, 1, x), one = matrix_of(1, 1, x + 1);
    const matrix *all[] = {&row, &column, &one};
    const char *formats[] = {"csr_matrix", "csc_matrix", "dense"}, *names[] = {"CSR", "CSC", "dense"};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) in_every_way(write_cells("a.h5ad", all[i], &(how){.format = formats[k]}), all[i], names[k]);
        const char *path = scratch_path("v.h5ad");
        hid_t f = create_h5ad(path, all[i]->n, all[i]->m);
        put_vector(f, "X", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, (hsize_t)(all[i]->n * all[i]->m), all[i]->x);
        H5Fclose(f);
        in_every_way(path, all[i], "dense");
        free(all[i]->x);
    }
}

Test(cell_file, reads_cells_and_genes_without_counts_and_files_without_cells)
{
    const char *formats[] = {"csr_matrix", "csc_matrix", "dense"}, *names[] = {"CSR", "CSC", "dense"};
    const int sizes[][2] = {{5, 3}, {0, 3}, {5, 0}, {0, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        matrix none = matrix_of(sizes[i][0], sizes[i][1], NULL);
        for (int k = 0; k < 3; k++) in_every_way(write_cells("a.h5ad", &none, &(how){.format = formats[k]}), &none, names[k]);
        free(none.x);
    }
}

Test(cell_file, reads_the_attributes_of_files_older_than_anndata_0_7)
{
    matrix a = matrix_random(6, 5, 0.5);
    const char *path = write_cells("a.h5ad", &a, &(how){.format = "csc_matrix"});
    hid_t f = reopen(path), x = H5Gopen2(f, "X", H5P_DEFAULT);
    H5Adelete(x, "encoding-type");
    H5Adelete(x, "shape");
    put_text_attribute(x, "h5sparse_format", "csc");
    put_shape(x, "h5sparse_shape", 6, 5);
    H5Gclose(x);
    H5Fclose(f);
    in_every_way(path, &a, "CSC");
    free(a.x);
}

Test(cell_file, sorts_cells_and_drops_stored_zeros)
{
    const double value[] = {3, 0, 1, 5, -0.0, 2, 0, 7, 8, 9};
    const int index[] = {2, 1, 0, 3, 0, 1, 0, 2, 1, 3};
    const long long start[] = {0, 3, 3, 6, 8, 10};
    const float want[] = {1, 0, 3, 0, 0, 0, 0, 0, 0, 2, 0, 5, 0, 0, 7, 0, 0, 8, 0, 9};
    matrix a = matrix_of(5, 4, want);
    const char *path = scratch_path("a.h5ad");
    hid_t f = create_h5ad(path, 5, 4);
    put_sparse(f, "X", "csr_matrix", 5, 4, 10, value, index, start, 5, &(how){0});
    H5Fclose(f);
    in_every_way(path, &a, "CSR");
    f = create_h5ad(path, 2, 4); /* sorted already: the zero alone must be seen */
    put_sparse(f, "X", "csr_matrix", 2, 4, 4, value + 6, index + 6, (const long long[]){0, 2, 4}, 2, &(how){0});
    H5Fclose(f);
    memcpy(a.x, want + 12, sizeof(float) * 8);
    a.n = 2;
    in_every_way(path, &a, "CSR");
    must_read_as(&(sow_cell_file_options){.path = path}, 1, &a, "CSR");
    free(a.x);
}

Test(cell_file, gives_the_same_blocks_for_any_number_of_threads)
{
    matrix a = matrix_random(600, 90, 0.7);
    const char *path = write_cells("a.h5ad", &a, &(how){.chunk = {500, 0}, .gzip = 1});
    sow_index bounds[2][64] = {{0}};
    for (int t = 0; t < 2; t++) {
        sow_threads *pool = NULL;
        sow_cell_file *f = NULL;
        sow_cell_file_options o = {.path = path, .memory = 1};
        cr_assert_eq(sow_threads_create(&pool, t ? 4 : 1, &err), SOW_OK);
        sow_env env = {.threads = pool};
        cr_assert_eq(sow_cell_file_open(&f, &o, &env, &err), SOW_OK, "%s", err.message);
        sow_cell_block b;
        int n = 0;
        do {
            cr_assert_eq(sow_cell_file_next(&b, f, &env, &err), SOW_OK, "%s", err.message);
            bounds[t][n++] = b.n;
        } while (b.n > 0);
        cr_assert_gt(n, 3, "several blocks");
        sow_cell_file_close(f);
        sow_threads_destroy(pool);
    }
    cr_assert_eq(memcmp(bounds[0], bounds[1], sizeof bounds[0]), 0);
    free(a.x);
}

/* ---- MatrixMarket ---- */

#define BARCODES "AAA-1\nCCC-1\nGGG-1\nTTT-1\n"
#define FEATURES "ENSG1\tSTAT1\tGene Expression\nENSG2\tJAK2\tGene Expression\nENSG3\tIRF1\tGene Expression\n"
#define BANNER "%%MatrixMarket matrix coordinate integer general\n%\n"
static const float mtx_x[] = {1, 0, 2, 0, 0, 0, 0, 3, 0, 4, 5, 6};
#define ENTRIES "3 4 6\n1 1 1\n3 1 2\n2 3 3\n1 4 4\n2 4 5\n3 4 6\n"

static void reads_mtx(const char *path)
{
    matrix a = matrix_of(4, 3, mtx_x);
    in_every_way(path, &a, "MatrixMarket");
    free(a.x);
}

Test(cell_file, reads_folders_of_10x)
{
    matrix a = matrix_of(6, 4, fixture_x);
    in_every_way(SOWER_SOURCE_DIR "/tests/io/fixtures/mtx", &a, "MatrixMarket");
    free(a.x);
    reads_mtx(write_mtx("plain", "", BANNER ENTRIES, BARCODES, "features.tsv", FEATURES, 0));
    reads_mtx(write_mtx("packed", "", BANNER ENTRIES, BARCODES, "features.tsv", FEATURES, 1));
    reads_mtx(write_mtx("old", "", BANNER ENTRIES, BARCODES, "genes.tsv", "ENSG1\tSTAT1\nENSG2\tJAK2\nENSG3\tIRF1", 0));
    reads_mtx(write_mtx("windows", "", "%%MatrixMarket matrix coordinate integer general\r\n3 4 6\r\n1 1 1\r\n3 1 2\r\n2 3 3\r\n\r\n1 4 4\r\n2 4 5\r\n3 4 6\r\n", BARCODES,
                        "features.tsv", FEATURES, 0));
    write_mtx("named", "GSM1_", BANNER ENTRIES, BARCODES, "features.tsv", FEATURES, 1);
    reads_mtx(scratch_path("named/GSM1_matrix.mtx.gz"));
}

Test(cell_file, reads_entries_in_any_order_and_cells_by_genes)
{
    reads_mtx(write_mtx("a", "", BANNER "3 4 6\n3 4 6\n1 1 1\n2 3 3\n2 4 5\n3 1 2\n1 4 4\n", BARCODES, "features.tsv", FEATURES, 0));
    reads_mtx(write_mtx("b", "", BANNER "4 3 6\n1 1 1\n1 3 2\n3 2 3\n4 1 4\n4 2 5\n4 3 6\n", BARCODES, "features.tsv", FEATURES, 1));
    reads_mtx(write_mtx("c", "", "%%MatrixMarket matrix coordinate real general\n3 4 6\n1 1 1.0\n3 1 2e0\n2 3 +3\n1 4 0.4E1\n2 4 5.\n3 4 6.000\n", BARCODES,
                        "features.tsv", FEATURES, 0));
}

/* More entries than fit into memory at once, backwards. */
Test(cell_file, turns_entries_in_no_order_through_a_file)
{
    matrix a = matrix_random(400, 90, 0.8);
    char *text = calloc(1 << 20, 1), *barcodes = calloc(1 << 14, 1), *features = calloc(1 << 14, 1);
    int n = 0;
    size_t k = 0;
    for (int i = 0; i < a.n * a.m; i++) n += a.x[i] != 0;
    k += (size_t)sprintf(text, "%s%d %d %d\n", BANNER, a.m, a.n, n);
    for (int i = a.n * a.m - 1; i >= 0; i--)
        if (a.x[i] != 0) k += (size_t)sprintf(text + k, "%d %d %g\n", i % a.m + 1, i / a.m + 1, (double)a.x[i]);
    for (int i = 0; i < a.n; i++) sprintf(barcodes + strlen(barcodes), "c%d\n", i);
    for (int j = 0; j < a.m; j++) sprintf(features + strlen(features), "E%d\tg%d\n", j, j);
    in_every_way(write_mtx("a", "", text, barcodes, "genes.tsv", features, 0), &a, "MatrixMarket");
    free(text);
    free(barcodes);
    free(features);
    free(a.x);
}

Test(cell_file, reads_patterns_as_ones)
{
    const float ones[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    matrix a = matrix_of(4, 3, ones);
    const char *text = "%%MatrixMarket matrix coordinate pattern general\n3 4 2\n1 1\n3 3\n";
    in_every_way(write_mtx("a", "", text, BARCODES, "features.tsv", FEATURES, 0), &a, "MatrixMarket");
    free(a.x);
}

static void hear(void *user, sow_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 300, "%s", message);
}

Test(cell_file, leaves_out_antibodies_and_guides_and_says_so)
{
    sow_cell_file *f = NULL;
    char said[300] = "";
    sow_env env = {.log = hear, .log_user = said};
    const char *features = "ENSG1\tSTAT1\tGene Expression\nAB1\tCD8\tAntibody Capture\nENSG3\tIRF1\tGene Expression\n";
    sow_cell_file_options o = {.path = write_mtx("a", "", BANNER ENTRIES, BARCODES, "features.tsv", features, 0)};
    cr_assert_eq(sow_cell_file_open(&f, &o, &env, &err), SOW_OK, "%s", err.message);
    cr_assert(strstr(said, "1 features that are not 'Gene Expression' are left out"), "%s", said);
    cr_assert_eq(sow_cell_file_n_genes(f), 2);
    cr_assert_str_eq(sow_names_get(sow_cell_file_genes(f), 1), "IRF1");
    float x[8] = {0};
    const float want[] = {1, 2, 0, 0, 0, 0, 4, 6};
    cr_assert_eq(read_pass(x, NULL, f, &env, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(memcmp(x, want, sizeof want), 0);
    sow_cell_file_close(f);
}

Test(cell_file, names_genes_of_a_folder_by_symbol_or_id)
{
    const char *columns[] = {NULL, "symbol", "id"}, *names[] = {"STAT1", "STAT1", "ENSG1"};
    const char *path = write_mtx("a", "", BANNER ENTRIES, BARCODES, "features.tsv", FEATURES, 0);
    for (int i = 0; i < 3; i++) {
        sow_cell_file *f = NULL;
        sow_cell_file_options o = {.path = path, .gene_column = columns[i]};
        cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
        cr_assert_str_eq(sow_names_get(sow_cell_file_genes(f), 0), names[i]);
        sow_cell_file_close(f);
    }
    must_refuse(&(sow_cell_file_options){.path = path, .gene_column = "gene"}, SOW_E_DATA, "has 'symbol' (column 2 of features.tsv) and 'id' (column 1)");
    const char *twice = "ENSG1\tSTAT1\nENSG2\tJAK2\nENSG3\tSTAT1\n";
    path = write_mtx("b", "", BANNER ENTRIES, BARCODES, "genes.tsv", twice, 0);
    refuse_file(path, "genes.tsv: gene names come more than once: 'STAT1'; choose the ids with gene_column: id");
    matrix a = matrix_of(4, 3, mtx_x);
    must_read_as(&(sow_cell_file_options){.path = path, .gene_column = "id"}, 1, &a, "MatrixMarket");
    free(a.x);
}

/* ---- real files ---- */

Test(cell_file, reads_the_cells_of_papalexi_and_of_four_lines)
{
    const struct {
        const char *path;
        sow_index n, m, values;
        int counts;
    } files[] = {{SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad", 20729, 299, 1390126, 1},
                 {SOWER_SHARED_DIR "/data/mcfaline2024_norman2019_4lines.h5ad", 5961, 500, 211790, 0}};
    if (access(files[0].path, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: needs ../shared/data\n");
        cr_skip_test("needs ../shared/data");
    }
    for (int i = 0; i < 2; i++) {
        sow_cell_file *f = NULL;
        sow_cell_file_options o = {.path = files[i].path, .counts = files[i].counts};
        cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
        sow_cell_block b;
        sow_index n = 0, values = 0;
        do {
            cr_assert_eq(sow_cell_file_next(&b, f, NULL, &err), SOW_OK, "%s", err.message);
            n += b.n;
            values += b.n ? b.start[b.n] : 0;
        } while (b.n > 0);
        cr_assert(n == files[i].n && values == files[i].values && sow_cell_file_n_genes(f) == files[i].m);
        sow_cell_file_close(f);
    }
    must_refuse(&(sow_cell_file_options){.path = files[1].path, .counts = 1}, SOW_E_DATA, "is no whole number, but the values are declared to be counts");
}
