#include "core/prepare.h"

#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

/* 40 cells of two contexts: 10 controls and, of three perturbations, 6, 3 and 1 cells in each. Cell i has i % 5 + 1 genes. */
enum { N = 40, D = 6, P = 3, C = 2 };

static sow_cells forty_cells(void)
{
    static const int32_t group[20] = {-1, 0, 1, -1, 0, -1, 2, -1, 0, 1, -1, 0, -1, -1, 0, 1, -1, 0, -1, -1};
    float dense[N * D] = {0};
    for (int i = 0; i < N; i++)
        for (int g = 0; g <= i % 5; g++) dense[i * D + g] = (float)(i + g + 1);
    sow_cells c = made_cells(dense, N, D);
    for (int i = 0; i < N; i++) {
        c.perturbation[i] = group[i % 20];
        c.context[i] = i / 20;
        c.batch[i] = i % 3;
        c.guide[i] = i % 7;
        c.replicate[i] = i % 2;
    }
    cr_assert_eq(sow_cells_index(&c, P, C, NULL), SOW_OK);
    return c;
}

static sow_names *of_perturbations(void)
{
    return made_names("p", P);
}

static sow_status filter(sow_cells *c, sow_filtered *filtered, sow_index *too_few, const sow_features *f, sow_error *err)
{
    sow_names *names = of_perturbations(), *contexts = made_names("line", C);
    sow_status st = sow_cells_filter(c, filtered, too_few, f, names, contexts, NULL, err);
    sow_names_destroy(names);
    sow_names_destroy(contexts);
    return st;
}

static sow_index count(const sow_cells *c, sow_index perturbation, sow_index context)
{
    const sow_index *list;
    return sow_cells_of(&list, c, perturbation, context);
}

/* Every row is still the one its labels belong to. */
static void check_labels(const sow_cells *c)
{
    for (sow_index i = 0; i < c->n; i++) {
        const int64_t r = c->row[i];
        cr_assert(i == 0 || r > c->row[i - 1]);
        cr_assert(c->context[i] == r / 20 && c->batch[i] == r % 3 && c->guide[i] == r % 7 && c->replicate[i] == r % 2);
    }
    cr_assert_eq(c->group_start[C * (P + 1)], c->n);
}

Test(cells_filter, that_asks_for_nothing_takes_nothing)
{
    sow_cells c = forty_cells();
    sow_filtered filtered = {0};
    sow_index too_few[C * P];
    const sow_features f = SOW_FEATURES_INIT;
    cr_assert_eq(filter(&c, &filtered, too_few, &f, NULL), SOW_OK);
    cr_assert_eq(c.n, N);
    cr_assert_eq(filtered.n, 0);
    for (int i = 0; i < C * P; i++) cr_assert_eq(too_few[i], 0);
    check_labels(&c);
    sow_cells_clear(&c);
}

Test(cells_filter, takes_out_cells_of_few_genes_and_says_whose)
{
    sow_cells c = forty_cells();
    sow_filtered filtered = {0};
    sow_features f = SOW_FEATURES_INIT;
    f.min_genes_per_cell = 2; /* every fifth cell has one: of the controls 0, 5, 10 and of p1 15 */
    cr_assert_eq(filter(&c, &filtered, NULL, &f, NULL), SOW_OK);
    cr_assert_eq(c.n, 32);
    check_labels(&c);
    cr_assert_eq(filtered.n, 1);
    cr_assert_str_eq(filtered.item[0].what, "cells of fewer than 2 genes");
    cr_assert_eq(filtered.item[0].count, 8);
    cr_assert_str_eq(filtered.item[0].names, "control in line0 (3), p1 in line0 (1), control in line1 (3), p1 in line1 (1)");
    sow_filtered_clear(&filtered);
    sow_cells_clear(&c);
}

Test(cells_filter, takes_out_small_perturbations_and_says_how_small)
{
    sow_cells c = forty_cells();
    sow_filtered filtered = {0};
    sow_index too_few[C * P];
    sow_features f = SOW_FEATURES_INIT;
    f.min_cells_per_perturbation = 4;
    cr_assert_eq(filter(&c, &filtered, too_few, &f, NULL), SOW_OK);
    for (int k = 0; k < C; k++) {
        cr_assert(count(&c, 0, k) == 6 && count(&c, 1, k) == 0 && count(&c, 2, k) == 0 && count(&c, SOW_CONTROL, k) == 10);
        cr_assert(too_few[k * P] == 0 && too_few[k * P + 1] == 3 && too_few[k * P + 2] == 1);
    }
    check_labels(&c);
    cr_assert_eq(filtered.n, 1);
    cr_assert_str_eq(filtered.item[0].what, "perturbations of fewer than 4 cells");
    cr_assert_eq(filtered.item[0].count, 4);
    cr_assert_str_eq(filtered.item[0].names, "p1 in line0 (3), p2 in line0 (1), p1 in line1 (3), p2 in line1 (1)");
    sow_filtered_clear(&filtered);
    sow_cells_clear(&c);
}

Test(cells_filter, caps_perturbations_by_lot_and_never_controls)
{
    sow_cells c = forty_cells(), again = forty_cells(), other = forty_cells();
    sow_features f = SOW_FEATURES_INIT;
    sow_filtered filtered = {0};
    f.max_cells_per_perturbation = 3;
    cr_assert_eq(filter(&c, &filtered, NULL, &f, NULL), SOW_OK);
    for (int k = 0; k < C; k++) cr_assert(count(&c, 0, k) == 3 && count(&c, 1, k) == 3 && count(&c, SOW_CONTROL, k) == 10);
    cr_assert_eq(c.n, N - 6);
    check_labels(&c);
    cr_assert_str_eq(filtered.item[0].what, "cells above the 3 of a perturbation, drawn by lot");
    cr_assert_eq(filtered.item[0].count, 6);
    cr_assert_eq(filter(&again, NULL, NULL, &f, NULL), SOW_OK);
    cr_assert_arr_eq(c.row, again.row, (size_t)c.n * sizeof *c.row);
    f.seed = 12345;
    cr_assert_eq(filter(&other, NULL, NULL, &f, NULL), SOW_OK);
    cr_assert(memcmp(c.row, other.row, (size_t)c.n * sizeof *c.row) != 0);
    sow_filtered_clear(&filtered);
    sow_cells_clear(&c);
    sow_cells_clear(&again);
    sow_cells_clear(&other);
}

Test(cells_filter, counts_a_perturbation_after_its_poor_cells_are_out)
{
    sow_cells c = forty_cells();
    sow_index too_few[C * P];
    sow_features f = SOW_FEATURES_INIT;
    f.min_genes_per_cell = 2;
    f.min_cells_per_perturbation = 3;
    cr_assert_eq(filter(&c, NULL, too_few, &f, NULL), SOW_OK);
    cr_assert(too_few[1] == 2 && too_few[2] == 1 && count(&c, 1, 0) == 0 && count(&c, 0, 0) == 6);
    sow_cells_clear(&c);
}

/* ---- what it refuses: the table stays as it was ---- */

static void refused(const sow_features *f, sow_status want, const char *words)
{
    sow_cells c = forty_cells();
    sow_error err = {0};
    cr_assert_eq(filter(&c, NULL, NULL, f, &err), want, "%s", err.message);
    cr_assert(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
    cr_assert_eq(c.n, N);
    check_labels(&c);
    sow_cells_clear(&c);
}

Test(cells_filter, that_leaves_no_control_is_refused_by_context)
{
    sow_features f = SOW_FEATURES_INIT;
    f.min_genes_per_cell = 6;
    refused(&f, SOW_E_DATA, "context 'line0': none of its 10 control cells has 6 genes");
}

Test(cells_filter, that_leaves_no_perturbation_is_refused)
{
    sow_features f = SOW_FEATURES_INIT;
    f.min_cells_per_perturbation = 7;
    refused(&f, SOW_E_DATA, "no perturbation has 7 cells after the filters (the largest has 6)");
}

Test(cells_filter, that_contradicts_itself_is_refused)
{
    sow_features f = SOW_FEATURES_INIT;
    f.max_cells_per_perturbation = 10;
    f.min_cells_per_perturbation = 11;
    refused(&f, SOW_E_CONFIG, "max_cells_per_perturbation 10 is below min_cells_per_perturbation 11");
    f.max_cells_per_perturbation = -1;
    refused(&f, SOW_E_ARG, "below 0");
}

Test(cells_filter, of_a_table_without_an_index_is_refused)
{
    sow_cells c = forty_cells();
    const sow_features f = SOW_FEATURES_INIT;
    free(c.group_start);
    c.group_start = NULL;
    cr_assert_eq(filter(&c, NULL, NULL, &f, NULL), SOW_E_STATE);
    sow_cells_clear(&c);
}

Test(cells_filter, of_controls_alone_is_fine)
{
    sow_cells c = forty_cells();
    const sow_features f = SOW_FEATURES_INIT;
    for (int i = 0; i < N; i++) c.perturbation[i] = SOW_CONTROL;
    cr_assert_eq(sow_cells_index(&c, P, C, NULL), SOW_OK);
    cr_assert_eq(filter(&c, NULL, NULL, &f, NULL), SOW_OK);
    cr_assert_eq(c.n, N);
    sow_cells_clear(&c);
}

static sow_names *fault_names, *fault_contexts;
static sow_cells faulty;
static sow_status filter_body(sow_error *err)
{
    sow_filtered filtered = {0};
    sow_features f = SOW_FEATURES_INIT;
    f.min_genes_per_cell = 2;
    f.min_cells_per_perturbation = 2;
    f.max_cells_per_perturbation = 4;
    sow_status st = sow_cells_filter(&faulty, &filtered, NULL, &f, fault_names, fault_contexts, NULL, err);
    if (st != SOW_OK) check_labels(&faulty);
    sow_filtered_clear(&filtered);
    return st;
}

Test(cells_filter, survives_every_failing_allocation_and_leaves_the_table_whole)
{
    faulty = forty_cells();
    fault_names = of_perturbations();
    fault_contexts = made_names("line", C);
    every_allocation_may_fail(filter_body, 1);
    check_labels(&faulty);
    sow_names_destroy(fault_names);
    sow_names_destroy(fault_contexts);
    sow_cells_clear(&faulty);
}
