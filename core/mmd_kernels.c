/* Sums of the family of Gaussian kernels over many distances at once: loops over blocks that a compiler makes vectors of, with an exp of their own.
 *
 *     exp(x) = 2^k exp(r), k = round(x / ln 2), |r| <= ln 2 / 2, and exp(r) by its Taylor series to r^13 / 13! (the rest is below 4e-18)
 *
 * Within 2 units of the last place of libm's for -708 <= x <= 0; below, 3e-308 stands for what is 0 to any sum here. */
#include <math.h>
#include <string.h>

#include "core/clones.h"
#include "core/mmd_internal.h"

enum { BLOCK = 64, LANES = 8, RENEW = 10 };

static inline void exp_block(double *e, const double *exponent, double twice)
{
    static const double per_ln2 = 1.4426950408889634074, ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45, rounder = 0x1.8p52;
    double x[BLOCK], shifted[BLOCK];
    uint64_t bits[BLOCK], power[BLOCK];
    for (int l = 0; l < BLOCK; l++) { /* apart: a comparison keeps a loop from becoming vectors */
        const double given = exponent[l] * twice;
        x[l] = given < -708.0 ? -708.0 : given;
    }
    for (int l = 0; l < BLOCK; l++) {
        shifted[l] = x[l] * per_ln2 + rounder;
        const double k = shifted[l] - rounder, r = (x[l] - k * ln2_high) - k * ln2_low;
        double p = 1.0 / 6227020800.0;
        p = p * r + 1.0 / 479001600.0;
        p = p * r + 1.0 / 39916800.0;
        p = p * r + 1.0 / 3628800.0;
        p = p * r + 1.0 / 362880.0;
        p = p * r + 1.0 / 40320.0;
        p = p * r + 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        e[l] = p * r + 1.0;
    }
    memcpy(power, shifted, sizeof power); /* the low bits of `shifted` are k */
    memcpy(bits, e, sizeof bits);
    for (int l = 0; l < BLOCK; l++) bits[l] += power[l] << 52;
    memcpy(e, bits, sizeof bits);
}

SOW_CLONES static void kernels_block(double *sum, const double *exponent, int kernels)
{
    double e[BLOCK];
    memset(sum, 0, BLOCK * sizeof *sum);
    for (int i = 0; i < kernels; i++) {
        if (i % RENEW == 0) exp_block(e, exponent, ldexp(1, i));
        else
            for (int l = 0; l < BLOCK; l++) e[l] *= e[l];
        for (int l = 0; l < BLOCK; l++) sum[l] += e[l];
    }
}

double sow_i_mmd_kernel_sum(const double *squared, sow_index n, double widest, int kernels)
{
    double exponent[BLOCK], value[BLOCK], lane[LANES] = {0}, sum = 0;
    const double by = -1 / widest;
    for (sow_index at = 0; at < n; at += BLOCK) {
        const sow_index count = n - at < BLOCK ? n - at : BLOCK;
        for (sow_index l = 0; l < count; l++) exponent[l] = squared[at + l] * by;
        for (sow_index l = count; l < BLOCK; l++) exponent[l] = 0;
        kernels_block(value, exponent, kernels);
        for (sow_index l = count; l < BLOCK; l++) value[l] = 0;
        for (int l = 0; l < BLOCK; l++) lane[l % LANES] += value[l];
    }
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}
