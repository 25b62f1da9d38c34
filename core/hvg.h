/* Highly variable genes as scanpy 1.10 picks them (`seurat` and `seurat_v3` of sc.pp.highly_variable_genes), in one group of cells at a time.
 * core/prepare.h joins groups. How far the two agree, and where they cannot, is in docs/preprocess.md. Arrays of genes are in the order of the table's. */
#ifndef SOWER_CORE_HVG_H
#define SOWER_CORE_HVG_H

#include "core/prepare.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Which cells are looked at, and how. */
typedef struct {
    const sow_cells *cells;
    const sow_index *cell; /* [n] positions, all of matrices on one scale; n >= 2 */
    sow_index n;
    const unsigned char *counted; /* [genes] others have no score and are not in a cell's total; NULL = all count */
    sow_hvg_flavour flavour;
    double target_sum; /* SOW_HVG_SEURAT on counts */
    int skip_absent;   /* genes without a value in these cells have no score, as with scanpy's batch_key; else they take part in the bins, as without */
} sow_hvg_input;

/** Mean, variance (n - 1) and score [genes] of every gene; NaN where a gene has none.
 *  SOW_HVG_SEURAT (Satija et al. 2015): mean and variance of counts normalised to target_sum, or of expm1 of values that are log1p already; score = log of their ratio,
 *  the dispersion, normalised within 20 bins of the mean; a gene alone in its bin has 1, one that does not vary has none.
 *  SOW_HVG_SEURAT_V3 (Stuart et al. 2019): mean and variance of counts; score = variance of counts standardised by what a local regression of log10 variance on
 *  log10 mean expects, and clipped at sqrt(n). A gene that does not vary has none.
 *  SOW_E_DATA: SEURAT_V3 on values that are log1p. SOW_E_ARG: n < 2, a target sum not above 0. Same bits for any number of threads. Cost: one pass over
 *  the cells, two for SEURAT_V3. */
SOW_MUST_CHECK sow_status sow_hvg_scores(double *score, double *mean, double *variance, const sow_hvg_input *input, const sow_env *env, sow_error *err);

/** Marks the n_top genes of highest score in chosen [n] (0 or 1) and returns how many: fewer where fewer have a score; in SEURAT all genes that tie with the last one
 *  (within 1e-9) are in, as in scanpy, and in SEURAT_V3 the first of those that tie. SOW_E_NOMEM only. */
SOW_MUST_CHECK sow_status sow_hvg_choose(unsigned char *chosen, sow_index *n_chosen, const double *score, sow_index n, sow_index n_top, sow_hvg_flavour flavour,
                                         sow_error *err);

/** Local regression of y on x [n] in one dimension, evaluated at x (Cleveland & Grosse 1991, as `loess` of scikit-misc, netlib and R does it): quadratics weighted by tricube over
 *  the nearest span * n points are fitted at the vertices of a k-d tree whose cells hold at most a fifth of that, and blended by cubics between them. Where the points near a
 *  vertex have fewer than three places, the quadratic becomes a line or a constant. x and y finite. Cost n log n + (5 / span) n. */
SOW_MUST_CHECK sow_status sow_loess(double *fitted, const double *x, const double *y, sow_index n, double span, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
