/* What inspect and init make of single-cell files. */
#include "io/inspect.h"

#include "core/rng.h"
#include "faults.h"
#include "scratch.h"

#include <hdf5.h>
#include <math.h>

TestSuite(inspect_cells, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static sow_inspection *look(const char *path)
{
    sow_inspection *in = NULL;
    cr_assert_eq(sow_inspect_file(&in, path, &err), SOW_OK, "%s", err.message);
    return in;
}

static int same(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static const char *role_of(const sow_inspection *in, const char *name)
{
    for (sow_index i = 0; i < in->n_columns; i++)
        if (strcmp(in->column[i].name, name) == 0) return in->column[i].role;
    return "no such column";
}

/* ---- a made file: 4 contexts' worth of labels, few genes ---- */

enum { GENES = 6, MOST = 4000, COLUMNS = 6 };
typedef enum { COUNTS, LOG1P, NORMALISED, SCALED, ZERO } numbers;

static double value(numbers kind, sow_index i)
{
    const double count = (double)((i * 7919) % 11);
    switch (kind) {
    case COUNTS: return count;
    case LOG1P: return log1p(count * 1.3);
    case NORMALISED: return count * 13.7;
    case SCALED: return count / 3 - 2;
    default: return 0;
    }
}

typedef struct {
    sow_index n;
    char *name[MOST], *gene[MOST], *line[MOST], *guide[MOST], *rep[MOST], *lane[MOST];
    double umis[MOST];
} labels;

static char *pick(const char *const *from, sow_index i)
{
    return (char *)from[i];
}

static void add(labels *l, const char *gene, const char *line, sow_index n)
{
    static const char *const guides[] = {"g1", "g2", "g3"}, *const reps[] = {"rep 1", "rep 2"}, *const lanes[] = {"1", "2"};
    for (sow_index i = 0; i < n; i++, l->n++) {
        l->name[l->n] = (char *)"cell";
        l->gene[l->n] = (char *)gene;
        l->line[l->n] = (char *)line;
        l->guide[l->n] = pick(guides, l->n % 3);
        l->rep[l->n] = pick(reps, l->n % 2);
        l->lane[l->n] = pick(lanes, l->n / 2 % 2);
        l->umis[l->n] = (double)l->n;
    }
}

/* K562 has all; RPE1 fewer; A549 too few controls. */
static labels *usual(void)
{
    static labels l;
    memset(&l, 0, sizeof l);
    static const char *const names[] = {"A", "B", "C", "D", "A+B", "C+D", "E", "F", "G", "H", "I", "J"};
    for (int i = 0; i < 12; i++)
        add(&l, names[i], "K562", 30 + i);
    add(&l, "B+A", "K562", 10);
    add(&l, "D+ctrl", "K562", 5);
    add(&l, "K", "K562", 9);
    add(&l, "ctrl", "K562", 80);
    for (int i = 0; i < 4; i++)
        add(&l, names[i], "RPE1", 25);
    add(&l, "ctrl", "RPE1", 40);
    add(&l, "A", "A549", 20);
    add(&l, "ctrl", "A549", 1);
    return &l;
}

static char *var_names[GENES] = {"A", "B", "C", "D", "X1", "X2"};

static const char *write_cells(const labels *l, numbers kind)
{
    static double x[MOST * GENES];
    for (sow_index i = 0; i < l->n * GENES; i++)
        x[i] = value(kind, i);
    sow_h5ad_column columns[COLUMNS] = {{(char *)"target_gene", SOW_COLUMN_STRING, (char **)l->gene, NULL},
                                        {(char *)"cell_line", SOW_COLUMN_STRING, (char **)l->line, NULL},
                                        {(char *)"guide_id", SOW_COLUMN_STRING, (char **)l->guide, NULL},
                                        {(char *)"replicate", SOW_COLUMN_STRING, (char **)l->rep, NULL},
                                        {(char *)"gem_group", SOW_COLUMN_STRING, (char **)l->lane, NULL},
                                        {(char *)"n_counts", SOW_COLUMN_NUMBER, NULL, (double *)l->umis}};
    sow_h5ad a = {.n_obs = l->n, .n_vars = GENES, .obs_names = (char **)l->name, .var_names = var_names, .n_obs_columns = COLUMNS, .obs = columns, .x = x};
    const char *path = scratch_path("cells.h5ad");
    cr_assert_eq(sow_h5ad_write(path, &a, 1, &err), SOW_OK, "%s", err.message);
    return path;
}

/* A dense matrix more: a layer, or raw/X with X's genes. */
static void add_matrix(const char *path, const char *group, const char *name, numbers kind, sow_index n)
{
    static float x[MOST * GENES];
    const hsize_t dims[] = {(hsize_t)n, GENES};
    for (sow_index i = 0; i < n * GENES; i++)
        x[i] = (float)value(kind, i);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t parent = H5Lexists(file, group, H5P_DEFAULT) > 0 ? H5Gopen2(file, group, H5P_DEFAULT)
                                                           : H5Gcreate2(file, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, dims, NULL);
    hid_t d = H5Dcreate2(parent, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x), 0);
    if (strcmp(group, "raw") == 0) H5Ocopy(file, "var", parent, "var", H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(d);
    H5Sclose(space);
    H5Gclose(parent);
    H5Fclose(file);
}

/* The campaign that init would write must be a valid one. Caller destroys. */
static sow_config *campaign_of(const sow_inspection *in)
{
    sow_config_guess g;
    char *text = NULL, *problems = NULL;
    sow_config *c = NULL;
    sow_inspection_guess(&g, in);
    cr_assert_eq(sow_config_template(&text, &g, &err), SOW_OK);
    const char *path = scratch_write("campaign.yaml", text);
    cr_assert_eq(sow_config_read(&c, &problems, path, NULL, 0, &err), SOW_OK, "%s\n%s", problems ? problems : err.message, text);
    free(text);
    free(problems);
    return c;
}

Test(inspect_cells, counts_cells_by_context_and_perturbation)
{
    sow_inspection *in = look(write_cells(usual(), COUNTS));
    cr_assert(in->is_cells);
    cr_assert_str_eq(in->readout_kind, "cells");
    cr_assert_str_eq(in->perturbation_column, "target_gene");
    cr_assert_str_eq(in->control, "ctrl");
    cr_assert_str_eq(in->separator, "+");
    cr_assert_eq(in->n_perturbations, 13, "B+A is A+B, D+ctrl is D: %lld", (long long)in->n_perturbations);
    cr_assert_eq(in->n_contexts, 3);
    const sow_inspect_context *k = &in->context_found[0];
    cr_assert_str_eq(k->name, "K562");
    cr_assert(k->cells == 530 && k->controls == 80 && k->perturbations == 13 && k->enough == 12);
    cr_assert(k->low == 9 && k->high == 44 && k->median == 37, "%lld %lld %lld", (long long)k->low, (long long)k->median, (long long)k->high);
    cr_assert_eq(in->target, 0);
    cr_assert(in->n_references == 1 && same(in->reference[0], "RPE1"), "A549 has one control");
    cr_assert(strstr(in->summary, "530") == NULL && strstr(in->summary, "K562 has 12 of them"), "%s", in->summary);
    sow_inspection_destroy(in);
}

Test(inspect_cells, names_the_columns_by_their_roles)
{
    sow_inspection *in = look(write_cells(usual(), COUNTS));
    cr_assert(same(role_of(in, "target_gene"), "perturbation") && same(role_of(in, "cell_line"), "context"));
    cr_assert(same(role_of(in, "guide_id"), "guide") && same(role_of(in, "replicate"), "replicate"));
    cr_assert(same(role_of(in, "gem_group"), "technical batch") && same(role_of(in, "n_counts"), ""));
    cr_assert(same(in->guide_column, "guide_id") && same(in->replicate_column, "replicate") && same(in->batch_column, "gem_group"));
    sow_inspection_destroy(in);
}

Test(inspect_cells, tells_counts_from_logarithms_and_from_what_is_neither)
{
    const struct {
        numbers kind;
        sow_inspect_numbers wanted;
        const char *readout, *words;
    } cases[] = {{COUNTS, SOW_NUMBERS_COUNTS, "cells", "raw counts"}, {LOG1P, SOW_NUMBERS_LOG1P, "cells", "log1p-normalised"},
                 {NORMALISED, SOW_NUMBERS_NORMALISED, "profile", "X is normalised, no logarithm"},
                 {SCALED, SOW_NUMBERS_SCALED, "profile", "X is scaled"}, {ZERO, SOW_NUMBERS_NONE, "profile", "X is nothing"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sow_inspection *in = look(write_cells(usual(), cases[i].kind));
        cr_assert_eq(in->n_matrices, 1);
        cr_assert_eq(in->matrix[0].numbers, cases[i].wanted, "case %zu: %s", i, sow_numbers_name(in->matrix[0].numbers));
        cr_assert_str_eq(in->readout_kind, cases[i].readout);
        cr_assert(strstr(in->summary, cases[i].words), "%s", in->summary);
        sow_inspection_destroy(in);
    }
}

Test(inspect_cells, prefers_counts_wherever_they_lie)
{
    labels *l = usual();
    const char *path = write_cells(l, LOG1P);
    add_matrix(path, "layers", "scaled", SCALED, l->n);
    add_matrix(path, "layers", "umis", COUNTS, l->n);
    sow_inspection *in = look(path);
    cr_assert_eq(in->n_matrices, 3);
    cr_assert(same(in->matrix[in->chosen].name, "umis"));
    sow_config_guess g;
    sow_inspection_guess(&g, in);
    cr_assert(same(g.layer, "umis") && same(g.values, "counts"));
    sow_inspection_destroy(in);
    path = write_cells(l, SCALED);
    add_matrix(path, "raw", "X", LOG1P, l->n);
    in = look(path);
    cr_assert(in->n_matrices == 2 && same(in->matrix[1].name, "raw") && in->chosen == 1, "scaled X, logarithms in raw");
    sow_config *c = campaign_of(in);
    cr_assert(same(c->sources[0].layer, "raw") && c->sources[0].values == SOW_VALUES_LOG1P);
    sow_config_destroy(c);
    sow_inspection_destroy(in);
}

Test(inspect_cells, describes_a_matrix_that_cannot_be_read_with_the_reason)
{
    labels *l = usual();
    const char *path = write_cells(l, COUNTS);
    add_matrix(path, "layers", "short", COUNTS, 7);
    sow_inspection *in = look(path);
    cr_assert_eq(in->n_matrices, 2);
    cr_assert_not_null(in->matrix[1].problem);
    cr_assert(strstr(in->matrix[1].problem, "short"), "%s", in->matrix[1].problem);
    cr_assert_eq(in->chosen, 0);
    sow_inspection_destroy(in);
}

/* An attribute as anndata writes it. */
static void mark(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(H5Awrite(a, type, text), 0);
    H5Aclose(a);
    H5Sclose(space);
    H5Tclose(type);
}

static void put(hid_t group, const char *name, hid_t type, hsize_t n, const void *data)
{
    hid_t space = H5Screate_simple(1, &n, NULL), d = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    cr_assert_geq(H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(d);
    H5Sclose(space);
}

Test(inspect_cells, samples_columns_without_turning_them_around)
{
    labels *l = usual();
    const char *path = write_cells(l, SCALED);
    int32_t start[GENES + 1] = {0, 3, 3, 3, 5, 5, 5}, cell[] = {0, 4, 7, 1, 2};
    float counts[] = {1, 2, 9, 4, 1}, bad[] = {1, NAN, 1, 1, 1};
    const int64_t shape[] = {(int64_t)l->n, GENES};
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), layers = H5Gopen2(file, "layers", H5P_DEFAULT);
    for (int i = 0; i < 2; i++) {
        hid_t g = H5Gcreate2(layers, i == 0 ? "counts" : "holes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        const hsize_t two = 2;
        hid_t space = H5Screate_simple(1, &two, NULL), a = H5Acreate2(g, "shape", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT);
        cr_assert_geq(H5Awrite(a, H5T_NATIVE_INT64, shape), 0);
        H5Aclose(a);
        H5Sclose(space);
        mark(g, "encoding-type", "csc_matrix");
        mark(g, "encoding-version", "0.1.0");
        put(g, "indptr", H5T_NATIVE_INT32, GENES + 1, start);
        put(g, "indices", H5T_NATIVE_INT32, 5, cell);
        put(g, "data", H5T_NATIVE_FLOAT, 5, i == 0 ? counts : bad);
        H5Gclose(g);
    }
    H5Gclose(layers);
    H5Fclose(file);
    sow_inspection *in = look(path);
    cr_assert_eq(in->n_matrices, 3);
    const sow_inspect_matrix *m = &in->matrix[1];
    cr_assert(same(m->layout, "CSC") && m->n_stored == 5 && m->n_sampled == 5 && m->high == 9 && m->numbers == SOW_NUMBERS_COUNTS, "%s", m->problem ? m->problem : "");
    cr_assert(in->matrix[2].problem && strstr(in->matrix[2].problem, "holes has a value that is not finite"), "%s", in->matrix[2].problem);
    cr_assert_eq(in->chosen, 1);
    sow_inspection_destroy(in);
}

Test(inspect_cells, takes_gene_names_from_the_column_that_has_the_perturbed_genes)
{
    static const char *const symbols[GENES] = {"A", "B", "C", "D", "E", "F"}, *const doubled[GENES] = {"A", "B", "C", "D", "E", "E"};
    char *ids[GENES] = {"ENSG1", "ENSG2", "ENSG3", "ENSG4", "ENSG5", "ENSG6"}, *kept[GENES];
    memcpy(kept, var_names, sizeof kept);
    memcpy(var_names, ids, sizeof ids);
    for (int twice = 0; twice < 2; twice++) {
        const char *path = write_cells(usual(), COUNTS);
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), var = H5Gopen2(file, "var", H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, H5T_VARIABLE);
        H5Tset_cset(type, H5T_CSET_UTF8);
        put(var, "gene_symbol", type, GENES, twice ? doubled : symbols);
        H5Tclose(type);
        H5Gclose(var);
        H5Fclose(file);
        sow_inspection *in = look(path);
        cr_assert_eq(in->n_var_columns, 1);
        cr_assert(same(in->gene_column, twice ? NULL : "gene_symbol"), "names that come twice cannot be gene names");
        cr_assert(same(in->var_column[0].role, twice ? "" : "gene names"));
        if (!twice) {
            sow_config *c = campaign_of(in);
            cr_assert(same(c->sources[0].gene_column, "gene_symbol") && same(c->sources[1].gene_column, "gene_symbol"));
            sow_config_destroy(c);
        }
        sow_inspection_destroy(in);
    }
    memcpy(var_names, kept, sizeof kept);
}

Test(inspect_cells, init_plans_in_the_richest_context_with_the_others_as_references)
{
    sow_inspection *in = look(write_cells(usual(), COUNTS));
    sow_config *c = campaign_of(in);
    cr_assert_eq(c->readout.kind, SOW_READOUT_CELLS);
    cr_assert_eq(c->n_sources, 2);
    for (int i = 0; i < 2; i++) {
        const sow_source *s = &c->sources[i];
        cr_assert_eq(s->role, i == 0 ? SOW_ROLE_TARGET : SOW_ROLE_REFERENCE);
        cr_assert(s->n_keep_contexts == 1 && same(s->keep_contexts[0], i == 0 ? "K562" : "RPE1"));
        cr_assert(s->values == SOW_VALUES_COUNTS && !s->layer && same(s->control, "ctrl") && same(s->separator, "+"));
        cr_assert(same(s->guide_column, "guide_id") && same(s->batch_column, "gem_group") && same(s->replicate_column, "replicate"));
    }
    cr_assert_eq(c->design.cells_per_perturbation, 37);
    cr_assert(c->design.control_share == 0.1 && c->oracle.held_fraction == 0.2);
    sow_index planned = c->rounds.initial_size;
    for (sow_index i = 0; i < c->rounds.n_batches; i++)
        planned += c->rounds.batches[i];
    cr_assert(c->rounds.initial_size >= 2 && planned <= 9, "12 perturbations, 3 of them held out");
    cr_assert_eq(c->rounds.n_batches, 1, "80 controls are enough for two rounds");
    sow_config_destroy(c);
    sow_inspection_destroy(in);
}

Test(inspect_cells, rounds_fit_screens_of_any_size)
{
    const sow_index sizes[] = {2, 3, 5, 9, 10, 11, 25, 33, 240, 2000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const sow_config_guess g = {.file = "x.h5ad", .readout_kind = "cells", .perturbation_column = "gene", .control = "NT", .context = "K562", .values = "counts",
                                    .n_perturbations = sizes[i], .n_genes = 9000, .n_controls = 1000, .cells_per_perturbation = 400};
        char *text = NULL, *problems = NULL;
        sow_config *c = NULL;
        cr_assert_eq(sow_config_template(&text, &g, &err), SOW_OK);
        cr_assert_eq(sow_config_read(&c, &problems, scratch_write("c.yaml", text), NULL, 0, &err), SOW_OK, "%s", problems ? problems : err.message);
        sow_index planned = c->rounds.initial_size, held = sizes[i] >= 10 ? (sizes[i] + 4) / 5 : 0;
        for (sow_index k = 0; k < c->rounds.n_batches; k++)
            planned += c->rounds.batches[k];
        cr_assert_leq(planned + held, sizes[i], "%lld of %lld", (long long)planned, (long long)sizes[i]);
        cr_assert(c->rounds.initial_size >= 2 && c->rounds.n_batches == (sizes[i] < 5 ? 0 : sizes[i] < 9 ? 2 : 3), "%lld", (long long)sizes[i]);
        cr_assert(c->features.n_highly_variable == 2000 && c->design.cells_per_perturbation == 300);
        sow_config_destroy(c);
        free(problems);
        free(text);
    }
}

Test(inspect_cells, leaves_out_a_technical_batch_that_would_leave_cells_without_controls)
{
    labels *l = usual();
    for (sow_index i = 0; i < l->n; i++)
        if (strcmp(l->gene[i], "ctrl") == 0) l->lane[i] = (char *)"1";
    sow_inspection *in = look(write_cells(l, COUNTS));
    cr_assert_null(in->batch_column);
    cr_assert(same(role_of(in, "gem_group"), "technical batch"), "it is one, but of no use");
    cr_assert(same(in->readout_kind, "cells"));
    sow_inspection_destroy(in);
}

Test(inspect_cells, says_why_no_campaign_can_be_made)
{
    labels *l = usual();
    for (sow_index i = 0; i < l->n; i++)
        if (strcmp(l->gene[i], "ctrl") == 0) l->gene[i] = (char *)"wild";
    sow_inspection *in = look(write_cells(l, COUNTS));
    cr_assert_null(in->readout_kind);
    cr_assert(strstr(in->summary, "no label for controls was recognised in target_gene"), "%s", in->summary);
    sow_inspection_destroy(in);
    l = usual();
    l->n = 0;
    for (int i = 0; i < 3; i++)
        add(l, (const char *const[]){"A", "B", "C"}[i], "K562", 100);
    add(l, "non-targeting", "K562", 7);
    in = look(write_cells(l, COUNTS));
    cr_assert_null(in->readout_kind);
    cr_assert(strstr(in->summary, "no context has 8 controls"), "%s", in->summary);
    sow_config_guess g;
    sow_inspection_guess(&g, in);
    cr_assert_null(g.readout_kind);
    sow_inspection_destroy(in);
}

Test(inspect_cells, knows_the_words_for_controls)
{
    static const char *const words[] = {"non-targeting", "control", "ctrl", "NT", "safe-targeting", "unperturbed", "vehicle", "DMSO", "Non_Targeting", "negative control"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        labels *l = usual();
        for (sow_index k = 0; k < l->n; k++) {
            if (strcmp(l->gene[k], "D+ctrl") == 0) l->gene[k] = (char *)"D";
            if (strcmp(l->gene[k], "ctrl") == 0) l->gene[k] = (char *)words[i];
        }
        sow_inspection *in = look(write_cells(l, COUNTS));
        cr_assert(same(in->control, words[i]), "%s", words[i]);
        sow_inspection_destroy(in);
    }
}

static sow_status look_once(sow_error *e)
{
    sow_inspection *in = NULL;
    sow_status st = sow_inspect_file(&in, scratch_path("cells.h5ad"), e);
    sow_inspection_destroy(in);
    return st;
}

Test(inspect_cells, survives_every_failing_allocation)
{
    static labels l;
    for (int i = 0; i < 3; i++)
        add(&l, (const char *const[]){"A", "B", "A+B"}[i], "K562", 30);
    add(&l, "ctrl", "K562", 12);
    add_matrix(write_cells(&l, LOG1P), "layers", "counts", COUNTS, l.n);
    every_allocation_may_fail(look_once, 3);
}

/* ---- MatrixMarket folders ---- */

static const char *write_folder(int with_labels)
{
    char text[20000];
    size_t at = 0;
    const char *folder = scratch_path("mtx");
    mkdir(folder, 0700);
    scratch_write("mtx/features.tsv", "E1\tA\tGene Expression\nE2\tB\tGene Expression\nE3\tX\tGene Expression\n");
    for (int i = 0; i < 60; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "AC%02d-1\n", i);
    scratch_write("mtx/barcodes.tsv", text);
    at = (size_t)snprintf(text, sizeof text, "%%%%MatrixMarket matrix coordinate integer general\n3 60 120\n");
    for (int i = 1; i <= 60; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "1 %d %d\n3 %d 2\n", i, i % 5 + 1, i);
    scratch_write("mtx/matrix.mtx", text);
    at = (size_t)snprintf(text, sizeof text, "barcode,gene,guide\n");
    for (int i = 0; i < 60; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "AC%02d-1,%s,g%d\n", i, i % 3 == 0 ? "A" : i % 3 == 1 ? "B" : "NTC", i % 6);
    if (with_labels) scratch_write("mtx/metadata.csv", text);
    return folder;
}

Test(inspect_cells, looks_into_a_matrixmarket_folder_and_the_labels_beside_it)
{
    sow_inspection *in = look(write_folder(1));
    cr_assert(in->kind == SOW_FILE_MTX && in->is_cells && in->rows == 60 && in->width == 3);
    cr_assert_str_eq(sow_file_kind_name(in->kind), "MatrixMarket");
    cr_assert_str_eq(in->readout_kind, "cells");
    cr_assert(in->matrix[0].numbers == SOW_NUMBERS_COUNTS && in->matrix[0].n_stored == 120 && same(in->matrix[0].layout, "MatrixMarket"));
    cr_assert(same(in->perturbation_column, "gene") && same(in->control, "NTC") && same(in->guide_column, "guide"));
    cr_assert(in->labels && strstr(in->labels, "mtx/metadata.csv"));
    sow_config *c = campaign_of(in);
    cr_assert(c->sources[0].labels && strstr(c->sources[0].labels, "metadata.csv"));
    sow_config_destroy(c);
    sow_inspection_destroy(in);
}

Test(inspect_cells, a_folder_without_a_matrix_is_refused)
{
    sow_inspection *in = NULL;
    mkdir(scratch_path("empty"), 0700);
    cr_assert_eq(sow_inspect_file(&in, scratch_path("empty"), &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "matrix.mtx"), "%s", err.message);
    cr_assert_null(in);
}

Test(inspect_cells, asks_for_labels_where_a_matrixmarket_folder_has_none)
{
    sow_inspection *in = look(write_folder(0));
    cr_assert_null(in->readout_kind);
    cr_assert(strstr(in->summary, "a table with the cells' labels"), "%s", in->summary);
    sow_inspection_destroy(in);
}

/* ---- real files ---- */

static sow_inspection *look_shared(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/data/%s", SOWER_SHARED_DIR, name);
    return look(path);
}

static int data_is_there(void)
{
    if (access(SOWER_SHARED_DIR "/data/README.md", R_OK) == 0) return 1;
    fprintf(stderr, "SKIPPED: needs ../shared/data\n");
    return 0;
}

Test(inspect_cells, recognises_papalexi)
{
    if (!data_is_there()) cr_skip_test("needs ../shared/data");
    sow_inspection *in = look_shared("papalexi2021_thp1_counts.h5ad");
    const sow_inspect_context *t = &in->context_found[in->target];
    cr_assert(in->is_cells && in->rows == 20729 && in->width == 299 && in->matrix[0].numbers == SOW_NUMBERS_COUNTS);
    cr_assert(same(in->matrix[0].layout, "CSR") && same(in->perturbation_column, "gene") && same(in->control, "non-targeting"));
    cr_assert(same(in->guide_column, "grna") && same(in->replicate_column, "replicate") && !in->batch_column && !in->separator);
    cr_assert(in->n_contexts == 1 && same(t->name, "THP1") && t->controls == 2386 && t->perturbations == 25 && t->low == 48 && t->high == 1341);
    sow_config *c = campaign_of(in);
    cr_assert(c->n_sources == 1 && c->rounds.initial_size == 5 && c->rounds.n_batches == 3 && c->rounds.batches[0] == 4);
    sow_config_destroy(c);
    sow_inspection_destroy(in);
}

Test(inspect_cells, recognises_the_four_lines)
{
    if (!data_is_there()) cr_skip_test("needs ../shared/data");
    sow_inspection *in = look_shared("mcfaline2024_norman2019_4lines.h5ad");
    cr_assert(in->is_cells && in->matrix[0].numbers == SOW_NUMBERS_LOG1P && same(in->separator, "+") && same(in->control, "control"));
    cr_assert(in->n_contexts == 4 && same(in->context_found[in->target].name, "k562") && in->context_found[in->target].enough == 33);
    cr_assert_eq(in->n_references, 3);
    sow_config *c = campaign_of(in);
    cr_assert(c->n_sources == 2 && c->sources[1].n_keep_contexts == 3 && c->sources[1].values == SOW_VALUES_LOG1P);
    sow_config_destroy(c);
    sow_inspection_destroy(in);
}
