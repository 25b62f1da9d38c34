/* Metrics of predicted against measured cells. */
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
    const sow_index *own;   /* [n_own] features of its own genes (a combination has several), left out of every metric */
    sow_index n_own;
} sow_cells_item;

typedef struct {
    sow_evaluate_mode mode;
    sow_index n_de;         /* [50] genes of the DE metrics */
    uint64_t seed;
    sow_index round;        /* name of the streams, with the item */
} sow_evaluate_cells_options;

/** What depends on the truth and not on a model: DE genes, bandwidths. Make once, use for every model. */
typedef struct sow_truth sow_truth;
/** `control` [n_control, d] are the context's measured controls, `centre` [d] (may be NULL) the context's mean response: pearson_delta_centred takes it from both sides. Items' predicted may be NULL here.
 *  control, items' truth and centre are borrowed as long as the truth lives. */
SOW_MUST_CHECK sow_status sow_truth_create(sow_truth **out, const sow_cells_item *items, sow_index n, sow_index d, const float *control, sow_index n_control,
                                           const double *centre, const sow_evaluate_cells_options *options, const sow_env *env, sow_error *err);
void sow_truth_destroy(sow_truth *t);
/** DE genes of item i: [n_de], -1 padded. */
const sow_index *sow_truth_de(const sow_truth *t, sow_index item);

/** Metrics of one model, means over items with 95 % bootstrap intervals: mmd_de mmd_all rmse_de rmse_all pearson_delta_de pearson_delta_all pearson_delta_centred direction_de r2_de r2_all pearson_top20_wilcoxon
 *  pearson_top20_abs recall_top20 mse_top20 mae_top20. `items` as in create, now with predicted cells. out [SOW_METRICS_MAX], *n_out. An undefined value of an item is left out of the mean, except
 *  centred ones, which are 0. */
SOW_MUST_CHECK sow_status sow_evaluate_cells(sow_metric *out, sow_index *n_out, const sow_truth *truth, const sow_cells_item *items, sow_index n, sow_rng *rng,
                                             const sow_env *env, sow_error *err);
/** Per-item values of one metric of the last call's table, for tests and the report: value [n]; SOW_E_ARG for an unknown metric. */
SOW_MUST_CHECK sow_status sow_evaluate_cells_each(double *value, const char *metric, const sow_truth *truth, const sow_cells_item *items, sow_index n,
                                                  const sow_env *env, sow_error *err);

/** Share of the `k` perturbations with the largest `truth` that are among the `k` with the largest `predicted` (ties by position); NaN when n < 2 k. */
SOW_MUST_CHECK sow_status sow_precision_at(double *out, const double *truth, const double *predicted, sow_index n, sow_index k, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
