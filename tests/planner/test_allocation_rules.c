/* The rules by which an allocation is recommended: known answers, and what they do over many simulated sweeps. */
#include <criterion/criterion.h>
#include <math.h>

#include "core/rng.h"
#include "planner/allocation_rules.h"

static sow_error err;
#define MUST(call) cr_assert_eq((call), SOW_OK, "%s", err.message)

static void near(double a, double b, double tolerance)
{
    cr_expect(fabs(a - b) <= tolerance, "%.12g instead of %.12g", a, b);
}

enum { SEEDS = 5, MOST = 12 };
typedef struct {
    double value[MOST][SEEDS];
    sow_i_option option[MOST];
    sow_i_options all;
} grid;

/* Options of these prices and means; seed k lies jitter[k] off, the same for all, and each option by own_jitter in a pattern of its own. */
static void make(grid *g, sow_index n, const double (*of)[3], double own_jitter)
{
    static const double seed[SEEDS] = {-0.3, 0.1, 0, 0.3, -0.1}, own[MOST][SEEDS] = {{1, -1, 0, 0, 0}, {0, 0, 1, -1, 0}, {0, 1, 0, 0, -1}, {-1, 0, 0, 1, 0}, {0, 0, -1, 0, 1}, {1, 0, -1, 0, 0}};
    g->all = (sow_i_options){n, SEEDS, g->option, {INFINITY, INFINITY}, NAN};
    for (sow_index i = 0; i < n; i++) {
        for (int k = 0; k < SEEDS; k++)
            g->value[i][k] = of[i][2] + seed[k] + own_jitter * own[i][k];
        g->option[i] = (sow_i_option){{of[i][0], of[i][1]}, g->value[i], 1};
    }
}

/* money, weeks, quality */
static const double six[6][3] = {{100, 4, 1}, {200, 4, 2}, {200, 8, 1.5}, {300, 2, 2.5}, {300, 8, 3}, {400, 8, 2.9}};

static void front_is(const grid *g, unsigned prices, const char *wanted)
{
    unsigned char on[MOST];
    MUST(sow_i_front(on, &g->all, prices, &err));
    for (sow_index i = 0; i < g->all.n; i++)
        cr_expect_eq(on[i], wanted[i] == '1', "%s: %d", wanted, (int)i);
}

Test(allocation_front, is_what_nothing_beats)
{
    const unsigned money = 1u << SOW_I_MONEY, weeks = 1u << SOW_I_WEEKS;
    grid g;
    make(&g, 6, six, 0);
    front_is(&g, money, "110010");
    front_is(&g, weeks, "000110");
    front_is(&g, money | weeks, "110110");
    g.option[4].usable = 0; /* one that does not count, and one without a value */
    for (int k = 0; k < SEEDS; k++)
        g.value[1][k] = NAN;
    front_is(&g, money, "101101");
}

Test(allocation_choice, is_the_best_within_money_and_time)
{
    grid g;
    sow_i_choice c;
    make(&g, 6, six, 0.01);
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 4 && c.chosen == 4);
    near(c.margin, SOW_I_MARGIN_SHARE * 2, 1e-12);
    g.all.limit[SOW_I_MONEY] = 250;
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 1 && c.chosen == 1);
    g.all.limit[SOW_I_MONEY] = INFINITY;
    g.all.limit[SOW_I_WEEKS] = 3;
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 3 && c.chosen == 3);
    g.all.limit[SOW_I_MONEY] = 200;
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == -1 && c.chosen == -1, "nothing can be had");
    g.all.limit[SOW_I_MONEY] = 300; /* a limit that is met exactly */
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect_eq(c.chosen, 3);
}

Test(allocation_choice, is_the_cheapest_that_is_as_good_and_loses_little)
{
    static const double of[4][3] = {{100, 4, 1}, {200, 4, 2.98}, {250, 4, 2.99}, {400, 8, 3}};
    grid g;
    sow_i_choice c;
    make(&g, 4, of, 0.03);
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 3 && c.chosen == 1, "best %d, chosen %d", (int)c.best, (int)c.chosen);
    g.all.margin = 0.001; /* not shown to be worse, but may lose more than this */
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 3 && c.chosen == 3);
    g.all.margin = 10; /* shown to be worse, whatever the margin */
    make(&g, 4, of, 0.001);
    g.all.margin = 10;
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 3 && c.chosen == 3);
    /* equal prices: the better */
    static const double equal[3][3] = {{200, 4, 2.98}, {200, 4, 2.99}, {400, 8, 3}};
    make(&g, 3, equal, 0.03);
    g.all.margin = 1;
    MUST(sow_i_choose(&c, &g.all, -1, &err));
    cr_expect(c.best == 2 && c.chosen == 1);
}

/* With the margin left out, what nobody could tell apart would be taken for equal, and the fewer the seeds the more so. */
Test(allocation_choice, noise_does_not_pass_for_equality)
{
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 1, 0);
    double value[2][3];
    const sow_i_option option[2] = {{{100, 4}, value[0], 1}, {{400, 8}, value[1], 1}};
    sow_i_options o = {2, 3, option, {INFINITY, INFINITY}, NAN};
    int cheap = 0, cheap_without = 0;
    for (int k = 0; k < 500; k++) {
        sow_i_choice c;
        for (int i = 0; i < 6; i++)
        value[i / 3][i % 3] = (i / 3 ? 1 : 0) + 0.5 * sow_rng_normal(&rng);
        o.margin = NAN;
        MUST(sow_i_choose(&c, &o, -1, &err));
        cheap += c.best == 1 && c.chosen == 0;
        o.margin = INFINITY;
        MUST(sow_i_choose(&c, &o, -1, &err));
        cheap_without += c.best == 1 && c.chosen == 0;
    }
    cr_expect(cheap < 5, "%d of 500 sweeps took noise for equality", cheap);
    cr_expect(cheap_without > 250, "%d of 500 without a margin", cheap_without);
}

/* Twelve options that are all worth 0: the best mean is not, and the estimate on seeds left out is. `common`: how much of the noise all options of a seed share. */
static double best_of_many(double common, double *naive, double *unseen)
{
    enum { SWEEPS = 1500, N = 12, S = 6 };
    sow_rng rng = sow_rng_make(4, SOW_RNG_TEST, 2, 0);
    double value[N][S];
    int covered = 0;
    sow_i_option option[N];
    for (int i = 0; i < N; i++)
        option[i] = (sow_i_option){{100 + i, 4}, value[i], 1};
    const sow_i_options o = {N, S, option, {INFINITY, INFINITY}, NAN};
    *naive = *unseen = 0;
    for (int k = 0; k < SWEEPS; k++) {
        sow_i_choice c;
        sow_i_difference d;
        sow_index agreed;
        for (int s = 0; s < S; s++) {
            const double world = common * sow_rng_normal(&rng);
            for (int i = 0; i < N; i++)
                value[i][s] = world + sow_rng_normal(&rng);
        }
        MUST(sow_i_choose(&c, &o, -1, &err));
        MUST(sow_i_unseen_value(&d, &agreed, &o, c.chosen, &err));
        cr_assert(agreed >= 0 && agreed <= S && d.n == S);
        *naive += sow_i_option_mean(&o, c.best, -1) / SWEEPS;
        *unseen += d.mean / SWEEPS;
        covered += d.low <= 0 && d.high >= 0;
    }
    return (double)covered / SWEEPS;
}

Test(allocation_choice, the_best_of_many_is_judged_on_seeds_left_out)
{
    double naive, unseen;
    /* nothing shared and nothing to choose between: the hardest case, and the interval is too short */
    const double alone = best_of_many(0, &naive, &unseen);
    cr_expect(naive > 0.5, "the best mean is %.3f too high", naive);
    near(unseen, 0, 0.05);
    cr_expect(alone > 0.85, "the interval held 0 in %.3f", alone);
    /* a seed's world is harder or easier for all options, as in sweeps */
    const double shared = best_of_many(2, &naive, &unseen);
    near(unseen, 0, 0.1);
    cr_expect(shared > 0.94, "the interval held 0 in %.3f", shared);
}

Test(allocation_choice, few_seeds_are_borne)
{
    const double value[2][2] = {{1, 2}, {3, NAN}};
    const sow_i_option option[2] = {{{100, 4}, value[0], 1}, {{400, 8}, value[1], 1}};
    sow_i_options o = {2, 2, option, {INFINITY, INFINITY}, NAN};
    sow_i_choice c;
    sow_i_difference d;
    sow_index agreed;
    MUST(sow_i_choose(&c, &o, -1, &err));
    cr_expect(c.best == 1 && c.chosen == 1, "with one pair nothing is shown to be as good");
    MUST(sow_i_unseen_value(&d, &agreed, &o, c.chosen, &err));
    cr_expect(d.n == 0 && isnan(d.mean) && agreed == 0);
}

Test(allocation_next, is_the_next_step_of_the_front)
{
    static const double of[5][3] = {{100, 4, 1}, {150, 4, 0.5}, {900, 4, 2}, {1500, 8, 3}, {1400, 12, 2.5}};
    grid g;
    sow_i_next x;
    make(&g, 5, of, 0);
    MUST(sow_i_next_buys(&x, &g.all, 0, SOW_I_MONEY, 1000, &err)); /* to 1100: the third, and on the way to the fifth */
    cr_expect(x.within == 2 && x.beyond == 4, "%d %d", (int)x.within, (int)x.beyond);
    near(x.gain.mean, 1 + 0.5 * 200 / 500, 1e-12);
    near(x.step.mean, 1.5, 1e-12);
    MUST(sow_i_next_buys(&x, &g.all, 0, SOW_I_MONEY, 200, &err)); /* nothing better within 300 */
    cr_expect(x.within == -1 && x.beyond == 2);
    near(x.gain.mean, 0.25, 1e-12);
    MUST(sow_i_next_buys(&x, &g.all, 0, SOW_I_MONEY, 5000, &err)); /* beyond the end of the front */
    cr_expect(x.within == 3 && x.beyond == -1);
    near(x.gain.mean, 2, 1e-12);
    MUST(sow_i_next_buys(&x, &g.all, 3, SOW_I_MONEY, 1000, &err));
    cr_expect(x.within == -1 && x.beyond == -1 && isnan(x.gain.mean));
    g.all.limit[SOW_I_WEEKS] = 8; /* money alone may rise */
    g.all.limit[SOW_I_MONEY] = 120;
    MUST(sow_i_next_buys(&x, &g.all, 0, SOW_I_MONEY, 1000, &err));
    cr_expect(x.within == 2 && x.beyond == 3);
    near(x.gain.mean, 1 + 200.0 / 600, 1e-12);
    MUST(sow_i_next_buys(&x, &g.all, 0, SOW_I_WEEKS, 4, &err));
    cr_expect(x.within == -1 && x.beyond == -1, "nothing for 120 takes longer and is better");
}

Test(allocation_stop, is_where_nothing_that_follows_is_shown_to_add)
{
    /* rounds x seeds: two steps up, then level with noise */
    const double value[5][4] = {{0, 0.1, 0.2, 0.1}, {1, 1.2, 1.1, 1.2}, {2, 2.1, 2.3, 2.1}, {2.1, 2.0, 2.35, 2.1}, {2.0, 2.1, 2.4, 2.05}};
    const double cost[5] = {100, 200, 300, 400, 500};
    sow_i_further f[4];
    for (sow_index r = 0; r < 4; r++)
        MUST(sow_i_further_of(&f[r], &value[0][0], 5, 4, r, &err));
    near(f[0].next.mean, 1.025, 1e-12);
    near(f[0].rest.mean, 2.0375, 1e-12);
    cr_expect_eq(sow_i_stop_after(f, cost, 5, 0), 2);
    cr_expect_eq(sow_i_stop_after(f, cost, 5, 1e6), 2);
    cr_expect_eq(sow_i_stop_after(f, cost, 5, 50), 0, "a unit is worth 50, the next round costs 100 and adds one");
    cr_expect_eq(sow_i_stop_after(f, cost, 3, 0), -1, "the arm ends while it still gains");
    for (sow_index r = 0; r < 4; r++)
        MUST(sow_i_further_of(&f[r], &value[0][0], 5, 1, r, &err));
    cr_expect_eq(sow_i_stop_after(f, cost, 5, 0), -1, "one seed stops nothing");
}
