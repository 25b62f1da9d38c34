#include "core/kmeans.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "tests/core/golden.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/kmeans.h5"

static const sow_kmeans_options defaults = SOW_KMEANS_OPTIONS_INIT;

static void fill_normal(double *x, sow_index n, uint32_t item)
{
    sow_rng rng = sow_rng_make(7, SOW_RNG_TEST, 0, item);
    for (sow_index i = 0; i < n; i++)
        x[i] = sow_rng_normal(&rng);
}

/* ---- golden numbers ---- */

static void check_golden(const char *variant)
{
    char name[96];
    size_t n = 0;
    double *x = golden_doubles(GOLDEN, "input/x", NULL), *init = golden_doubles(GOLDEN, "input/init", NULL), *weight = NULL;
    if (strcmp(variant, "unweighted") != 0) {
        snprintf(name, sizeof name, "%s/weight", variant);
        weight = golden_doubles(GOLDEN, name, NULL);
    }
    sow_kmeans_result r;
    sow_error err = {0};
    cr_assert_eq(sow_kmeans(&r, x, 500, 16, 20, weight, init, &defaults, NULL, NULL, &err), SOW_OK, "%s", err.message);

    snprintf(name, sizeof name, "%s/labels", variant);
    int *labels = golden_ints(GOLDEN, name, &n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(r.labels[i], labels[i], "%s label %zu", variant, i);
    snprintf(name, sizeof name, "%s/centers", variant);
    double *centres = golden_doubles(GOLDEN, name, &n);
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(r.centres[i] - centres[i]) <= 1e-10, "%s centre entry %zu", variant, i);
    snprintf(name, sizeof name, "%s/inertia", variant);
    double *inertia = golden_doubles(GOLDEN, name, NULL);
    cr_assert(fabs(r.inertia - inertia[0]) <= 1e-11 * inertia[0], "%s inertia %.17g, expected %.17g", variant, r.inertia,
              inertia[0]);
    snprintf(name, sizeof name, "%s/n_iter", variant);
    int *iterations = golden_ints(GOLDEN, name, NULL);
    cr_assert_eq(r.iterations, iterations[0]);
    snprintf(name, sizeof name, "%s/pick", variant);
    int *pick = golden_ints(GOLDEN, name, NULL);
    sow_index picks[20];
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 500, 16, r.centres, 20, NULL, &err), SOW_OK);
    for (int c = 0; c < 20; c++)
        cr_assert_eq(picks[c], pick[c], "%s pick %d", variant, c);

    sow_kmeans_clear(&r);
    free(x);
    free(init);
    free(weight);
    free(labels);
    free(centres);
    free(inertia);
    free(iterations);
    free(pick);
}

Test(kmeans, matches_the_golden_lloyd_without_weights)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_golden("unweighted");
}

Test(kmeans, matches_the_golden_lloyd_with_weights)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_golden("weighted_raw");
    check_golden("weighted_minmax");
    check_golden("weighted_softmax5");
}

Test(kmeans, gives_each_centre_its_own_candidate)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *x = golden_doubles(GOLDEN, "input/x", NULL), *centres = golden_doubles(GOLDEN, "forced_duplicates/centers", NULL);
    int *pick = golden_ints(GOLDEN, "forced_duplicates/pick", NULL),
        *nearest = golden_ints(GOLDEN, "forced_duplicates/nearest", NULL);
    sow_index picks[20];
    int moved = 0;
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 500, 16, centres, 20, NULL, NULL), SOW_OK);
    for (int c = 0; c < 20; c++) {
        cr_assert_eq(picks[c], pick[c]);
        moved += picks[c] != nearest[c];
    }
    cr_assert_gt(moved, 5);
    free(x);
    free(centres);
    free(pick);
    free(nearest);
}

/* ---- known answers ---- */

Test(kmeans, finds_separated_clusters_from_its_own_starts)
{
    enum { PER = 30, K = 6, D = 3 };
    double x[PER * K * D];
    fill_normal(x, PER * K * D, 1);
    for (int i = 0; i < PER * K; i++)
        x[i * D + i % K % D] += (i % K < D ? 40.0 : -40.0);
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 2);
    cr_assert_eq(sow_kmeans(&r, x, PER * K, D, K, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    for (int i = 0; i < PER * K; i++)
        for (int j = 0; j < i; j++)
            cr_assert_eq(r.labels[i] == r.labels[j], i % K == j % K, "rows %d and %d", i, j);
    sow_kmeans_clear(&r);
}

/* Every label is a nearest centre by the plain sum, and the inertia is theirs. */
static void check_direct(const sow_kmeans_result *r, const double *x, const double *weight)
{
    double total = 0;
    for (sow_index i = 0; i < r->n; i++) {
        double least = INFINITY, own = 0;
        for (sow_index c = 0; c < r->k; c++) {
            double sum = 0;
            for (sow_index j = 0; j < r->d; j++)
                sum += pow(x[i * r->d + j] - r->centres[c * r->d + j], 2);
            if (sum < least) least = sum;
            if (c == r->labels[i]) own = sum;
        }
        cr_assert(own <= least + 1e-9);
        total += (weight ? weight[i] : 1) * own;
    }
    cr_assert(fabs(total - r->inertia) <= 1e-9 * total);
}

Test(kmeans, agrees_with_a_direct_nearest_centre_search)
{
    enum { N = 700, D = 5, K = 40 };
    double x[N * D];
    fill_normal(x, N * D, 3);
    for (int i = 0; i < N * D; i++)
        x[i] += 1e4; /* a large offset would spoil products of uncentred rows */
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 4);
    cr_assert_eq(sow_kmeans(&r, x, N, D, K, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    check_direct(&r, x, NULL);
    sow_kmeans_clear(&r);
}

Test(kmeans, agrees_with_a_direct_search_when_starts_are_tried_on_a_sample)
{
    enum { N = 6000, D = 4, K = 12 };
    double *x = malloc(sizeof *x * N * D), *weight = malloc(sizeof *x * N);
    fill_normal(x, N * D, 12);
    for (int i = 0; i < N; i++)
        weight[i] = i % 3;
    sow_kmeans_result r, one;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 12), same = rng;
    cr_assert_eq(sow_kmeans(&r, x, N, D, K, weight, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    check_direct(&r, x, weight);
    const sow_kmeans_options single = {300, 1e-4, 1};
    cr_assert_eq(sow_kmeans(&one, x, N, D, K, weight, NULL, &single, &same, NULL, NULL), SOW_OK);
    check_direct(&one, x, weight);
    cr_assert(r.inertia < 1.02 * one.inertia, "ten starts %g, one %g", r.inertia, one.inertia);
    sow_kmeans_clear(&r);
    sow_kmeans_clear(&one);
    free(x);
    free(weight);
}

Test(kmeans, takes_every_row_when_few_have_a_weight)
{
    enum { N = 4500 };
    double x[N], weight[N] = {0};
    fill_normal(x, N, 13);
    weight[3] = weight[900] = weight[2400] = 1;
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 13);
    cr_assert_eq(sow_kmeans(&r, x, N, 1, 5, weight, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    cr_assert(r.inertia <= 1e-20, "three rows of weight, five centres: %g", r.inertia);
    sow_kmeans_clear(&r);
}

Test(kmeans, gives_an_emptied_cluster_the_farthest_row)
{
    const double x[] = {0, 0.1, 0.2, 10, 10.1, 30};
    const double init[] = {0.1, 10, -500}; /* the third centre is nearest to nothing */
    sow_kmeans_result r;
    cr_assert_eq(sow_kmeans(&r, x, 6, 1, 3, NULL, init, &defaults, NULL, NULL, NULL), SOW_OK);
    cr_assert_eq(r.labels[5], 2);
    cr_assert(fabs(r.centres[2] - 30) <= 1e-12);
    cr_assert(fabs(r.centres[1] - 10.05) <= 1e-12);
    sow_kmeans_clear(&r);
}

Test(kmeans, ends_when_there_are_fewer_distinct_rows_than_clusters)
{
    const double x[] = {1, 1, 1, 2, 2, 2};
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 5);
    cr_assert_eq(sow_kmeans(&r, x, 6, 1, 4, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    cr_assert(r.inertia <= 1e-20);
    cr_assert_lt(r.iterations, 10);
    sow_kmeans_clear(&r);
}

Test(kmeans, puts_every_row_in_its_own_cluster_when_k_is_n)
{
    double x[24];
    fill_normal(x, 24, 6);
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 6);
    cr_assert_eq(sow_kmeans(&r, x, 12, 2, 12, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_OK);
    cr_assert(r.inertia <= 1e-20);
    sow_kmeans_clear(&r);
}

Test(kmeans, ignores_rows_of_weight_zero)
{
    const double x[] = {0, 1, 100, 9, 10}, weight[] = {1, 1, 0, 1, 1}, init[] = {0, 9};
    sow_kmeans_result r;
    cr_assert_eq(sow_kmeans(&r, x, 5, 1, 2, weight, init, &defaults, NULL, NULL, NULL), SOW_OK);
    cr_assert(fabs(r.centres[0] - 0.5) <= 1e-12 && fabs(r.centres[1] - 9.5) <= 1e-12);
    cr_assert(fabs(r.inertia - 1.0) <= 1e-12);
    sow_kmeans_clear(&r);
}

Test(kmeans, gives_the_same_bits_for_any_number_of_threads)
{
    enum { N = 4500, D = 10, K = 30 };
    double *x = malloc(sizeof *x * N * D);
    fill_normal(x, N * D, 8);
    sow_threads *two = NULL;
    cr_assert_eq(sow_threads_create(&two, 2, NULL), SOW_OK);
    const sow_env env = {.threads = two};
    sow_kmeans_result a, b;
    sow_rng first = sow_rng_make(9, SOW_RNG_TEST, 0, 8), second = first;
    const sow_kmeans_options options = {50, 1e-4, 2};
    cr_assert_eq(sow_kmeans(&a, x, N, D, K, NULL, NULL, &options, &first, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_kmeans(&b, x, N, D, K, NULL, NULL, &options, &second, &env, NULL), SOW_OK);
    cr_assert_eq(memcmp(a.centres, b.centres, sizeof *x * K * D), 0);
    cr_assert_eq(memcmp(a.labels, b.labels, sizeof *a.labels * N), 0);
    cr_assert_eq(memcmp(&a.inertia, &b.inertia, sizeof a.inertia), 0);
    sow_kmeans_clear(&a);
    sow_kmeans_clear(&b);
    sow_threads_destroy(two);
    free(x);
}

/* ---- nearest rows ---- */

Test(kmeans, passes_over_rows_that_are_not_allowed)
{
    const double x[] = {0, 1, 2, 3}, centres[] = {0.1, 0.2};
    const unsigned char allowed[] = {0, 1, 0, 1};
    sow_index picks[2];
    double d2[2];
    cr_assert_eq(sow_kmeans_nearest_rows(picks, d2, x, 4, 1, centres, 2, allowed, NULL), SOW_OK);
    cr_assert_eq(picks[0], 1);
    cr_assert_eq(picks[1], 3);
    cr_assert(fabs(d2[0] - 0.81) <= 1e-12);
}

Test(kmeans, gives_a_tie_to_the_lowest_row)
{
    const double x[] = {1, -1, 1, -1}, centres[] = {0, 0, 0};
    sow_index picks[3];
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 4, 1, centres, 3, NULL, NULL), SOW_OK);
    cr_assert(picks[0] == 0 && picks[1] == 1 && picks[2] == 2);
}

/* ---- input errors ---- */

Test(kmeans, refuses_more_clusters_than_rows)
{
    const double x[] = {1, 2};
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    sow_error err = {0};
    cr_assert_eq(sow_kmeans(&r, x, 2, 1, 3, NULL, NULL, &defaults, &rng, NULL, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "3 clusters"));
    cr_assert_eq(sow_kmeans(&r, x, 2, 1, 0, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_E_ARG);
}

Test(kmeans, refuses_numbers_that_are_not_finite)
{
    double x[] = {1, NAN, 3}, weight[] = {1, -1, 1};
    const double init[] = {1, INFINITY};
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    sow_index picks[2];
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, NULL, &defaults, &rng, NULL, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 3, 1, init, 1, NULL, NULL), SOW_E_NONFINITE);
    x[1] = 2;
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, init, &defaults, &rng, NULL, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 3, 1, init, 2, NULL, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, weight, NULL, &defaults, &rng, NULL, NULL), SOW_E_ARG);
    memset(weight, 0, sizeof weight);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, weight, NULL, &defaults, &rng, NULL, NULL), SOW_E_ARG);
}

Test(kmeans, refuses_options_without_meaning)
{
    const double x[] = {1, 2, 3};
    const sow_kmeans_options no_starts = {10, 1e-4, 0}, no_iterations = {0, 1e-4, 1}, bad_tolerance = {10, NAN, 1};
    sow_kmeans_result r;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, NULL, &no_starts, &rng, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, NULL, &no_iterations, &rng, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, NULL, &bad_tolerance, &rng, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_kmeans(&r, x, 3, 1, 2, NULL, NULL, &defaults, NULL, NULL, NULL), SOW_E_ARG);
}

Test(kmeans, refuses_to_place_more_centres_than_allowed_rows)
{
    const double x[] = {1, 2}, centres[] = {1, 2};
    const unsigned char allowed[] = {1, 0};
    sow_index picks[2];
    cr_assert_eq(sow_kmeans_nearest_rows(picks, NULL, x, 2, 1, centres, 2, allowed, NULL), SOW_E_ARG);
}

Test(kmeans, survives_every_failed_allocation)
{
    double x[40];
    fill_normal(x, 40, 11);
    const sow_kmeans_options options = {5, 1e-4, 1};
    sow_status st = SOW_E_NOMEM;
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        cr_assert_lt(fail, 200);
        sow_kmeans_result r;
        sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
        sow_memory_fail_after(fail);
        st = sow_kmeans(&r, x, 20, 2, 3, NULL, NULL, &options, &rng, NULL, NULL);
        sow_memory_fail_after(-1);
        if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM);
        sow_kmeans_clear(&r);
    }
    cr_assert_eq(st, SOW_OK);
}
