/* Dense linear algebra in double (products also in single) precision, row-major with leading dimensions. The one file that sees CBLAS and LAPACKE is linalg.c.
 *
 * Sameness: every routine cuts its work into fixed tiles and calls BLAS single-threaded inside a tile, so the bits do not depend on
 * the number of threads. `threads` may be NULL. Inputs are checked for NaN where LAPACK would go wrong silently. */
#ifndef SOWER_CORE_LINALG_H
#define SOWER_CORE_LINALG_H

#include "core/status.h"
#include "core/tensor.h"
#include "core/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the kernels of this process are made for ("SkylakeX"): numbers of two processes agree to the last bit where it is the same. */
const char *sow_linalg_kernels(void);
/** What would make products faster here, in a sentence; NULL where nothing is known to. An OpenBLAS older than the processor falls back to kernels of half its width. */
const char *sow_linalg_advice(void);
/** ... with such kernels on a processor that has 512-bit vectors or has not. */
const char *sow_linalg_advice_for(const char *kernels, int has_512_bits);

/** C [m,n] = alpha op(A) op(B) + beta C; op(A) is [m,k], op(B) [k,n]; trans != 0 means the stored matrix is the transpose. Cost 2mnk. */
SOW_MUST_CHECK sow_status sow_gemm(sow_threads *threads, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, double alpha,
                                   const double *a, sow_index lda, const double *b, sow_index ldb, double beta, double *c,
                                   sow_index ldc, sow_error *err);
/** The same in single precision. */
SOW_MUST_CHECK sow_status sow_gemm_f32(sow_threads *threads, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, float alpha,
                                       const float *a, sow_index lda, const float *b, sow_index ldb, float beta, float *c,
                                       sow_index ldc, sow_error *err);
/** The same in either precision, cut for a few rows against many columns (or the other way round): a batch of cells against all genes. A product of less than about 4 MFLOP is
 *  done by the caller's thread. a, b, c hold numbers of `dtype`; alpha and beta are rounded to it. */
SOW_MUST_CHECK sow_status sow_product(sow_threads *threads, sow_dtype dtype, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, double alpha, const void *a,
                                      sow_index lda, const void *b, sow_index ldb, double beta, void *c, sow_index ldc, sow_error *err);
/** Lower triangle of C [n,n] = A A^T + beta C in single precision, A [n,k]; above the diagonal C holds anything. Cost n^2 k. */
SOW_MUST_CHECK sow_status sow_gram_f32(sow_threads *threads, sow_index n, sow_index k, const float *a, sow_index lda, float beta, float *c, sow_index ldc,
                                       sow_error *err);
/** C [n,n] = op(A) op(A)^T + beta C, both triangles; op(A) is [n,k], trans != 0 means A is stored [k,n]. beta C must be symmetric. The lower triangle has the bits of sow_gemm. Cost n^2 k. */
SOW_MUST_CHECK sow_status sow_gram(sow_threads *threads, int trans, sow_index n, sow_index k, const double *a, sow_index lda, double beta, double *c, sow_index ldc, sow_error *err);
/** y [m] = alpha op(A) x + beta y; A stored [rows, cols]. Serial. */
void sow_gemv(int trans, sow_index rows, sow_index cols, double alpha, const double *a, sow_index lda, const double *x, double beta,
              double *y);
double sow_dot(sow_index n, const double *x, const double *y);
void sow_axpy(sow_index n, double alpha, const double *x, double *y);

/** Lower Cholesky factor of the symmetric A [n,n] in place (only the lower triangle is read; the strict upper is set to 0).
 *  SOW_E_NOT_POSDEF names the pivot; SOW_E_NONFINITE on NaN. Blocked, n^3/3. */
SOW_MUST_CHECK sow_status sow_cholesky(sow_threads *threads, sow_index n, double *a, sow_index lda, sow_error *err);
/** Solve L X = B (trans 0) or L^T X = B (trans 1) in place; B [n, m] row-major. Tiled over columns of B. */
SOW_MUST_CHECK sow_status sow_trsm_lower(sow_threads *threads, int trans, sow_index n, sow_index m, const double *l, sow_index ldl,
                                         double *b, sow_index ldb, sow_error *err);
/** (L L^T)^-1, full symmetric, into `out` [n,n]. Cost about n^3. */
SOW_MUST_CHECK sow_status sow_cholesky_inverse(sow_threads *threads, sow_index n, const double *l, sow_index ldl, double *out,
                                               sow_index ldo, sow_error *err);
/** sum of log of the squared diagonal of L = log det A. */
double sow_cholesky_logdet(sow_index n, const double *l, sow_index ldl);

/** Eigen-decomposition of the symmetric A [n,n] (destroyed): values ascending [n], vectors in the ROWS of `vectors` [n,n], each with its
 *  largest-magnitude entry positive (so that signs are reproducible). */
SOW_MUST_CHECK sow_status sow_eigh(sow_index n, double *a, sow_index lda, double *values, double *vectors, sow_index ldv, sow_error *err);
/** The k largest eigenvalues of the symmetric A [n,n] (both triangles given; destroyed), descending [k], vectors in the rows of `vectors` [k,n] with signs as of sow_eigh. Of a large matrix and few vectors by a
 *  block Krylov method (core/eigh_top.c), to a residual of 1e-12 of the largest value; else, and where that does not converge, by sow_eigh. SOW_E_ARG: k not in 0..n. */
SOW_MUST_CHECK sow_status sow_eigh_top(sow_threads *threads, sow_index n, sow_index k, double *a, double *values, double *vectors, sow_error *err);
/** Thin SVD of A [m,n] (destroyed), r = min(m,n): u [m,r], s [r] descending, vt [r,n]; rows of vt have their largest entry positive. */
SOW_MUST_CHECK sow_status sow_svd(sow_index m, sow_index n, double *a, sow_index lda, double *u, double *s, double *vt, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
