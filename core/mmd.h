/* Distances between distributions of cells: maximum mean discrepancy with a family of Gaussian kernels, and energy distance. */
#ifndef SOWER_CORE_MMD_H
#define SOWER_CORE_MMD_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** k(x, y) = sum over i < kernels of exp(-|x - y|^2 / (b 2^i)), b = sigma / 2^(kernels div 2): one exp, the others by squaring (docs/math/cells.md). */
typedef struct {
    double sigma;  /* > 0; NaN or 0 = from the data: sum of squared distances of all pairs of the two samples / (N^2 - N) */
    int kernels;   /* 1..30 [10] */
    int unbiased;  /* 0: the V-statistic, diagonals included (as published); 1: without the diagonals */
} sow_mmd_options;
#define SOW_MMD_INIT {1500.0, 10, 0}

/** Squared MMD (not rooted) of x [n, d] and y [m, d] from plain differences in double. Biased: n, m >= 1, never below 0; unbiased: >= 2 (else SOW_E_ARG). All
 *  distances 0 with sigma from the data: 0. Identical samples: biased exactly 0. `options` NULL = the defaults. SOW_E_ARG for options out of range,
 *  SOW_E_NONFINITE. Cost (n + m)^2 d, tiled over rows; same bits for any number of threads. Gretton et al. 2012. */
SOW_MUST_CHECK sow_status sow_mmd(double *out, const double *x, sow_index n, const double *y, sow_index m, sow_index d, const sow_mmd_options *options,
                                  const sow_env *env, sow_error *err);
/** One job of a batch of float samples; borrowed. */
typedef struct {
    const float *x, *y;
    sow_index n, m;
} sow_mmd_pair;
/** The same for many pairs of float samples of the same d, in parallel over pairs (one pair: within it): out [n_pairs]. Gram matrices of cells moved to their
 *  common mean in float32, kernels and sums in double: within 1e-7 of sow_mmd (tested up to a mean of 100 standard deviations; 1e-9 is usual). Same bits for any number of
 *  threads and any company. SOW_E_NONFINITE also for values whose squares single precision does not hold. Memory a thread: (n + m)^2 + 512 (n + m) floats. */
SOW_MUST_CHECK sow_status sow_mmd_many(double *out, const sow_mmd_pair *pairs, sow_index n_pairs, sow_index d, const sow_mmd_options *options,
                                       const sow_env *env, sow_error *err);
/** 2 E|x - y| - E|x - x'| - E|y - y'| (Szekely & Rizzo 2013), unbiased = without i == j pairs. Biased n, m >= 1, never below 0; unbiased >= 2 (else SOW_E_ARG);
 *  SOW_E_NONFINITE. Distances from plain differences in double. Cost (n + m)^2 d. */
SOW_MUST_CHECK sow_status sow_energy_distance(double *out, const float *x, sow_index n, const float *y, sow_index m, sow_index d, int unbiased,
                                              const sow_env *env, sow_error *err);
/** Mean squared Euclidean distance between different rows of x [n, d]; NaN for n < 2. Cost n d. */
double sow_mean_squared_distance(const float *x, sow_index n, sow_index d);

#ifdef __cplusplus
}
#endif
#endif
