/* Leading directions of a matrix that is too large for its Gram matrix. */
#ifndef SOWER_CORE_SKETCH_H
#define SOWER_CORE_SKETCH_H

#include "core/env.h"
#include "core/rng.h"
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

/** Leading directions of rows that come in parts, each seen once: of the sum of all x^T x so far times the basis of before the next basis is made (block power iteration that takes a part at a time; of the
 *  first part two turns more). The directions come near those of all rows as far as parts have them in common; where l == d they are everything there is. */
typedef struct {
    sow_index l, d, parts;
    double *basis; /* [l, d] orthonormal rows */
    double *sum;   /* [l, d] */
    sow_rng rng;
} sow_running_sketch;
/** l is cut to d. Caller clears. */
SOW_MUST_CHECK sow_status sow_running_sketch_init(sow_running_sketch *r, sow_index l, sow_index d, uint64_t seed, sow_error *err);
void sow_running_sketch_clear(sow_running_sketch *r);
/** One part more, x [n, d]. Cost 4 n d l. The same for any number of threads. */
SOW_MUST_CHECK sow_status sow_running_sketch_add(sow_running_sketch *r, const float *x, sow_index n, const sow_env *env, sow_error *err);
/** scores [n, l] of rows x [n, d] on the present basis. */
SOW_MUST_CHECK sow_status sow_running_sketch_scores(float *scores, const sow_running_sketch *r, const float *x, sow_index n, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
