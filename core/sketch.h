/* Leading directions of a matrix that is too large for its Gram matrix. */
#ifndef SOWER_CORE_SKETCH_H
#define SOWER_CORE_SKETCH_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The `k` leading right singular vectors of x [n, d] (single precision, not centred here) by subspace iteration from random directions (Halko, Martinsson & Tropp 2011, Alg. 4.4 with one
 *  turn and eight directions to spare), which is exact where k + 8 >= min(n, d). *kept <= k: none whose square is below 1e-12 of the largest.
 *  scores [n, k]      x times the directions, rows of *kept, the rest unused; the column of directions[0] first
 *  directions [k, d]  orthonormal rows, largest-magnitude entry positive
 *  squares [k]        squared singular values, descending
 *  The same for any number of threads. Cost 8 n d (k + 8). Memory 4 (k + 8) (n + 5 d). */
SOW_MUST_CHECK sow_status sow_sketch(float *scores, double *directions, double *squares, sow_index *kept, const float *x, sow_index n, sow_index d, sow_index k, uint64_t seed, const sow_env *env,
                                     sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
