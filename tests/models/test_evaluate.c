/* Metrics against golden numbers and by hand. */
#include "fixture.h"

#include "../core/golden.h"
#include "core/stats.h"
#include "models/evaluate.h"

#define EVALUATE_H5 SOWER_SHARED_DIR "/parity/evaluate.h5"
enum { GROUPS = 12, GENES = 80 };

/* Mean predicted cell of group g. */
static void predicted_mean(double *out, const double *x, const int *group, size_t n, int g)
{
    int used = 0;
    memset(out, 0, GENES * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        if (group[i] != g) continue;
        used++;
        for (int j = 0; j < GENES; j++) out[j] += x[i * GENES + (size_t)j];
    }
    for (int j = 0; j < GENES; j++) out[j] /= used;
}

Test(evaluate, profile_metrics_match_the_golden_numbers)
{
    GOLDEN_OR_SKIP(EVALUATE_H5);
    size_t n;
    double *mean = golden_doubles(EVALUATE_H5, "means/mean", NULL), *x = golden_doubles(EVALUATE_H5, "pred/x", NULL);
    int *group = golden_ints(EVALUATE_H5, "pred/group", &n);
    double *pearson = golden_doubles(EVALUATE_H5, "metrics/pearsonr_change_whole", NULL);
    double *rmse = golden_doubles(EVALUATE_H5, "metrics/rmse_change_whole", NULL);
    double *plain = golden_doubles(EVALUATE_H5, "metrics/pearsonr_whole", NULL);
    double *fraction = golden_doubles(EVALUATE_H5, "metrics/fraction_whole", NULL);
    for (int p = 0; p < GROUPS; p++) {
        const double *truth = mean + (p + 1) * GENES;
        double guess[GENES];
        predicted_mean(guess, x, group, n, p + 1);
        NEAR(sow_metric_pearson(truth, guess, mean, -1, GENES), pearson[p], 1e-11);
        NEAR(sow_metric_pearson(truth, guess, NULL, -1, GENES), plain[p], 1e-11);
        NEAR(sow_metric_rmse(truth, guess, -1, GENES), rmse[p], 1e-11);
        NEAR(sow_metric_direction(truth, guess, mean, -1, GENES), fraction[p], 1e-11);
    }
    free(mean), free(x), free(group), free(pearson), free(rmse), free(plain), free(fraction);
}

Test(evaluate, the_trap_genes_that_never_change_count_as_a_direction_of_their_own)
{
    const double truth[] = {0, 0, 1, -1}, guess[] = {0, 0.1, 2, 1};
    NEAR(sow_metric_direction(truth, guess, NULL, -1, 4), 0.5, 0);
    NEAR(sow_metric_direction(truth, guess, NULL, 3, 4), 2.0 / 3.0, 1e-15);
}

Test(evaluate, the_perturbed_gene_itself_is_left_out)
{
    const double truth[] = {-9, 1, 2, 3}, guess[] = {5, 1, 2, 3};
    NEAR(sow_metric_pearson(truth, guess, NULL, 0, 4), 1.0, 1e-15);
    NEAR(sow_metric_rmse(truth, guess, 0, 4), 0.0, 0);
    double top = 0;
    OK(sow_metric_pearson_top(&top, truth, guess, NULL, 0, 4, 20, err));
    NEAR(top, 1.0, 1e-15);
}

Test(evaluate, a_constant_prediction_has_no_correlation)
{
    const double truth[] = {1, 2, 3}, flat[] = {0.1, 0.1, 0.1};
    cr_assert(isnan(sow_metric_pearson(truth, flat, NULL, -1, 3)));
    cr_assert(isnan(sow_metric_pearson(truth, flat, truth, -1, 3)));
    cr_assert(isnan(sow_metric_pearson(truth, truth, NULL, -1, 1)));
    cr_assert(isnan(sow_metric_rmse(truth, flat, 0, 1)));
}

Test(evaluate, the_top_features_are_those_that_change_most_with_ties_to_the_first)
{
    const double truth[] = {3, -3, 3, 0.1, 0.2}, guess[] = {1, 2, 7, 9, 9};
    double two = 0;
    OK(sow_metric_pearson_top(&two, truth, guess, NULL, -1, 5, 2, err)); /* features 0 and 1: signs differ */
    NEAR(two, -1.0, 1e-15);
}

/* ---- the metrics of top features against twins that follow the words: a feature is in the list when fewer than `top` others are larger, or as large and earlier */

static int is_in_top(const double *x, sow_index own, sow_index d, sow_index top, sow_index j)
{
    sow_index before = 0;
    if (j == own || x[j] == 0) return 0;
    for (sow_index k = 0; k < d; k++) before += k != own && (fabs(x[k]) > fabs(x[j]) || (fabs(x[k]) == fabs(x[j]) && k < j));
    return before < top;
}

static double naive_recall(const double *truth, const double *mean, const double *reference, sow_index own, sow_index d, sow_index top)
{
    double a[64], b[64], wanted = 0, found = 0;
    for (sow_index j = 0; j < d; j++) a[j] = truth[j] - (reference ? reference[j] : 0), b[j] = mean[j] - (reference ? reference[j] : 0);
    for (sow_index j = 0; j < d; j++) {
        wanted += is_in_top(a, own, d, top, j);
        found += is_in_top(a, own, d, top, j) && is_in_top(b, own, d, top, j);
    }
    return found / wanted;
}

Test(evaluate, recall_of_top_features_is_that_of_a_naive_twin)
{
    sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, 0);
    double truth[40], guess[40], reference[40], recall;
    for (int repeat = 0; repeat < 50; repeat++) {
        const sow_index own = repeat % 3 ? repeat % 40 : -1, top = 1 + repeat % 20;
        for (int j = 0; j < 40; j++) {
            truth[j] = round(4 * sow_rng_normal(&rng)) / 4; /* ties and zeros */
            guess[j] = round(4 * (truth[j] + sow_rng_normal(&rng))) / 4;
            reference[j] = round(2 * sow_rng_normal(&rng)) / 2;
        }
        OK(sow_metric_recall_top(&recall, truth, guess, repeat % 2 ? reference : NULL, own, 40, top, err));
        NEAR(recall, naive_recall(truth, guess, repeat % 2 ? reference : NULL, own, 40, top), 0);
    }
}

Test(evaluate, recall_of_top_features_knows_when_there_is_nothing_to_recall)
{
    const double truth[] = {3, -2, 1, 0}, none[4] = {0};
    double recall;
    OK(sow_metric_recall_top(&recall, truth, none, NULL, -1, 4, 2, err));
    NEAR(recall, 0, 0); /* no change predicted: no feature is on its list */
    OK(sow_metric_recall_top(&recall, none, truth, NULL, -1, 4, 2, err));
    cr_assert(isnan(recall));
    OK(sow_metric_recall_top(&recall, truth, truth, NULL, -1, 4, 4, err));
    cr_assert(isnan(recall)); /* as many as there are: any list is right */
    OK(sow_metric_recall_top(&recall, truth, truth, NULL, 0, 4, 3, err));
    cr_assert(isnan(recall));
}

Test(evaluate, errors_over_chosen_features_are_those_of_these_features_alone)
{
    const double truth[] = {1, 2, 3, 50}, guess[] = {2, 0, 3.5, -50};
    const sow_index set[] = {2, 0, 1};
    sow_index top[2], n = 0;
    NEAR(sow_metric_mse_over(truth, guess, set, 3), (0.25 + 1 + 4) / 3, 1e-15);
    NEAR(sow_metric_mae_over(truth, guess, set, 3), (0.5 + 1 + 2) / 3, 1e-15);
    NEAR(sow_metric_pearson_over(truth, guess, set, 3), sow_metric_pearson(truth, guess, NULL, -1, 3), 1e-15);
    cr_assert(isnan(sow_metric_mse_over(truth, guess, set, 0)) && isnan(sow_metric_mae_over(truth, guess, set, 0)));
    OK(sow_metric_top(top, &n, guess, 3, 4, 2, err));
    cr_assert(n == 2 && top[0] == 2 && top[1] == 0);
}

static double value_of(const sow_metric *m, sow_index n, const char *name)
{
    for (sow_index i = 0; i < n; i++)
        if (strcmp(m[i].metric, name) == 0) return m[i].value;
    cr_assert_fail("no metric %s", name);
    return NAN;
}

Test(evaluate, scalar_metrics_are_what_they_say)
{
    const double truth[] = {1, 2, 3, 4}, mean[] = {1.5, 2.5, 2.5, 8}, var[] = {0.2, 0.2, 0.2, 0.2}, noise[] = {0.05, 0.05, 0.05, 0.05};
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    OK(sow_evaluate_scalar(out, &n, truth, mean, var, noise, 4, &rng, err));
    cr_assert_eq(n, 4);
    double rho;
    OK(sow_spearman(&rho, truth, mean, 4, err));
    NEAR(value_of(out, n, "spearman"), rho, 1e-15);
    NEAR(value_of(out, n, "rmse"), sqrt((3 * 0.25 + 16) / 4), 1e-14);
    NEAR(value_of(out, n, "coverage90"), 0.75, 0); /* 1.645 * 0.5 reaches 0.5, not 4 */
    double nll = 0.5 * log(2 * 3.14159265358979323846 * 0.25) + 0.5 * (3 * 0.25 + 16) / 0.25 / 4;
    NEAR(value_of(out, n, "nll"), nll, 1e-13);
}

Test(evaluate, intervals_hold_the_value_and_repeat_from_the_same_stream)
{
    enum { N = 80 };
    double truth[N], mean[N];
    sow_metric a[SOW_METRICS_MAX], b[SOW_METRICS_MAX];
    sow_index n;
    sow_rng data = sow_rng_make(5, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        truth[i] = sow_rng_normal(&data);
        mean[i] = truth[i] + sow_rng_normal(&data);
    }
    sow_rng one = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0), two = one;
    OK(sow_evaluate_scalar(a, &n, truth, mean, NULL, NULL, N, &one, err));
    cr_assert_eq(n, 2, "without a variance there is no nll and no coverage");
    OK(sow_evaluate_scalar(b, &n, truth, mean, NULL, NULL, N, &two, err));
    for (sow_index i = 0; i < n; i++) {
        cr_assert(a[i].low <= a[i].value && a[i].value <= a[i].high && a[i].low < a[i].high);
        cr_assert(a[i].low == b[i].low && a[i].high == b[i].high);
    }
}

Test(evaluate, profile_metrics_average_over_perturbations)
{
    const double truth[] = {1, 2, 3, -1, -2, -4}, mean[] = {1, 2, 3, 0, 0, 0}, reference[] = {0.5, 0.5, 0.5};
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    OK(sow_evaluate_profile(out, &n, truth, mean, reference, NULL, 2, 3, &rng, err));
    cr_assert_eq(n, 5);
    NEAR(value_of(out, n, "pearson_delta_all"), 1.0, 1e-15);     /* the flat one is undefined and not counted */
    NEAR(value_of(out, n, "pearson_delta_centred"), 0.5, 1e-15); /* here it counts as 0 */
    NEAR(value_of(out, n, "rmse_all"), 0.5 * sqrt(7), 1e-15);
    NEAR(value_of(out, n, "direction_all"), 0.5, 0);
}

Test(evaluate, nothing_held_out_gives_undefined_metrics)
{
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    double none = 0;
    OK(sow_evaluate_scalar(out, &n, &none, &none, &none, &none, 0, &rng, err));
    for (sow_index i = 0; i < n; i++) cr_assert(isnan(out[i].value));
    OK(sow_evaluate_profile(out, &n, &none, &none, &none, NULL, 0, 1, &rng, err));
    for (sow_index i = 0; i < n; i++) cr_assert(isnan(out[i].value));
}

Test(evaluate, refuses_numbers_that_are_not)
{
    const double truth[] = {1, NAN}, mean[] = {1, 2};
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    cr_assert_eq(sow_evaluate_scalar(out, &n, truth, mean, NULL, NULL, 2, &rng, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_evaluate_scalar(out, &n, mean, truth, NULL, NULL, 2, &rng, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_evaluate_profile(out, &n, truth, mean, mean, NULL, 1, 2, &rng, NULL), SOW_E_NONFINITE);
}

Test(evaluate, survives_failing_allocations)
{
    const double truth[] = {1, 2, 3, 4, 5}, mean[] = {1, 3, 2, 5, 4}, var[] = {1, 1, 1, 1, 1};
    for (sow_index k = 0;; k++) {
        sow_metric out[SOW_METRICS_MAX];
        sow_index n;
        sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
        sow_memory_fail_after(k);
        sow_status st = sow_evaluate_scalar(out, &n, truth, mean, var, NULL, 5, &rng, NULL);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM);
    }
}
