/* Responses to one perturbation in several contexts: against plain sums, and against the ranking of the published code. */
#include "core/cross_context.h"
#include "tests/core/golden.h"

#include <math.h>
#include <string.h>

#define GOLDEN SOWER_SHARED_DIR "/parity/hypermap_consistency.h5"

Test(cross_context, takes_the_noise_off_both_sides_of_the_ratio)
{
    const double a[] = {1, 2}, b[] = {3, 2}, *delta[] = {a, NULL, b}, error[] = {0.5, NAN, 0.25};
    sow_cross_context x;
    cr_assert_eq(sow_cross_context_of(&x, delta, error, 3, 2, NULL), SOW_OK);
    cr_assert_eq(x.contexts, 2);
    cr_assert_float_eq(x.effect, 2, 1e-15);
    cr_assert_float_eq(x.spread, 1, 1e-15); /* variances 2 and 0 */
    cr_assert_float_eq(x.cv, 0.5, 1e-15);
    cr_assert_float_eq(x.clear_effect, sqrt(4 - 0.375 / 2), 1e-15);
    cr_assert_float_eq(x.clear_spread, sqrt(1 - 0.375), 1e-15);
    cr_assert_float_eq(x.clear_cv, sqrt((1 - 0.375) / (4 - 0.375 / 2)), 1e-15);
}

/* What is noise on both sides has a large ratio as published, and none when the noise is taken off. */
Test(cross_context, sees_no_effect_in_what_is_noise)
{
    const double a[] = {0.1, -0.1}, b[] = {-0.1, 0.1001}, *delta[] = {a, b}, error[] = {0.01, 0.01};
    sow_cross_context x;
    cr_assert_eq(sow_cross_context_of(&x, delta, error, 2, 2, NULL), SOW_OK);
    cr_assert_gt(x.cv, 100);
    cr_assert(isnan(x.clear_cv));
    cr_assert_eq(x.clear_effect, 0);
}

Test(cross_context, is_honest_about_what_it_cannot_know)
{
    const double a[] = {1, 2}, bad[] = {1, INFINITY}, *one[] = {a, NULL}, *none[] = {NULL, NULL}, *wrong[] = {a, bad};
    sow_cross_context x;
    sow_error err = {0};
    cr_assert_eq(sow_cross_context_of(&x, one, NULL, 2, 2, NULL), SOW_OK);
    cr_assert(x.contexts == 1 && x.effect == 1.5 && x.spread == 0 && isnan(x.cv) && isnan(x.clear_effect) && isnan(x.clear_cv));
    cr_assert_eq(sow_cross_context_of(&x, none, NULL, 2, 2, NULL), SOW_OK);
    cr_assert(x.contexts == 0 && x.effect == 0 && isnan(x.cv));
    cr_assert_eq(sow_cross_context_of(&x, wrong, NULL, 2, 2, &err), SOW_E_NONFINITE);
    cr_assert_eq(sow_cross_context_of(&x, one, NULL, 2, 0, &err), SOW_E_ARG);
}

/* ---- the published code ---- */

enum { CONTEXTS = 4, CONDITIONS = 16, GENES = 30 };

static int *read_ints(const char *folder, const char *name, size_t *n)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return golden_ints(GOLDEN, path, n);
}

static double *read_doubles(const char *folder, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return golden_doubles(GOLDEN, path, NULL);
}

static void check_case(const char *folder, const double *means)
{
    size_t n_train = 0, n_ranked = 0;
    int *train = read_ints(folder, "train_contexts", &n_train), *ranking = read_ints(folder, "ranking", &n_ranked), ranked[CONDITIONS];
    double *effect = read_doubles(folder, "effect"), *spread = read_doubles(folder, "spread"), *cv = read_doubles(folder, "cv"), ours[CONDITIONS];
    sow_index n = 0;
    for (int p = 0; p < CONDITIONS; p++) {
        const double *delta[CONTEXTS] = {NULL};
        sow_cross_context x;
        for (size_t k = 0; k < n_train; k++) {
            const double *m = means + (train[k] * CONDITIONS + p) * GENES;
            if (!isnan(m[0])) delta[k] = m;
        }
        cr_assert_eq(sow_cross_context_of(&x, delta, NULL, (sow_index)n_train, GENES, NULL), SOW_OK);
        ours[p] = x.cv;
        if (isnan(cv[p])) {
            cr_assert(p == 0 || x.contexts < 2, "%s: condition %d was dropped", folder, p); /* 0 are the controls */
            continue;
        }
        cr_assert_float_eq(x.effect, effect[p], 1e-12, "%s: effect of %d", folder, p);
        cr_assert_float_eq(x.spread, spread[p], 1e-12, "%s: spread of %d", folder, p);
        cr_assert_float_eq(x.cv, cv[p], 1e-12, "%s: ratio of %d", folder, p);
        sow_index at = n++;
        for (; at > 0 && ours[ranked[at - 1]] < x.cv; at--) ranked[at] = ranked[at - 1];
        ranked[at] = p;
    }
    cr_assert_eq((size_t)n, n_ranked, "%s", folder);
    for (sow_index i = 0; i < n; i++) cr_assert_eq(ranked[i], ranking[i], "%s: place %lld", folder, (long long)i);
    free(train);
    free(ranking);
    free(effect);
    free(spread);
    free(cv);
}

Test(cross_context, ranks_as_the_published_code_does)
{
    GOLDEN_OR_SKIP(GOLDEN);
    static const char *const folders[] = {"all_contexts", "loo_ctxA", "loo_ctxB", "loo_ctxC", "loo_ctxD"};
    double *means = golden_doubles(GOLDEN, "mean_delta", NULL);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) check_case(folders[i], means);
    free(means);
}
