/* Cells shared out by expected gain: closed forms, a brute-force twin, sums and bounds, ties. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/allocate.h"
#include "core/rng.h"

enum { MOST_ITEMS = 64 };

static void allocate(sow_index *cells, const double *w, const double *v, const double *s, sow_index n, sow_index total, sow_index least, sow_index most)
{
    sow_error err = {0};
    cr_assert_eq(sow_allocate_cells(cells, w, v, s, n, total, least, most, &err), SOW_OK, "%s", err.message);
    sow_index sum = 0;
    for (sow_index i = 0; i < n; i++) {
        cr_assert(cells[i] >= least && cells[i] <= most, "item %lld has %lld cells", (long long)i, (long long)cells[i]);
        sum += cells[i];
    }
    cr_assert_eq(sum, total);
}

Test(allocate, follows_the_water_level_where_no_bound_is_met)
{
    /* n_i = W - s / v_i: 90, 70 and 20 with W = 100 */
    const double w[] = {1, 1, 1}, v[] = {10, 10.0 / 3, 1.25}, s[] = {100, 100, 100};
    sow_index cells[3];
    allocate(cells, w, v, s, 3, 180, 1, 1000);
    cr_expect(cells[0] == 90 && cells[1] == 70 && cells[2] == 20, "%lld %lld %lld", (long long)cells[0], (long long)cells[1], (long long)cells[2]);
    cr_expect(fabs(sow_allocation_left(cells, w, v, s, 3) - 3 * 100 / 100.0) < 1e-12); /* s / (x + n) each */
}

Test(allocate, gives_by_the_square_root_of_weight_and_of_noise)
{
    /* n_i = sqrt(w s) mu - s / v: with s / v = 10 for all, and mu = 30, 50, 80 and 20 */
    const double w[] = {4, 9, 1}, v[] = {0.1, 0.1, 0.1}, s[] = {1, 1, 1};
    sow_index cells[3];
    allocate(cells, w, v, s, 3, 50 + 80 + 20, 1, 1000);
    cr_expect(cells[0] == 50 && cells[1] == 80 && cells[2] == 20);
    /* x = 40 and 10, mu = 25: 60 and 15 */
    const double w2[] = {1, 1}, v2[] = {0.4, 0.1}, s2[] = {16, 1};
    allocate(cells, w2, v2, s2, 2, 75, 1, 1000);
    cr_expect(cells[0] == 60 && cells[1] == 15);
}

/* Every way to share out, item by item. */
static double best_of(sow_index *cells, sow_index item, sow_index rest, const double *w, const double *v, const double *s, sow_index n, sow_index least, sow_index most)
{
    if (item == n - 1) {
        if (rest < least || rest > most) return INFINITY;
        cells[item] = rest;
        return sow_allocation_left(cells, w, v, s, n);
    }
    double best = INFINITY;
    for (sow_index c = least; c <= most && c <= rest; c++) {
        cells[item] = c;
        best = fmin(best, best_of(cells, item + 1, rest - c, w, v, s, n, least, most));
    }
    return best;
}

Test(allocate, leaves_no_more_than_the_best_of_all_ways)
{
    sow_rng rng = sow_rng_make(7, SOW_RNG_TEST, 0, 0);
    for (int trial = 0; trial < 300; trial++) {
        const sow_index n = 2 + sow_rng_below(&rng, 3), least = sow_rng_below(&rng, 3), most = least + 1 + sow_rng_below(&rng, 9);
        const sow_index total = n * least + sow_rng_below(&rng, n * (most - least) + 1);
        double w[4], v[4], s[4];
        sow_index cells[5] = {0}, twin[5] = {0}; /* one more than is used: the compiler takes n for as many as it likes */
        for (sow_index i = 0; i < n; i++) {
            w[i] = exp(2 * sow_rng_normal(&rng));
            v[i] = sow_rng_below(&rng, 8) == 0 ? 0 : exp(2 * sow_rng_normal(&rng));
            s[i] = exp(2 * sow_rng_normal(&rng));
        }
        allocate(cells, w, v, s, n, total, least, most);
        const double left = sow_allocation_left(cells, w, v, s, n), best = best_of(twin, 0, total, w, v, s, n, least, most);
        cr_assert(left <= best * (1 + 1e-6) + 1e-300, "trial %d: %.9g, the best is %.9g", trial, left, best);
    }
}

Test(allocate, gives_alike_to_who_is_alike_and_the_odd_cells_to_the_first)
{
    double w[MOST_ITEMS], v[MOST_ITEMS], s[MOST_ITEMS];
    sow_index cells[MOST_ITEMS];
    for (int i = 0; i < MOST_ITEMS; i++) {
        w[i] = 1;
        v[i] = 0.7 * (1 + 1e-12 * (i % 3)); /* the last bits of a variance decide nothing */
        s[i] = 30;
    }
    allocate(cells, w, v, s, MOST_ITEMS, MOST_ITEMS * 100, 25, 400);
    for (int i = 0; i < MOST_ITEMS; i++)
        cr_expect_eq(cells[i], 100);
    allocate(cells, w, v, s, MOST_ITEMS, MOST_ITEMS * 100 + 5, 25, 400);
    for (int i = 0; i < MOST_ITEMS; i++)
        cr_expect_eq(cells[i], i < 5 ? 101 : 100, "item %d has %lld", i, (long long)cells[i]);
}

Test(allocate, gives_alike_where_cells_help_nobody)
{
    const double w[] = {1, 0, 1, 1}, v[] = {0, 1, 1, 0}, s[] = {1, 1, 0, 0};
    sow_index cells[4];
    allocate(cells, w, v, s, 4, 42, 2, 40);
    cr_expect(cells[0] == 11 && cells[1] == 11 && cells[2] == 10 && cells[3] == 10);
}

Test(allocate, gives_the_least_to_who_gains_nothing_and_the_rest_when_others_are_full)
{
    const double w[] = {1, 1, 1}, v[] = {2, 0, 2}, s[] = {5, 5, 5};
    sow_index cells[3];
    allocate(cells, w, v, s, 3, 30, 3, 20);
    cr_expect(cells[0] == 14 && cells[1] == 3 && cells[2] == 13);
    allocate(cells, w, v, s, 3, 50, 3, 20);
    cr_expect(cells[0] == 20 && cells[1] == 10 && cells[2] == 20);
}

Test(allocate, shares_out_a_thousand_million_cells_each)
{
    enum { N = 50 };
    double w[N], v[N], s[N];
    sow_index cells[N];
    for (int i = 0; i < N; i++) {
        w[i] = 1;
        v[i] = 1 + i;
        s[i] = 1e9;
    }
    allocate(cells, w, v, s, N, (sow_index)N * 1000000000, 250000000, 4000000000);
    for (int i = 1; i < N; i++)
        cr_expect(cells[i] >= cells[i - 1]);
}

Test(allocate, does_not_change_with_the_unit_of_the_values)
{
    sow_rng rng = sow_rng_make(8, SOW_RNG_TEST, 0, 0);
    for (double unit = 1e-12; unit < 1e13; unit *= 1e6) {
        double w[20], v[20], s[20], v2[20], s2[20];
        sow_index one[20], other[20];
        for (int i = 0; i < 20; i++) {
            w[i] = 1;
            v[i] = exp(sow_rng_normal(&rng));
            s[i] = 40 * exp(sow_rng_normal(&rng));
            v2[i] = unit * v[i];
            s2[i] = unit * s[i];
        }
        allocate(one, w, v, s, 20, 2000, 25, 400);
        allocate(other, w, v2, s2, 20, 2000, 25, 400);
        cr_expect_arr_eq(one, other, sizeof one);
    }
}

static void refused(sow_status wanted, const double *v, sow_index n, sow_index total, sow_index least, sow_index most, const char *says)
{
    const double w[] = {1, 1, 1}, s[] = {1, 1, 1};
    sow_index cells[3];
    sow_error err = {0};
    cr_expect_eq(sow_allocate_cells(cells, w, v, s, n, total, least, most, &err), wanted);
    cr_expect_not_null(strstr(err.message, says), "%s", err.message);
}

Test(allocate, refuses_what_cannot_be_shared_out)
{
    const double v[] = {1, 1, 1}, bad[] = {1, NAN, 1}, negative[] = {1, 1, -1};
    refused(SOW_E_ARG, v, 3, 5, 2, 4, "5 cells cannot be shared out among 3 perturbations with 2 to 4 each");
    refused(SOW_E_ARG, v, 3, 13, 2, 4, "13 cells");
    refused(SOW_E_ARG, v, 3, 6, 4, 2, "between 4 and 2");
    refused(SOW_E_ARG, v, 0, 1, 1, 2, "1 cells");
    refused(SOW_E_NONFINITE, bad, 3, 9, 2, 4, "perturbation 1");
    refused(SOW_E_NONFINITE, negative, 3, 9, 2, 4, "variance -1");
    sow_index cells[1] = {7};
    cr_expect_eq(sow_allocate_cells(cells, v, v, v, 0, 0, 1, 2, NULL), SOW_OK);
    cr_expect_eq(cells[0], 7);
}
