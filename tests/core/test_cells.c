#include "core/cells.h"

#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

/* Six cells of two perturbations in two contexts. */
static sow_cells six_cells(void)
{
    static const float dense[6 * 2] = {1, 0, 0, 1, 1, 1, 2, 0, 0, 2, 2, 2};
    static const int32_t perturbation[6] = {1, SOW_CONTROL, 0, 1, SOW_CONTROL, 1}, context[6] = {1, 0, 0, 1, 1, 0};
    sow_cells c = made_cells(dense, 6, 2);
    memcpy(c.perturbation, perturbation, sizeof perturbation);
    memcpy(c.context, context, sizeof context);
    return c;
}

static void check_group(const sow_cells *c, sow_index perturbation, sow_index context, sow_index n, const sow_index *want)
{
    const sow_index *list = NULL;
    cr_assert_eq(sow_cells_of(&list, c, perturbation, context), n);
    for (sow_index i = 0; i < n; i++) cr_assert_eq(list[i], want[i]);
}

Test(cells, an_index_lists_the_cells_of_every_group_in_order)
{
    sow_cells c = six_cells();
    sow_error err = {0};
    cr_assert_eq(sow_cells_index(&c, 2, 2, &err), SOW_OK, "%s", err.message);
    check_group(&c, SOW_CONTROL, 0, 1, (sow_index[]){1});
    check_group(&c, 0, 0, 1, (sow_index[]){2});
    check_group(&c, 1, 0, 1, (sow_index[]){5});
    check_group(&c, SOW_CONTROL, 1, 1, (sow_index[]){4});
    check_group(&c, 0, 1, 0, NULL);
    check_group(&c, 1, 1, 2, (sow_index[]){0, 3});
    for (sow_index i = 0; i < 6; i++) cr_assert_eq(c.order[i], ((const sow_index[]){1, 2, 5, 4, 0, 3})[i]);
    sow_cells_clear(&c);
}

Test(cells, an_index_can_be_made_again_for_a_larger_catalogue)
{
    sow_cells c = six_cells();
    cr_assert_eq(sow_cells_index(&c, 2, 2, NULL), SOW_OK);
    cr_assert_eq(sow_cells_index(&c, 5, 3, NULL), SOW_OK);
    check_group(&c, 1, 1, 2, (sow_index[]){0, 3});
    check_group(&c, 4, 2, 0, NULL);
    sow_cells_clear(&c);
}

Test(cells, a_label_out_of_range_is_refused_and_leaves_the_index_as_it_was)
{
    sow_cells c = six_cells();
    sow_error err = {0};
    cr_assert_eq(sow_cells_index(&c, 2, 2, NULL), SOW_OK);
    cr_assert_eq(sow_cells_index(&c, 1, 2, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "cell 0: perturbation 1"), "%s", err.message);
    cr_assert_eq(sow_cells_index(&c, 2, 1, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "context 1"), "%s", err.message);
    cr_assert_eq(sow_cells_index(&c, -1, 1, &err), SOW_E_ARG);
    cr_assert_eq(sow_cells_index(&c, INT32_MAX, 2, &err), SOW_E_ARG);
    check_group(&c, 1, 1, 2, (sow_index[]){0, 3});
    sow_cells_clear(&c);
}

Test(cells, no_cells_and_a_zeroed_table_are_fine)
{
    sow_cells c = made_cells(NULL, 0, 2);
    const sow_index *list = NULL;
    cr_assert_eq(sow_cells_index(&c, 3, 1, NULL), SOW_OK);
    cr_assert_eq(sow_cells_of(&list, &c, 2, 0), 0);
    sow_cells_clear(&c);
    sow_cells_clear(&c);
    sow_cell_matrix_clear(&(sow_cell_matrix){0});
}

static sow_cells faulty;
static sow_status index_body(sow_error *err)
{
    return sow_cells_index(&faulty, 2, 2, err);
}

Test(cells, an_index_survives_every_failing_allocation)
{
    faulty = six_cells();
    cr_assert_eq(sow_cells_index(&faulty, 2, 2, NULL), SOW_OK);
    every_allocation_may_fail(index_body, 1);
    check_group(&faulty, 1, 1, 2, (sow_index[]){0, 3});
    sow_cells_clear(&faulty);
}
