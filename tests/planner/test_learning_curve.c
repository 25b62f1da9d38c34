/* Curves carried on past their last round: known laws come back, the band holds them about as often as it says, and what it will not do. */
#include <criterion/criterion.h>
#include <math.h>

#include "planner/learning_curve.h"

static sow_error err;
enum { ROUNDS = 6, SEEDS = 8 };
static const double x[ROUNDS] = {30, 50, 70, 90, 110, 130};

static double power_law(double n)
{
    return 0.9 - 3 * pow(n, -0.5);
}
static double exponential(double n)
{
    return 0.9 - 0.8 * exp(-n / 60);
}
static double straight(double n)
{
    return 0.05 + 0.002 * n;
}

static void play(double *value, double (*law)(double), double noise, sow_rng *rng)
{
    double level[SEEDS];
    for (int s = 0; s < SEEDS; s++) level[s] = 2 * noise * sow_rng_normal(rng);
    for (int r = 0; r < ROUNDS; r++)
        for (int s = 0; s < SEEDS; s++) value[r * SEEDS + s] = law(x[r]) + level[s] + noise * sow_rng_normal(rng);
}

static sow_interval carry(const double *value, double at, int over_last)
{
    const sow_rng draws = sow_rng_make(0, SOW_RNG_BOOTSTRAP, 0, 0);
    sow_interval v;
    cr_assert_eq(sow_i_curve_carry_on(&v, &at, 1, over_last, x, value, ROUNDS, SEEDS, 0.95, &draws, &err), SOW_OK, "%s", err.message);
    return v;
}

Test(learning_curve, known_laws_come_back)
{
    double (*const laws[])(double) = {power_law, exponential, straight};
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 3, 0);
    for (int k = 0; k < 3; k++) {
        double value[ROUNDS * SEEDS];
        play(value, laws[k], 1e-5, &rng);
        const sow_interval v = carry(value, 260, 0), gain = carry(value, 260, 1);
        cr_expect(fabs(v.value - laws[k](260)) < 0.01 * fabs(laws[k](260)), "law %d: %g instead of %g", k, v.value, laws[k](260));
        cr_expect(fabs(gain.value - (laws[k](260) - laws[k](130))) < 0.01, "law %d gains %g", k, gain.value);
        cr_expect(v.low <= v.value && v.value <= v.high && v.high - v.low < 0.05);
    }
}

/* 95 of 100 are wanted. At few seeds and short curves the band is rather too wide than too narrow. */
Test(learning_curve, bands_hold_the_truth_about_as_often_as_they_say)
{
    enum { SWEEPS = 300 };
    double (*const laws[])(double) = {power_law, exponential, straight};
    sow_rng rng = sow_rng_make(2, SOW_RNG_TEST, 4, 0);
    for (int k = 0; k < 3; k++) {
        int held = 0, held_gain = 0;
        for (int i = 0; i < SWEEPS; i++) {
            double value[ROUNDS * SEEDS];
            play(value, laws[k], 0.02, &rng);
            const sow_interval v = carry(value, 195, 0), gain = carry(value, 195, 1);
            const double truth = laws[k](195), gained = truth - laws[k](130);
            held += truth >= v.low && truth <= v.high;
            held_gain += gained >= gain.low && gained <= gain.high;
        }
        cr_log_info("law %d: %d and %d of %d", k, held, held_gain, SWEEPS);
        cr_expect(held >= 0.92 * SWEEPS && held_gain >= 0.92 * SWEEPS, "law %d: held %d, gains %d of %d", k, held, held_gain, SWEEPS);
    }
}

Test(learning_curve, the_same_numbers_give_the_same_band)
{
    double value[ROUNDS * SEEDS];
    sow_rng rng = sow_rng_make(7, SOW_RNG_TEST, 5, 0);
    play(value, power_law, 0.02, &rng);
    const sow_interval a = carry(value, 200, 0), b = carry(value, 200, 0);
    cr_expect(a.low == b.low && a.high == b.high && a.value == b.value);
}

Test(learning_curve, refuses_what_it_cannot_know)
{
    const sow_rng draws = sow_rng_make(0, SOW_RNG_BOOTSTRAP, 0, 0);
    double value[ROUNDS * SEEDS], at = 200, far = 261;
    sow_interval v;
    sow_rng rng = sow_rng_make(8, SOW_RNG_TEST, 6, 0);
    play(value, power_law, 0.02, &rng);
    cr_expect_eq(sow_i_curve_carry_on(&v, &at, 1, 0, x, value, SOW_I_CURVE_ROUNDS_LEAST - 1, SEEDS, 0.95, &draws, &err), SOW_E_UNSUPPORTED);
    cr_expect_eq(sow_i_curve_carry_on(&v, &at, 1, 0, x, value, ROUNDS, SOW_I_CURVE_SEEDS_LEAST - 1, 0.95, &draws, &err), SOW_E_UNSUPPORTED);
    cr_expect_eq(sow_i_curve_carry_on(&v, &far, 1, 0, x, value, ROUNDS, SEEDS, 0.95, &draws, &err), SOW_E_UNSUPPORTED);
    value[3] = NAN;
    cr_expect_eq(sow_i_curve_carry_on(&v, &at, 1, 0, x, value, ROUNDS, SEEDS, 0.95, &draws, &err), SOW_E_UNSUPPORTED);
    for (int i = 0; i < ROUNDS * SEEDS; i++) value[i] = 0.5; /* nothing happens: no band, and no division by 0 */
    cr_expect_eq(sow_i_curve_carry_on(&v, &at, 1, 0, x, value, ROUNDS, SEEDS, 0.95, &draws, &err), SOW_OK);
    cr_expect(fabs(v.value - 0.5) < 1e-12 && fabs(v.low - 0.5) < 1e-12 && fabs(v.high - 0.5) < 1e-12);
}
