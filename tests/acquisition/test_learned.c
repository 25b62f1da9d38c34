/* Strategies of a model with a learned representation: weights from its drift, the drift itself, its true loss. */
#include "acquisition/strategy_internal.h"
#include "tests/acquisition/fake.h"
#include "tests/core/golden.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/kmeans.h5"

static const sow_strategy *row(const char *name)
{
    const sow_strategy *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_strategy_find(&s, name, &err), SOW_OK, "%s", err.message);
    return s;
}

static void choose(sow_pick *picks, sow_index batch, const char *name, const sow_pool_view *view, const sow_strategy_options *options)
{
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, batch, row(name), view, options, NULL, &err), SOW_OK, "%s: %s", name, err.message);
}

/* ---- weights ---- */

static void check_weights(const char *how, const char *dataset)
{
    double *raw = golden_doubles(GOLDEN, "input/weight_raw", NULL), *golden = golden_doubles(GOLDEN, dataset, NULL), weight[500];
    cr_assert_eq(sow_i_drift_weights(weight, raw, 500, how, NULL), SOW_OK);
    for (int i = 0; i < 500; i++)
        cr_assert(fabs(weight[i] - golden[i]) <= 1e-15, "%s %d: %.17g, %.17g", how, i, weight[i], golden[i]);
    free(raw);
    free(golden);
}

Test(learned, weights_of_a_drift_match_the_golden_ones)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_weights("uncertainty", "weighted_raw/weight");
    check_weights("uncertainty-minmax", "weighted_minmax/weight");
    check_weights("uncertainty-softmax", "softmax/scale1");
    check_weights("uncertainty-softmax5", "softmax/scale5");
    check_weights("uncertainty-softmax5", "weighted_softmax5/weight");
}

Test(learned, the_softmax_of_ten_times_the_drift_matches_the_golden_one)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *raw = golden_doubles(GOLDEN, "input/weight_raw", NULL), *golden = golden_doubles(GOLDEN, "softmax/scale10", NULL), p[500];
    sow_i_softmax(p, raw, 500, 10);
    for (int i = 0; i < 500; i++)
        cr_assert(fabs(p[i] - golden[i]) <= 1e-14 * golden[i], "%d: %.17g, %.17g", i, p[i], golden[i]);
    free(raw);
    free(golden);
}

Test(learned, weights_are_even_where_the_drift_says_nothing)
{
    const double still[] = {0, 0, NAN}, alike[] = {0.3, 0.3, NAN};
    double weight[3];
    cr_assert_eq(sow_i_drift_weights(weight, still, 3, "uncertainty", NULL), SOW_OK);
    cr_assert(weight[0] == 1 && weight[1] == 1 && weight[2] == 1);
    cr_assert_eq(sow_i_drift_weights(weight, alike, 3, "uncertainty-minmax", NULL), SOW_OK);
    cr_assert(weight[0] == 1 && weight[1] == 1);
    cr_assert_eq(sow_i_drift_weights(weight, alike, 3, "uncertainty-softmax", NULL), SOW_OK);
    cr_assert(weight[0] == 0.5 && weight[1] == 0.5 && weight[2] == 0);
}

/* Two groups of ten; those that the model has not settled on lie at the right edge of each. */
static void two_groups(double *features, double *drift)
{
    for (int i = 0; i < 20; i++) {
        features[i] = (i < 10 ? 0 : 100) + i % 10;
        drift[i] = i % 10 == 9 ? 5 : 0.01;
    }
}

Test(learned, weighted_kmeans_is_drawn_to_what_the_model_has_not_settled_on)
{
    double features[20], drift[20];
    two_groups(features, drift);
    const sow_pool_view view = {.n = 20, .dim = 1, .features = features, .drift = drift, .rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0)};
    const char *const how[] = {"none", "uncertainty", "uncertainty-minmax", "uncertainty-softmax5"};
    for (int h = 0; h < 4; h++) {
        sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
        options.weight = how[h];
        sow_pick picks[2];
        choose(picks, 2, "kmeans", &view, &options);
        const sow_index low = picks[0].candidate < 10 ? picks[0].candidate : picks[1].candidate,
                        high = picks[0].candidate < 10 ? picks[1].candidate : picks[0].candidate;
        if (h == 0)
            cr_assert((low == 4 || low == 5) && (high == 14 || high == 15), "%d %d", (int)low, (int)high);
        else
            cr_assert(low == 9 && high == 19, "%s: %d %d", how[h], (int)low, (int)high);
    }
}

Test(learned, weights_ask_for_the_drift_and_only_then)
{
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    cr_assert_eq(sow_strategy_needs_with(row("kmeans"), NULL), SOW_NEED_PRIOR);
    cr_assert_eq(sow_strategy_needs_with(row("kmeans"), &options), SOW_NEED_PRIOR);
    options.weight = "uncertainty";
    cr_assert_eq(sow_strategy_needs_with(row("kmeans"), &options), SOW_NEED_PRIOR | SOW_NEED_DRIFT);
    cr_assert_eq(sow_strategy_needs_with(row("kmeans-embedding"), &options), SOW_NEED_PRIOR | SOW_NEED_LATENT | SOW_NEED_DRIFT);
    cr_assert_eq(sow_strategy_needs_with(row("core-set"), &options), SOW_NEED_PRIOR);
    fake_pool f;
    fake_pool_init(&f, 20, 1);
    f.view.drift = NULL;
    sow_pick picks[3];
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, 3, row("kmeans"), &f.view, &options, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.weight") && strstr(err.message, "use model morph, or weight: none"), "%s", err.message);
    fake_pool_clear(&f);
}

/* ---- uncertainty ---- */

Test(learned, uncertainty_takes_the_largest_drift_and_leaves_the_unknown_for_last)
{
    const double drift[] = {0.1, NAN, 0.4, 0.2, NAN};
    const sow_pool_view view = {.n = 5, .drift = drift, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0)};
    sow_pick picks[5];
    choose(picks, 5, "uncertainty", &view, NULL);
    cr_assert(picks[0].candidate == 2 && picks[1].candidate == 3 && picks[2].candidate == 0);
    cr_assert_str_eq(picks[0].reason, "least settled: its latent moved 0.4 an epoch in training");
    cr_assert_str_eq(picks[4].reason, "no latent, so no uncertainty: drawn at random");
}

Test(learned, a_model_without_latents_is_told_apart_by_a_clear_error)
{
    fake_pool f;
    fake_pool_init(&f, 10, 1);
    sow_pick picks[2];
    const char *const name[] = {"uncertainty", "soft-uncertainty", "loss-oracle", "kmeans-embedding"};
    for (int s = 0; s < 4; s++) {
        sow_error err = {0};
        sow_pool_view view = f.view;
        view.drift = view.true_loss = view.features = NULL;
        view.dim = 0;
        cr_assert_eq(sow_strategy_pick(picks, 2, row(name[s]), &view, NULL, NULL, &err), SOW_E_CONFIG);
        cr_assert(strstr(err.message, name[s]) && strstr(err.message, "morph"), "%s", err.message);
    }
    for (int i = 0; i < 10; i++)
        f.drift[i] = f.true_loss[i] = NAN;
    for (int s = 0; s < 3; s++)
        cr_assert_eq(sow_strategy_pick(picks, 2, row(name[s]), &f.view, NULL, NULL, NULL), SOW_E_CONFIG, "all unknown");
    fake_pool_clear(&f);
}

/* First draws in proportion to softmax(10 u), and never the same candidate twice. */
Test(learned, soft_uncertainty_draws_by_the_softmax_of_ten_times_the_drift)
{
    const double drift[] = {0.0, 0.1, 0.2};
    enum { TIMES = 3000 };
    int first[3] = {0}, second[3] = {0};
    double p[3];
    sow_i_softmax(p, drift, 3, 10);
    for (uint32_t r = 0; r < TIMES; r++) {
        const sow_pool_view view = {.n = 3, .drift = drift, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, r, 0)};
        sow_pick picks[2];
        choose(picks, 2, "soft-uncertainty", &view, NULL);
        first[picks[0].candidate]++;
        second[picks[1].candidate]++;
        cr_assert_neq(picks[0].candidate, picks[1].candidate);
    }
    for (int i = 0; i < 3; i++) {
        double after = 0; /* without replacement: sum over the first of p_first p_i / (1 - p_first) */
        for (int k = 0; k < 3; k++)
            if (k != i) after += p[k] * p[i] / (1 - p[k]);
        cr_assert(fabs(first[i] - TIMES * p[i]) < 4.5 * sqrt(TIMES * p[i] * (1 - p[i])), "first %d: %d", i, first[i]);
        cr_assert(fabs(second[i] - TIMES * after) < 4.5 * sqrt(TIMES * after * (1 - after)), "second %d: %d", i, second[i]);
    }
}

Test(learned, soft_uncertainty_survives_drifts_beyond_what_exp_can_hold)
{
    const double drift[] = {1e6, 1, 2e6};
    const sow_pool_view view = {.n = 3, .drift = drift, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0)};
    sow_pick picks[3];
    choose(picks, 3, "soft-uncertainty", &view, NULL);
    cr_assert(picks[0].candidate == 2 && picks[1].candidate == 0 && picks[2].candidate == 1);
}

/* ---- oracle ---- */

Test(learned, loss_oracle_ranks_by_the_true_loss)
{
    const double loss[] = {0.4, 0.9, NAN, 0.5, 0.6};
    const sow_pool_view view = {.n = 5, .true_loss = loss, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0)};
    sow_pick picks[5];
    choose(picks, 5, "loss-oracle", &view, NULL);
    const sow_index order[] = {1, 4, 3, 0, 2};
    for (int k = 0; k < 5; k++)
        cr_assert_eq(picks[k].candidate, order[k]);
    cr_assert_str_eq(picks[0].reason, "true loss 0.9, above 100 % of the candidates");
    cr_assert(strstr(picks[4].reason, "not known"));
}

Test(learned, losses_that_are_not_finite_are_refused_by_name)
{
    fake_pool f;
    fake_pool_init(&f, 20, 1);
    sow_pick picks[3];
    sow_error err = {0};
    f.loss[8] = NAN;
    cr_assert_eq(sow_strategy_pick(picks, 3, row("uncertainty"), &f.view, NULL, NULL, &err), SOW_E_NONFINITE);
    cr_assert_str_eq(err.message, "the model's loss 8 of GATA1 is not finite");
    f.loss[8] = 0.5;
    f.drift[4] = INFINITY;
    cr_assert_eq(sow_strategy_pick(picks, 3, row("uncertainty"), &f.view, NULL, NULL, &err), SOW_E_NONFINITE);
    cr_assert_str_eq(err.message, "the drift of candidate 4 of P00004 is infinite");
    fake_pool_clear(&f);
}
