#include "io/inspect.h"

#include "faults.h"
#include "scratch.h"

#include <math.h>

TestSuite(inspect, .init = scratch_create, .fini = scratch_remove);

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

Test(inspect, recognises_a_scalar_table)
{
    sow_inspection *in = look(scratch_write("screen_k562.csv",
                                            "row,gene,cell_line,num cells,p-value,log2FC,guide,rep\n1,A,x,10,0.1,-1.5,g1,1\n2,A,x,20,0.2,2,g2,2\n"
                                            "3,non-targeting,x,30,0.3,0,g3,1\n4,B,y,5,,1,g4,1\n"));
    cr_assert_eq(in->kind, SOW_FILE_TABLE);
    cr_assert(in->rows == 4 && in->width == 8 && in->n_columns == 8);
    cr_assert_str_eq(in->readout_kind, "scalar");
    cr_assert_str_eq(in->readout_column, "log2FC");
    cr_assert_str_eq(in->transform, "none");
    cr_assert_str_eq(in->perturbation_column, "gene");
    cr_assert_str_eq(in->control, "non-targeting");
    cr_assert_str_eq(in->cells_column, "num cells");
    cr_assert_str_eq(in->context_column, "cell_line");
    cr_assert_null(in->separator);
    cr_assert_eq(in->n_perturbations, 2);
    static const char *const roles[] = {"readout", "perturbation", "context", "cells", "significance", "readout", "guide", "replicate"};
    for (int i = 0; i < 8; i++) cr_assert_str_eq(in->column[i].role, roles[i], "%s is '%s'", in->column[i].name, in->column[i].role);
    cr_assert(in->column[4].missing == 1 && in->column[4].distinct == 3 && in->column[4].low == 0.1);
    cr_assert(in->column[1].kind == SOW_COLUMN_STRING && isnan(in->column[1].low));
    cr_assert_str_eq(in->column[6].example, "g1");
    sow_inspection_destroy(in);
}

Test(inspect, guesses_counts_combinations_and_the_context_from_the_name)
{
    sow_inspection *in = look(scratch_write("norman_K562_counts.tsv", "condition\tNumber of DEGs\nctrl\t0\nA\t500\nB\t3\nA+B\t600\nA+C\t1\nC\t2\nB+ctrl\t9\n"));
    cr_assert_str_eq(in->perturbation_column, "condition");
    cr_assert_str_eq(in->control, "ctrl");
    cr_assert_str_eq(in->separator, "+");
    cr_assert_str_eq(in->transform, "log1p");
    cr_assert_str_eq(in->context, "K562");
    cr_assert_null(in->context_column);
    sow_inspection_destroy(in);
    in = look(scratch_write("mine.csv", "drug,viability\nR(+)-x,0.5\nS(+)-y,0.4\nz,0.3\n"));
    cr_assert_null(in->separator);
    cr_assert_null(in->control);
    cr_assert_str_eq(in->context, "mine");
    sow_inspection_destroy(in);
}

Test(inspect, takes_many_numbers_without_a_readout_name_for_a_profile)
{
    char text[4000] = "gene";
    size_t at = strlen(text);
    for (int i = 0; i < 60; i++) at += (size_t)snprintf(text + at, sizeof text - at, ",x%d", i);
    for (int r = 0; r < 3; r++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "\ngene%d", r);
        for (int i = 0; i < 60; i++) at += (size_t)snprintf(text + at, sizeof text - at, ",%d.5", i + r);
    }
    sow_inspection *in = look(scratch_write("p.csv", text));
    cr_assert_str_eq(in->readout_kind, "profile");
    cr_assert_null(in->readout_column);
    sow_inspection_destroy(in);
}

Test(inspect, describes_gene_sets_arrays_and_lists)
{
    sow_inspection *in = look(scratch_write("s.gmt", "one\tx\tA\tB\ntwo\tx\tA\n"));
    cr_assert(in->kind == SOW_FILE_GMT && in->rows == 2 && in->width == 2);
    cr_assert_null(in->readout_kind);
    cr_assert(strstr(in->summary, "2 gene sets over 2 names, the largest of 2"), "%s", in->summary);
    cr_assert_str_eq(sow_file_kind_name(in->kind), "gene sets");
    sow_inspection_destroy(in);
    in = look(scratch_write("l.txt", "gene\nA\nB\n"));
    cr_assert(strstr(in->summary, "A list of 2 names"), "%s", in->summary);
    cr_assert_null(in->readout_kind);
    sow_inspection_destroy(in);
}

static const char *write_h5ad(int rows_per_gene)
{
    static char *names[100], *genes[100], *lines[100];
    static double x[200];
    static char *vars[] = {"g1", "g2"};
    sow_index n = 4 * rows_per_gene;
    for (sow_index i = 0; i < n; i++) {
        names[i] = i % 2 ? "odd" : "even";
        genes[i] = (char *[]){"A", "B", "C", "DMSO"}[i % 4];
        lines[i] = i < n / 2 ? "k562" : "rpe1";
    }
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, genes, NULL}, {"cell_type", SOW_COLUMN_STRING, lines, NULL}};
    sow_h5ad a = {.n_obs = n, .n_vars = 2, .obs_names = names, .var_names = vars, .n_obs_columns = 2, .obs = columns, .x = x};
    const char *path = scratch_path("a.h5ad");
    cr_assert_eq(sow_h5ad_write(path, &a, 1, &err), SOW_OK);
    return path;
}

Test(inspect, recognises_h5ad_profiles_and_suspects_single_cells)
{
    sow_inspection *in = look(write_h5ad(2));
    cr_assert(in->kind == SOW_FILE_H5AD && in->x_is_dense && in->rows == 8 && in->width == 2);
    cr_assert_str_eq(in->readout_kind, "profile");
    cr_assert_str_eq(in->control, "DMSO");
    cr_assert_str_eq(in->context_column, "cell_type");
    sow_config_guess g;
    sow_inspection_guess(&g, in);
    cr_assert(same(g.file, in->path) && same(g.perturbation_column, "perturbation") && g.n_perturbations == 3);
    cr_assert_null(strstr(in->summary, "single cells"));
    sow_inspection_destroy(in);
    in = look(write_h5ad(25));
    cr_assert(strstr(in->summary, "if the rows are single cells, raw counts or log1p values are needed"), "%s", in->summary);
    cr_assert_str_eq(in->readout_kind, "profile");
    sow_inspection_destroy(in);
}

Test(inspect, passes_on_what_the_readers_say)
{
    sow_inspection *in = NULL;
    cr_assert_eq(sow_inspect_file(&in, scratch_path("absent.csv"), &err), SOW_E_IO);
    cr_assert_eq(sow_inspect_file(&in, scratch_write("e.csv", ""), &err), SOW_E_DATA);
    cr_assert_null(in);
    cr_assert_eq(sow_inspect_file(&in, scratch_write("e.npy", "x"), &err), SOW_E_DATA);
}

static sow_status look_once(sow_error *e)
{
    sow_inspection *in = NULL;
    sow_status st = sow_inspect_file(&in, scratch_path("s.csv"), e);
    sow_inspection_destroy(in);
    return st;
}

Test(inspect, survives_every_failing_allocation)
{
    scratch_write("s.csv", "gene,cells,line,score\nA,1,x,0.5\nB,2,x,0.25\nA+B,3,x,0.1\nctrl,4,x,0\n");
    every_allocation_may_fail(look_once, 1);
}

/* ---- real files ---- */

static sow_inspection *look_shared(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/data/%s", SOWER_SHARED_DIR, name);
    return look(path);
}

Test(inspect, recognises_real_files)
{
    if (access(SOWER_SHARED_DIR "/data/README.md", R_OK) != 0) {
        fprintf(stderr, "SKIPPED: needs ../shared/data\n");
        cr_skip_test("needs ../shared/data");
    }
    sow_inspection *in = look_shared("replogle2022_k562_essential_summary.csv.gz");
    cr_assert_str_eq(in->perturbation_column, "gene");
    cr_assert_str_eq(in->control, "non-targeting");
    cr_assert_str_eq(in->readout_column, "Number of DEGs (anderson-darling)");
    cr_assert_str_eq(in->transform, "log1p");
    cr_assert_str_eq(in->cells_column, "number of cells (filtered)");
    cr_assert_str_eq(in->context, "K562");
    cr_assert_eq(in->n_perturbations, 2057);
    sow_inspection_destroy(in);
    in = look_shared("schmidt2022_ifng_donor1_mageck.tsv.gz");
    cr_assert_str_eq(in->perturbation_column, "id");
    cr_assert_str_eq(in->control, "NO-TARGET");
    cr_assert_str_eq(in->readout_column, "neg|lfc");
    sow_inspection_destroy(in);
    in = look_shared("neurips2023_pbmc_signed_ranks.h5ad");
    cr_assert_str_eq(in->readout_kind, "profile");
    cr_assert_str_eq(in->perturbation_column, "perturbation");
    cr_assert_str_eq(in->context_column, "context");
    sow_config_guess guess;
    sow_inspection_guess(&guess, in);
    cr_assert_str_eq(guess.first_context, "b", "a campaign plans in one context");
    cr_assert_null(in->separator);
    cr_assert_eq(in->n_perturbations, 135);
    sow_inspection_destroy(in);
    in = look_shared("prior_genept_86genes.h5ad");
    cr_assert_null(in->readout_kind);
    cr_assert_not(in->is_cells);
    cr_assert(strstr(in->summary, "good as a prior"), "%s", in->summary);
    sow_inspection_destroy(in);
}
