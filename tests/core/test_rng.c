#include "core/rng.h"
#include "core/stats.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void block_is(const uint32_t counter[4], const uint32_t key[2], const uint32_t expected[4])
{
    uint32_t got[4];
    sow_rng_philox(got, counter, key);
    cr_assert_eq(memcmp(got, expected, sizeof got), 0, "%08x %08x %08x %08x", got[0], got[1], got[2], got[3]);
}

/* kat_vectors of Random123 1.14, philox4x32 10 */
Test(rng, philox_matches_the_published_known_answers)
{
    const uint32_t none = 0xffffffffu;
    block_is((uint32_t[]){0, 0, 0, 0}, (uint32_t[]){0, 0}, (uint32_t[]){0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
    block_is((uint32_t[]){none, none, none, none}, (uint32_t[]){none, none},
             (uint32_t[]){0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
    block_is((uint32_t[]){0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, (uint32_t[]){0xa4093822u, 0x299f31d0u},
             (uint32_t[]){0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

Test(rng, a_stream_is_the_blocks_of_its_name)
{
    sow_rng rng = sow_rng_make(0x1122334455667788u, SOW_RNG_TEST, 3, 4);
    uint32_t expected[4];
    for (uint32_t block = 0; block < 3; block++) {
        sow_rng_philox(expected, (uint32_t[]){block, SOW_RNG_TEST, 3, 4}, (uint32_t[]){0x55667788u, 0x11223344u});
        for (int i = 0; i < 4; i++) cr_assert_eq(sow_rng_u32(&rng), expected[i]);
    }
}

Test(rng, streams_differ_in_each_part_of_their_name)
{
    sow_rng streams[] = {sow_rng_make(1, SOW_RNG_TEST, 0, 0),      sow_rng_make(2, SOW_RNG_TEST, 0, 0),
                         sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0),  sow_rng_make(1, SOW_RNG_TEST, 1, 0),
                         sow_rng_make(1, SOW_RNG_TEST, 0, 1),      sow_rng_make(1ull << 32, SOW_RNG_TEST, 0, 0)};
    enum { N = sizeof streams / sizeof streams[0] };
    uint32_t first[N];
    for (int i = 0; i < N; i++) first[i] = sow_rng_u32(&streams[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++) cr_assert_neq(first[i], first[j]);
}

Test(rng, a_copy_goes_on_by_itself)
{
    sow_rng a = sow_rng_make(5, SOW_RNG_TEST, 0, 0);
    sow_rng_normal(&a);
    sow_rng b = a;
    double from_a[5], from_b[5];
    for (int i = 0; i < 5; i++) from_a[i] = sow_rng_normal(&a);
    for (int i = 0; i < 5; i++) from_b[i] = sow_rng_normal(&b);
    cr_assert_eq(memcmp(from_a, from_b, sizeof from_a), 0);
}

enum { DRAWS = 200000 };

/* Moments of DRAWS values within five standard errors of what they should be. */
static void moments_are(const double *x, double mean, double variance, double fourth_ratio)
{
    double m = sow_mean(x, DRAWS), v = sow_variance(x, DRAWS);
    double se_mean = sqrt(variance / DRAWS), se_variance = variance * sqrt((fourth_ratio - 1) / DRAWS);
    cr_assert(fabs(m - mean) <= 5 * se_mean, "mean %g, not %g", m, mean);
    cr_assert(fabs(v - variance) <= 5 * se_variance, "variance %g, not %g", v, variance);
}

Test(rng, uniform_is_inside_and_even)
{
    static double x[DRAWS];
    sow_rng rng = sow_rng_make(11, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        x[i] = sow_rng_uniform(&rng);
        cr_assert(x[i] > 0 && x[i] < 1);
    }
    moments_are(x, 0.5, 1.0 / 12, 1.8);
}

Test(rng, uniform_never_reaches_its_ends)
{
    sow_rng rng = sow_rng_make(0, SOW_RNG_TEST, 0, 0);
    rng.used = 0;
    for (int i = 0; i < 4; i++) rng.block[i] = i < 2 ? 0xffffffffu : 0;
    cr_assert(sow_rng_uniform(&rng) == 1 - 0x1p-53);
    cr_assert(sow_rng_uniform(&rng) == 0x1p-53);
}

Test(rng, normal_has_the_moments_and_tails_of_the_normal)
{
    static double x[DRAWS];
    sow_rng rng = sow_rng_make(12, SOW_RNG_TEST, 0, 0);
    sow_index beyond = 0;
    for (int i = 0; i < DRAWS; i++) {
        x[i] = sow_rng_normal(&rng);
        beyond += fabs(x[i]) > 1.959963984540054;
    }
    moments_are(x, 0, 1, 3);
    cr_assert(fabs((double)beyond / DRAWS - 0.05) <= 5 * sqrt(0.05 * 0.95 / DRAWS));
}

Test(rng, gamma_has_mean_and_variance_equal_to_its_shape)
{
    static double x[DRAWS];
    const double shapes[] = {0.3, 1, 4.5, 100};
    for (uint32_t s = 0; s < 4; s++) {
        sow_rng rng = sow_rng_make(13, SOW_RNG_TEST, s, 0);
        for (int i = 0; i < DRAWS; i++) {
            x[i] = sow_rng_gamma(&rng, shapes[s]);
            cr_assert(x[i] >= 0);
        }
        moments_are(x, shapes[s], shapes[s], 3 + 6 / shapes[s]);
    }
}

Test(rng, poisson_has_mean_and_variance_equal_to_its_mean)
{
    static double x[DRAWS];
    const double means[] = {0.1, 3, 9.99, 10, 40, 1e6};
    for (uint32_t s = 0; s < 6; s++) {
        sow_rng rng = sow_rng_make(14, SOW_RNG_TEST, s, 0);
        for (int i = 0; i < DRAWS; i++) x[i] = (double)sow_rng_poisson(&rng, means[s]);
        moments_are(x, means[s], means[s], 3 + 1 / means[s]);
    }
    sow_rng rng = sow_rng_make(14, SOW_RNG_TEST, 9, 0);
    cr_assert_eq(sow_rng_poisson(&rng, 0), 0);
}

Test(rng, below_is_even_and_inside)
{
    sow_rng rng = sow_rng_make(15, SOW_RNG_TEST, 0, 0);
    double count[7] = {0}, chi2 = 0;
    for (int i = 0; i < 70000; i++) {
        sow_index k = sow_rng_below(&rng, 7);
        cr_assert(k >= 0 && k < 7);
        count[k]++;
    }
    for (int k = 0; k < 7; k++) chi2 += (count[k] - 10000) * (count[k] - 10000) / 10000;
    cr_assert(chi2 < 30, "chi2 %g with 6 degrees of freedom", chi2);
    cr_assert_eq(sow_rng_below(&rng, 1), 0);
    for (int i = 0; i < 100; i++) {
        sow_index k = sow_rng_below(&rng, INT64_MAX);
        cr_assert(k >= 0 && k < INT64_MAX);
    }
}

Test(rng, permute_keeps_all_and_reaches_every_order)
{
    sow_rng rng = sow_rng_make(16, SOW_RNG_TEST, 0, 0);
    double count[6] = {0};
    for (int i = 0; i < 6000; i++) {
        sow_index a[3] = {0, 1, 2};
        sow_rng_permute(&rng, a, 3);
        cr_assert_eq((1 << a[0]) + (1 << a[1]) + (1 << a[2]), 7);
        count[2 * a[0] + (a[1] > a[2])]++;
    }
    for (int k = 0; k < 6; k++) cr_assert(fabs(count[k] - 1000) <= 5 * sqrt(6000 * 5.0 / 36), "order %d: %g of 6000", k, count[k]);
    sow_rng_permute(&rng, NULL, 0);
}
