/* loss-prediction as a strategy: what it finds, what it says, and what it does with little to learn from. */
#include "tests/acquisition/fake.h"
#include "tests/io/faults.h"

enum { SEEN = 240, POOL = 500, DIM = 6, BATCH = 40 };

static const sow_strategy *row(void)
{
    const sow_strategy *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_strategy_find(&s, "learn_loss", &err), SOW_OK, "%s", err.message);
    return s;
}

static void choose(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env)
{
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, batch, row(), view, options, env, &err), SOW_OK, "%s", err.message);
}

/* Losses are high in one corner of the space: 0.4, and up to 0.9 around (1, 1, ...). */
typedef struct {
    double features[POOL * DIM], truth[POOL], labelled[SEEN * DIM], loss[2 * SEEN], cells[2 * SEEN];
    sow_index of[2 * SEEN];
    unsigned char held[2 * SEEN];
    sow_pool_view view;
} corner;

static double corner_loss(const double *x)
{
    double d2 = 0;
    for (int j = 0; j < DIM; j++)
        d2 += (x[j] - 0.7) * (x[j] - 0.7);
    return 0.4 + 0.5 * exp(-0.5 * d2 / DIM * 2);
}

static corner *make(uint64_t seed)
{
    corner *c = calloc(1, sizeof *c);
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 6, 0);
    for (int i = 0; i < POOL * DIM; i++)
        c->features[i] = sow_rng_normal(&rng);
    for (int i = 0; i < POOL; i++)
        c->truth[i] = corner_loss(c->features + i * DIM);
    for (int i = 0; i < SEEN * DIM; i++)
        c->labelled[i] = sow_rng_normal(&rng);
    for (int k = 0; k < 2 * SEEN; k++) {
        c->of[k] = k / 2;
        c->loss[k] = corner_loss(c->labelled + c->of[k] * DIM) + 0.03 * sow_rng_normal(&rng);
        c->cells[k] = 32;
        c->held[k] = (unsigned char)(k % 2);
    }
    c->view = (sow_pool_view){.n = POOL,
                              .dim = DIM,
                              .features = c->features,
                              .n_labelled = SEEN,
                              .labelled_features = c->labelled,
                              .n_losses = 2 * SEEN,
                              .loss_of = c->of,
                              .loss = c->loss,
                              .loss_cells = c->cells,
                              .loss_held = c->held,
                              .rng = sow_rng_make(seed, SOW_RNG_STRATEGY, 1, 0)};
    return c;
}

static double mean_truth(const corner *c, const sow_pick *picks)
{
    double sum = 0;
    for (int k = 0; k < BATCH; k++)
        sum += c->truth[picks[k].candidate] / BATCH;
    return sum;
}

Test(loss_prediction, finds_the_region_of_high_loss_in_every_form)
{
    corner *c = make(1);
    double mean = 0;
    for (int i = 0; i < POOL; i++)
        mean += c->truth[i] / POOL;
    const char *const form[] = {"regression", "published", "binned", "ranking"}, *const target[] = {"all", "held"};
    for (int f = 0; f < 4; f++)
        for (int t = 0; t < 2; t++) {
            sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
            sow_pick picks[BATCH];
            options.loss_form = form[f];
            options.loss_target = target[t];
            options.loss_members = 1 + 2 * t;
            options.loss_cells = t;
            choose(picks, BATCH, &c->view, &options, NULL);
            const double found = mean_truth(c, picks);
            cr_assert(found > mean + 0.06, "%s, %s: %.3f, random %.3f", form[f], target[t], found, mean);
        }
    free(c);
}

Test(loss_prediction, says_what_it_predicts_how_that_compares_and_what_is_near)
{
    fake_pool f;
    fake_pool_init(&f, 40, 1);
    const char *const form[] = {"regression", "binned", "ranking"}, *const start[] = {"predicted loss 0.", "predicted loss 0.", "predicted worse than "};
    for (int k = 0; k < 3; k++) {
        sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
        sow_pick picks[3];
        options.loss_form = form[k];
        choose(picks, 3, &f.view, &options, NULL);
        cr_assert_eq(strncmp(picks[0].reason, start[k], strlen(start[k])), 0, "%s", picks[0].reason);
        cr_assert(strstr(picks[0].reason, " % of the candidates; nearest measured ") != NULL, "%s", picks[0].reason);
        int named = 0;
        for (int l = 0; l < FAKE_LABELLED; l++)
            named += strstr(picks[0].reason, fake_labelled_name[l]) != NULL;
        cr_assert_eq(named, 1, "%s", picks[0].reason);
        if (k == 0) cr_assert(strstr(picks[0].reason, "above 100 %"), "%s", picks[0].reason);
    }
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    sow_pick pick;
    options.loss_cells = 1;
    choose(&pick, 1, &f.view, &options, NULL);
    cr_assert(strstr(pick.reason, "predicted loss at equal cells"), "%s", pick.reason);
    fake_pool_clear(&f);
}

Test(loss_prediction, names_the_nearest_measured_by_its_features)
{
    corner *c = make(2);
    const char *name[SEEN];
    for (int l = 0; l < SEEN; l++)
        name[l] = "far";
    sow_pick pick;
    choose(&pick, 1, &c->view, NULL, NULL);
    name[7] = "TWIN";
    memcpy(c->features + pick.candidate * DIM, c->labelled + 7 * DIM, DIM * sizeof *c->features);
    c->view.labelled_name = name;
    sow_pick picks[POOL];
    choose(picks, POOL, &c->view, NULL, NULL);
    for (int k = 0; k < POOL; k++)
        if (picks[k].candidate == pick.candidate) cr_assert(strstr(picks[k].reason, "; nearest measured TWIN (loss 0."), "%s", picks[k].reason);
    free(c);
}

Test(loss_prediction, leaves_candidates_without_features_for_last)
{
    fake_pool f;
    fake_pool_init(&f, 28, 2); /* four without a prior row */
    const char *const form[] = {"regression", "binned", "ranking", "published"};
    for (int k = 0; k < 4; k++) {
        sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
        sow_pick picks[26];
        options.loss_form = form[k];
        choose(picks, 26, &f.view, &options, NULL);
        for (int i = 0; i < 26; i++) {
            cr_assert_eq(f.has[picks[i].candidate] != 0, i < 24, "pick %d", i);
            cr_assert_eq(strstr(picks[i].reason, "no features to predict its loss from") != NULL, i >= 24, "%s", picks[i].reason);
        }
    }
    fake_pool_clear(&f);
}

Test(loss_prediction, works_with_fewer_than_five_measured)
{
    const char *const form[] = {"regression", "binned", "ranking", "published"};
    for (sow_index n = 1; n <= 4; n++)
        for (int k = 0; k < 4; k++) {
            fake_pool f;
            fake_pool_init(&f, 20, 3);
            sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
            sow_pick picks[5];
            options.loss_form = form[k];
            f.view.n_losses = 2 * n; /* the first n labelled have losses */
            choose(picks, 5, &f.view, &options, NULL);
            if (n == 1 && k != 3)
                cr_assert(strstr(picks[0].reason, "of 1 measured): drawn at random"), "%s", picks[0].reason);
            else
                cr_assert(strstr(picks[0].reason, "of the candidates"), "%s", picks[0].reason);
            fake_pool_clear(&f);
        }
}

Test(loss_prediction, draws_at_random_while_all_losses_are_equal)
{
    fake_pool f;
    fake_pool_init(&f, 30, 4);
    sow_pick a[30], b[30];
    int differ = 0;
    for (int k = 0; k < FAKE_LOSSES; k++)
        f.loss[k] = 0.5;
    choose(a, 30, &f.view, NULL, NULL);
    cr_assert_str_eq(a[0].reason, "the losses known do not differ (0.5, of 7 measured): drawn at random");
    for (int k = 0; k < 30; k++)
        cr_assert_eq(f.has[a[k].candidate] != 0, k < 26, "pick %d", k);
    f.view.rng = sow_rng_make(99, SOW_RNG_STRATEGY, 1, 0);
    choose(b, 30, &f.view, NULL, NULL);
    for (int k = 0; k < 30; k++)
        differ += a[k].candidate != b[k].candidate;
    cr_assert_gt(differ, 10);
    fake_pool_clear(&f);
}

static void keep_message(void *user, sow_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 200, "%s", message);
}

Test(loss_prediction, says_so_when_too_few_losses_are_out_of_sample)
{
    fake_pool f;
    fake_pool_init(&f, 20, 5);
    char said[200] = "";
    const sow_env env = {.log = keep_message, .log_user = said};
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    sow_pick pick;
    options.loss_target = "held";
    choose(&pick, 1, &f.view, &options, &env);
    cr_assert_str_eq(said, "");
    memset(f.loss_held, 0, FAKE_LOSSES - 2); /* one of seven */
    choose(&pick, 1, &f.view, &options, &env);
    cr_assert_str_eq(said, "fewer than half of the 7 measured have a loss out of sample: loss-prediction learns from all");
    fake_pool_clear(&f);
}

Test(loss_prediction, shuffles_the_ties_of_bins_by_the_seed)
{
    corner *c = make(3);
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    options.loss_form = "binned";
    sow_pick a[BATCH];
    int sorted = 1, ties = 0;
    choose(a, BATCH, &c->view, &options, NULL);
    for (int k = 1; k < BATCH; k++) {
        cr_assert_leq(a[k].score, a[k - 1].score);
        if (a[k].score < a[k - 1].score) continue;
        ties++;
        sorted &= a[k].candidate > a[k - 1].candidate;
    }
    cr_assert(ties > 5 && !sorted, "%d ties", ties);
    free(c);
}

Test(loss_prediction, gives_the_same_picks_for_one_two_and_three_threads)
{
    corner *c = make(4);
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    for (sow_index members = 1; members <= 4; members += 3) {
        sow_pick a[BATCH], b[BATCH];
        options.loss_members = members;
        choose(a, BATCH, &c->view, &options, NULL);
        for (int n = 1; n <= 3; n++) {
            sow_threads *threads = NULL;
            cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
            const sow_env env = {.threads = threads};
            choose(b, BATCH, &c->view, &options, &env);
            for (int k = 0; k < BATCH; k++)
                cr_assert(a[k].candidate == b[k].candidate && a[k].score == b[k].score && strcmp(a[k].reason, b[k].reason) == 0,
                          "%d threads, pick %d", n, k);
            sow_threads_destroy(threads);
        }
    }
    free(c);
}

Test(loss_prediction, refuses_words_it_does_not_know)
{
    fake_pool f;
    fake_pool_init(&f, 10, 1);
    sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
    sow_pick pick;
    sow_error err = {0};
    options.loss_form = "quantile";
    cr_assert_eq(sow_strategy_pick(&pick, 1, row(), &f.view, &options, NULL, &err), SOW_E_CONFIG);
    cr_assert_str_eq(err.message, "acquisition.loss_form is 'quantile': regression, binned, ranking or published are allowed");
    options.loss_form = "binned";
    options.loss_target = "some";
    cr_assert_eq(sow_strategy_pick(&pick, 1, row(), &f.view, &options, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.loss_target"));
    fake_pool_clear(&f);
}

Test(loss_prediction, says_what_it_lacks)
{
    fake_pool f;
    fake_pool_init(&f, 10, 1);
    sow_pick pick;
    sow_error err = {0};
    f.view.n_losses = 0;
    cr_assert_eq(sow_strategy_pick(&pick, 1, row(), &f.view, NULL, NULL, &err), SOW_E_CONFIG);
    cr_assert_str_eq(err.message, "strategy 'loss-prediction' needs a model's losses on what is measured; use model morph");
    f.view.n_losses = FAKE_LOSSES;
    f.view.labelled_features = NULL;
    cr_assert_eq(sow_strategy_pick(&pick, 1, row(), &f.view, NULL, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "features of what is measured"));
    fake_pool_clear(&f);
}

static const sow_strategy_options *fault_options;

static sow_status pick_under_faults(sow_error *err)
{
    static fake_pool f;
    if (!f.n) fake_pool_init(&f, 12, 1);
    sow_pick picks[3];
    return sow_strategy_pick(picks, 3, row(), &f.view, fault_options, NULL, err);
}

Test(loss_prediction, survives_every_failed_allocation_in_every_form)
{
    const char *const form[] = {"regression", "binned", "ranking"};
    for (int k = 0; k < 3; k++) {
        sow_strategy_options options = SOW_STRATEGY_OPTIONS_INIT;
        options.loss_form = form[k];
        options.loss_members = 1 + k;
        options.loss_cells = k == 1;
        fault_options = &options;
        pick_under_faults(NULL); /* makes the pool before memory fails */
        every_allocation_may_fail(pick_under_faults, 1);
    }
}
