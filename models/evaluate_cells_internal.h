/* Inside the evaluation of cells: truth.c makes what depends on the truth, cell_metrics.c has the metrics of means, cell_mmd.c those of distributions,
 * evaluate_cells.c goes through items and models. */
#ifndef SOWER_MODELS_EVALUATE_CELLS_INTERNAL_H
#define SOWER_MODELS_EVALUATE_CELLS_INTERNAL_H

#include "models/evaluate_cells.h"

enum { SOW_I_TOP = 20, SOW_I_MOST_CELLS = 512, SOW_I_KERNELS = 10, SOW_I_BATCH = 32 };

/** A set of genes. */
typedef struct {
    const sow_index *gene; /* [n] */
    sow_index n;
} sow_i_genes;

/** Some rows of cells, perhaps moved: value (i, j) = x[row[i], j] + shift[j], rounded to float. */
typedef struct {
    const float *x;
    sow_index d;
    const sow_index *row; /* [n], NULL = 0 .. n-1 */
    sow_index n;
    const double *shift;  /* [d] or NULL */
} sow_i_sample;

typedef struct {
    const float *truth;
    sow_index n;
    sow_index *own, n_own;
    double *mean;                     /* [d] of its cells */
    double *change;                   /* [d] mean less the controls' */
    sow_index *kept, n_kept;          /* [d] genes but its own */
    sow_index *de, n_de;              /* [options.n_de] padded with -1; how many there are */
    sow_index wilcoxon[SOW_I_TOP], n_wilcoxon;
    sow_index most[SOW_I_TOP], n_most; /* genes that change most */
    /* default mode */
    sow_index *row, n_row;            /* cells drawn for the MMD; row NULL = all */
    double sigma_all, sigma_de;       /* NaN: no MMD */
    double truth_all, truth_de;       /* mean kernel between different measured cells */
    double control_all, control_de;   /* ... between different controls of the sample */
    float *across;                    /* [n_near, n_row] squared distances of the sample of controls from the measured cells on kept genes */
} sow_i_truth_item;

struct sow_truth {
    sow_evaluate_cells_options options;
    sow_index n, d, n_control;
    const float *control;
    const double *centre;
    double *control_mean, *control_variance; /* [d] */
    sow_i_truth_item *item;
    /* default mode: a sample of the controls */
    sow_index *near_row, n_near; /* near_row NULL = all */
    float *near;                 /* [n_near, d] less the mean of the controls */
    float *near_gram;            /* [n_near, n_near] its products, lower triangle */
};

/* truth.c */
/** Mean of rows into mean [d]: sums in double, in order. */
void sow_i_cell_mean(double *mean, const float *x, sow_index n, sow_index d);
/** Variance per gene, n - 1 in the denominator, in two passes; 0 for one cell. */
void sow_i_cell_variance(double *variance, const float *x, sow_index n, sow_index d, const double *mean);
/** At most SOW_I_MOST_CELLS of n rows, ascending; *rows NULL when that is all of them. `which` names the stream with the item. */
SOW_MUST_CHECK sow_status sow_i_draw_rows(sow_index **rows, sow_index *n_rows, sow_index n, const sow_evaluate_cells_options *o, sow_index item, int which,
                                          sow_error *err);
/** The stream of one use. Items are fewer than 2^28. */
sow_rng sow_i_metric_rng(const sow_evaluate_cells_options *o, sow_index item, int which);
enum { SOW_I_DRAW_PREDICTED_DE, SOW_I_DRAW_TRUE_DE, SOW_I_DRAW_PREDICTED_ALL, SOW_I_DRAW_TRUE_ALL, SOW_I_DRAW_CONTROL, SOW_I_DRAW_TRUE, SOW_I_DRAW_PREDICTED, SOW_I_N_DRAWS = 8 };

/* cell_metrics.c */
enum {
    SOW_I_MMD_DE, SOW_I_MMD_ALL, SOW_I_RMSE_DE, SOW_I_RMSE_ALL, SOW_I_PEARSON_DE, SOW_I_PEARSON_ALL, SOW_I_PEARSON_CENTRED, SOW_I_DIRECTION_DE, SOW_I_R2_DE,
    SOW_I_R2_ALL, SOW_I_PEARSON_TOP_WILCOXON, SOW_I_PEARSON_TOP_ABS, SOW_I_RECALL_TOP, SOW_I_MSE_TOP, SOW_I_MAE_TOP, SOW_I_N_CELL_METRICS
};
extern const char *const sow_i_cell_metric[SOW_I_N_CELL_METRICS];
/** The genes of `from` with the largest |change| that is not 0, largest first, ties to the lowest position (from is ascending); how many. top [SOW_I_TOP]. */
sow_index sow_i_most_changed(sow_index *top, const double *change, sow_i_genes from);
/** All metrics but MMD of one item whose predicted mean and change are given [d]; value [SOW_I_N_CELL_METRICS]. */
void sow_i_mean_metrics(double *value, const struct sow_truth *t, const sow_i_truth_item *item, const double *mean, const double *change);

/* cell_mmd.c */
/** Rows of a sample at some genes (NULL: all, those of `own` as 0) less `centre`, into out [n, genes]. */
void sow_i_gather(float *out, const sow_i_sample *s, const sow_i_genes *genes, const sow_i_truth_item *own, const double *centre);
/** What of the MMD of an item depends on the truth: sigma_*, truth_*, control_*, across. */
SOW_MUST_CHECK sow_status sow_i_prepare_mmd(sow_i_truth_item *item, const struct sow_truth *t, sow_error *err);
/** mmd_de and mmd_all of item i into value[SOW_I_MMD_*]. */
SOW_MUST_CHECK sow_status sow_i_item_mmd(double *value, const struct sow_truth *t, sow_index i, const sow_cells_item *predicted, sow_error *err);
/** Distance of item i's measured cells (predicted NULL) or predicted ones from the controls. */
SOW_MUST_CHECK sow_status sow_i_item_distance(double *distance, const struct sow_truth *t, sow_index i, const sow_cells_item *predicted, sow_error *err);
/** The published MMD: mean over the m div 32 batches of 32 consecutive rows of predicted x [m, d] against truth y [m, d], both in the order drawn; each [m div 32] or NULL.
 *  NaN for m < 32. */
SOW_MUST_CHECK sow_status sow_i_mmd_batches(double *mean, double *each, const double *x, const double *y, sow_index m, sow_index d, double sigma, sow_error *err);

#endif
