#include "core/adjust.h"
#include "core/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(adjust, takes_a_slope_away_and_keeps_the_mean)
{
    const double c[] = {1, 2, 3, 4};
    double y[] = {10, 3, 12, 3, 14, 3, 16, 3}; /* first feature 8 + 2c, second flat */
    sow_adjust a;
    cr_assert_eq(sow_adjust_fit(&a, y, 4, 2, c, 1, NULL, NULL), SOW_OK);
    cr_assert(fabs(a.slope[0] - 2) <= 1e-14);
    cr_assert(fabs(a.slope[1]) <= 1e-14);
    cr_assert_eq(a.centre[0], 2.5);
    sow_adjust_apply(&a, y, 4, c);
    for (int i = 0; i < 4; i++) {
        cr_assert(fabs(y[2 * i] - 13) <= 1e-13);
        cr_assert(fabs(y[2 * i + 1] - 3) <= 1e-13);
    }
    sow_adjust_clear(&a);
    cr_assert_null(a.slope);
    sow_adjust_clear(NULL);
}

Test(adjust, applies_the_measured_slope_to_rows_it_has_not_seen)
{
    const double c[] = {0, 2, 4}, later[] = {10};
    const double y[] = {1, 2, 3};
    double new_y[] = {6};
    sow_adjust a;
    cr_assert_eq(sow_adjust_fit(&a, y, 3, 1, c, 1, NULL, NULL), SOW_OK);
    sow_adjust_apply(&a, new_y, 1, later);
    cr_assert(fabs(new_y[0] - 2) <= 1e-14); /* 6 - (10 - 2) / 2 */
    sow_adjust_clear(&a);
}

Test(adjust, skips_rows_with_missing_numbers)
{
    const double c[] = {1, NAN, 2, 3, 50, 9}, w[] = {1, 1, 1, 1, 1, 0};
    double y[] = {1, 77, 2, 3, NAN, 1000};
    sow_adjust a;
    cr_assert_eq(sow_adjust_fit(&a, y, 6, 1, c, 1, w, NULL), SOW_OK);
    cr_assert(fabs(a.slope[0] - 1) <= 1e-14);
    cr_assert_eq(a.centre[0], 2);
    sow_adjust_apply(&a, y, 6, c);
    cr_assert(fabs(y[0] - 2) <= 1e-14);
    cr_assert_eq(y[1], 77); /* no covariate: as it was */
    cr_assert(isnan(y[4]));
    sow_adjust_clear(&a);
}

Test(adjust, does_nothing_without_covariates_or_with_too_few_rows)
{
    const double c[] = {1, 2};
    double y[] = {1, 5};
    sow_adjust a;
    cr_assert_eq(sow_adjust_fit(&a, y, 2, 1, NULL, 0, NULL, NULL), SOW_OK);
    sow_adjust_apply(&a, y, 2, NULL);
    sow_adjust_clear(&a);
    cr_assert_eq(sow_adjust_fit(&a, y, 2, 1, c, 1, NULL, NULL), SOW_OK);
    cr_assert_eq(a.slope[0], 0);
    sow_adjust_apply(&a, y, 2, c);
    cr_assert(y[0] == 1 && y[1] == 5);
    sow_adjust_clear(&a);
    cr_assert_eq(sow_adjust_fit(&a, y, 0, 1, c, 1, NULL, NULL), SOW_OK);
    cr_assert_eq(a.slope[0], 0);
    sow_adjust_clear(&a);
}

Test(adjust, gives_a_constant_covariate_no_slope)
{
    const double c[] = {5, 5, 5, 5}, y[] = {1, 2, 3, 9};
    sow_adjust a;
    cr_assert_eq(sow_adjust_fit(&a, y, 4, 1, c, 1, NULL, NULL), SOW_OK);
    cr_assert_eq(a.slope[0], 0);
    sow_adjust_clear(&a);
}

Test(adjust, says_when_memory_ends)
{
    const double c[] = {1, 2, 3, 4}, y[] = {1, 2, 3, 9};
    sow_status st = SOW_E_NOMEM;
    for (int n = 0; st != SOW_OK; n++) {
        sow_adjust a;
        sow_memory_fail_after(n);
        st = sow_adjust_fit(&a, y, 4, 1, c, 1, NULL, NULL);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM);
        if (st != SOW_OK) cr_assert_null(a.slope);
        sow_adjust_clear(&a);
    }
}
