/* Principal components by LAPACK, with deterministic signs. */
#ifndef SOWER_CORE_PCA_H
#define SOWER_CORE_PCA_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index dim;          /* d */
    sow_index n_components; /* k <= min(n, d) */
    double *mean;           /* [d] */
    double *components;     /* [k, d], orthonormal rows, largest-magnitude entry positive */
    double *variance;       /* [k], descending, n - 1 in the denominator */
    double total_variance;
} sow_pca;

/** Fit on the rows of x [n,d] with use[i] != 0 (use NULL = all). Keeps at most `k` components and none with variance below 1e-12 of
 * the total. Works on the smaller of the n x n and d x d Gram matrices. SOW_E_DATA when fewer than 2 rows. Caller clears. */
SOW_MUST_CHECK sow_status sow_pca_fit(sow_pca *out, const double *x, sow_index n, sow_index d, const unsigned char *use,
                                      sow_index k, const sow_env *env, sow_error *err);
/** Scores of rows x [n,d] into z [n,k]; rows with use[i] == 0 become zeros. */
SOW_MUST_CHECK sow_status sow_pca_transform(const sow_pca *pca, const double *x, sow_index n, const unsigned char *use, double *z,
                                            const sow_env *env, sow_error *err);
void sow_pca_clear(sow_pca *pca);

#ifdef __cplusplus
}
#endif
#endif
