/* What tests of power share: designs, and the test of sums played on made counts. The p values here are summed term by term from the definition, by other formulas than the library's. */
#ifndef SOWER_TESTS_SIMULATOR_POWER_FIXTURE_H
#define SOWER_TESTS_SIMULATOR_POWER_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/stats.h"
#include "simulator/power.h"

static inline sow_power_design design_of(double n_trt, double n_ctl, double mean, double size, double alpha)
{
    return (sow_power_design){.n_trt = n_trt, .n_ctl = n_ctl, .mean = mean, .size = size, .guides = 1, .alpha = alpha};
}

static inline double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* P(T <= t) and P(T >= t) given the sum: every term of the negative hypergeometric law. */
static inline void naive_tails(double *lower, double *upper, double a, double b, double t, double s)
{
    *lower = *upper = 0;
    for (double k = 0; k <= s; k++) {
        const double p = exp(log_choose(a + k - 1, k) + log_choose(b + s - k - 1, s - k) - log_choose(a + b + s - 1, s));
        if (k <= t) *lower += p;
        if (k >= t) *upper += p;
    }
}

static inline double naive_p(const sow_power_design *d, double t, double c)
{
    double lower, upper;
    naive_tails(&lower, &upper, d->n_trt * d->size, d->n_ctl * d->size, t, t + c);
    return fmin(1, 2 * fmin(lower, upper));
}

static inline double one_count(sow_rng *rng, double mean, double size)
{
    const double rate = mean / size * sow_rng_gamma(rng, size);
    return rate < 1e-300 ? 0 : (double)sow_rng_poisson(rng, rate);
}

typedef struct {
    double t, c;
} sums;

/* A made screen of one target and its controls, cell by cell: every guide has its own fold change, whose mean is `fold`. */
static inline sums make_sums(const sow_power_design *d, double fold, sow_rng *rng)
{
    sums x = {0, 0};
    const double tau = d->guide_sd * fabs(log(fold));
    const sow_index each = (sow_index)d->n_trt / d->guides;
    for (sow_index g = 0; g < d->guides; g++) {
        const double own = d->mean * fold * exp(tau * sow_rng_normal(rng) - 0.5 * tau * tau);
        for (sow_index i = 0; i < each; i++) x.t += one_count(rng, own, d->size);
    }
    for (double i = 0; i < d->n_ctl; i++) x.c += one_count(rng, d->mean, d->size);
    return x;
}

/* Share of made screens in which the target is called. p values of sums that came before are remembered. */
static inline double rejected(const sow_power_design *d, double fold, int screens, uint32_t stream)
{
    enum { KEPT = 65536 };
    static struct {
        double t, c, p;
    } kept[KEPT];
    int called = 0;
    for (int i = 0; i < KEPT; i++) kept[i].p = -1;
    for (int i = 0; i < screens; i++) {
        sow_rng rng = sow_rng_make(11, SOW_RNG_TEST, stream, (uint32_t)i);
        const sums x = make_sums(d, fold, &rng);
        const unsigned at = ((unsigned)x.t * 2654435761u + (unsigned)x.c * 40503u) % KEPT;
        if (kept[at].p < 0 || kept[at].t != x.t || kept[at].c != x.c) {
            kept[at].t = x.t;
            kept[at].c = x.c;
            kept[at].p = naive_p(d, x.t, x.c);
        }
        called += kept[at].p <= d->alpha;
    }
    return (double)called / screens;
}

static inline double power_of(const sow_power_design *d, double fold)
{
    sow_power_test *test = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_power_test_create(&test, d, &err), SOW_OK, "%s", err.message);
    const double power = sow_power_at(test, fold);
    sow_power_test_destroy(test);
    return power;
}

/* The analytic power lies within four standard errors of what the made screens say, and 0.004 for strata and bounds that are not exact. */
static inline void agrees(const char *what, const sow_power_design *d, double fold, int screens, uint32_t stream)
{
    const double power = power_of(d, fold), seen = rejected(d, fold, screens, stream);
    const double allowed = 4 * sqrt(fmax(power * (1 - power), 1.0 / screens) / screens) + 0.004;
    cr_log_info("%-34s power %.4f, made screens %.4f (allowed %.4f), Wald %.4f\n", what, power, seen, allowed, sow_power_wald(d, fold));
    cr_expect(fabs(power - seen) <= allowed, "%s: power %.4f, in made screens %.4f", what, power, seen);
}

#endif
