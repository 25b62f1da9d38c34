/* Shared inside core/ by the choice of highly variable genes and the fit that asks for it. */
#ifndef SOWER_CORE_HVG_INTERNAL_H
#define SOWER_CORE_HVG_INTERNAL_H

#include "core/hvg.h"

/** First pass: sums [genes, 2] of counts (SEURAT_V3), of shares of the total (SEURAT on counts) or of expm1 (on log values). `total` [n] or NULL. */
SOW_MUST_CHECK sow_status sow_i_hvg_sums(double *sum, double *total, const sow_hvg_input *input, double progress_from, double progress_to, const sow_env *env,
                                         sow_error *err);
/** The scores from these sums: SEURAT_V3 goes over the cells once more. */
SOW_MUST_CHECK sow_status sow_i_hvg_scores(double *score, double *mean, double *variance, const double *sum, const sow_hvg_input *input, double progress_from,
                                           double progress_to, const sow_env *env, sow_error *err);

#endif
