/* Preparation of cells: filters, normalisation, log1p and highly variable genes, fitted once (at round 0, on controls, references and the
 * initial cells) and then frozen. No cell outside the fit enters it. */
#ifndef SOWER_CORE_PREPARE_H
#define SOWER_CORE_PREPARE_H

#include <math.h>

#include "core/cells.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_HVG_SEURAT, SOW_HVG_SEURAT_V3 } sow_hvg_flavour;
typedef enum { SOW_ACROSS_UNION, SOW_ACROSS_INTERSECTION } sow_hvg_across;

/** The `features:` of a campaign. */
typedef struct {
    sow_index min_genes_per_cell;         /* [0] */
    sow_index min_cells_per_gene;         /* [0] among the cells of the fit */
    sow_index min_cells_per_perturbation; /* [1] in a context */
    sow_index max_cells_per_perturbation; /* [0] = no cap; controls are not capped */
    double target_sum;                    /* NaN = the median total of the cells of the fit */
    int log1p;                            /* [1] */
    sow_index n_highly_variable;          /* 0 = all genes */
    sow_hvg_flavour flavour;              /* as scanpy's of that name */
    sow_hvg_across across;                /* genes chosen in each context, then joined */
    uint64_t seed;                        /* of the caps */
} sow_features;
#define SOW_FEATURES_INIT {0, 0, 1, 0, NAN, 1, 0, SOW_HVG_SEURAT, SOW_ACROSS_UNION, 1}

/** The frozen space. Owned; clear with sow_preparation_clear. */
typedef struct {
    sow_index d;
    sow_names *genes;        /* [d] the response's features, in the order of cells->genes */
    unsigned char *counted;  /* [genes of the table] passed the gene filter: enters a cell's total */
    int32_t *column;         /* [genes of the table] position in `genes`, or -1 */
    double target_sum;       /* NaN when values were log1p already */
    int log1p;
} sow_preparation;

/** What a filter took away: one line each, for people ("fewer than 50 genes"), the names (at most 20, then "... and 34 more") and the count. */
typedef struct {
    sow_index n, capacity;
    struct {
        char *what, *names;
        sow_index count;
    } *item;
} sow_filtered;
void sow_filtered_clear(sow_filtered *f);

/** Cell filter and caps, then the perturbation filter, on the table itself: cells that fail are taken out of it and its index is rebuilt. `names` are the
 *  catalogue's and `contexts` the contexts' names, for the messages. `too_few` [n_contexts * n_perturbations] (may be NULL) is set to the number of cells of
 *  groups that had fewer than min_cells_per_perturbation (their cells are taken out), else 0. */
SOW_MUST_CHECK sow_status sow_cells_filter(sow_cells *cells, sow_filtered *filtered, sow_index *too_few, const sow_features *features,
                                           const sow_names *names, const sow_names *contexts, const sow_env *env, sow_error *err);

/** Fit on the cells at `fit` [n_fit] (positions, ascending). Gene filter, target sum, highly variable genes (per context, joined by features->across).
 *  SOW_E_DATA: no cell, no gene left, an all-zero fit, more highly variable genes asked for than genes are left, a context with one cell or whose cells are all alike
 *  (highly variable genes), contexts whose chosen genes share none (INTERSECTION), counts mixed with log1p, SEURAT_V3 on log1p; SOW_E_ARG: a target sum not above 0.
 *  A context chooses fewer genes where fewer vary, and more where dispersions tie. `filtered` (may be NULL) names the genes taken
 *  away. With values that are log1p there is no target sum, and log1p is not taken again. The same bits for any number of threads. Cost: two passes over the cells of
 *  the fit, three for SOW_HVG_SEURAT_V3; memory a few numbers a gene and context and 16 bytes a cell. */
SOW_MUST_CHECK sow_status sow_preparation_fit(sow_preparation *out, sow_filtered *filtered, const sow_cells *cells, const sow_index *fit, sow_index n_fit,
                                              const sow_features *features, const sow_env *env, sow_error *err);
/** The same from what was recorded: names of the response's genes and of those not counted. SOW_E_DATA names a gene the cells lack. */
SOW_MUST_CHECK sow_status sow_preparation_make(sow_preparation *out, const sow_cells *cells, const sow_names *genes, const sow_names *not_counted,
                                               double target_sum, int log1p, sow_error *err);
void sow_preparation_clear(sow_preparation *p);

/** Prepared values of the cells at `cell` [n] into out [n, d] (row-major). A cell without any counted count is all zeros. */
SOW_MUST_CHECK sow_status sow_prepared_rows(float *out, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, sow_index n,
                                            const sow_env *env, sow_error *err);
/** The same without zeros, as CSR: start [n + 1] from 0, column and value with room for sow_prepared_values_bound entries. Columns ascend within a cell. */
SOW_MUST_CHECK sow_status sow_prepared_values(int64_t *start, int32_t *column, float *value, const sow_preparation *p, const sow_cells *cells,
                                              const sow_index *cell, sow_index n, const sow_env *env, sow_error *err);
/** Stored values of these cells: no fewer than they have when prepared. Positions are not checked. */
sow_index sow_prepared_values_bound(const sow_cells *cells, const sow_index *cell, sow_index n);
/** Mean [d] and (unless NULL) variance [d] (n - 1) of prepared values, in double. n == 0 gives NaN, as does the variance of one
 *  cell; a gene that does not vary (by more than single precision can hold) has a variance of exactly 0. Same bits for any number of threads. Cost: one pass. */
SOW_MUST_CHECK sow_status sow_prepared_mean(double *mean, double *variance, const sow_preparation *p, const sow_cells *cells, const sow_index *cell,
                                            sow_index n, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
