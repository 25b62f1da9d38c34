/* What each strategy is about: golden numbers and small cases worked out by hand. */
#include "core/stats.h"
#include "tests/acquisition/fake.h"
#include "tests/core/golden.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/selection.h5"

static const sow_strategy *row(const char *name)
{
    const sow_strategy *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_strategy_find(&s, name, &err), SOW_OK, "%s", err.message);
    return s;
}

static void choose(sow_pick *picks, sow_index batch, const char *name, const sow_pool_view *view,
                   const sow_strategy_options *options)
{
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, batch, row(name), view, options, NULL, &err), SOW_OK, "%s: %s", name, err.message);
}

Test(strategies, a_misspelled_name_gets_the_nearest_and_the_command_that_lists_them)
{
    const sow_strategy *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_strategy_find(&s, "kmean", &err), SOW_E_CONFIG);
    cr_assert_str_eq(err.message, "unknown strategy 'kmean'; did you mean 'kmeans'? (sower check --list strategies)");
    cr_assert_eq(sow_strategy_find(&s, "zzzzzzzzzzz", &err), SOW_E_CONFIG);
    cr_assert_null(strstr(err.message, "did you mean"));
    cr_assert_eq(sow_strategy_find(&s, NULL, &err), SOW_E_CONFIG);
    cr_assert_null(s);
}

Test(strategies, accepts_the_spellings_of_others)
{
    cr_assert_str_eq(row("coreset")->name, "core-set");
    cr_assert_str_eq(row("kmeans_data")->name, "kmeans");
    cr_assert_str_eq(row("topuncertain")->name, "max-variance");
    cr_assert_str_eq(row("kmeans_embedding")->name, "kmeans-embedding");
    cr_assert_str_eq(row("softuncertain")->name, "soft-uncertainty");
    cr_assert_str_eq(row("TS")->name, "thompson");
    cr_assert_str_eq(row("poh")->name, "probability-of-hit");
}

Test(strategies, refuses_options_out_of_range)
{
    fake_pool f;
    fake_pool_init(&f, 10, 1);
    sow_pick picks[2];
    const sow_strategy_options negative = {.beta = -1, .starts = 10}, no_starts = {.beta = 1, .starts = 0},
                               no_members = {.beta = 1, .starts = 10, .loss_members = -1},
                               no_weight = {.beta = 1, .starts = 10, .weight = "drift"};
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, 2, row("ucb"), &f.view, &negative, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.beta"));
    cr_assert_eq(sow_strategy_pick(picks, 2, row("kmeans"), &f.view, &no_starts, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.starts"));
    cr_assert_eq(sow_strategy_pick(picks, 2, row("random"), &f.view, &no_members, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.loss_members"));
    cr_assert_eq(sow_strategy_pick(picks, 2, row("kmeans"), &f.view, &no_weight, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.weight is 'drift': none, uncertainty, "), "%s", err.message);
    fake_pool_clear(&f);
}

/* ---- core-set ---- */

static void check_core_set(const char *group, int with_labelled)
{
    char name[64];
    double *x = golden_doubles(GOLDEN, "input/x", NULL), *features = calloc(60 * 8, sizeof *x), *near = calloc(6 * 8, sizeof *x);
    int *labelled = golden_ints(GOLDEN, "input/labelled", NULL), place[60], n = 0;
    for (int l = 0; l < 6; l++)
        memcpy(near + l * 8, x + labelled[l] * 8, 8 * sizeof *x);
    for (int i = 0; i < 60; i++) {
        int known = 0;
        for (int l = 0; l < 6; l++)
            known |= labelled[l] == i;
        if (known) continue;
        memcpy(features + n * 8, x + i * 8, 8 * sizeof *x);
        place[n++] = i;
    }
    const sow_pool_view view = {
        .n = n, .dim = 8, .features = features, .n_labelled = with_labelled ? 6 : 0, .labelled_features = near};
    sow_pick picks[10];
    choose(picks, 10, "core-set", &view, NULL);
    snprintf(name, sizeof name, "%s/picks", group);
    int *golden = golden_ints(GOLDEN, name, NULL);
    snprintf(name, sizeof name, "%s/pick_scores", group);
    double *score = golden_doubles(GOLDEN, name, NULL);
    for (int k = 0; k < 10; k++) {
        cr_assert_eq(place[picks[k].candidate], golden[k], "%s pick %d", group, k);
        cr_assert(fabs(picks[k].score - score[k]) <= 1e-9 * fmax(1, score[k]), "%s score %d: %g, %g", group, k, picks[k].score,
                  score[k]);
    }
    free(x);
    free(features);
    free(near);
    free(labelled);
    free(golden);
    free(score);
}

Test(strategies, core_set_matches_the_golden_picks_with_labelled_as_centres)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_core_set("kcenter", 1);
}

Test(strategies, core_set_matches_the_golden_picks_of_the_pool_alone)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_core_set("kcenter_pool_only", 0);
}

Test(strategies, core_set_stays_away_from_what_is_measured)
{
    const double features[] = {0, 1, 2, 10}, labelled[] = {9.5};
    const sow_pool_view view = {.n = 4, .dim = 1, .features = features, .n_labelled = 1, .labelled_features = labelled};
    sow_pick picks[4];
    choose(picks, 4, "core-set", &view, NULL);
    cr_assert(picks[0].candidate == 0 && picks[1].candidate == 2 && picks[3].candidate == 3);
    cr_assert(fabs(picks[0].score - 90.25) <= 1e-12);
    cr_assert(strstr(picks[0].reason, "distance 9.5 to the nearest of 1 measured"), "%s", picks[0].reason);
}

/* ---- herding ---- */

/* Three in four candidates lie about 0, the others about 9, each a little apart. */
Test(strategies, herding_picks_from_each_group_as_many_as_it_is_large)
{
    double features[40];
    for (int i = 0; i < 40; i++) features[i] = (i < 30 ? 0 : 9) + 0.01 * sin(i);
    const sow_pool_view view = {.n = 40, .dim = 1, .features = features};
    sow_pick picks[8];
    int far = 0;
    choose(picks, 8, "herding", &view, NULL);
    for (int k = 0; k < 8; k++) far += picks[k].candidate >= 30;
    cr_assert_eq(far, 2);
    cr_assert(picks[0].candidate < 30);
}

/* By the formula, every kernel anew for every pick. */
Test(strategies, herding_follows_its_formula)
{
    enum { CANDIDATES = 30, PICKS = 9 };
    double features[CANDIDATES * 2], labelled[] = {0.3, -0.2, 1.5, 1}, d2[CANDIDATES * (CANDIDATES - 1) / 2], width;
    unsigned char has[CANDIDATES];
    int n = 0, with = 0, chosen[PICKS];
    for (int i = 0; i < CANDIDATES; i++) {
        features[2 * i] = sin(i * 1.7);
        features[2 * i + 1] = 2 * cos(i * 0.9) * sin(i * 0.3);
        with += has[i] = i != 4;
    }
#define D2(a, b) (((a)[0] - (b)[0]) * ((a)[0] - (b)[0]) + ((a)[1] - (b)[1]) * ((a)[1] - (b)[1]))
    for (int i = 0; i < CANDIDATES; i++)
        for (int k = 0; k < i; k++)
            if (has[i] && has[k]) d2[n++] = D2(features + 2 * i, features + 2 * k);
    cr_assert_eq(sow_quantile(&width, d2, n, 0.5, NULL), SOW_OK);
    width *= 0.3;
    const sow_pool_view view = {.n = CANDIDATES, .dim = 2, .features = features, .has = has, .n_labelled = 2, .labelled_features = labelled};
    sow_pick picks[PICKS];
    choose(picks, PICKS, "herding", &view, NULL);
    for (int t = 0; t < PICKS; t++) {
        double best = -INFINITY;
        for (int i = 0; i < CANDIDATES; i++) {
            double score = 0;
            int taken = !has[i];
            for (int k = 0; k < CANDIDATES; k++) score += has[k] ? exp(-D2(features + 2 * i, features + 2 * k) / width) / with : 0;
            for (int l = 0; l < 2; l++) score -= exp(-D2(features + 2 * i, labelled + 2 * l) / width) / (3 + t);
            for (int s = 0; s < t; s++) {
                score -= exp(-D2(features + 2 * i, features + 2 * chosen[s]) / width) / (3 + t);
                taken |= chosen[s] == i;
            }
            if (taken || !(score > best + 1e-9)) continue;
            best = score;
            chosen[t] = i;
        }
        cr_assert_eq(picks[t].candidate, chosen[t], "pick %d", t);
        cr_assert(!(fabs(picks[t].score - best) > 1e-12));
    }
#undef D2
}

/* ---- kmeans ---- */

Test(strategies, kmeans_puts_one_pick_in_each_group)
{
    double features[40];
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < 40; i++)
        features[i] = 100 * (i % 4) + sow_rng_normal(&rng);
    const sow_pool_view view = {.n = 40, .dim = 1, .features = features, .rng = rng};
    sow_pick picks[4];
    int seen[4] = {0};
    choose(picks, 4, "kmeans", &view, NULL);
    for (int k = 0; k < 4; k++) {
        seen[picks[k].candidate % 4]++;
        cr_assert(strstr(picks[k].reason, "cluster of 10 candidates"), "%s", picks[k].reason);
    }
    for (int g = 0; g < 4; g++)
        cr_assert_eq(seen[g], 1);
}

static void check_unplaced_last(const char *name)
{
    fake_pool f;
    fake_pool_init(&f, 28, 2); /* four without a prior row */
    sow_pick picks[28];
    choose(picks, 24, name, &f.view, NULL);
    for (int k = 0; k < 24; k++)
        cr_assert(f.has[picks[k].candidate], "%s", name);
    choose(picks, 26, name, &f.view, NULL);
    for (int k = 0; k < 26; k++) {
        cr_assert_eq(f.has[picks[k].candidate] != 0, k < 24, "%s pick %d", name, k);
        cr_assert_eq(strstr(picks[k].reason, "no prior row") != NULL, k >= 24, "%s", picks[k].reason);
    }
    memset(f.has, 0, 28);
    memset(f.features, 0, sizeof *f.features * 28 * 3);
    choose(picks, 5, name, &f.view, NULL);
    fake_pool_clear(&f);
}

Test(strategies, candidates_without_a_prior_row_come_last_and_at_random)
{
    check_unplaced_last("kmeans");
    check_unplaced_last("core-set");
}

/* ---- moments ---- */

/* Candidates 0 and 1 are nearly the same one; 2 is alone. */
static void twins(fake_pool *f, double mean_of_twins, double mean_of_other)
{
    fake_pool_init(f, 3, 1);
    const double covariance[] = {1, 0.99, 0, 0.99, 1, 0, 0, 0, 1};
    memcpy(f->posterior.covariance, covariance, sizeof covariance);
    for (int i = 0; i < 3; i++) {
        f->var[i] = 1;
        f->noise[i] = 0.01;
        f->mean[i] = i < 2 ? mean_of_twins : mean_of_other;
    }
}

Test(strategies, a_batch_spreads_because_a_pick_lowers_the_variance_of_its_twin)
{
    const char *name[] = {"ucb", "ei", "lookahead", "max-variance"};
    for (int s = 0; s < 4; s++) {
        fake_pool f;
        sow_pick picks[2];
        twins(&f, 0.2, 0.0);
        f.view.threshold = 1;
        f.view.picks_after = 4;
        choose(picks, 2, name[s], &f.view, NULL);
        cr_assert_eq(picks[0].candidate, 0, "%s", name[s]);
        cr_assert_eq(picks[1].candidate, 2, "%s takes the twin", name[s]);
        if (s < 3) {
            f.view.posterior = NULL;
            choose(picks, 2, name[s], &f.view, NULL);
            cr_assert_eq(picks[1].candidate, 1, "%s without a posterior judges each alone", name[s]);
        }
        fake_pool_clear(&f);
    }
}

Test(strategies, conditional_variances_are_those_of_the_explicit_formula)
{
    enum { N = 12, B = 4 };
    fake_pool f;
    fake_pool_init(&f, N, 3);
    sow_pick picks[B];
    choose(picks, B, "max-variance", &f.view, NULL);
    for (sow_index k = 1; k < B; k++) { /* score of pick k = K_bb - K_bA (K_AA + S)^-1 K_Ab, A the k picks before it */
        double a[B * B] = {0}, c[B] = {0};
        const double *cov = f.posterior.covariance;
        const sow_index b = picks[k].candidate;
        for (sow_index i = 0; i < k; i++) {
            c[i] = cov[picks[i].candidate * N + b];
            for (sow_index j = 0; j < k; j++)
                a[i * k + j] = cov[picks[i].candidate * N + picks[j].candidate] + (i == j ? f.noise[picks[i].candidate] : 0);
        }
        cr_assert_eq(sow_cholesky(NULL, k, a, k, NULL), SOW_OK);
        cr_assert_eq(sow_trsm_lower(NULL, 0, k, 1, a, k, c, 1, NULL), SOW_OK);
        cr_assert(fabs(picks[k].score - (cov[b * N + b] - sow_dot(k, c, c))) <= 1e-12, "pick %d", (int)k);
    }
    fake_pool_clear(&f);
}

Test(strategies, ucb_follows_its_beta)
{
    fake_pool f;
    sow_pick pick;
    twins(&f, 0.0, 0.5);
    f.var[0] = f.posterior.covariance[0] = 4;
    const sow_strategy_options bold = {.beta = 1.0, .starts = 10}, careful = {.beta = 0.1, .starts = 10};
    choose(&pick, 1, "ucb", &f.view, &bold);
    cr_assert(pick.candidate == 0 && fabs(pick.score - 2.0) <= 1e-12);
    choose(&pick, 1, "ucb", &f.view, &careful);
    cr_assert(pick.candidate == 2 && fabs(pick.score - 0.6) <= 1e-12);
    fake_pool_clear(&f);
}

Test(strategies, greedy_takes_the_largest_means_and_says_how_likely_a_hit_is)
{
    fake_pool f;
    sow_pick picks[3];
    twins(&f, 0.5, 1.5);
    f.view.threshold = 0.5;
    choose(picks, 3, "greedy", &f.view, NULL);
    cr_assert(picks[0].candidate == 2 && picks[1].candidate == 0 && picks[2].candidate == 1);
    cr_assert_str_eq(picks[0].reason, "predicted 1.5 +- 1, above the hit threshold 0.5 with probability 0.84");
    f.view.var = NULL;
    choose(picks, 1, "greedy", &f.view, NULL);
    cr_assert_str_eq(picks[0].reason, "predicted 1.5");
    fake_pool_clear(&f);
}

Test(strategies, ei_is_the_closed_form_over_threshold_or_best_measured)
{
    fake_pool f;
    sow_pick pick;
    twins(&f, 0.0, 0.5);
    f.view.threshold = 1.0;
    choose(&pick, 1, "ei", &f.view, NULL);
    const double z = -0.5, expected = z * sow_normal_cdf(z) + sow_normal_pdf(z);
    cr_assert(pick.candidate == 2 && fabs(pick.score - expected) <= 1e-12);
    f.view.threshold = NAN;
    double best = -INFINITY;
    for (int i = 0; i < FAKE_LABELLED; i++)
        best = fmax(best, f.measured[i]);
    choose(&pick, 1, "ei", &f.view, NULL);
    cr_assert(fabs(pick.score - ((0.5 - best) * sow_normal_cdf(0.5 - best) + sow_normal_pdf(0.5 - best))) <= 1e-12);
    fake_pool_clear(&f);
}

Test(strategies, probability_of_hit_is_a_normal_tail)
{
    fake_pool f;
    sow_pick pick;
    twins(&f, 0.0, 0.5);
    choose(&pick, 1, "poh", &f.view, NULL);
    cr_assert(pick.candidate == 2 && fabs(pick.score - sow_normal_cdf(-0.5)) <= 1e-12);
    fake_pool_clear(&f);
}

Test(strategies, those_that_need_variances_say_so)
{
    fake_pool f;
    fake_pool_init(&f, 10, 1);
    for (int i = 0; i < 10; i++)
        f.var[i] = NAN; /* what a model without variances fills in */
    f.view.posterior = NULL;
    const char *name[] = {"ucb", "ei", "max-variance", "poh", "lookahead"};
    sow_pick picks[2];
    for (int s = 0; s < 5; s++) {
        sow_error err = {0};
        cr_assert_eq(sow_strategy_pick(picks, 2, row(name[s]), &f.view, NULL, NULL, &err), SOW_E_CONFIG);
        cr_assert(strstr(err.message, "needs predictive variances"), "%s", err.message);
    }
    choose(picks, 2, "greedy", &f.view, NULL);
    fake_pool_clear(&f);
}

/* ---- thompson ---- */

Test(strategies, thompson_picks_in_proportion_to_the_chance_of_being_best)
{
    int first[3] = {0};
    fake_pool f;
    twins(&f, -5.0, 0.0);
    f.mean[1] = 0.0; /* 1 and 2 are alike, 0 is hopeless */
    const double covariance[] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    memcpy(f.posterior.covariance, covariance, sizeof covariance);
    for (uint32_t r = 0; r < 400; r++) {
        sow_pick pick;
        f.view.rng = sow_rng_make(1, SOW_RNG_STRATEGY, r, 0);
        choose(&pick, 1, "thompson", &f.view, NULL);
        first[pick.candidate]++;
    }
    cr_assert(first[0] <= 3 && abs(first[1] - 200) < 45, "%d %d %d", first[0], first[1], first[2]); /* sd 10 */
    fake_pool_clear(&f);
}

static sow_status lonely_column(const sow_posterior *p, sow_index i, double *column, sow_error *err)
{
    (void)err;
    memset(column, 0, (size_t)p->n * sizeof *column);
    column[i] = p->var[i];
    return SOW_OK;
}

Test(strategies, thompson_restricts_a_large_pool_to_its_promising_part)
{
    enum { N = 4500, B = 30 };
    double *mean = malloc(N * sizeof *mean), *var = malloc(N * sizeof *var);
    for (int i = 0; i < N; i++) {
        mean[i] = i % 3 == 0 ? 10 + 1e-3 * i : 0;
        var[i] = 0.01;
    }
    const sow_posterior p = {.n = N, .mean = mean, .var = var, .column = lonely_column};
    const sow_pool_view view = {.n = N, .posterior = &p, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0)};
    sow_pick picks[B], again[B];
    choose(picks, B, "thompson", &view, NULL);
    choose(again, B, "thompson", &view, NULL);
    for (int k = 0; k < B; k++) {
        cr_assert_eq(picks[k].candidate % 3, 0);
        cr_assert_eq(picks[k].candidate, again[k].candidate);
        cr_assert_gt(picks[k].candidate, 1500, "the best of a thousand of largest bound");
    }
    free(mean);
    free(var);
}

/* ---- reference ---- */

Test(strategies, reference_ranks_and_leaves_the_unmeasured_for_last)
{
    const double reference[] = {0.5, NAN, 2.0, NAN, -1.0};
    sow_pool_view view = {.n = 5, .reference = reference, .rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0)};
    sow_pick picks[5];
    choose(picks, 5, "reference", &view, NULL);
    cr_assert(picks[0].candidate == 2 && picks[1].candidate == 0 && picks[2].candidate == 4);
    for (int k = 3; k < 5; k++) {
        cr_assert(strstr(picks[k].reason, "no value in the reference context"));
        cr_assert_lt(picks[k].score, -1.0);
    }
    cr_assert_str_eq(picks[0].reason, "2 in the reference context, place 1 of the candidates there");
}

/* ---- look-ahead ---- */

Test(strategies, lookahead_explores_while_picks_are_to_come_and_exploits_in_the_last_batch)
{
    fake_pool f;
    sow_pick pick;
    twins(&f, 0.0, 0.5);
    f.var[0] = f.posterior.covariance[0] = 4;
    f.view.round = 1;
    f.view.picks_after = 3;
    choose(&pick, 1, "lookahead", &f.view, NULL);
    cr_assert(pick.candidate == 0 && fabs(pick.score - 2.0) <= 1e-12, "beta is whole in the first chosen round");
    f.view.round = 3; /* one pick to come of the three after the first */
    f.view.picks_after = 1;
    choose(&pick, 1, "lookahead", &f.view, NULL);
    cr_assert(pick.candidate == 2 && fabs(pick.score - (0.5 + 1.0 / 3)) <= 1e-12, "score %g", pick.score);
    f.view.round = 4;
    f.view.picks_after = 0;
    choose(&pick, 1, "lookahead", &f.view, NULL);
    cr_assert(pick.candidate == 2 && fabs(pick.score - 0.5) <= 1e-12);
    cr_assert(strstr(pick.reason, "weight 0 on what is not known, 0 picks to come"), "%s", pick.reason);
    fake_pool_clear(&f);
}

Test(strategies, lookahead_in_the_last_batch_picks_what_greedy_picks)
{
    fake_pool f;
    fake_pool_init(&f, 40, 4);
    sow_pick late[10], greedy[10];
    f.view.picks_after = 0;
    choose(late, 10, "lookahead", &f.view, NULL);
    choose(greedy, 10, "greedy", &f.view, NULL);
    for (int k = 0; k < 10; k++)
        cr_assert_eq(late[k].candidate, greedy[k].candidate);
    fake_pool_clear(&f);
}
