/* Weighted Lloyd k-means, k-means++ or given centres. Matches scikit-learn's `lloyd` (see tests/core/test_kmeans.c). */
#ifndef SOWER_CORE_KMEANS_H
#define SOWER_CORE_KMEANS_H

#include "core/env.h"
#include "core/rng.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index max_iterations; /* 300 */
    double tolerance;         /* 1e-4: stop when the summed squared centre shift <= tolerance * mean column variance */
    sow_index starts; /* 10 k-means++ starts; ignored with given centres. They are compared by inertia after 8 iterations, on a
                       * random sample of max(4000, 10 k) rows when there are more, and the best is finished on all rows */
} sow_kmeans_options;
#define SOW_KMEANS_OPTIONS_INIT                                                                                                    \
    {                                                                                                                              \
        300, 1e-4, 10                                                                                                              \
    }

typedef struct {
    sow_index n, k, d, iterations;
    double inertia;
    double *centres;   /* [k, d] */
    sow_index *labels; /* [n] */
} sow_kmeans_result;

/** x [n,d]; weight [n] or NULL; init [k,d] given centres or NULL (k-means++ from rng). SOW_E_ARG when k > n or k < 1. An emptied
 * cluster is given the point farthest from its centre. Cost at most n k d an iteration, less as rows settle; tiled over fixed
 * blocks of rows. Memory n d doubles and, up to 64 million, n k floats. Caller clears the result. */
SOW_MUST_CHECK sow_status sow_kmeans(sow_kmeans_result *out, const double *x, sow_index n, sow_index d, sow_index k,
                                     const double *weight, const double *init, const sow_kmeans_options *options, sow_rng *rng,
                                     const sow_env *env, sow_error *err);
void sow_kmeans_clear(sow_kmeans_result *result);

/** For each centre in turn the nearest row of x not taken by an earlier centre: picks [k], squared distances distance2 [k] (may be
 * NULL). `allowed` [n] or NULL masks rows; ties by lowest row. SOW_E_ARG when fewer than k rows are allowed. */
SOW_MUST_CHECK sow_status sow_kmeans_nearest_rows(sow_index *picks, double *distance2, const double *x, sow_index n, sow_index d,
                                                  const double *centres, sow_index k, const unsigned char *allowed, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
