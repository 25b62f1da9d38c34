/* One suite over every row of the table of strategies. */
#include "tests/acquisition/fake.h"

enum { N = 60, BATCH = 12 };

#define FOR_EACH_STRATEGY(s)                                                                                                       \
    sow_index n_rows_ = 0;                                                                                                         \
    const sow_strategy *const *rows_ = sow_strategies(&n_rows_);                                                                   \
    cr_assert_geq(n_rows_, 15);                                                                                                    \
    for (const sow_strategy *s = rows_[0]; n_rows_ > 0; s = --n_rows_ > 0 ? *++rows_ : NULL)

static void choose(sow_pick *picks, sow_index batch, const sow_strategy *s, const sow_pool_view *view, const sow_env *env)
{
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, batch, s, view, NULL, env, &err), SOW_OK, "%s: %s", s->name, err.message);
}

static void check_batch(const sow_pick *picks, sow_index batch, const sow_strategy *s, sow_index n)
{
    int times[1000] = {0};
    for (sow_index k = 0; k < batch; k++) {
        cr_assert(picks[k].candidate >= 0 && picks[k].candidate < n, "%s", s->name);
        cr_assert_eq(times[picks[k].candidate]++, 0, "%s picked candidate %d twice", s->name, (int)picks[k].candidate);
        cr_assert(isfinite(picks[k].score), "%s", s->name);
        cr_assert_gt(strlen(picks[k].reason), 10, "%s: '%s'", s->name, picks[k].reason);
        cr_assert_lt(strlen(picks[k].reason), sizeof picks[k].reason - 1, "%s: cut off '%s'", s->name, picks[k].reason);
    }
}

static int same_picks(const sow_pick *a, const sow_pick *b, sow_index batch)
{
    for (sow_index k = 0; k < batch; k++)
        if (a[k].candidate != b[k].candidate || memcmp(&a[k].score, &b[k].score, sizeof a[k].score) != 0 ||
            strcmp(a[k].reason, b[k].reason) != 0)
            return 0;
    return 1;
}

Test(conformance, every_row_has_a_name_a_summary_and_is_found_by_its_aliases)
{
    FOR_EACH_STRATEGY(s)
    {
        const sow_strategy *found = NULL;
        char alias[64];
        cr_assert(s->name[0] && s->summary[0] && s->pick);
        cr_assert_eq(sow_strategy_find(&found, s->name, NULL), SOW_OK);
        cr_assert_eq(found, s);
        for (const char *a = s->aliases; *a; a += strcspn(a, ","), a += *a == ',') {
            snprintf(alias, sizeof alias, "%.*s", (int)strcspn(a, ","), a);
            cr_assert_eq(sow_strategy_find(&found, alias, NULL), SOW_OK, "%s", alias);
            cr_assert_eq(found, s, "alias %s is another row's too", alias);
        }
    }
}

Test(conformance, every_strategy_gives_a_whole_batch_of_distinct_candidates_with_reasons)
{
    fake_pool f;
    fake_pool_init(&f, N, 1);
    sow_pick picks[N];
    const sow_index sizes[] = {1, BATCH, N - 1, N};
    FOR_EACH_STRATEGY(s)
    for (int k = 0; k < 4; k++) {
        choose(picks, sizes[k], s, &f.view, NULL);
        check_batch(picks, sizes[k], s, N);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_obeys_quotas_and_picks_what_must_be_included)
{
    fake_pool f;
    fake_pool_init(&f, N, 2);
    sow_index everyone[N], even[N / 2], low[10];
    for (int i = 0; i < N; i++)
        everyone[i] = i;
    for (int i = 0; i < N / 2; i++)
        even[i] = 2 * i;
    for (int i = 0; i < 10; i++)
        low[i] = i;
    const sow_index include[] = {6, 41}; /* 6 has no prior row */
    const sow_quota quotas[] = {{.label = "even", .n_members = N / 2, .members = even, .at_most = 4},
                                {.label = "low", .n_members = 10, .members = low, .at_most = -1, .at_least = 5}};
    FOR_EACH_STRATEGY(s)
    {
        sow_constraints *rules = NULL;
        sow_pick picks[BATCH];
        int n_even = 0, n_low = 0, n_included = 0;
        cr_assert_eq(sow_constraints_create(&rules, everyone, N, BATCH, include, 2, quotas, 2, NULL), SOW_OK);
        f.view.feasible = sow_constraints_feasible;
        f.view.take = sow_constraints_take;
        f.view.rules = rules;
        choose(picks, BATCH, s, &f.view, NULL);
        check_batch(picks, BATCH, s, N);
        for (int k = 0; k < BATCH; k++) {
            const sow_index i = picks[k].candidate;
            n_even += i % 2 == 0;
            n_low += i < 10;
            n_included += i == 6 || i == 41;
        }
        cr_assert(n_even <= 4 && n_low >= 5 && n_included == 2, "%s: %d even, %d low, %d included", s->name, n_even, n_low,
                  n_included);
        sow_constraints_destroy(rules);
    }
    fake_pool_clear(&f);
}

static int only_multiples_of_three(void *rules, sow_index i)
{
    (void)rules;
    return i % 3 == 0;
}

Test(conformance, every_strategy_never_picks_the_infeasible_and_says_when_too_few_are_left)
{
    fake_pool f;
    fake_pool_init(&f, N, 3);
    f.view.feasible = only_multiples_of_three;
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[N / 3 + 1];
        sow_error err = {0};
        choose(picks, N / 3, s, &f.view, NULL);
        check_batch(picks, N / 3, s, N);
        for (int k = 0; k < N / 3; k++)
            cr_assert_eq(picks[k].candidate % 3, 0, "%s", s->name);
        cr_assert_eq(sow_strategy_pick(picks, N / 3 + 1, s, &f.view, NULL, NULL, &err), SOW_E_CONFIG, "%s", s->name);
        cr_assert(strstr(err.message, "only 20 of 21 could be picked"), "%s: %s", s->name, err.message);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_repeats_itself_under_one_seed_and_on_two_threads)
{
    fake_pool f;
    fake_pool_init(&f, 300, 4);
    sow_threads *two = NULL;
    cr_assert_eq(sow_threads_create(&two, 2, NULL), SOW_OK);
    const sow_env env = {.threads = two};
    FOR_EACH_STRATEGY(s)
    {
        sow_pick a[BATCH], b[BATCH], c[BATCH];
        choose(a, BATCH, s, &f.view, NULL);
        choose(b, BATCH, s, &f.view, NULL);
        choose(c, BATCH, s, &f.view, &env);
        cr_assert(same_picks(a, b, BATCH), "%s differs from itself", s->name);
        cr_assert(same_picks(a, c, BATCH), "%s differs on two threads", s->name);
    }
    sow_threads_destroy(two);
    fake_pool_clear(&f);
}

Test(conformance, random_strategies_differ_between_seeds_and_rounds)
{
    fake_pool f;
    fake_pool_init(&f, N, 5);
    const char *random[] = {"random", "thompson", "soft-uncertainty"};
    for (int r = 0; r < 3; r++) {
        const sow_strategy *s = NULL;
        sow_pick a[BATCH], b[BATCH], c[BATCH];
        cr_assert_eq(sow_strategy_find(&s, random[r], NULL), SOW_OK);
        f.view.rng = sow_rng_make(1, SOW_RNG_STRATEGY, 1, 0);
        choose(a, BATCH, s, &f.view, NULL);
        f.view.rng = sow_rng_make(2, SOW_RNG_STRATEGY, 1, 0);
        choose(b, BATCH, s, &f.view, NULL);
        f.view.rng = sow_rng_make(1, SOW_RNG_STRATEGY, 2, 0);
        choose(c, BATCH, s, &f.view, NULL);
        cr_assert_not(same_picks(a, b, BATCH), "%s", s->name);
        cr_assert_not(same_picks(a, c, BATCH), "%s", s->name);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_refuses_candidates_out_of_name_order)
{
    fake_pool f;
    fake_pool_init(&f, N, 6);
    char *kept = f.name[3];
    f.name[3] = f.name[4];
    f.name[4] = kept;
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[BATCH];
        sow_error err = {0};
        cr_assert_eq(sow_strategy_pick(picks, BATCH, s, &f.view, NULL, NULL, &err), SOW_E_ARG);
        cr_assert(strstr(err.message, "name order") && strstr(err.message, "P00004"), "%s", err.message);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_gives_ties_to_the_first_name)
{
    fake_pool f;
    fake_pool_init(&f, N, 7);
    for (int i = 0; i < N; i++) { /* all alike but for rounding noise */
        f.mean[i] = 2 + 1e-9 * (i % 5);
        f.var[i] = 1 + 1e-9 * (i % 3);
        f.noise[i] = 0.1;
        f.reference[i] = 1;
        f.drift[i] = 0.5 + 1e-9 * (i % 4);
        f.true_loss[i] = 0.5;
        for (int j = 0; j < N; j++)
            f.posterior.covariance[i * N + j] = i == j ? f.var[i] : 0;
    }
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[BATCH];
        const unsigned tied = SOW_NEED_MOMENTS | SOW_NEED_REFERENCE | SOW_NEED_DRIFT | SOW_NEED_TRUTH; /* geometry is not */
        if (!(s->needs & tied) || strcmp(s->name, "soft-uncertainty") == 0) continue;
        choose(picks, BATCH, s, &f.view, NULL);
        for (int k = 0; k < BATCH; k++)
            cr_assert_eq(picks[k].candidate, k, "%s pick %d is %d", s->name, k, (int)picks[k].candidate);
    }
    fake_pool_clear(&f);
}

static void check_refused(const sow_strategy *s, const sow_pool_view *view, sow_status expected)
{
    sow_pick picks[BATCH];
    sow_error err = {0};
    cr_assert_eq(sow_strategy_pick(picks, BATCH, s, view, NULL, NULL, &err), expected, "%s: %s", s->name, err.message);
    cr_assert_gt(strlen(err.message), 10);
}

Test(conformance, every_strategy_refuses_numbers_that_are_not_finite)
{
    fake_pool f;
    fake_pool_init(&f, N, 8);
    FOR_EACH_STRATEGY(s)
    {
        double *const arrays[] = {f.features, f.labelled, f.mean, f.var, f.noise, f.measured};
        for (int a = 0; a < 6; a++) {
            const double kept = arrays[a][2];
            arrays[a][2] = NAN;
            check_refused(s, &f.view, SOW_E_NONFINITE);
            arrays[a][2] = INFINITY;
            check_refused(s, &f.view, SOW_E_NONFINITE);
            arrays[a][2] = kept;
        }
        double *const known_in_part[] = {f.reference, f.drift, f.true_loss, f.loss}; /* NaN is not known; infinity is wrong */
        for (int a = 0; a < 4; a++) {
            const double kept = known_in_part[a][0];
            known_in_part[a][0] = INFINITY;
            check_refused(s, &f.view, SOW_E_NONFINITE);
            known_in_part[a][0] = kept;
        }
        f.loss[3] = NAN;
        check_refused(s, &f.view, SOW_E_NONFINITE);
        f.loss[3] = 0.5;
        f.drift[2] = -0.1;
        check_refused(s, &f.view, SOW_E_ARG);
        f.drift[2] = 0.1;
        f.loss_cells[2] = 0;
        check_refused(s, &f.view, SOW_E_ARG);
        f.loss_cells[2] = 32;
        f.loss_of[2] = FAKE_LABELLED;
        check_refused(s, &f.view, SOW_E_SHAPE);
        f.loss_of[2] = 1;
        f.var[1] = -1;
        check_refused(s, &f.view, SOW_E_ARG);
        f.var[1] = 1;
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_refuses_a_batch_larger_than_the_pool_in_one_line)
{
    fake_pool f;
    fake_pool_init(&f, N, 9);
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[N + 1];
        sow_error err = {0};
        cr_assert_eq(sow_strategy_pick(picks, N + 1, s, &f.view, NULL, NULL, &err), SOW_E_CONFIG);
        cr_assert_str_eq(err.message, "a batch of 61 is larger than the pool of 60 candidates");
        cr_assert_eq(sow_strategy_pick(picks, 0, s, &f.view, NULL, NULL, &err), SOW_OK);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_says_what_it_lacks)
{
    fake_pool f;
    fake_pool_init(&f, N, 10);
    const sow_pool_view bare = {.n = N, .threshold = NAN, .rng = f.view.rng};
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[BATCH];
        if (s->needs == 0)
            choose(picks, BATCH, s, &bare, NULL);
        else
            check_refused(s, &bare, SOW_E_CONFIG);
    }
    fake_pool_clear(&f);
}

Test(conformance, strategies_of_moments_work_without_a_posterior_and_without_a_threshold)
{
    fake_pool f;
    fake_pool_init(&f, N, 11);
    f.view.posterior = NULL;
    f.view.threshold = NAN;
    f.view.noise = NULL;
    FOR_EACH_STRATEGY(s)
    {
        sow_pick picks[BATCH];
        if (!(s->needs & SOW_NEED_MOMENTS)) continue;
        f.view.n_measured = FAKE_LABELLED;
        choose(picks, BATCH, s, &f.view, NULL);
        check_batch(picks, BATCH, s, N);
        f.view.n_measured = 0;
        choose(picks, BATCH, s, &f.view, NULL);
        check_batch(picks, BATCH, s, N);
    }
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_passes_on_a_posterior_of_another_size)
{
    fake_pool f;
    fake_pool_init(&f, N, 12);
    f.posterior.base.n = N - 1;
    FOR_EACH_STRATEGY(s) check_refused(s, &f.view, SOW_E_SHAPE);
    fake_pool_clear(&f);
}

Test(conformance, every_strategy_survives_every_failed_allocation)
{
    fake_pool f;
    fake_pool_init(&f, 12, 13);
    FOR_EACH_STRATEGY(s)
    {
        sow_status st = SOW_E_NOMEM;
        for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
            sow_pick picks[3];
            cr_assert_lt(fail, 2000);
            sow_memory_fail_after(fail);
            st = sow_strategy_pick(picks, 3, s, &f.view, NULL, NULL, NULL);
            sow_memory_fail_after(-1);
            if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM, "%s", s->name);
        }
        cr_assert_eq(st, SOW_OK, "%s", s->name);
    }
    fake_pool_clear(&f);
}

static int cancel(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    return fraction > 0.4;
}

Test(conformance, slow_strategies_can_be_cancelled)
{
    fake_pool f;
    fake_pool_init(&f, N, 14);
    const sow_env env = {.progress = cancel};
    const char *slow[] = {"ucb", "ei", "max-variance", "probability-of-hit", "lookahead"};
    for (int i = 0; i < 5; i++) {
        const sow_strategy *s = NULL;
        sow_pick picks[BATCH];
        cr_assert_eq(sow_strategy_find(&s, slow[i], NULL), SOW_OK);
        cr_assert_eq(sow_strategy_pick(picks, BATCH, s, &f.view, NULL, &env, NULL), SOW_E_CANCELLED, "%s", slow[i]);
    }
    fake_pool_clear(&f);
}
