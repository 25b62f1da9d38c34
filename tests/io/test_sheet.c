#include "io/sheet.h"

#include "core/memory.h"
#include "io/table.h"
#include "scratch.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(sheet, .init = scratch_create, .fini = scratch_remove);
TestSuite(guides, .init = scratch_create, .fini = scratch_remove);

static const sow_batch_row two_rows[] = {
    {1, "STAT1", "THP-1", "ucb", "predicted 2.31, rank 1", 2.3100004, 301, 86.5},
    {2, "JAK2", "THP-1", "ucb", "said \"look\"", -0.0, 300, NAN},
};

Test(sheet, writes_a_batch_in_the_documented_columns)
{
    sow_text t = {0};
    sow_batch_csv(&t, two_rows, 2);
    cr_assert_str_eq(t.text, "rank,perturbation,context,score,strategy,reason,planned_cells,cost\n"
                             "1,STAT1,THP-1,2.31,ucb,\"predicted 2.31, rank 1\",301,86.5\n"
                             "2,JAK2,THP-1,0,ucb,\"said \"\"look\"\"\",300,\n");
    sow_text_clear(&t);
}

/* The sheet as a table again. */
static sow_table *order_table(const sow_batch_row *rows, sow_index n, const char *const *controls, sow_index n_controls,
                              const sow_design *design, const sow_guides *library, uint64_t seed, sow_text *missing)
{
    sow_error err = {0};
    sow_text t = {0};
    sow_table *table = NULL;
    cr_assert_eq(sow_order_csv(&t, rows, n, controls, n_controls, design, library, seed, 3, missing, &err), SOW_OK, "%s",
                 err.message);
    cr_assert_eq(sow_text_save(&t, scratch_path("order.csv"), &err), SOW_OK);
    cr_assert_eq(sow_table_read(&table, scratch_path("order.csv"), &err), SOW_OK, "%s", err.message);
    sow_text_clear(&t);
    return table;
}

enum { POSITION, PERTURBATION, CONTEXT, ROLE, GUIDE, SEQUENCE, CELLS, PLATE, WELL };

static sow_index sum_cells(const sow_table *t, const char *role, const char *perturbation)
{
    sow_index sum = 0;
    for (sow_index i = 0; i < sow_table_n_rows(t); i++) {
        double cells = 0;
        if (strcmp(sow_table_cell(t, i, ROLE), role) != 0) continue;
        if (perturbation && strcmp(sow_table_cell(t, i, PERTURBATION), perturbation) != 0) continue;
        cr_assert_eq(sow_table_number(&cells, t, i, CELLS, NULL), SOW_OK);
        sum += (sow_index)cells;
    }
    return sum;
}

Test(sheet, splits_cells_over_guides_into_whole_numbers_that_add_up)
{
    sow_design design = {4, 300, 0.08, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    static const char *const controls[] = {"GAPDH"};
    sow_table *t = order_table(two_rows, 2, controls, 1, &design, NULL, 1, NULL);
    cr_assert_eq(sum_cells(t, "target", "STAT1"), 301);
    cr_assert_eq(sum_cells(t, "target", "JAK2"), 300);
    cr_assert_eq(sum_cells(t, "positive control", "GAPDH"), 300);
    /* 8 % of all: 901 / 0.92 = 979.35, rounded up as the bill does */
    cr_assert_eq(sum_cells(t, "non-targeting", NULL), 980 - 901);
    cr_assert_eq(sow_table_n_rows(t), 4 + 4 + 4 + 1);
    cr_assert_str_eq(sow_table_cell(t, 0, CELLS), "76");
    cr_assert_str_eq(sow_table_cell(t, 3, CELLS), "75");
    cr_assert_str_eq(sow_table_cell(t, 3, GUIDE), "4");
    cr_assert_str_eq(sow_table_cell(t, 3, SEQUENCE), "");
    cr_assert_str_eq(sow_table_cell(t, 12, POSITION), "13");
    sow_table_destroy(t);
}

Test(sheet, leaves_out_controls_that_were_not_asked_for)
{
    sow_design design = {1, 100, 0.0, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    sow_table *t = order_table(two_rows, 2, NULL, 0, &design, NULL, 1, NULL);
    cr_assert_eq(sow_table_n_rows(t), 2);
    sow_table_destroy(t);
}

Test(sheet, repeats_controls_in_every_context)
{
    sow_design design = {1, 100, 0.5, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    static const char *const controls[] = {"GAPDH"};
    const sow_batch_row rows[] = {{1, "A", "K562", "random", "", 1, 100, 0}, {2, "A", "RPE1", "random", "", 1, 50, 0}};
    sow_table *t = order_table(rows, 2, controls, 1, &design, NULL, 1, NULL);
    cr_assert_eq(sum_cells(t, "positive control", NULL), 200);
    cr_assert_eq(sum_cells(t, "non-targeting", NULL), 200 + 150);
    sow_table_destroy(t);
}

/* 200 lines on three plates: each place once, none skipped, and the order is not the rank's. */
Test(sheet, gives_every_line_its_own_well_in_shuffled_order)
{
    enum { N = 200 };
    static sow_batch_row rows[N];
    static char names[N][8];
    static unsigned char taken[3 * 96];
    sow_design design = {1, 100, 0.0, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "G%d", i);
        rows[i] = (sow_batch_row){i + 1, names[i], "X", "random", "", 0, 100, 0};
    }
    sow_table *t = order_table(rows, N, NULL, 0, &design, NULL, 1, NULL);
    int in_rank_order = 0;
    for (int i = 0; i < N; i++) {
        const char *well = sow_table_cell(t, i, WELL);
        int place = (atoi(sow_table_cell(t, i, PLATE)) - 1) * 96 + (well[0] - 'A') * 12 + atoi(well + 1) - 1;
        cr_assert(place >= 0 && place < N, "plate %s well %s", sow_table_cell(t, i, PLATE), well);
        cr_assert_not(taken[place]);
        taken[place] = 1;
        in_rank_order += place == i;
    }
    cr_assert_lt(in_rank_order, 20);
    sow_table_destroy(t);
}

Test(sheet, deals_the_same_wells_for_the_same_seed_and_round_only)
{
    sow_design design = {4, 100, 0.1, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    sow_text a = {0}, b = {0}, other_seed = {0}, other_round = {0};
    sow_status st = sow_order_csv(&a, two_rows, 2, NULL, 0, &design, NULL, 7, 1, NULL, NULL);
    st |= sow_order_csv(&b, two_rows, 2, NULL, 0, &design, NULL, 7, 1, NULL, NULL);
    st |= sow_order_csv(&other_seed, two_rows, 2, NULL, 0, &design, NULL, 8, 1, NULL, NULL);
    st |= sow_order_csv(&other_round, two_rows, 2, NULL, 0, &design, NULL, 7, 2, NULL, NULL);
    cr_assert_eq(st, SOW_OK);
    cr_assert_str_eq(a.text, b.text);
    cr_assert_str_neq(a.text, other_seed.text);
    cr_assert_str_neq(a.text, other_round.text);
    sow_text_clear(&a);
    sow_text_clear(&b);
    sow_text_clear(&other_seed);
    sow_text_clear(&other_round);
}

static const char library_text[] = "gene,idA,seqA,idB,seqB\n"
                                   "STAT1,s1,ACGT,s2,CCGT\n"
                                   "JAK2,j1,GGGG,,\n"
                                   "STAT1,s3,TTTT,s4,AAAA\n"
                                   ",x,ACGT,y,ACGT\n"
                                   "non-targeting,n1,CATG,n2,GATC\n";
static const char *const ids[] = {"idA", "idB"}, *const sequences[] = {"seqA", "seqB"};

static sow_guides *library_or_die(const char *text)
{
    sow_error err = {0};
    sow_guides *g = NULL;
    cr_assert_eq(sow_guides_read(&g, scratch_write("lib.csv", text), "gene", ids, 2, sequences, 2, &err), SOW_OK, "%s",
                 err.message);
    return g;
}

Test(guides, takes_as_many_guides_as_asked_and_the_library_has)
{
    sow_design design = {3, 300, 0.5, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    sow_guides *g = library_or_die(library_text);
    sow_text missing = {0};
    sow_table *t = order_table(two_rows, 2, NULL, 0, &design, g, 1, &missing);
    static const char *const expected[] = {"s1", "s2", "s3", "j1"};
    for (int i = 0; i < 4; i++)
        cr_assert_str_eq(sow_table_cell(t, i, GUIDE), expected[i]);
    cr_assert_str_eq(sow_table_cell(t, 2, SEQUENCE), "TTTT");
    cr_assert_eq(sum_cells(t, "target", "JAK2"), 300, "one guide carries all its cells");
    cr_assert_str_eq(sow_table_cell(t, 4, GUIDE), "n1");
    cr_assert_str_eq(sow_table_cell(t, 5, GUIDE), "n2");
    cr_assert_eq(sum_cells(t, "non-targeting", NULL), 601);
    cr_assert_eq(missing.size, 0);
    sow_table_destroy(t);
    sow_guides_destroy(g);
}

Test(guides, names_the_targets_the_library_lacks_once)
{
    sow_design design = {2, 300, 0.1, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    static const char *const controls[] = {"GAPDH"};
    const sow_batch_row rows[] = {{1, "A", "K562", "random", "", 1, 100, 0}, {2, "A", "RPE1", "random", "", 1, 50, 0}};
    sow_guides *g = library_or_die("gene,idA,seqA,idB,seqB\nSTAT1,s1,ACGT,s2,CCGT\n");
    sow_text missing = {0};
    sow_table *t = order_table(rows, 2, controls, 1, &design, g, 1, &missing);
    cr_assert_str_eq(missing.text, "A, GAPDH");
    cr_assert_str_eq(sow_table_cell(t, 0, GUIDE), "1", "still ordered, by number");
    sow_text_clear(&missing);
    sow_table_destroy(t);
    sow_guides_destroy(g);
}

static void expect_bad_library(const char *text, const char *target, sow_index n_sequence, sow_status status, const char *words)
{
    sow_error err = {0};
    sow_guides *g = NULL;
    cr_assert_eq(sow_guides_read(&g, scratch_write("lib.csv", text), target, ids, 2, sequences, n_sequence, &err), status, "%s",
                 err.message);
    cr_assert_null(g);
    cr_assert(strstr(err.message, words), "'%s' does not say '%s'", err.message, words);
}

Test(guides, refuses_a_library_it_cannot_read)
{
    expect_bad_library(library_text, "gen", 2, SOW_E_DATA, "gene");
    expect_bad_library("gene,idA,seqA,idB\nX,a,b,c\n", "gene", 2, SOW_E_DATA, "seqB");
    expect_bad_library(library_text, "gene", 1, SOW_E_CONFIG, "in pairs");
    expect_bad_library("gene,idA,seqA,idB,seqB\nX,a,,b,ACGT\n", "gene", 2, SOW_E_DATA,
                       "lib.csv:2: a guide for 'X' has no sequence");
    expect_bad_library("gene,idA,seqA,idB,seqB\nX,,ACGT,b,ACGT\n", "gene", 2, SOW_E_DATA, "has no id");
    expect_bad_library("gene,idA,seqA,idB,seqB\nX,,,,\n", "gene", 2, SOW_E_DATA, "no guide");
    expect_bad_library("", "gene", 2, SOW_E_DATA, "lib.csv");
    sow_guides *g = NULL;
    cr_assert_eq(sow_guides_read(&g, scratch_path("absent.csv"), "gene", ids, 2, sequences, 2, NULL), SOW_E_IO);
    sow_guides_destroy(NULL);
}

Test(sheet, refuses_a_design_that_cannot_be_ordered)
{
    sow_text t = {0};
    sow_design none = {0, 100, 0, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1}, all_controls = {1, 100, 1.0, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    cr_assert_eq(sow_order_csv(&t, two_rows, 2, NULL, 0, &none, NULL, 1, 0, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_order_csv(&t, two_rows, 2, NULL, 0, &all_controls, NULL, 1, 0, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(t.size, 0);
    sow_text_clear(&t);
}

Test(guides, reads_the_k562_essential_library)
{
    static const char *const id[] = {"sgID_A", "sgID_B"}, *const sequence[] = {"targeting sequence A", "targeting sequence B"};
    const char *path = SOWER_SHARED_DIR "/data/replogle2022_k562_essential_guides.csv.gz";
    sow_error err = {0};
    sow_guides *g = NULL;
    sow_design design = {2, 100, 0.0, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    const sow_batch_row row[] = {{1, "AAMP", "K562", "random", "", 1, 101, 0}};
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "SKIPPED: needs ../shared/data\n");
        cr_skip_test("needs ../shared/data");
    }
    cr_assert_eq(sow_guides_read(&g, path, "gene", id, 2, sequence, 2, &err), SOW_OK, "%s", err.message);
    sow_table *t = order_table(row, 1, NULL, 0, &design, g, 1, NULL);
    cr_assert_str_eq(sow_table_cell(t, 0, GUIDE), "AAMP_+_219134851.23-P1P2");
    cr_assert_str_eq(sow_table_cell(t, 1, SEQUENCE), "GGCTGACTCTGGGAGGCGTT");
    cr_assert_str_eq(sow_table_cell(t, 1, CELLS), "50");
    sow_table_destroy(t);
    sow_guides_destroy(g);
}

Test(sheet, survives_every_failing_allocation)
{
    sow_design design = {2, 300, 0.1, 0.3, 0, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};
    const char *path = scratch_write("lib.csv", library_text);
    sow_status st = SOW_E_NOMEM;
    for (int i = 0; st != SOW_OK; i++) {
        sow_guides *g = NULL;
        sow_text t = {0}, missing = {0};
        sow_memory_fail_after(i);
        st = sow_guides_read(&g, path, "gene", ids, 2, sequences, 2, NULL);
        if (st == SOW_OK) st = sow_order_csv(&t, two_rows, 2, NULL, 0, &design, g, 1, 0, &missing, NULL);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM);
        sow_guides_destroy(g);
        sow_text_clear(&t);
        sow_text_clear(&missing);
        cr_assert_lt(i, 500);
    }
}
