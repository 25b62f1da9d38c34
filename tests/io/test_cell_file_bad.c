/* What sow_cell_file says of files that are not as they should be. */
#include "cell_files.h"

TestSuite(cell_file_bad, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* A CSR file of 3 cells and 4 genes with 6 values, some of which are replaced. */
typedef struct {
    double value[6];
    int index[6];
    long long start[4];
    long long shape[2];
    hsize_t n_values, n_indices, n_starts;
} parts;

static parts good_parts(void)
{
    return (parts){{1, 2, 3, 4, 5, 6}, {0, 2, 1, 0, 1, 3}, {0, 2, 3, 6}, {3, 4}, 6, 6, 4};
}

static const char *write_parts(const parts *p, const char *format)
{
    const char *path = scratch_path("a.h5ad");
    hid_t f = create_h5ad(path, 3, 4), g = H5Gcreate2(f, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_text_attribute(g, "encoding-type", format);
    put_shape(g, "shape", p->shape[0], p->shape[1]);
    put_vector(g, "data", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, p->n_values, p->value);
    put_vector(g, "indices", H5T_STD_I64LE, H5T_NATIVE_INT, p->n_indices, p->index);
    put_vector(g, "indptr", H5T_STD_I64LE, H5T_NATIVE_LLONG, p->n_starts, p->start);
    H5Gclose(g);
    H5Fclose(f);
    return path;
}

static void refuse_parts(const parts *p, const char *message)
{
    refuse_file(write_parts(p, "csr_matrix"), message);
}

static void refuse_counts(const parts *p, const char *message)
{
    must_refuse(&(sow_cell_file_options){.path = write_parts(p, "csr_matrix"), .counts = 1}, SOW_E_DATA, message);
}

/* ---- no such file ---- */

Test(cell_file_bad, says_what_is_no_cell_file)
{
    must_refuse(&(sow_cell_file_options){.path = scratch_path("absent.h5ad")}, SOW_E_IO, "absent.h5ad: cannot open: No such file");
    refuse_file(scratch_write("empty.h5ad", ""), "the file is empty");
    refuse_file(scratch_write("text.h5ad", "gene,x\nA,1\n"), "not an HDF5 file");
    const char *path = scratch_path("other.h5ad");
    H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    refuse_file(path, "/obs: missing; not an AnnData file?");
    mkdir(scratch_path("folder"), 0700);
    refuse_file(scratch_path("folder"), "no matrix.mtx (or .gz); a MatrixMarket folder has");
}

/* ---- values ---- */

Test(cell_file_bad, names_the_cell_and_the_gene_of_a_value_that_is_no_number)
{
    parts p = good_parts();
    p.value[4] = (double)NAN;
    refuse_parts(&p, "/X: cell 3, gene 'gene1': the value is NaN; every value must be a finite number");
    p.value[4] = (double)-INFINITY;
    refuse_parts(&p, "cell 3, gene 'gene1': the value is infinite");
    p.value[4] = 1e300;
    refuse_parts(&p, "the value is infinite; every value must be a finite number that fits single precision");
}

Test(cell_file_bad, takes_negative_and_fractional_values_only_where_no_counts_are_declared)
{
    const float want[] = {1, 0, -2.5f, 0, 0, 3, 0, 0, 4, 5, 0, 6};
    matrix a = matrix_of(3, 4, want);
    parts p = good_parts();
    p.value[1] = -2.5;
    must_read_as(&(sow_cell_file_options){.path = write_parts(&p, "csr_matrix")}, 1, &a, "CSR");
    refuse_counts(&p, "cell 1, gene 'gene2': -2.5 is negative, but the values are declared to be counts; name the layer that has counts");
    p.value[1] = 2.5;
    refuse_counts(&p, "cell 1, gene 'gene2': 2.5 is no whole number, but the values are declared to be counts");
    free(a.x);
}

Test(cell_file_bad, takes_counts_up_to_what_single_precision_keeps)
{
    const float want[] = {1, 0, 16777215, 0, 0, 3, 0, 0, 4, 5, 0, 6};
    matrix a = matrix_of(3, 4, want);
    parts p = good_parts();
    p.value[1] = 16777215;
    must_read_as(&(sow_cell_file_options){.path = write_parts(&p, "csr_matrix"), .counts = 1}, 1, &a, "CSR");
    p.value[1] = 16777217; /* single precision would make it 16777216 */
    refuse_counts(&p, "cell 1, gene 'gene2': a count of 16777216; counts from 16777216 on cannot be kept exactly");
    p.value[1] = 1e18;
    refuse_counts(&p, "cannot be kept exactly");
    free(a.x);
}

Test(cell_file_bad, checks_the_values_of_dense_matrices_and_columns_too)
{
    float x[] = {1, 0, 2, 0, 0, 3, 0, 0, 4, 5, 0, 6};
    const char *formats[] = {"dense", "csc_matrix"};
    for (int i = 0; i < 2; i++) {
        const float bad[] = {-1, 0.5f, (float)NAN};
        const char *messages[] = {"cell 2, gene 'gene1': -1 is negative", "cell 2, gene 'gene1': 0.5 is no whole number", "cell 2, gene 'gene1': the value is NaN"};
        for (int k = 0; k < 3; k++) {
            x[5] = bad[k];
            matrix a = matrix_of(3, 4, x);
            must_refuse(&(sow_cell_file_options){.path = write_cells("a.h5ad", &a, &(how){.format = formats[i]}), .counts = 1}, SOW_E_DATA, messages[k]);
            free(a.x);
        }
    }
}

/* ---- indices ---- */

Test(cell_file_bad, refuses_indices_out_of_range_and_doubled)
{
    parts p = good_parts();
    p.index[3] = 4;
    refuse_parts(&p, "/X: cell 3 has a gene index outside 0 to 3; the file is damaged");
    p.index[3] = -1;
    refuse_parts(&p, "/X: cell 3 has a gene index outside 0 to 3");
    p = good_parts();
    p.index[4] = 3;
    refuse_parts(&p, "/X: cell 3 has gene 'gene3' twice; call adata.X.sum_duplicates()");
    p = good_parts();
    p.index[3] = 3; /* doubled and not beside each other */
    refuse_parts(&p, "/X: cell 3 has gene 'gene3' twice");
}

/* 2^32 + 1 would be 1 in 32 bits. */
Test(cell_file_bad, refuses_indices_that_would_wrap)
{
    const hid_t types[] = {H5T_STD_I64LE, H5T_STD_U64LE, H5T_STD_U32LE, H5T_STD_I64BE};
    const long long large[] = {4294967297ll, 4294967297ll, 4294967295ll, 4294967297ll};
    for (int i = 0; i < 4; i++) {
        parts p = good_parts();
        const char *path = write_parts(&p, "csr_matrix");
        hid_t f = reopen(path), x = H5Gopen2(f, "X", H5P_DEFAULT);
        long long index[] = {0, 2, 1, 0, large[i], 3};
        H5Ldelete(x, "indices", H5P_DEFAULT);
        put_vector(x, "indices", types[i], H5T_NATIVE_LLONG, 6, index);
        H5Gclose(x);
        H5Fclose(f);
        refuse_file(path, "/X: cell 3 has a gene index outside 0 to 3");
    }
}

Test(cell_file_bad, refuses_indices_of_columns_out_of_range_and_doubled)
{
    parts p = {{1, 2, 3, 4, 5, 6}, {0, 2, 1, 0, 1, 2}, {0, 2, 3, 3}, {3, 4}, 6, 6, 4};
    long long start[] = {0, 2, 3, 3, 6};
    const char *path = scratch_path("a.h5ad");
    const int bad[][2] = {{3, 3}, {3, -1}, {4, 0}};
    const char *messages[] = {"/X: a cell index outside 0 to 2; the file is damaged", "/X: a cell index outside 0 to 2", "/X: cell 1 has gene 'gene3' twice"};
    for (int i = 0; i < 3; i++) {
        int index[6];
        memcpy(index, p.index, sizeof index);
        index[bad[i][0]] = bad[i][1];
        hid_t f = create_h5ad(path, 3, 4);
        put_sparse(f, "X", "csc_matrix", 3, 4, 6, p.value, index, start, 4, &(how){0});
        H5Fclose(f);
        refuse_file(path, messages[i]);
    }
}

Test(cell_file_bad, refuses_a_start_that_no_difference_can_be_taken_of)
{
    enum { CELLS = 70000 }; /* more than a block takes, so that the bad start is not compared with 0 */
    static double value[CELLS];
    static int index[CELLS];
    static long long start[CELLS + 1];
    const char *path = scratch_path("a.h5ad");
    for (int i = 0; i < CELLS; i++) {
        value[i] = 1;
        start[i + 1] = i + 1;
    }
    start[65537] = INT64_MIN;
    hid_t f = create_h5ad(path, CELLS, 1), g = H5Gcreate2(f, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_text_attribute(g, "encoding-type", "csr_matrix");
    put_shape(g, "shape", CELLS, 1);
    put_vector(g, "data", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, CELLS, value);
    put_vector(g, "indices", H5T_STD_I64LE, H5T_NATIVE_INT, CELLS, index);
    put_vector(g, "indptr", H5T_STD_I64LE, H5T_NATIVE_LLONG, CELLS + 1, start);
    H5Gclose(g);
    H5Fclose(f);
    refuse_file(path, "/X/indptr: entry 65538 is -9223372036854775808 after 65536 of 70000 values");
}

Test(cell_file_bad, refuses_starts_that_fall_or_end_elsewhere)
{
    parts p = good_parts();
    p.start[0] = 1;
    refuse_parts(&p, "/X/indptr: begins with 1, not 0");
    p = good_parts();
    p.start[2] = 1;
    refuse_parts(&p, "/X/indptr: entry 3 is 1 after 2 of 6 values");
    p = good_parts();
    p.start[3] = 5;
    refuse_parts(&p, "/X/indptr: ends with 5 but there are 6 values");
    p.start[3] = 1ll << 60;
    refuse_parts(&p, "/X: cell 3 has 1152921504606846973 values for 4 genes");
    p.start[3] = -6;
    refuse_parts(&p, "/X/indptr: entry 4 is -6 after 3 of 6 values");
    p = good_parts();
    p.start[1] = 7;
    refuse_parts(&p, "/X/indptr: entry 2 is 7 after 0 of 6 values");
    parts c = {{1, 2, 3}, {0, 2, 1}, {0, 2, 1, 3}, {4, 3}, 3, 3, 4};
    const char *path = scratch_path("c.h5ad");
    for (int i = 0; i < 2; i++) {
        hid_t f = create_h5ad(path, 4, 3);
        put_sparse(f, "X", "csc_matrix", 4, 3, 3, c.value, c.index, c.start, 3, &(how){0});
        H5Fclose(f);
        refuse_file(path, i ? "/X/indptr: goes from 0 to 2 but there are 3 values" : "/X/indptr: falls at entry 3");
        c.start[2] = 2;
        c.start[3] = 2;
    }
}

/* ---- what is missing or disagrees ---- */

Test(cell_file_bad, names_every_part_that_is_missing)
{
    const struct {
        const char *what, *message;
    } parts_of[] = {{"X", "/X: missing; name a layer that has the values"},
                    {"X/data", "/X/data: no such dataset"},
                    {"X/indices", "/X/indices: no such dataset"},
                    {"X/indptr", "/X/indptr: no such dataset"},
                    {"obs", "/obs: missing"},
                    {"obs/_index", "/obs: no such dataset"},
                    {"var", "/var: missing"},
                    {"var/_index", "/var: no such dataset"}};
    matrix a = matrix_random(6, 5, 0.5);
    for (size_t i = 0; i < sizeof parts_of / sizeof *parts_of; i++) {
        const char *path = write_cells("a.h5ad", &a, &(how){0});
        hid_t f = reopen(path);
        H5Ldelete(f, parts_of[i].what, H5P_DEFAULT);
        H5Fclose(f);
        refuse_file(path, parts_of[i].message);
    }
    const char *path = write_cells("a.h5ad", &a, &(how){0});
    must_refuse(&(sow_cell_file_options){.path = path, .layer = "raw"}, SOW_E_DATA, "there is no raw (layer: raw)");
    must_refuse(&(sow_cell_file_options){.path = path, .layer = "counts"}, SOW_E_DATA, "no layer 'counts'; the file has no layers");
    const char *attributes[] = {"shape", "encoding-type"}, *messages[] = {"/X: has no attribute 'shape'", "/X: says neither csr_matrix nor csc_matrix"};
    for (int i = 0; i < 2; i++) {
        hid_t f = reopen(path), x = H5Gopen2(f, "X", H5P_DEFAULT);
        H5Adelete(x, attributes[i]);
        H5Gclose(x);
        H5Fclose(f);
        refuse_file(path, messages[i]);
    }
    free(a.x);
}

Test(cell_file_bad, refuses_sizes_that_disagree)
{
    parts p = good_parts();
    p.shape[0] = 4;
    refuse_parts(&p, "/X is 4 x 4 but obs names 3 cells and var 4 genes");
    p.shape[0] = -3;
    refuse_parts(&p, "/X: claims a negative size");
    p = good_parts();
    p.n_starts = 3;
    refuse_parts(&p, "/X/indptr: 3 entries for 3 cells (one more is needed)");
    p = good_parts();
    p.n_values = 5;
    refuse_parts(&p, "/X: 5 values in data but 6 in indices");
    refuse_file(write_parts(&p, "coo_matrix"), "/X: stored as 'coo_matrix'; csr_matrix, csc_matrix and dense arrays can be read");
    float x[12] = {0};
    matrix a = matrix_of(3, 4, x);
    const char *path = scratch_path("a.h5ad");
    hid_t f = create_h5ad(path, 4, 3);
    put_matrix(f, "X", &a, &(how){.format = "dense"});
    H5Fclose(f);
    refuse_file(path, "/X is 3 x 4 but obs names 4 cells and var 3 genes");
    free(a.x);
}

Test(cell_file_bad, refuses_datasets_of_another_kind)
{
    const char *names[] = {"data", "indices", "indptr"}, *messages[] = {"/X/data: numbers are expected", "/X/indices: integers are expected", "/X/indptr: integers are expected"};
    for (int i = 0; i < 3; i++) {
        parts p = good_parts();
        const char *path = write_parts(&p, "csr_matrix"), *text[] = {"1", "2", "3", "4", "5", "6"};
        hid_t f = reopen(path), x = H5Gopen2(f, "X", H5P_DEFAULT), t = text_type();
        H5Ldelete(x, names[i], H5P_DEFAULT);
        if (i == 0)
            put_vector(x, names[i], t, t, 6, text);
        else
            put_vector(x, names[i], H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, i == 1 ? 6 : 4, p.value);
        H5Tclose(t);
        H5Gclose(x);
        H5Fclose(f);
        refuse_file(path, messages[i]);
    }
}

/* ---- names ---- */

static const char *write_gene_names(const char **names, int n)
{
    matrix a = matrix_random(4, n, 0.5);
    const char *path = write_cells("a.h5ad", &a, &(how){0});
    hid_t f = reopen(path), t = text_type();
    H5Ldelete(f, "var/_index", H5P_DEFAULT);
    hid_t var = H5Gopen2(f, "var", H5P_DEFAULT);
    put_vector(var, "_index", t, t, (hsize_t)n, names);
    H5Gclose(var);
    H5Tclose(t);
    H5Fclose(f);
    free(a.x);
    return path;
}

Test(cell_file_bad, names_genes_that_come_twice_or_have_no_name)
{
    refuse_file(write_gene_names((const char *[]){"A", "B", "A", "A", "B", "C"}, 6),
                "/var: gene names come more than once: 'A', 'B'; call adata.var_names_make_unique() and write the file again, or choose a column with gene_column");
    refuse_file(write_gene_names((const char *[]){"A", ""}, 2), "/var: gene 2 has no name");
}

Test(cell_file_bad, refuses_categories_of_gene_names_out_of_range)
{
    const char *path = unpack("anndata-0.10.9-csr.h5ad");
    hid_t f = reopen(path), d = H5Dopen2(f, "var/alias/codes", H5P_DEFAULT);
    H5Dwrite(d, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, (int[]){0, 1, 9, 0});
    H5Dclose(d);
    H5Fclose(f);
    must_refuse(&(sow_cell_file_options){.path = path, .gene_column = "alias"}, SOW_E_DATA, "row 3 has category 9 of 3");
}

/* ---- claims ---- */

/* Replace a dataset by one of `n` entries of which none is stored. */
static void claim(const char *path, const char *name, hid_t type, hsize_t n, hsize_t chunk)
{
    hid_t f = reopen(path);
    H5Ldelete(f, name, H5P_DEFAULT);
    put_as(f, name, type, type, 1, &n, NULL, &(how){.chunk = {chunk, 0}, .gzip = 1});
    H5Fclose(f);
}

Test(cell_file_bad, gives_no_memory_to_small_files_that_claim_to_be_huge)
{
    const hsize_t huge = 1000000000;
    hid_t t = text_type();
    const struct {
        const char *name;
        hid_t type;
        const char *message;
    } claims[] = {{"obs/_index", t, "/obs: claims 1000000000 values but stores only 0 bytes; the file is damaged"},
                  {"var/_index", t, "/var/_index: claims"},
                  {"X/data", H5T_IEEE_F32LE, "/X/data: claims 1000000000 values"},
                  {"X/indices", H5T_STD_I32LE, "/X/indices: claims 1000000000 values"},
                  {"X/indptr", H5T_STD_I64LE, "/X/indptr: claims 1000000000 values"}};
    matrix a = matrix_random(6, 5, 0.5);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        const char *path = write_cells("a.h5ad", &a, &(how){0});
        claim(path, claims[i].name, claims[i].type, huge, 100000);
        refuse_file(path, i == 1 ? "claims 1000000000 values" : claims[i].message);
    }
    const char *path = write_cells("a.h5ad", &a, &(how){0});
    hid_t f = reopen(path), x = H5Gopen2(f, "X", H5P_DEFAULT);
    H5Adelete(x, "shape");
    put_shape(x, "shape", 1000000000, 5);
    H5Gclose(x);
    H5Fclose(f);
    refuse_file(path, "/X is 1000000000 x 5 but obs names 6 cells");
    H5Tclose(t);
    free(a.x);
}

Test(cell_file_bad, says_that_chunks_do_not_fit_into_the_memory)
{
    matrix a = matrix_random(300, 1000, 0.01);
    const char *path = write_cells("a.h5ad", &a, &(how){.format = "dense", .chunk = {300, 1000}, .gzip = 1});
    must_refuse(&(sow_cell_file_options){.path = path, .memory = 1 << 20}, SOW_E_DATA, "/X: stored in chunks of 1 MB, which do not fit into the 1 MB for buffers; give more with --memory");
    must_read_as(&(sow_cell_file_options){.path = path, .memory = 4 << 20}, 1, &a, "dense");
    free(a.x);
}

/* ---- damaged and cut ---- */

Test(cell_file_bad, says_which_dataset_has_a_damaged_chunk)
{
    matrix a = matrix_random(60, 50, 0.5);
    const char *path = write_cells("a.h5ad", &a, &(how){.chunk = {500, 0}, .gzip = 1});
    hid_t f = reopen(path), d = H5Dopen2(f, "X/data", H5P_DEFAULT);
    hsize_t offset = 500, size = 0;
    haddr_t address = 0;
    unsigned skipped = 0;
    cr_assert_geq(H5Dget_chunk_info_by_coord(d, &offset, &skipped, &address, &size), 0);
    H5Dclose(d);
    H5Fclose(f);
    FILE *file = fopen(path, "r+b");
    fseek(file, (long)(address + size / 2), SEEK_SET);
    fputs("damage", file);
    fclose(file);
    refuse_file(path, "/X/data: damaged, a chunk cannot be inflated; copy the file again");
    sow_cell_file *again = NULL;
    sow_cell_file_options o = {.path = path};
    sow_cell_block b;
    cr_assert_eq(sow_cell_file_open(&again, &o, NULL, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < 2; i++) cr_assert_eq(sow_cell_file_next(&b, again, NULL, &err), SOW_E_DATA, "what failed once is not taken for read");
    sow_cell_file_close(again);
    free(a.x);
}

/* The B-tree says how large a chunk is; without filters there is only one right answer. */
Test(cell_file_bad, says_which_dataset_has_a_chunk_of_the_wrong_size)
{
    static unsigned char bytes[1 << 16];
    matrix a = matrix_random(60, 50, 0.5);
    const char *path = write_cells("a.h5ad", &a, &(how){.format = "dense", .chunk = {20, 50}});
    FILE *f = fopen(path, "r+b");
    size_t n = fread(bytes, 1, sizeof bytes, f), at = 0;
    while (at + 32 < n && (memcmp(bytes + at, "TREE", 4) != 0 || bytes[at + 4] != 1)) at++;
    cr_assert_lt(at + 32, n);
    cr_assert(bytes[at + 24] == 0xa0 && bytes[at + 25] == 0x0f, "20 x 50 x 4 bytes");
    fseek(f, (long)at + 24, SEEK_SET);
    fputc(0x9c, f);
    fclose(f);
    refuse_file(path, "/X: damaged, a chunk has the wrong size; copy the file again");
    free(a.x);
}

static const char *cut_to;

/* A file that is cut may be refused or, where only unused room at its end is missing, be read; nothing else may happen. */
static int read_cut(void)
{
    for (int i = 0; i < 2; i++) {
        sow_error e = {0};
        sow_cell_file *f = NULL;
        sow_cell_file_options o = {.path = cut_to, .layer = i ? "half" : NULL};
        sow_status st = sow_cell_file_open(&f, &o, NULL, &e);
        float x[24] = {0};
        if (st == SOW_OK) st = read_pass(x, NULL, f, NULL, &e);
        sow_cell_file_close(f);
        if (st != SOW_OK && (st != SOW_E_DATA || strchr(e.message, '\n'))) return 1;
    }
    return 0;
}

static void cut_everywhere(const char *path, size_t step)
{
    static char bytes[1 << 18];
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    cut_to = path;
    for (size_t cut = 0; cut < n; cut += step) {
        f = fopen(path, "wb");
        fwrite(bytes, 1, cut, f);
        fclose(f);
        cr_assert_eq(read_cut(), 0, "cut at %zu of %zu", cut, n);
    }
}

Test(cell_file_bad, survives_a_file_cut_at_any_byte)
{
    cut_everywhere(unpack("anndata-0.10.9-csr.h5ad"), 151);
    cut_everywhere(unpack("anndata-0.7.8-csc.h5ad"), 149);
    matrix a = matrix_random(5, 4, 0.5);
    cut_everywhere(write_cells("small.h5ad", &a, &(how){.chunk = {8, 0}, .gzip = 1}), 13);
    free(a.x);
}

/* ---- MatrixMarket ---- */

#define BARCODES "AAA-1\nCCC-1\n"
#define FEATURES "ENSG1\tSTAT1\nENSG2\tJAK2\nENSG3\tIRF1\n"
#define BANNER "%%MatrixMarket matrix coordinate integer general\n"

static void refuse_text(const char *text, const char *message)
{
    refuse_file(write_mtx("m", "", text, BARCODES, "genes.tsv", FEATURES, 0), message);
}

Test(cell_file_bad, says_what_is_wrong_with_a_matrix_market_head)
{
    refuse_text("", "matrix.mtx:1: not a MatrixMarket file");
    refuse_text("1 1 1\n", "matrix.mtx:1: not a MatrixMarket file");
    refuse_text("%%MatrixMarket matrix array real general\n", "'matrix coordinate' is read");
    refuse_text("%%MatrixMarket matrix coordinate complex general\n", "values of kind 'complex'; integer, real and pattern are read");
    refuse_text("%%MatrixMarket matrix coordinate real symmetric\n", "a 'symmetric' matrix; cells by genes are 'general'");
    refuse_text(BANNER "% nothing\n", "ends before the line with its size");
    refuse_text(BANNER "3 x 1\n", "matrix.mtx:2: '3 x 1' where rows, columns and entries are expected");
    refuse_text(BANNER "3 5 1\n1 1 1\n", "is 3 x 5 but genes.tsv names 3 features and barcodes.tsv 2 cells");
    refuse_text(BANNER "3 2 1000000000\n1 1 1\n", "claims 1000000000 entries in 70 bytes; the file is damaged");
}

Test(cell_file_bad, names_the_line_of_a_bad_entry)
{
    refuse_text(BANNER "3 2 2\n1 1 1\n4 1 1\n", "matrix.mtx:4: '4 1 1': a row of 1 to 3 and a column of 1 to 2 are expected");
    refuse_text(BANNER "3 2 2\n1 1 1\n0 1 1\n", "matrix.mtx:4: '0 1 1': a row of 1 to 3");
    refuse_text(BANNER "3 2 2\n1 1 1\n1 -1 1\n", "matrix.mtx:4: '1 -1 1': a row of 1 to 3");
    refuse_text(BANNER "3 2 2\n1 1 1\n99999999999999999999 1 1\n", "matrix.mtx:4: '99999999999999999999 1 1': a row");
    refuse_text(BANNER "3 2 2\n1 1 1\n2 1\n", "matrix.mtx:4: '2 1': row, column and value are expected");
    refuse_text(BANNER "3 2 2\n1 1 1\n2 1 x\n", "matrix.mtx:4: '2 1 x': row, column and value are expected");
    refuse_text(BANNER "3 2 3\n1 1 1\n2 1 1\n", "matrix.mtx: ends after 2 of 3 entries");
    refuse_text(BANNER "3 2 1\n1 1 1\n2 1 1\n", "matrix.mtx:4: more entries than the 1 it claims");
    refuse_text(BANNER "3 2 2\n1 1 1\n1 1 1\n", "cell 1 has gene 'STAT1' twice");
    refuse_text("%%MatrixMarket matrix coordinate real general\n3 2 1\n1 1 nan\n", "cell 1, gene 'STAT1': the value is NaN");
    const char *path = write_mtx("m", "", "%%MatrixMarket matrix coordinate real general\n3 2 1\n1 1 1.5\n", BARCODES, "genes.tsv", FEATURES, 0);
    must_refuse(&(sow_cell_file_options){.path = path, .counts = 1}, SOW_E_DATA, "1.5 is no whole number");
    must_refuse(&(sow_cell_file_options){.path = path, .layer = "counts"}, SOW_E_DATA, "has one matrix and no layer 'counts'");
}

Test(cell_file_bad, says_which_file_of_a_folder_is_missing_or_wrong)
{
    refuse_file(write_mtx("a", "", NULL, BARCODES, "genes.tsv", FEATURES, 0), "no matrix.mtx (or .gz)");
    refuse_file(write_mtx("b", "", BANNER, NULL, "genes.tsv", FEATURES, 0), "no barcodes.tsv (or .gz)");
    refuse_file(write_mtx("c", "", BANNER, BARCODES, "genes.tsv", NULL, 0), "no features.tsv or genes.tsv (or .gz)");
    refuse_file(write_mtx("d", "", BANNER, "AAA\nAAA\n", "genes.tsv", FEATURES, 0), "barcodes.tsv:2: barcode 'AAA' comes twice");
    refuse_file(scratch_write("counts.mtx", BANNER), "the name must end in matrix.mtx or matrix.mtx.gz");
}

Test(cell_file_bad, survives_a_folder_cut_at_any_byte)
{
    for (int packed = 0; packed < 2; packed++) {
        char path[400];
        const char *folder = write_mtx(packed ? "p" : "t", "", BANNER "3 2 4\n1 1 1\n3 1 22\n2 2 3\n3 2 4\n", BARCODES, "genes.tsv", FEATURES, packed);
        const char *names[] = {"matrix.mtx", "barcodes.tsv", "genes.tsv"};
        for (int i = 0; i < 3; i++) {
            static char bytes[4096];
            snprintf(path, sizeof path, "%s/%s%s", folder, names[i], packed ? ".gz" : "");
            FILE *f = fopen(path, "rb");
            size_t n = fread(bytes, 1, sizeof bytes, f);
            fclose(f);
            for (size_t cut = 0; cut <= n; cut++) {
                f = fopen(path, "wb");
                fwrite(bytes, 1, cut, f);
                fclose(f);
                cut_to = folder;
                sow_cell_file *file = NULL;
                sow_cell_file_options o = {.path = folder};
                sow_status st = sow_cell_file_open(&file, &o, NULL, &err);
                float x[64] = {0};
                if (st == SOW_OK) st = read_pass(x, NULL, file, NULL, &err);
                sow_cell_file_close(file);
                int whole = cut == n || (cut == n - 1 && !packed); /* only the end of the last line is gone */
                if (whole)
                    cr_assert_eq(st, SOW_OK, "%s", err.message);
                else if (i == 0 && !packed && cut + 2 == n)
                    continue; /* the last digit: nothing can tell */
                else if (i == 0 || packed)
                    cr_assert_eq(st, SOW_E_DATA, "%s cut at %zu of %zu: %s", names[i], cut, n, sow_status_name(st));
            }
        }
    }
}

/* ---- the machine ---- */

Test(cell_file_bad, says_where_a_temporary_file_cannot_be_written)
{
    matrix a = matrix_random(6, 5, 0.5);
    const char *path = write_cells("a.h5ad", &a, &(how){.format = "csc_matrix"});
    must_refuse(&(sow_cell_file_options){.path = path, .scratch = scratch_path("no/folder")}, SOW_E_IO, "no/folder': No such file or directory; name another folder with TMPDIR");
    must_read_as(&(sow_cell_file_options){.path = path, .scratch = scratch}, 1, &a, "CSC");
    cr_assert_eq(scratch_count_entries(scratch), 1, "the temporary file was left behind");
    free(a.x);
}

static int turn_on_full_disk(void)
{
    sow_error e = {0};
    sow_cell_file *f = NULL;
    sow_cell_file_options o = {.path = cut_to, .scratch = scratch};
    sow_cell_block b;
    scratch_limit_file_size(1000);
    sow_status st = sow_cell_file_open(&f, &o, NULL, &e);
    if (st == SOW_OK) st = sow_cell_file_next(&b, f, NULL, &e);
    sow_cell_file_close(f);
    return st == SOW_E_IO && strstr(e.message, "File too large; name another folder with TMPDIR") ? 0 : 1;
}

Test(cell_file_bad, says_that_the_disk_is_full)
{
    matrix a = matrix_random(60, 50, 0.5);
    cut_to = write_cells("a.h5ad", &a, &(how){.format = "csc_matrix"});
    cr_assert_eq(scratch_in_child(turn_on_full_disk), 0);
    free(a.x);
}

static sow_cell_file_options tried;

static sow_status read_once(sow_error *e)
{
    sow_cell_file *f = NULL;
    static float x[100000];
    sow_status st = sow_cell_file_open(&f, &tried, NULL, e);
    if (st == SOW_OK) st = read_pass(x, NULL, f, NULL, e);
    sow_cell_file_close(f);
    return st;
}

Test(cell_file_bad, survives_every_failing_allocation)
{
    matrix a = matrix_random(30, 9, 0.5);
    const char *formats[] = {"csr_matrix", "csc_matrix", "dense"};
    for (int i = 0; i < 3; i++) {
        tried = (sow_cell_file_options){.path = write_cells("a.h5ad", &a, &(how){.format = formats[i], .chunk = {20, 4}, .gzip = 1, .shuffle = 1})};
        every_allocation_may_fail(read_once, 1);
    }
    tried = (sow_cell_file_options){.path = unpack("anndata-0.10.9-csr.h5ad"), .layer = "half", .gene_column = "symbol", .scratch = scratch};
    every_allocation_may_fail(read_once, 1);
    const char *features = "E1\tA\tGene Expression\nE2\tB\tOther\nE3\tC\tGene Expression\n";
    tried = (sow_cell_file_options){.path = write_mtx("m", "", BANNER "3 2 3\n3 1 1\n1 2 4\n1 1 2\n", BARCODES, "features.tsv", features, 0)};
    every_allocation_may_fail(read_once, 1);
    free(a.x);
}

/* After a refusal the file can be read again from the start, and says the same. */
Test(cell_file_bad, says_the_same_again_after_a_rewind)
{
    parts p = good_parts();
    p.value[5] = (double)NAN;
    sow_cell_file *f = NULL;
    sow_cell_file_options o = {.path = write_parts(&p, "csr_matrix")};
    sow_error first = {0};
    sow_cell_block b;
    cr_assert_eq(sow_cell_file_open(&f, &o, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_cell_file_next(&b, f, NULL, &first), SOW_E_DATA);
    cr_assert_eq(sow_cell_file_rewind(f, &err), SOW_OK);
    cr_assert_eq(sow_cell_file_next(&b, f, NULL, &err), SOW_E_DATA);
    cr_assert_str_eq(first.message, err.message);
    sow_cell_file_close(f);
}
