#include "core/stats.h"
#include "core/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAR(got, expected, tolerance) \
    cr_assert(fabs((got) - (expected)) <= (tolerance), "%.17g, not %.17g", (double)(got), (double)(expected))

Test(stats, mean_and_variance_of_known_numbers)
{
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};
    NEAR(sow_mean(x, 8), 5, 0);
    NEAR(sow_variance(x, 8), 32.0 / 7, 1e-15);
    cr_assert(isnan(sow_mean(x, 0)));
    cr_assert(isnan(sow_variance(x, 1)));
    const double far[] = {1e9 + 1, 1e9 + 2, 1e9 + 3}; /* one pass would lose all digits */
    NEAR(sow_variance(far, 3), 1, 0);
}

Test(stats, pearson_of_known_numbers)
{
    const double x[] = {1, 2, 3, 4, 5}, y[] = {2, 1, 4, 3, 5}, flat[] = {0.1, 0.1, 0.1, 0.1, 0.1};
    NEAR(sow_pearson(x, y, 5), 0.8, 1e-15);
    NEAR(sow_pearson(x, x, 5), 1, 1e-15);
    cr_assert(isnan(sow_pearson(x, flat, 5)));
    cr_assert(isnan(sow_pearson(flat, x, 5)));
    cr_assert(isnan(sow_pearson(x, y, 1)));
}

Test(stats, ranks_average_ties)
{
    const double x[] = {10, 20, 10, 5, 20, 20}, expected[] = {2.5, 5, 2.5, 1, 5, 5};
    double ranks[6];
    cr_assert_eq(sow_ranks(ranks, x, 6, NULL), SOW_OK);
    for (int i = 0; i < 6; i++) cr_assert_eq(ranks[i], expected[i]);
    cr_assert_eq(sow_ranks(ranks, x, 0, NULL), SOW_OK);
}

Test(stats, spearman_sees_only_order)
{
    const double x[] = {1, 2, 3, 4, 5}, y[] = {1, 10, 100, 1000, 1e9}, tied[] = {1, 1, 2, 3, 3}, missing[] = {1, NAN, 3, 4, 5};
    double r;
    cr_assert_eq(sow_spearman(&r, x, y, 5, NULL), SOW_OK);
    NEAR(r, 1, 1e-15);
    cr_assert_eq(sow_spearman(&r, x, tied, 5, NULL), SOW_OK);
    NEAR(r, 9 / sqrt(90), 1e-15); /* ranks 1.5 1.5 3 4.5 4.5: sxy 9, sxx 10, syy 9 */
    cr_assert_eq(sow_spearman(&r, x, missing, 5, NULL), SOW_OK);
    cr_assert(isnan(r));
    cr_assert_eq(sow_spearman(&r, x, y, 1, NULL), SOW_OK);
    cr_assert(isnan(r));
}

Test(stats, quantile_interpolates_as_type_7)
{
    const double x[] = {4, 1, 3, 2}, ends[] = {-INFINITY, -INFINITY, 1, INFINITY}, missing[] = {1, NAN};
    double q;
    const double asked[] = {0, 0.25, 0.5, 0.9, 1}, expected[] = {1, 1.75, 2.5, 3.7, 4};
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(sow_quantile(&q, x, 4, asked[i], NULL), SOW_OK);
        NEAR(q, expected[i], 1e-15);
    }
    cr_assert_eq(sow_quantile(&q, ends, 4, 0.1, NULL), SOW_OK);
    cr_assert_eq(q, -INFINITY);
    cr_assert_eq(sow_quantile(&q, missing, 2, 0.5, NULL), SOW_OK);
    cr_assert(isnan(q));
    cr_assert_eq(sow_quantile(&q, x, 0, 0.5, NULL), SOW_OK);
    cr_assert(isnan(q));
    cr_assert_eq(sow_quantile(&q, x, 4, 1.5, NULL), SOW_E_ARG);
    cr_assert_eq(sow_quantile(&q, x, 4, NAN, NULL), SOW_E_ARG);
}

static void order_is(const double *x, const char *const *names, sow_index n, const sow_index *expected)
{
    sow_index order[16];
    cr_assert_eq(sow_order_descending(order, x, names, n, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) cr_assert_eq(order[i], expected[i], "place %d holds %d", (int)i, (int)order[i]);
}

Test(stats, order_breaks_ties_by_name_and_puts_nan_last)
{
    const double x[] = {1, 3, 3 + 4e-7, NAN, 3 - 4e-7, 1 + 2e-6, INFINITY, INFINITY, NAN, -INFINITY};
    const char *const names[] = {"j", "c", "d", "b", "a", "f", "z", "y", "a", "h"};
    order_is(x, names, 10, (sow_index[]){7, 6, 4, 1, 2, 5, 0, 9, 8, 3});
    order_is(x, NULL, 10, (sow_index[]){6, 7, 1, 2, 4, 5, 0, 9, 3, 8});
    order_is(x, names, 0, NULL);
}

/* A readout in small units is still ordered by its values, and a dense pool does not tie from neighbour to neighbour. */
Test(stats, order_of_small_or_dense_values_is_not_the_order_of_names)
{
    const double small[] = {1e-9, 3e-9, 2e-9}, dense[] = {2, 2 + 9e-7, 2 + 18e-7, 1};
    const char *const names[] = {"a", "b", "c", "d"};
    order_is(small, names, 3, (sow_index[]){1, 2, 0});
    order_is(dense, names, 4, (sow_index[]){1, 2, 0, 3});
}

Test(stats, benjamini_hochberg_as_worked_by_hand)
{
    /* m = 5; p m / i = .05 .025(=.01*5/2) .05 .05 .6 -> running minimum from the right */
    const double p[] = {0.6, 0.01, NAN, 0.04, 0.03, 0.01};
    const double expected[] = {0.6, 0.025, NAN, 0.05, 0.05, 0.025};
    double q[6];
    cr_assert_eq(sow_bh(q, p, 6, NULL), SOW_OK);
    for (int i = 0; i < 6; i++) {
        if (isnan(expected[i]))
            cr_assert(isnan(q[i]));
        else
            NEAR(q[i], expected[i], 1e-15);
    }
    const double large[] = {0.9, 0.95};
    cr_assert_eq(sow_bh(q, large, 2, NULL), SOW_OK);
    NEAR(q[0], 0.95, 1e-15);
    NEAR(q[1], 0.95, 1e-15);
    cr_assert_eq(sow_bh(q, large, 0, NULL), SOW_OK);
}

Test(stats, normal_distribution_matches_tables)
{
    NEAR(sow_normal_pdf(0), 0.3989422804014327, 1e-16);
    NEAR(sow_normal_pdf(1), 0.24197072451914337, 1e-16);
    NEAR(sow_normal_cdf(0), 0.5, 0);
    NEAR(sow_normal_cdf(1.959963984540054), 0.975, 1e-15);
    NEAR(sow_normal_cdf(-10) / 7.619853024160527e-24, 1, 1e-13);
}

Test(stats, normal_quantile_matches_as241_and_undoes_the_cdf)
{
    const double p[] = {1e-300, 1e-20, 1e-5, 0.025, 0.3, 0.975, 0.999999};
    const double z[] = {-37.0470962993612,   -9.262340089798405,  -4.2648907939228256, -1.9599639845400538,
                        -0.5244005127080407, 1.9599639845400536, 4.753424308817089};
    for (int i = 0; i < 7; i++) NEAR(sow_normal_quantile(p[i]) / z[i], 1, 2e-15);
    for (double x = -8; x < 5; x += 0.37) NEAR(sow_normal_quantile(sow_normal_cdf(x)), x, 1e-9);
    cr_assert_eq(sow_normal_quantile(0.5), 0);
    cr_assert_eq(sow_normal_quantile(0), -INFINITY);
    cr_assert_eq(sow_normal_quantile(1), INFINITY);
    cr_assert(isnan(sow_normal_quantile(-0.1)));
    cr_assert(isnan(sow_normal_quantile(NAN)));
}

/* Forty-digit values by bisection of the regularised incomplete beta function (mpmath 1.3). */
Test(stats, student_quantile_matches_forty_digits)
{
    static const struct {
        double p, df, t;
    } known[] = {{0.975, 1, 12.7062047361747046},     {0.975, 2, 4.30265272974946385},      {0.975, 3, 3.18244630528370959},
                 {0.975, 4.5, 2.65891234720440377},   {0.95, 10, 1.81246112281167641},      {0.995, 19, 2.86093460646497919},
                 {0.975, 100, 1.98397151852355229},   {0.6, 7, 0.263166861352022812},       {0.999999, 5, 24.7710297205159442},
                 {1e-12, 30, -11.3972175233114112},   {0.975, 1000, 1.96233908082640848},   {0.975, 250.5, 1.96947927205167635},
                 {0.55, 0.3, 0.225710058207604788},   {0.5000001, 12, 2.55933625822590379e-7}, {0.9, 0.1, 1604425.70566655265},
                 {0.975, 100000, 1.95998770753460964}, {0.9999, 2000000, 3.71902338009767605}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double t = sow_student_quantile(known[i].p, known[i].df);
        NEAR(t, known[i].t, 1e-10 * fmax(1, fabs(known[i].t)));
    }
}

Test(stats, student_quantile_is_odd_and_knows_its_limits)
{
    for (double p = 0.01; p < 0.5; p += 0.07) NEAR(sow_student_quantile(p, 7), -sow_student_quantile(1 - p, 7), 1e-12);
    for (double p = 0.03; p < 1; p += 0.06) { /* closed forms */
        NEAR(sow_student_quantile(p, 1), tan(3.14159265358979323846 * (p - 0.5)), 1e-11);
        NEAR(sow_student_quantile(p, 2), (2 * p - 1) * sqrt(2 / (4 * p * (1 - p))), 1e-11);
    }
    NEAR(sow_student_quantile(0.975, 1e300), sow_normal_quantile(0.975), 1e-15);
    cr_assert_eq(sow_student_quantile(0.5, 3), 0);
    cr_assert_eq(sow_student_quantile(0, 3), -INFINITY);
    cr_assert_eq(sow_student_quantile(1, 3), INFINITY);
    cr_assert(isnan(sow_student_quantile(0.9, 0)));
    cr_assert(isnan(sow_student_quantile(1.1, 3)));
}

Test(stats, bootstrap_repeats_itself_and_covers_the_mean)
{
    double x[200];
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < 200; i++) x[i] = sow_rng_normal(&rng);
    sow_interval a, b, other;
    sow_rng first = sow_rng_make(2, SOW_RNG_BOOTSTRAP, 0, 0), again = first, third = sow_rng_make(3, SOW_RNG_BOOTSTRAP, 0, 0);
    cr_assert_eq(sow_bootstrap_mean(&a, x, 200, 0.95, 2000, &first, NULL), SOW_OK);
    cr_assert_eq(sow_bootstrap_mean(&b, x, 200, 0.95, 2000, &again, NULL), SOW_OK);
    cr_assert_eq(sow_bootstrap_mean(&other, x, 200, 0.95, 2000, &third, NULL), SOW_OK);
    cr_assert(a.low == b.low && a.high == b.high && a.value == b.value);
    cr_assert(a.low != other.low);
    NEAR(a.value, sow_mean(x, 200), 1e-15);
    double se = sqrt(sow_variance(x, 200) / 200); /* the percentile interval of a mean is close to the normal one */
    NEAR(a.low, a.value - 1.96 * se, 0.25 * se);
    NEAR(a.high, a.value + 1.96 * se, 0.25 * se);
}

Test(stats, bootstrap_of_too_little_or_with_wrong_settings)
{
    const double x[] = {3};
    sow_interval i;
    sow_error err = {0};
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    cr_assert_eq(sow_bootstrap_mean(&i, x, 1, 0.9, 10, &rng, NULL), SOW_OK);
    cr_assert(i.value == 3 && i.low == 3 && i.high == 3);
    cr_assert_eq(sow_bootstrap_mean(&i, x, 0, 0.9, 10, &rng, NULL), SOW_OK);
    cr_assert(isnan(i.value) && isnan(i.low) && isnan(i.high));
    cr_assert_eq(sow_bootstrap_mean(&i, x, 1, 1, 10, &rng, &err), SOW_E_ARG);
    cr_assert_not_null(strstr(err.message, "between 0 and 1"));
    cr_assert_eq(sow_bootstrap_mean(&i, x, 1, 0.9, 0, &rng, NULL), SOW_E_ARG);
}

static double nan_when_constant(void *user, const sow_index *idx, sow_index n)
{
    (void)user;
    for (sow_index i = 1; i < n; i++)
        if (idx[i] != idx[0]) return 1;
    return NAN;
}

Test(stats, bootstrap_leaves_undefined_resamples_out)
{
    sow_interval i;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    cr_assert_eq(sow_bootstrap(&i, 2, nan_when_constant, NULL, 0.9, 100, &rng, NULL), SOW_OK);
    cr_assert(i.value == 1 && i.low == 1 && i.high == 1);
}

Test(stats, paired_interval_of_a_worked_example)
{
    const double a[] = {5, 7, 9, 6}, b[] = {4, 5, 6, 6}; /* differences 1 2 3 0: mean 1.5, variance 5/3 */
    sow_interval i;
    cr_assert_eq(sow_paired_interval(&i, a, b, 4, 0.95, NULL), SOW_OK);
    double half = 3.18244630528370959 * sqrt(5.0 / 12);
    NEAR(i.value, 1.5, 1e-15);
    NEAR(i.low, 1.5 - half, 1e-12);
    NEAR(i.high, 1.5 + half, 1e-12);
    cr_assert_eq(sow_paired_interval(&i, a, b, 1, 0.95, NULL), SOW_OK);
    cr_assert(i.value == 1 && isnan(i.low) && isnan(i.high));
    cr_assert_eq(sow_paired_interval(&i, a, b, 4, 0, NULL), SOW_E_ARG);
}

Test(stats, least_squares_finds_the_plane)
{
    double x[20 * 2], y[20], beta[3];
    sow_rng rng = sow_rng_make(4, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < 20; i++) {
        x[2 * i] = sow_rng_normal(&rng);
        x[2 * i + 1] = 1e6 * sow_rng_normal(&rng) + 1e7;
        y[i] = 3 - 2 * x[2 * i] + 0.5e-6 * x[2 * i + 1];
    }
    cr_assert_eq(sow_least_squares(beta, x, y, NULL, 20, 2, NULL), SOW_OK);
    NEAR(beta[0], 3, 1e-10);
    NEAR(beta[1], -2, 1e-12);
    NEAR(beta[2], 0.5e-6, 1e-17);
}

Test(stats, least_squares_weighs_rows_and_skips_the_unusable)
{
    /* weighted: slope and intercept of (0,0) w 1, (1,1) w 2, (2,4) w 1 by hand: means 1 and 1.5, sxy 4, sxx 2 */
    const double x[] = {0, 1, 2, 7, NAN, 3}, y[] = {0, 1, 4, NAN, 5, 99}, w[] = {1, 2, 1, 1, 1, 0};
    double beta[2];
    cr_assert_eq(sow_least_squares(beta, x, y, w, 6, 1, NULL), SOW_OK);
    NEAR(beta[1], 2, 1e-14);
    NEAR(beta[0], -0.5, 1e-14);
}

Test(stats, least_squares_of_constant_and_collinear_columns)
{
    const double x[] = {1, 5, 2, 2, 5, 4, 3, 5, 6, 4, 5, 8}, y[] = {5, 10, 15, 20}; /* columns t, 5, 2t; y = 5t */
    double beta[4], sum;
    cr_assert_eq(sow_least_squares(beta, x, y, NULL, 4, 3, NULL), SOW_OK);
    cr_assert_eq(beta[2], 0);
    for (int i = 0; i < 4; i++) {
        sum = beta[0] + beta[1] * x[3 * i] + beta[3] * x[3 * i + 2];
        NEAR(sum, y[i], 1e-12);
    }
    NEAR(beta[1], 2.5, 1e-12); /* minimum norm in columns of equal length: both carry the same share */
    NEAR(beta[3], 1.25, 1e-12);
}

Test(stats, least_squares_of_one_row_none_and_no_column)
{
    const double x[] = {2, 3}, y[] = {7, NAN}, zero[] = {0, 0};
    double beta[2];
    sow_error err = {0};
    cr_assert_eq(sow_least_squares(beta, x, y, NULL, 2, 1, NULL), SOW_OK);
    cr_assert(beta[0] == 7 && beta[1] == 0);
    cr_assert_eq(sow_least_squares(beta, NULL, y, NULL, 1, 0, NULL), SOW_OK);
    cr_assert_eq(beta[0], 7);
    cr_assert_eq(sow_least_squares(beta, x, y, zero, 2, 1, &err), SOW_E_DATA);
    cr_assert_not_null(strstr(err.message, "none of 2 rows"));
    cr_assert_eq(sow_least_squares(beta, x, y, NULL, 0, 1, NULL), SOW_E_DATA);
}

static sow_status everything(sow_error *err)
{
    const double x[] = {3, 1, 2, 5}, y[] = {1, 2, 2, 4};
    double out[8];
    sow_index order[4];
    sow_interval interval;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    sow_status st = SOW_OK;
    SOW_TRY(sow_spearman(out, x, y, 4, err));
    SOW_TRY(sow_quantile(out, x, 4, 0.5, err));
    SOW_TRY(sow_order_descending(order, x, NULL, 4, err));
    SOW_TRY(sow_bh(out, x, 4, err));
    SOW_TRY(sow_bootstrap_mean(&interval, x, 4, 0.9, 5, &rng, err));
    SOW_TRY(sow_paired_interval(&interval, x, y, 4, 0.9, err));
    SOW_TRY(sow_least_squares(out, x, y, NULL, 4, 1, err));
done:
    return st;
}

Test(stats, any_failing_allocation_travels_up)
{
    sow_status st = SOW_E_NOMEM;
    sow_index n = 0;
    for (; st != SOW_OK; n++) {
        sow_memory_fail_after(n);
        st = everything(NULL);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM);
    }
    cr_assert_gt(n, 15);
}

/* Against the sum of the terms of the law, and with the two tails that do not lose what is small. */
Test(stats, the_negative_binomial_distribution_is_the_sum_of_its_terms)
{
    const double mean[] = {0.02, 1, 7, 300}, size[] = {0.05, 1, 30, 2000};
    for (int m = 0; m < 4; m++)
        for (int s = 0; s < 4; s++) {
            double term = exp(-size[s] * log1p(mean[m] / size[s])), sum = 0, below, above;
            for (double k = 0; k < 900; k++) {
                sum += term;
                if ((int)k % 37 == 0) {
                    sow_nb_cdf(&below, &above, k, mean[m], size[s]);
                    cr_expect(fabs(below - sum) <= 1e-9 && fabs(below + above - 1) <= 1e-12, "mean %g, size %g, k %g: %.12g, not %.12g", mean[m], size[s], k, below, sum);
                }
                term *= (size[s] + k) / (k + 1) * mean[m] / (size[s] + mean[m]);
            }
        }
    double below, above;
    sow_nb_cdf(&below, &above, 60, 1, 1); /* geometric: P(X > k) = 2^-(k + 1) */
    cr_expect(fabs(above / ldexp(1, -61) - 1) < 1e-9, "%g", above);
    sow_nb_cdf(&below, &above, 0, 3, 1e8); /* Poisson, nearly */
    cr_expect(fabs(below / exp(-3) - 1) < 1e-6, "%g", below);
    sow_nb_cdf(&below, &above, -1, 3, 1);
    cr_expect(below == 0 && above == 1);
    sow_nb_cdf(&below, &above, 1, 0, 1);
    cr_expect(isnan(below) && isnan(above));
}
