/* Strategies that look at other contexts, and at a list. */
#include "tests/acquisition/fake.h"

enum { N = 6, REFS = 3, GENES = 2 };

static const char *const names[N] = {"A", "B", "C", "D", "E", "F"};

/* Size and difference between contexts by candidate: A strong and alike, B strong and different, C weak and different, D noise, E measured once, F nowhere. */
static const double values[N][REFS][GENES] = {
    {{4, 4}, {4.2, 4}, {4, 4.1}}, {{4, 0}, {0, 4}, {4, 4}}, {{1, 0.2}, {0.2, 1}, {0.8, 0.8}}, {{0.1, -0.1}, {-0.1, 0.1}, {0, 0.01}}, {{3, 3}}, {{0}}};
static const int measured[N] = {3, 3, 3, 3, 1, 0};

typedef struct {
    const double *delta[N * REFS];
    double error[N * REFS];
    sow_pool_view view;
} pool;

static void pool_make(pool *p)
{
    memset(p, 0, sizeof *p);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < REFS; c++) {
            p->delta[i * REFS + c] = c < measured[i] ? values[i][c] : NULL;
            p->error[i * REFS + c] = c < measured[i] ? 0.02 : NAN;
        }
    p->view = (sow_pool_view){.n = N, .name = names, .threshold = NAN, .hit_share = NAN, .n_references = REFS, .n_genes = GENES, .delta = p->delta, .delta_error = p->error,
                              .rng = sow_rng_make(3, SOW_RNG_STRATEGY, 0, 0)};
}

static void choose(sow_pick *picks, sow_index batch, const char *strategy, const sow_pool_view *view, const sow_strategy_options *options)
{
    const sow_strategy *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_strategy_find(&s, strategy, NULL), SOW_OK);
    cr_assert_eq(sow_strategy_pick(picks, batch, s, view, options, NULL, &err), SOW_OK, "%s", err.message);
}

static void check_order(const sow_pick *picks, const char *expected)
{
    for (int i = 0; expected[i]; i++) cr_assert_eq(names[picks[i].candidate][0], expected[i], "place %d is %s (%s)", i + 1, names[picks[i].candidate], picks[i].reason);
}

Test(contexts, least_consistent_puts_noise_after_what_has_an_effect)
{
    pool p;
    sow_pick picks[N];
    pool_make(&p);
    choose(picks, N, "least-consistent", &p.view, NULL);
    check_order(picks, "BCAD");
    cr_assert(strstr(picks[0].reason, "differs between 3 reference contexts") && strstr(picks[0].reason, "noise taken off"), "%s", picks[0].reason);
    cr_assert(strstr(picks[3].reason, "no effect beyond the noise"), "%s", picks[3].reason);
    cr_assert(strstr(picks[4].reason, "fewer than two reference contexts"), "%s", picks[4].reason);
}

Test(contexts, least_consistent_as_published_likes_noise_best)
{
    pool p;
    sow_pick picks[N];
    sow_strategy_options o = SOW_STRATEGY_OPTIONS_INIT;
    pool_make(&p);
    o.consistency = "published";
    choose(picks, N, "least_consistent", &p.view, &o);
    check_order(picks, "DBCA");
    p.view.delta_error = NULL; /* nothing known of noise: the published ratio is all there is */
    choose(picks, N, "least-consistent", &p.view, NULL);
    check_order(picks, "DBCA");
    cr_assert_null(strstr(picks[0].reason, "noise"), "%s", picks[0].reason);
}

/* One cell has no variance: its candidate comes after what shows an effect, and does not cost the others their correction. */
Test(contexts, what_has_too_few_cells_is_no_reason_to_forget_the_noise_of_the_rest)
{
    pool p;
    sow_pick picks[N];
    pool_make(&p);
    p.error[1 * REFS + 2] = NAN;
    choose(picks, N, "least-consistent", &p.view, NULL);
    check_order(picks, "CAB");
    cr_assert(strstr(picks[2].reason, "too few cells"), "%s", picks[2].reason);
    choose(picks, N, "most-consistent", &p.view, NULL);
    check_order(picks, "AC");
}

Test(contexts, most_consistent_takes_strong_ones_first)
{
    pool p;
    sow_pick picks[N];
    pool_make(&p);
    choose(picks, N, "most-consistent", &p.view, NULL);
    check_order(picks, "ABCD");
}

Test(contexts, functional_follows_the_list_and_then_draws)
{
    pool p;
    sow_pick picks[4];
    const sow_index listed[N] = {-1, 1, -1, -1, 0, -1};
    pool_make(&p);
    p.view.listed = listed;
    choose(picks, 4, "functional", &p.view, NULL);
    check_order(picks, "EB");
    cr_assert(strstr(picks[1].reason, "place 2 of the list"), "%s", picks[1].reason);
    cr_assert(strstr(picks[2].reason, "the list is done: drawn at random"), "%s", picks[2].reason);
}

Test(contexts, what_is_missing_is_said)
{
    pool p;
    sow_pick picks[2];
    const sow_strategy *s = NULL;
    sow_strategy_options o = SOW_STRATEGY_OPTIONS_INIT;
    sow_error err = {0};
    pool_make(&p);
    cr_assert_eq(sow_strategy_find(&s, "functional", NULL), SOW_OK);
    cr_assert_eq(sow_strategy_pick(picks, 2, s, &p.view, NULL, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.list"), "%s", err.message);
    cr_assert_eq(sow_strategy_find(&s, "least-consistent", NULL), SOW_OK);
    o.consistency = "some";
    cr_assert_eq(sow_strategy_pick(picks, 2, s, &p.view, &o, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "corrected or published"), "%s", err.message);
    for (int i = 0; i < N * REFS; i++)
        if (i % REFS) p.delta[i] = NULL;
    cr_assert_eq(sow_strategy_pick(picks, 2, s, &p.view, NULL, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "two reference contexts"), "%s", err.message);
}
