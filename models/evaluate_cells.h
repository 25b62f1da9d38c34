/* Metrics of predicted against measured cells.
 *
 * A change is the mean of cells less the mean of the context's controls. Of one perturbation, over genes (all but its own, or the n_de of strongest differential
 * expression among them):
 *   mmd                    squared maximum mean discrepancy (core/mmd.h) between predicted and measured cells
 *   rmse, r2               of the mean predicted against the mean measured cell; r2 = 1 - squared error / squared deviation of the truth from its mean over genes
 *   pearson_delta          correlation of the changes; _centred: after taking the context's mean change from both
 *   direction              share of genes that change the same way, no change being a way of its own
 *   pearson_top20_wilcoxon correlation over the 20 genes of strongest Wilcoxon |z|, and mse_top20, mae_top20 on them
 *   pearson_top20_abs      correlation over the 20 genes that change most
 *   recall_top20           share of the 20 genes that change most which are among the 20 predicted to; a gene without any change is in no such list, and with no
 *                          more than 20 genes there is nothing to find
 * Where predicted cells are controls that a model moved (sow_cells_item.source), the mean predicted change is that from the very cells they were made from: how the sample of controls happens to lie
 * is no prediction.
 * Undefined (NaN) are a correlation with a constant side, an r2 of a constant truth, an MMD of a single cell, and whatever is over no gene. */
#ifndef SOWER_MODELS_EVALUATE_CELLS_H
#define SOWER_MODELS_EVALUATE_CELLS_H

#include "core/de.h"
#include "core/env.h"
#include "core/mmd.h"
#include "models/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_EVALUATE_DEFAULT,  /* DE by Wilcoxon with ties among genes that vary; unbiased MMD on all cells (at most 512 a side), bandwidth from the controls */
    SOW_EVALUATE_REFERENCE /* as published: Welch with its zero-variance trap, biased MMD in batches of 32, sigma 200 on DE genes and 1500 on all, R2 clipped at 0 */
} sow_evaluate_mode;

/** One held-out perturbation; all borrowed. */
typedef struct {
    const float *truth;     /* [n, d] its measured cells */
    sow_index n;
    const float *predicted; /* [m, d] */
    sow_index m;
    const sow_index *source; /* [m] which of the truth's controls each predicted cell was made from, or NULL: from none of them. Not looked at in reference mode */
    const sow_index *own;   /* [n_own] features of its own genes (a combination has several), left out of every metric */
    sow_index n_own;
    const double *shift;    /* [d], with predicted NULL: the predicted cells are the controls moved by it. The same numbers (to rounding) as from
                               sow_shift_controls without the cells being made: distances between controls and truth are kept from sow_truth_create */
} sow_cells_item;

typedef struct {
    sow_evaluate_mode mode;
    sow_index n_de;         /* [50] genes of the DE metrics */
    uint64_t seed;
    sow_index round;        /* name of the streams, with the item */
} sow_evaluate_cells_options;

/** What depends on the truth and not on a model: means, DE genes, bandwidths, distances among the truth and to the controls. Make once, use for every model. */
typedef struct sow_truth sow_truth;
/** `control` [n_control >= 1, d] are the context's measured controls, `centre` [d] (may be NULL) the context's mean response: pearson_delta_centred takes it from both
 *  sides. Items' predicted and shift may be NULL here. control, items' truth and centre are borrowed as long as the truth lives; own genes are copied. options NULL = the
 *  default mode with 50 DE genes. SOW_E_ARG for an item without cells or an own gene that is none, SOW_E_NONFINITE for a value that is not finite.
 *
 *  Default mode: DE genes by Wilcoxon's z with ties (sow_de_top). MMD is unbiased, with ten kernels, of all cells but at most 512 drawn a side. Its bandwidth is the mean
 *  squared distance between controls on the same genes, so that it is one for all models (where the controls do not vary, between the measured cells).
 *  Reference mode: DE genes by Welch's t as it comes; MMD biased, sigma 200 on DE genes and 1500 on all, mean over batches of 32 cells of random permutations (four, drawn
 *  apart); none for fewer than 32 cells. r2 is clipped at 0, and 0 for a constant truth (1 when met exactly).
 *
 *  Memory: a sample of controls, means (n d doubles) and, in default mode, n matrices of 4 bytes x (controls <= 512) x (cells <= 512). Cost: Wilcoxon (core/de.h) and a
 *  matrix product of 512 x cells x d an item. In parallel over items; the same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_truth_create(sow_truth **out, const sow_cells_item *items, sow_index n, sow_index d, const float *control, sow_index n_control,
                                           const double *centre, const sow_evaluate_cells_options *options, const sow_env *env, sow_error *err);
void sow_truth_destroy(sow_truth *t);
/** The controls that a shift moves for the MMD: how many, and *row, their positions among the truth's controls, ascending (NULL = 0 .. n - 1), borrowed as long as the truth lives. A model that makes
 *  its cells from the same controls and moves all alike gets the numbers that its shift would. 0 in reference mode, which knows no such sample. */
sow_index sow_truth_controls(const sow_index **row, const sow_truth *t);
/** DE genes of item i: [n_de], -1 padded. */
const sow_index *sow_truth_de(const sow_truth *t, sow_index item);

/** Metrics of one model, means over items with 95 % bootstrap intervals: mmd_de mmd_all rmse_de rmse_all pearson_delta_de pearson_delta_all pearson_delta_centred direction_de
 *  r2_de r2_all pearson_top20_wilcoxon pearson_top20_abs recall_top20 mse_top20 mae_top20. `items` as in create, now each with predicted cells or a shift; SOW_E_ARG where one has
 *  neither or other measured cells, SOW_E_SHAPE for another number of items. out [SOW_METRICS_MAX], *n_out. An undefined value of an item is left out of the mean (no value
 *  at all: NaN), except centred ones, which are 0. In parallel over items; the same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_evaluate_cells(sow_metric *out, sow_index *n_out, const sow_truth *truth, const sow_cells_item *items, sow_index n, sow_rng *rng,
                                             const sow_env *env, sow_error *err);
/** The same of one metric for each item: value [n], NaN where undefined; SOW_E_ARG for an unknown metric, with the known ones. */
SOW_MUST_CHECK sow_status sow_evaluate_cells_each(double *value, const char *metric, const sow_truth *truth, const sow_cells_item *items, sow_index n,
                                                  const sow_env *env, sow_error *err);

/** Names of the metrics, in the order of sow_evaluate_cells; *n of them. Static. */
const char *const *sow_cell_metrics(sow_index *n);
/** All of them for each item: value [n, metrics], NaN where undefined. */
SOW_MUST_CHECK sow_status sow_evaluate_cells_items(double *value, const sow_truth *truth, const sow_cells_item *items, sow_index n, const sow_env *env,
                                                   sow_error *err);

/** How far every item is from the controls: the MMD (of the truth's mode) between its measured cells, or with `predicted` != 0 the predicted ones, and the sample of
 *  controls, on all genes but its own; distance [n], NaN where undefined. Shifted controls, and cells made from controls, are compared with the other controls
 *  (reference: with themselves, as published). `items` as above; may be NULL without `predicted`. For sow_precision_at. Cost of shifts: 512^2 kernels an item; of the measured cells: 512 x cells. */
SOW_MUST_CHECK sow_status sow_cells_distance(double *distance, const sow_truth *truth, const sow_cells_item *items, sow_index n, int predicted, const sow_env *env,
                                             sow_error *err);

/** Share of the `k` perturbations with the largest `truth` that are among the `k` with the largest `predicted` (ties by position). Those of which either is NaN do not
 *  count; NaN when then n < 2 k. SOW_E_ARG for k < 1. */
SOW_MUST_CHECK sow_status sow_precision_at(double *out, const double *truth, const double *predicted, sow_index n, sow_index k, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
