/* Shared inside core/ by the files of core/prepare.h. */
#ifndef SOWER_CORE_PREPARE_INTERNAL_H
#define SOWER_CORE_PREPARE_INTERNAL_H

#include "core/prepare.h"

/** One more line of `filtered` (which may be NULL, as nothing happens when count is 0). `list` [n] are the names, of which the first 20 are kept. */
SOW_MUST_CHECK sow_status sow_i_filtered_add(sow_filtered *filtered, const char *const *list, sow_index n, sow_index count, sow_error *err,
                                             const char *format, ...) SOW_PRINTF(6, 7);

/** The non-zeros of one cell as they lie in its matrix. */
typedef struct {
    sow_index n;
    const int32_t *gene;    /* [n] of the matrix */
    const float *value;     /* [n] */
    const int32_t *gene_of; /* matrix gene -> gene of the table, or -1 */
} sow_i_cell_view;

static inline sow_i_cell_view sow_i_cell(const sow_cells *cells, sow_index i)
{
    const int32_t k = cells->in_matrix[i];
    const sow_cell_matrix *m = &cells->matrix[k];
    const int64_t first = m->start[cells->row[i]];
    return (sow_i_cell_view){m->start[cells->row[i] + 1] - first, m->gene + first, m->value + first, cells->gene_of[k]};
}

/** Sum of the counted genes of a cell. Whole counts are summed exactly, so the order does not matter for them. */
static inline double sow_i_cell_total(const sow_i_cell_view *cell, const unsigned char *counted)
{
    double total = 0;
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]];
        if (g >= 0 && counted[g]) total += (double)cell->value[j];
    }
    return total;
}

/** What one cell adds to the two sums of a gene it has. */
typedef enum {
    SOW_I_SUM_CELLS,      /* 1 and the count */
    SOW_I_SUM_COUNTS,     /* the count and its square */
    SOW_I_SUM_SHARES,     /* the count over the cell's total, and the square of that */
    SOW_I_SUM_EXPM1,      /* expm1 of the value, and the square of that */
    SOW_I_SUM_CLIPPED     /* the count, at most clip[gene], and its square */
} sow_i_sum_kind;

/** Sums over cells, gene by gene, into sum [genes of the table, 2] (overwritten). One pass over the cells in a fixed order. */
typedef struct {
    const sow_cells *cells;
    const sow_index *cell; /* [n] */
    sow_index n;
    const unsigned char *counted; /* [genes] others are passed over; NULL = all count */
    const double *clip;           /* [genes] SOW_I_SUM_CLIPPED only */
    double *total;                /* [n] receives each cell's total of counted genes, or NULL */
    double progress_from, progress_to;
} sow_i_sums;
SOW_MUST_CHECK sow_status sow_i_sum_genes(double *sum, const sow_i_sums *what, sow_i_sum_kind kind, const sow_env *env, sow_error *err);

#endif
