#include "core/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011: 10 rounds, the multipliers and Weyl constants
 * of table 2. */
void sow_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

sow_rng sow_rng_make(uint64_t seed, sow_rng_purpose purpose, uint32_t round, uint32_t item)
{
    sow_rng rng;
    memset(&rng, 0, sizeof rng);
    rng.key[0] = (uint32_t)seed;
    rng.key[1] = (uint32_t)(seed >> 32);
    rng.counter[1] = (uint32_t)purpose;
    rng.counter[2] = round;
    rng.counter[3] = item;
    rng.used = 4;
    return rng;
}

uint32_t sow_rng_u32(sow_rng *rng)
{
    if (rng->used >= 4) {
        sow_rng_philox(rng->block, rng->counter, rng->key);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

static uint64_t draw_u64(sow_rng *rng)
{
    uint64_t high = sow_rng_u32(rng);
    return high << 32 | sow_rng_u32(rng);
}

double sow_rng_uniform(sow_rng *rng)
{
    return ((double)(draw_u64(rng) >> 12) + 0.5) * 0x1p-52; /* the odd multiples of 2^-53: symmetric about 1/2, never an end */
}

double sow_rng_normal(sow_rng *rng)
{
    if (rng->has_normal) {
        rng->has_normal = 0;
        return rng->normal;
    }
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2 * log(sow_rng_uniform(rng)));
    double angle = two_pi * sow_rng_uniform(rng);
    rng->normal = radius * sin(angle);
    rng->has_normal = 1;
    return radius * cos(angle);
}

/* Marsaglia & Tsang 2000, "A simple method for generating gamma variables"; shapes below 1 by their section 6. */
double sow_rng_gamma(sow_rng *rng, double shape)
{
    assert(shape > 0);
    if (shape < 1) {
        double whole = sow_rng_gamma(rng, shape + 1);
        return whole * pow(sow_rng_uniform(rng), 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = sow_rng_normal(rng), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        if (log(sow_rng_uniform(rng)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
}

static sow_index poisson_by_products(sow_rng *rng, double mean)
{
    double limit = exp(-mean), product = 1;
    sow_index k = -1;
    do {
        product *= sow_rng_uniform(rng);
        k++;
    } while (product > limit);
    return k;
}

/* lgamma writes a global, signgam, which threads would race for. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* Hörmann 1993, "The transformed rejection method for generating Poisson random variables", algorithm PTRS; mean >= 10. */
static sow_index poisson_by_rejection(sow_rng *rng, double mean)
{
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = sow_rng_uniform(rng) - 0.5, v = sow_rng_uniform(rng);
        double us = 0.5 - fabs(u), k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= v_r) return (sow_index)k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (log(v * inverse_alpha / (a / (us * us) + b)) <= k * log(mean) - mean - log_gamma(k + 1)) return (sow_index)k;
    }
}

sow_index sow_rng_poisson(sow_rng *rng, double mean)
{
    assert(mean >= 0 && mean < 1e15);
    if (mean == 0) return 0;
    return mean < 10 ? poisson_by_products(rng, mean) : poisson_by_rejection(rng, mean);
}

sow_index sow_rng_below(sow_rng *rng, sow_index n)
{
    assert(n >= 1);
    uint64_t bound = (uint64_t)n, uneven = (0 - bound) % bound; /* 2^64 mod n: the first draws, refused, would favour small values */
    uint64_t u;
    do u = draw_u64(rng);
    while (u < uneven);
    return (sow_index)(u % bound);
}

void sow_rng_permute(sow_rng *rng, sow_index *a, sow_index n)
{
    for (sow_index i = n - 1; i > 0; i--) {
        sow_index j = sow_rng_below(rng, i + 1), kept = a[i];
        a[i] = a[j];
        a[j] = kept;
    }
}
