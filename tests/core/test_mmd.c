#include "core/mmd.h"
#include "core/mmd_internal.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "tests/core/golden.h"
#include "tests/io/faults.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/mmd.h5"
#define EVALUATE SOWER_SHARED_DIR "/parity/evaluate.h5"

/* ---- golden numbers ---- */

/* Every sigma (0 = from the data) and number of kernels; a NaN of the reference is our 0. */
static void check_options(const double *x, sow_index n, const double *y, sow_index m, sow_index d, const double *expected, const char *what)
{
    double *sigma = golden_doubles(GOLDEN, "sigmas", NULL);
    int *kernels = golden_ints(GOLDEN, "kernel_nums", NULL);
    for (int i = 0; i < 6; i++) {
        const sow_mmd_options o = {sigma[i / 2], kernels[i % 2], 0};
        const double theirs = isnan(expected[i]) ? 0 : expected[i];
        double ours = NAN;
        cr_assert_eq(sow_mmd(&ours, x, n, y, m, d, &o, NULL, NULL), SOW_OK);
        cr_assert(fabs(ours - theirs) <= 1e-12, "%s sigma %g, %d kernels: %.17g, expected %.17g", what, o.sigma, o.kernels, ours, theirs);
        if (theirs == 0) cr_assert_eq(ours, 0);
    }
    free(sigma);
    free(kernels);
}

static void check_set(sow_index n, sow_index d)
{
    char name[3][64];
    snprintf(name[0], sizeof name[0], "n%lld_d%lld/x", (long long)n, (long long)d);
    snprintf(name[1], sizeof name[1], "n%lld_d%lld/y", (long long)n, (long long)d);
    snprintf(name[2], sizeof name[2], "n%lld_d%lld/mmd", (long long)n, (long long)d);
    double *x = golden_doubles(GOLDEN, name[0], NULL), *y = golden_doubles(GOLDEN, name[1], NULL), *mmd = golden_doubles(GOLDEN, name[2], NULL);
    check_options(x, n, y, n, d, mmd, name[2]);
    free(x);
    free(y);
    free(mmd);
}

Test(mmd, matches_the_golden_values_for_every_size_sigma_and_number_of_kernels)
{
    GOLDEN_OR_SKIP(GOLDEN);
    const sow_index sizes[] = {16, 32, 64}, dimensions[] = {5, 50, 500};
    for (int i = 0; i < 9; i++) check_set(sizes[i / 3], dimensions[i % 3]);
}

Test(mmd, of_identical_samples_is_exactly_0)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *x = golden_doubles(GOLDEN, "n32_d50/x", NULL), *expected = golden_doubles(GOLDEN, "identical/mmd", NULL);
    check_options(x, 32, x, 32, 50, expected, "identical");
    free(x);
    free(expected);
}

Test(mmd, of_single_cells_matches_the_golden_values_and_is_0_where_the_reference_divides_by_0)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *x = golden_doubles(GOLDEN, "n1/x", NULL), *y = golden_doubles(GOLDEN, "n1/y", NULL);
    double *mmd = golden_doubles(GOLDEN, "n1/mmd", NULL), *identical = golden_doubles(GOLDEN, "n1/mmd_identical", NULL);
    cr_assert(isnan(identical[4]) && isnan(identical[5]));
    check_options(x, 1, y, 1, 5, mmd, "n1");
    check_options(x, 1, x, 1, 5, identical, "n1 identical");
    free(x);
    free(y);
    free(mmd);
    free(identical);
}

/* ---- the batches of the golden evaluation ---- */

enum { GENES = 80, GROUPS = 12, DRAWN = 90, BATCH = 32 };

/* Rows of one group in file order; returns how many. */
static int rows_of(int *rows, const int *group, int n, int wanted)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        if (group[i] == wanted) rows[count++] = i;
    return count;
}

/* Cells `drawn` (indices into `rows`) of x on `genes` (NULL = all). */
static void gather(double *out, const double *x, const int *rows, const int *drawn, const int *genes, int n_genes)
{
    for (int i = 0; i < BATCH; i++)
        for (int j = 0; j < n_genes; j++) out[i * n_genes + j] = x[rows[drawn[i]] * GENES + (genes ? genes[j] : j)];
}

typedef struct {
    double *truth, *predicted;
    int *truth_group, *predicted_group, *top, *batches;
} evaluation;

static int check_batches(const evaluation *e, const char *kind, double sigma, int n_genes)
{
    char name[3][64];
    snprintf(name[0], sizeof name[0], "perm/pred_%s", kind);
    snprintf(name[1], sizeof name[1], "perm/true_%s", kind);
    snprintf(name[2], sizeof name[2], "mmd_batches/%s", kind);
    int *predicted = golden_ints(EVALUATE, name[0], NULL), *truth = golden_ints(EVALUATE, name[1], NULL), rows[2][DRAWN + 1], checked = 0;
    double *expected = golden_doubles(EVALUATE, name[2], NULL), *x = calloc(BATCH * GENES, sizeof *x), *y = calloc(BATCH * GENES, sizeof *y), mmd;
    const sow_mmd_options o = {sigma, 10, 0};
    for (int p = 0; p < GROUPS; p++)
        for (int b = 0; b < e->batches[p]; b++, checked++) {
            const int *genes = n_genes < GENES ? e->top + p * 50 : NULL;
            cr_assert_leq(rows_of(rows[0], e->predicted_group, 459, p + 1), DRAWN);
            cr_assert_leq(rows_of(rows[1], e->truth_group, 872, p + 1), DRAWN);
            gather(x, e->predicted, rows[0], predicted + p * DRAWN + b * BATCH, genes, n_genes);
            gather(y, e->truth, rows[1], truth + p * DRAWN + b * BATCH, genes, n_genes);
            cr_assert_eq(sow_mmd(&mmd, x, BATCH, y, BATCH, n_genes, &o, NULL, NULL), SOW_OK);
            cr_assert(fabs(mmd - expected[2 * p + b]) <= 1e-11, "%s of %d, batch %d: %.17g, expected %.17g", kind, p, b, mmd, expected[2 * p + b]);
        }
    free(predicted);
    free(truth);
    free(expected);
    free(x);
    free(y);
    return checked;
}

Test(mmd, matches_the_golden_batches_of_the_evaluation)
{
    GOLDEN_OR_SKIP(EVALUATE);
    evaluation e = {golden_doubles(EVALUATE, "input/x", NULL),  golden_doubles(EVALUATE, "pred/x", NULL),    golden_ints(EVALUATE, "input/group", NULL),
                    golden_ints(EVALUATE, "pred/group", NULL), golden_ints(EVALUATE, "welch/top50", NULL), golden_ints(EVALUATE, "mmd_batches/n_batches", NULL)};
    cr_assert_geq(check_batches(&e, "de", 200, 50), 9);
    cr_assert_geq(check_batches(&e, "whole", 1500, GENES), 9);
    free(e.truth);
    free(e.predicted);
    free(e.truth_group);
    free(e.predicted_group);
    free(e.top);
    free(e.batches);
}

/* ---- naive twins ---- */

static void fill(float *x, sow_index n, double offset, uint32_t item)
{
    sow_rng rng = sow_rng_make(6, SOW_RNG_TEST, 0, item);
    for (sow_index i = 0; i < n; i++) x[i] = (float)(offset + sow_rng_normal(&rng));
}

static double squared(const float *a, const float *b, sow_index d)
{
    double sum = 0;
    for (sow_index j = 0; j < d; j++) sum += pow((double)a[j] - (double)b[j], 2);
    return sum;
}

static double kernel(double d2, double sigma, int kernels)
{
    double sum = 0;
    for (int i = 0; i < kernels; i++) sum += exp(-d2 / (sigma * pow(2, i - kernels / 2)));
    return sum;
}

/* Mean of f over pairs of rows; pairs of a row with itself left out when `apart`. f: -1 = squared distance, 0 = distance, else that many kernels. */
static double mean_over(const float *x, sow_index n, const float *y, sow_index m, sow_index d, int apart, double sigma, int f)
{
    double sum = 0;
    sow_index count = 0;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < m; j++) {
            if (apart && i == j) continue;
            const double d2 = squared(x + i * d, y + j * d, d);
            sum += f < 0 ? d2 : f == 0 ? sqrt(d2) : kernel(d2, sigma, f);
            count++;
        }
    return sum / (double)count;
}

static double naive_mmd(const float *x, sow_index n, const float *y, sow_index m, sow_index d, const sow_mmd_options *o)
{
    const int u = o->unbiased, k = o->kernels;
    return mean_over(x, n, x, n, d, u, o->sigma, k) + mean_over(y, m, y, m, d, u, o->sigma, k) - 2 * mean_over(x, n, y, m, d, 0, o->sigma, k);
}

static double *doubles_of(const float *x, sow_index n)
{
    double *out = calloc((size_t)n, sizeof *out);
    for (sow_index i = 0; i < n; i++) out[i] = (double)x[i];
    return out;
}

/* In double, and by the batch of one. */
static void both_ways(double out[2], const float *x, sow_index n, const float *y, sow_index m, sow_index d, const sow_mmd_options *o)
{
    double *a = doubles_of(x, n * d), *b = doubles_of(y, m * d);
    const sow_mmd_pair pair = {x, y, n, m};
    cr_assert_eq(sow_mmd(&out[0], a, n, b, m, d, o, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_mmd_many(&out[1], &pair, 1, d, o, NULL, NULL), SOW_OK);
    free(a);
    free(b);
}

Test(mmd, agrees_with_a_naive_twin_biased_and_unbiased_with_any_number_of_kernels)
{
    enum { N = 19, OTHER = 33, D = 24 };
    float x[N * D], y[OTHER * D];
    const int kernels[] = {1, 2, 5, 10, 11, 23, 30};
    fill(x, N * D, 0, 1);
    fill(y, OTHER * D, 0.3, 2);
    for (int unbiased = 0; unbiased < 2; unbiased++)
        for (int i = 0; i < 7; i++) {
            const sow_mmd_options o = {40, kernels[i], unbiased};
            const double expected = naive_mmd(x, N, y, OTHER, D, &o);
            double ours[2];
            both_ways(ours, x, N, y, OTHER, D, &o);
            cr_assert(fabs(ours[0] - expected) <= 1e-12, "%d kernels: %.17g, plainly %.17g", o.kernels, ours[0], expected);
            cr_assert(fabs(ours[1] - expected) <= 1e-7, "%d kernels: %.17g, plainly %.17g", o.kernels, ours[1], expected);
        }
}

Test(mmd, takes_the_bandwidth_from_the_data_when_sigma_is_nan_or_0)
{
    enum { N = 12, OTHER = 20, D = 40, ALL = N + OTHER };
    float z[ALL * D];
    double ours[2];
    fill(z, ALL * D, 0, 3);
    const sow_mmd_options fixed = {mean_over(z, ALL, z, ALL, D, 1, 0, -1), 10, 0};
    const double expected = naive_mmd(z, N, z + N * D, OTHER, D, &fixed), sigmas[] = {0, NAN};
    for (int i = 0; i < 2; i++) {
        const sow_mmd_options o = {sigmas[i], 10, 0};
        both_ways(ours, z, N, z + N * D, OTHER, D, &o);
        cr_assert(fabs(ours[0] - expected) <= 1e-12 && fabs(ours[1] - expected) <= 1e-7);
    }
}

Test(mmd, of_cells_that_are_all_the_same_is_0)
{
    float x[6 * 3];
    double ours[2];
    for (int i = 0; i < 18; i++) x[i] = 0.1F;
    for (int unbiased = 0; unbiased < 2; unbiased++) {
        const sow_mmd_options o = {0, 10, unbiased};
        both_ways(ours, x, 2, x + 6, 4, 3, &o);
        cr_assert(ours[0] == 0 && ours[1] == 0, "%g %g", ours[0], ours[1]);
    }
}

Test(mmd, without_a_difference_is_0_on_average_only_when_unbiased)
{
    enum { N = 16, D = 30, TRIES = 400 };
    float z[2 * N * D];
    double sum[2] = {0}, squares = 0, ours[2];
    for (uint32_t t = 0; t < TRIES; t++) {
        fill(z, 2 * N * D, 0, 100 + t);
        for (int unbiased = 0; unbiased < 2; unbiased++) {
            const sow_mmd_options o = {60, 10, unbiased};
            both_ways(ours, z, N, z + N * D, N, D, &o);
            sum[unbiased] += ours[1] / TRIES;
            if (unbiased) squares += ours[1] * ours[1] / TRIES;
        }
    }
    cr_assert(fabs(sum[1]) <= 4 * sqrt(squares / TRIES), "mean %g, standard error %g", sum[1], sqrt(squares / TRIES));
    cr_assert(sum[0] > 0.1, "%g", sum[0]);
}

/* What core/mmd.h promises of single precision, with an expression level far above the spread, where products of uncentred cells would be of no use. */
Test(mmd_many, agrees_with_double_precision_far_from_the_origin)
{
    enum { PAIRS = 5, D = 1300 };
    const double offset[PAIRS] = {0, 3, 10, 30, 100};
    const sow_index n[PAIRS] = {64, 64, 200, 1, 33}, m[PAIRS] = {64, 32, 130, 70, 64};
    sow_mmd_pair pair[PAIRS];
    double many[PAIRS], one;
    for (int i = 0; i < PAIRS; i++) {
        float *x = calloc((size_t)(n[i] * D), sizeof *x), *y = calloc((size_t)(m[i] * D), sizeof *y);
        fill(x, n[i] * D, offset[i], 10 + (uint32_t)i);
        fill(y, m[i] * D, offset[i] + 0.05, 20 + (uint32_t)i);
        pair[i] = (sow_mmd_pair){x, y, n[i], m[i]};
    }
    const double sigmas[] = {200, 1500, 0};
    for (int s = 0; s < 3; s++) {
        const sow_mmd_options o = {sigmas[s], 10, 0};
        cr_assert_eq(sow_mmd_many(many, pair, PAIRS, D, &o, NULL, NULL), SOW_OK);
        for (int i = 0; i < PAIRS; i++) {
            double *x = doubles_of(pair[i].x, n[i] * D), *y = doubles_of(pair[i].y, m[i] * D);
            cr_assert_eq(sow_mmd(&one, x, n[i], y, m[i], D, &o, NULL, NULL), SOW_OK);
            cr_assert(fabs(many[i] - one) <= 1e-7, "sigma %g offset %g: %.9g, in double %.9g", o.sigma, offset[i], many[i], one);
            free(x);
            free(y);
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        free((void *)(uintptr_t)pair[i].x);
        free((void *)(uintptr_t)pair[i].y);
    }
}

Test(mmd_many, gives_the_same_bits_for_any_number_of_threads)
{
    enum { N = 150, D = 700, PAIRS = 3 };
    float *z = calloc(2 * N * D, sizeof *z);
    double one[PAIRS], two[PAIRS], single[2], energy[2];
    sow_threads *threads = NULL;
    cr_assert_eq(sow_threads_create(&threads, 2, NULL), SOW_OK);
    const sow_env env = {.threads = threads};
    fill(z, 2 * N * D, 2, 30);
    const sow_mmd_pair pair[PAIRS] = {{z, z + N * D, N, N}, {z, z + N * D, 40, 90}, {z, z + 20 * D, 20, 60}};
    for (sow_index n = 1; n <= PAIRS; n += 2) { /* one pair shares its matrix product among the threads, several are shared whole */
        cr_assert_eq(sow_mmd_many(one, pair, n, D, NULL, NULL, NULL), SOW_OK);
        cr_assert_eq(sow_mmd_many(two, pair, n, D, NULL, &env, NULL), SOW_OK);
        cr_assert_eq(memcmp(one, two, sizeof *one * (size_t)n), 0);
    }
    double *x = doubles_of(z, 2 * N * D);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sow_mmd(&single[i], x, N, x + N * D, N, D, NULL, i ? &env : NULL, NULL), SOW_OK);
        cr_assert_eq(sow_energy_distance(&energy[i], z, N, z + N * D, N, D, 0, i ? &env : NULL, NULL), SOW_OK);
    }
    cr_assert(memcmp(&single[0], &single[1], sizeof single[0]) == 0 && memcmp(&energy[0], &energy[1], sizeof energy[0]) == 0);
    free(x);
    free(z);
    sow_threads_destroy(threads);
}

Test(energy, agrees_with_a_naive_twin_biased_and_unbiased)
{
    enum { N = 23, OTHER = 31, D = 29 };
    float x[N * D], y[OTHER * D];
    double ours;
    fill(x, N * D, 5, 40);
    fill(y, OTHER * D, 5.2, 41);
    for (int unbiased = 0; unbiased < 2; unbiased++) {
        const double expected = 2 * mean_over(x, N, y, OTHER, D, 0, 0, 0) - mean_over(x, N, x, N, D, unbiased, 0, 0) - mean_over(y, OTHER, y, OTHER, D, unbiased, 0, 0);
        cr_assert_eq(sow_energy_distance(&ours, x, N, y, OTHER, D, unbiased, NULL, NULL), SOW_OK);
        cr_assert(fabs(ours - expected) <= 1e-12 * 10, "%.17g, plainly %.17g", ours, expected);
    }
    cr_assert_eq(sow_energy_distance(&ours, x, N, x, N, D, 0, NULL, NULL), SOW_OK);
    cr_assert_eq(ours, 0);
}

Test(mean_squared_distance, agrees_with_all_pairs_and_is_undefined_for_one_row)
{
    enum { N = 37, D = 71 };
    float x[N * D];
    fill(x, N * D, 100, 50);
    const double expected = mean_over(x, N, x, N, D, 1, 0, -1), ours = sow_mean_squared_distance(x, N, D);
    cr_assert(fabs(ours - expected) <= 1e-12 * expected, "%.17g, plainly %.17g", ours, expected);
    cr_assert(isnan(sow_mean_squared_distance(x, 1, D)) && isnan(sow_mean_squared_distance(x, 0, D)));
    for (int i = 0; i < N * D; i++) x[i] = 0.1F;
    cr_assert_eq(sow_mean_squared_distance(x, N, D), 0);
}

/* ---- errors ---- */

Test(mmd, refuses_too_few_cells_and_options_without_meaning)
{
    const float f[] = {1, 2, 3, 4};
    const double x[] = {1, 2, 3, 4};
    const sow_mmd_options bad[] = {{-1, 10, 0}, {INFINITY, 10, 0}, {1500, 0, 0}, {1500, 31, 0}}, unbiased = {1500, 10, 1};
    const sow_mmd_pair pair = {f, f + 2, 2, 2}, few = {f, f + 1, 1, 2}, none = {f, f, 0, 2};
    double out;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(sow_mmd(&out, x, 2, x + 2, 2, 1, &bad[i], NULL, NULL), SOW_E_ARG);
        cr_assert(isnan(out));
        cr_assert_eq(sow_mmd_many(&out, &pair, 1, 1, &bad[i], NULL, NULL), SOW_E_ARG);
    }
    cr_assert_eq(sow_mmd(&out, x, 1, x + 2, 2, 1, &unbiased, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_mmd(&out, x, 2, x + 2, 0, 1, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_mmd_many(&out, &few, 1, 1, &unbiased, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_mmd_many(&out, &none, 1, 1, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_mmd_many(&out, &pair, -1, 1, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_mmd_many(&out, &pair, 0, 1, NULL, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_energy_distance(&out, f, 1, f, 2, 1, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_energy_distance(&out, f, 0, f, 2, 1, 0, NULL, NULL), SOW_E_ARG);
}

Test(mmd, refuses_values_that_are_not_finite)
{
    float f[] = {1, 2, NAN, 4, 1, 3, 2, 2};
    double x[] = {1, 2, NAN, 4, 1, 3, 2, 2}, out;
    const sow_mmd_pair pair = {f, f + 4, 2, 2};
    const double sigma[] = {0, 1500};
    for (int i = 0; i < 4; i++) {
        const sow_mmd_options o = {sigma[i % 2], 10, 0};
        f[2] = i < 2 ? NAN : INFINITY;
        x[2] = (double)f[2];
        cr_assert_eq(sow_mmd(&out, x, 2, x + 4, 2, 2, &o, NULL, NULL), SOW_E_NONFINITE);
        cr_assert_eq(sow_mmd_many(&out, &pair, 1, 2, &o, NULL, NULL), SOW_E_NONFINITE);
        cr_assert_eq(sow_energy_distance(&out, f, 2, f + 4, 2, 2, 0, NULL, NULL), SOW_E_NONFINITE);
    }
    f[2] = 1e30F; /* finite, and its square is not in single precision */
    cr_assert_eq(sow_mmd_many(&out, &pair, 1, 2, NULL, NULL, NULL), SOW_E_NONFINITE);
}

static sow_status every_distance(sow_error *err)
{
    const float f[] = {1, 2, 3, 4, 1, 3, 2, 2};
    const double x[] = {1, 2, 3, 4, 1, 3, 2, 2};
    const sow_mmd_pair pair = {f, f + 4, 2, 2};
    double out;
    sow_status st = SOW_OK;
    SOW_TRY(sow_mmd(&out, x, 2, x + 4, 2, 2, NULL, NULL, err));
    SOW_TRY(sow_mmd_many(&out, &pair, 1, 2, NULL, NULL, err));
    SOW_TRY(sow_energy_distance(&out, f, 2, f + 4, 2, 2, 0, NULL, err));
done:
    return st;
}

Test(mmd, survives_every_failed_allocation)
{
    every_allocation_may_fail(every_distance, 1);
}

Test(mmd, sums_kernels_of_many_distances_as_one_by_one)
{
    enum { N = 203 };
    double squared[N], wanted = 0;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 7);
    for (int kernels = 1; kernels <= 30; kernels += 29) {
        wanted = 0;
        for (int i = 0; i < N; i++) {
            squared[i] = i == 5 ? 0 : exp(8 * sow_rng_normal(&rng)); /* from 1e-8 to far beyond where a kernel is 0 */
            wanted += sow_i_mmd_kernels(squared[i], 3.0, kernels);
        }
        const double sum = sow_i_mmd_kernel_sum(squared, N, 3.0, kernels);
        cr_expect(!(fabs(sum - wanted) > 1e-13 * wanted), "%d kernels: %.17g, not %.17g", kernels, sum, wanted);
    }
    cr_expect_eq(sow_i_mmd_kernel_sum(squared, 0, 3.0, 10), 0);
    squared[3] = NAN;
    cr_expect(isnan(sow_i_mmd_kernel_sum(squared, N, 3.0, 10)));
}
