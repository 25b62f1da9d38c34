#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/threads.h"
#include "models/split.h"
#include "tests/io/faults.h"

/* ---- folds ---- */

Test(split, puts_every_perturbation_into_one_fold_of_even_size)
{
    enum { N = 23, FOLDS = 5 };
    sow_index fold[N], count[FOLDS] = {0};
    cr_assert_eq(sow_split_folds(fold, N, FOLDS, 7, NULL), SOW_OK);
    for (int i = 0; i < N; i++) {
        cr_assert(fold[i] >= 0 && fold[i] < FOLDS);
        count[fold[i]]++;
    }
    for (int f = 0; f < FOLDS; f++)
        cr_assert(count[f] == N / FOLDS || count[f] == N / FOLDS + 1, "fold %d has %d", f, (int)count[f]);
}

Test(split, gives_the_same_folds_for_a_seed_and_others_for_another)
{
    enum { N = 40 };
    sow_index a[N], b[N], other[N];
    cr_assert_eq(sow_split_folds(a, N, 5, 1, NULL), SOW_OK);
    cr_assert_eq(sow_split_folds(b, N, 5, 1, NULL), SOW_OK);
    cr_assert_eq(sow_split_folds(other, N, 5, 2, NULL), SOW_OK);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert(memcmp(a, other, sizeof a) != 0);
}

Test(split, holds_one_out_at_a_time_when_there_are_as_many_folds_as_perturbations)
{
    sow_index fold[6], seen = 0;
    cr_assert_eq(sow_split_folds(fold, 6, 6, 3, NULL), SOW_OK);
    for (int i = 0; i < 6; i++)
        seen |= (sow_index)1 << fold[i];
    cr_assert_eq(seen, 63);
}

Test(split, refuses_more_folds_than_perturbations_and_fewer_than_two)
{
    sow_index fold[4];
    sow_error err = {0};
    cr_assert_eq(sow_split_folds(fold, 4, 5, 1, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "5 folds of 4"), "%s", err.message);
    cr_assert_eq(sow_split_folds(fold, 4, 1, 1, NULL), SOW_E_ARG);
}

/* ---- outliers: groups of perturbations around centres, the controls at 0 ---- */

enum { GROUP = 20, D = 12 };

/* The perturbations of group g lie around `size[g]` in feature g. */
static void make_groups(double *bulk, const double *size, int groups)
{
    for (int i = 0; i < groups * GROUP; i++) {
        sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, (uint32_t)i);
        for (int j = 0; j < D; j++)
            bulk[i * D + j] = 0.3 * sow_rng_normal(&rng) + (j == i / GROUP ? size[i / GROUP] : 0);
    }
}

static void need_leiden(void)
{
    if (!sow_split_has_leiden()) {
        fprintf(stderr, "SKIPPED: needs igraph\n");
        cr_skip_test("no igraph");
    }
}

#define THREE 3 * GROUP
static const double three[] = {0, 6, 12};
static const double nothing[D];

Test(split, holds_the_farthest_cluster_out_and_never_that_of_the_controls)
{
    need_leiden();
    double bulk[THREE * D];
    unsigned char held[THREE];
    sow_index cluster[THREE + 1];
    sow_error err = {0};
    make_groups(bulk, three, 3);
    cr_assert_eq(sow_split_outliers(held, cluster, bulk, THREE, D, nothing, NULL, NULL, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < THREE; i++) {
        cr_assert_eq(held[i], i / GROUP == 2, "perturbation %d", i);
        cr_assert_eq(cluster[i], i / GROUP, "perturbation %d", i);
    }
    cr_assert_eq(cluster[THREE], 0);
}

Test(split, takes_whole_clusters_until_the_share_is_reached)
{
    need_leiden();
    double bulk[THREE * D];
    unsigned char held[THREE];
    sow_outlier_options o = SOW_OUTLIER_OPTIONS_INIT;
    make_groups(bulk, three, 3);
    o.share = 0.5;
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, THREE, D, nothing, &o, NULL, NULL), SOW_OK);
    for (int i = 0; i < THREE; i++)
        cr_assert_eq(held[i], i / GROUP > 0);
    o.share = 0.99; /* there is no other cluster to take */
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, THREE, D, nothing, &o, NULL, NULL), SOW_OK);
    cr_assert_eq(held[0], 0);
}

Test(split, finds_no_outliers_where_all_are_like_the_controls)
{
    need_leiden();
    double bulk[GROUP * D] = {0};
    unsigned char held[GROUP];
    sow_error err = {0};
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, GROUP, D, nothing, NULL, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "cluster of the controls"), "%s", err.message);
}

/* All alike but the controls: on the complete graph a resolution between 1 and n / (n - 1) keeps the copies together and the controls alone. */
Test(split, leaves_something_to_learn_from)
{
    need_leiden();
    double bulk[GROUP * D] = {0}, far_control[D] = {50};
    unsigned char held[GROUP];
    sow_error err = {0};
    sow_outlier_options o = SOW_OUTLIER_OPTIONS_INIT;
    o.neighbours = 100;
    o.resolution = 1.02;
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, GROUP, D, far_control, &o, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "one cluster away"), "%s", err.message);
}

Test(split, gives_the_same_outliers_again_and_with_more_threads)
{
    need_leiden();
    enum { N = 6 * GROUP };
    static const double sizes[] = {0, 1.2, 1.5, 1.7, 2.0, 2.2}; /* near enough to be in doubt */
    double bulk[N * D];
    unsigned char a[N], b[N];
    sow_index of_a[N + 1], of_b[N + 1];
    sow_threads *threads = NULL;
    make_groups(bulk, sizes, 6);
    cr_assert_eq(sow_threads_create(&threads, 3, NULL), SOW_OK);
    sow_env env = {.threads = threads};
    cr_assert_eq(sow_split_outliers(a, of_a, bulk, N, D, nothing, NULL, NULL, NULL), SOW_OK);
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(sow_split_outliers(b, of_b, bulk, N, D, nothing, NULL, &env, NULL), SOW_OK);
        cr_assert_arr_eq(a, b, sizeof a);
        cr_assert_arr_eq(of_a, of_b, sizeof of_a);
    }
    sow_threads_destroy(threads);
}

Test(split, refuses_numbers_that_are_not_finite_and_options_that_make_no_sense)
{
    double bulk[2 * GROUP * D];
    static const double sizes[] = {0, 3};
    unsigned char held[2 * GROUP];
    sow_error err = {0};
    sow_outlier_options o = SOW_OUTLIER_OPTIONS_INIT;
    make_groups(bulk, sizes, 2);
    o.share = 1;
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, 2 * GROUP, D, nothing, &o, NULL, NULL), SOW_E_ARG);
    o = (sow_outlier_options)SOW_OUTLIER_OPTIONS_INIT;
    o.neighbours = 0;
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, 2 * GROUP, D, nothing, &o, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, 1, D, nothing, NULL, NULL, NULL), SOW_E_ARG);
    bulk[3 * D + 2] = NAN;
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, 2 * GROUP, D, nothing, NULL, NULL, &err), SOW_E_NONFINITE);
    cr_assert(strstr(err.message, "feature 2 of perturbation 3"), "%s", err.message);
}

Test(split, says_what_to_install_in_a_build_without_igraph)
{
    if (sow_split_has_leiden()) cr_skip_test("this build has igraph");
    double bulk[THREE * D];
    unsigned char held[THREE];
    sow_error err = {0};
    make_groups(bulk, three, 3);
    cr_assert_eq(sow_split_outliers(held, NULL, bulk, THREE, D, nothing, NULL, NULL, &err), SOW_E_UNSUPPORTED);
    cr_assert(strstr(err.message, "libigraph-dev"), "%s", err.message);
}

static sow_status both_splits(sow_error *err)
{
    double bulk[THREE * D];
    unsigned char held[THREE];
    sow_index fold[THREE];
    make_groups(bulk, three, 3);
    sow_status st = sow_split_folds(fold, THREE, 5, 1, err);
    return st == SOW_OK && sow_split_has_leiden() ? sow_split_outliers(held, NULL, bulk, THREE, D, nothing, NULL, NULL, err) : st;
}

Test(split, survives_any_allocation_that_fails)
{
    every_allocation_may_fail(both_splits, 1);
}
