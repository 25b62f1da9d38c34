/* Shared inside core/ by the files of core/prepare.h. */
#ifndef SOWER_CORE_PREPARE_INTERNAL_H
#define SOWER_CORE_PREPARE_INTERNAL_H

#include <string.h>

#include "core/prepare.h"

/** One more line of `filtered` (which may be NULL, as nothing happens when count is 0). `list` [n] are the names, of which the first 20 are kept. */
SOW_MUST_CHECK sow_status sow_i_filtered_add(sow_filtered *filtered, const char *const *list, sow_index n, sow_index count, sow_error *err,
                                             const char *format, ...) SOW_PRINTF(6, 7);

/* ---- the non-zeros of a cell ---- */

/** What each matrix's genes are, worked out once a call. */
typedef struct {
    sow_index n;
    int32_t **column;        /* [n matrices][its genes] where a gene's value goes, or -1; NULL: gene g goes to g, and every gene does */
    unsigned char **counted; /* [n matrices][its genes] 1: it is in a cell's total; NULL: all are */
} sow_i_lookup;
/** For the matrices that the cells at `cell` [n] lie in. `counted` and `column` [genes of the table]: NULL = all count, and gene g goes to g when it counts. */
SOW_MUST_CHECK sow_status sow_i_lookup_make(sow_i_lookup *out, const sow_cells *cells, const sow_index *cell, sow_index n, const unsigned char *counted,
                                            const int32_t *column, sow_error *err);
void sow_i_lookup_clear(sow_i_lookup *l);

/** One cell as it lies in its matrix. */
typedef struct {
    sow_index n;
    const int32_t *gene;  /* [n] of the matrix */
    const float *value;   /* [n] */
    const int32_t *column; /* of its matrix, as in sow_i_lookup */
    const unsigned char *counted;
} sow_i_cell;

static inline sow_i_cell sow_i_cell_at(const sow_cells *cells, const sow_i_lookup *l, sow_index i)
{
    const int32_t k = cells->in_matrix[i];
    const sow_cell_matrix *m = &cells->matrix[k];
    const int64_t first = m->start[cells->row[i]];
    return (sow_i_cell){m->start[cells->row[i] + 1] - first, m->gene + first, m->value + first, l ? l->column[k] : NULL, l ? l->counted[k] : NULL};
}

/** Sum of the counted genes of a cell, in four strands: the same bits wherever it is asked for. */
static inline double sow_i_cell_total(const sow_i_cell *cell)
{
    double strand[4] = {0};
    sow_index j = 0;
    if (!cell->counted) {
        for (; j + 4 <= cell->n; j += 4)
            for (int k = 0; k < 4; k++) strand[k] += (double)cell->value[j + k];
        for (; j < cell->n; j++) strand[j % 4] += (double)cell->value[j];
    } else {
        for (; j < cell->n; j++) strand[j % 4] += (double)((float)cell->counted[cell->gene[j]] * cell->value[j]);
    }
    return (strand[0] + strand[1]) + (strand[2] + strand[3]);
}

/** How the values of one cell become prepared ones. Most counts are small whole numbers, whose logarithms are remembered. */
enum { SOW_I_SMALL_COUNTS = 64 };
typedef struct {
    int as_is, log1p;
    double factor;
    float known[SOW_I_SMALL_COUNTS]; /* negative = not yet */
} sow_i_scale;

static inline void sow_i_scale_begin(sow_i_scale *s, const sow_preparation *p, const sow_i_cell *cell)
{
    s->as_is = isnan(p->target_sum);
    s->log1p = p->log1p;
    s->factor = 0;
    if (s->as_is) return;
    const double total = sow_i_cell_total(cell);
    if (total > 0) s->factor = p->target_sum / total;
    for (int k = 0; k < SOW_I_SMALL_COUNTS; k++) s->known[k] = -1;
}

static inline float sow_i_scaled(const sow_i_scale *s, float count)
{
    const float x = (float)((double)count * s->factor);
    return s->log1p ? log1pf(x) : x;
}

static inline float sow_i_prepared(sow_i_scale *s, float count)
{
    if (s->as_is) return count;
    if (count >= 0 && count < SOW_I_SMALL_COUNTS) {
        const int k = (int)count;
        if ((float)k == count) {
            if (s->known[k] < 0) s->known[k] = sow_i_scaled(s, count);
            return s->known[k];
        }
    }
    return sow_i_scaled(s, count);
}

/* ---- sums over cells ---- */

/** What one cell adds to the two sums of a gene it has. */
typedef enum {
    SOW_I_SUM_CELLS,    /* 1, and nothing */
    SOW_I_SUM_COUNTS,   /* the value and its square */
    SOW_I_SUM_CLIPPED,  /* the value, at most clip[gene], and its square */
    SOW_I_SUM_SHARES,   /* the value over the cell's total, and the square of that */
    SOW_I_SUM_EXPM1,    /* expm1 of the value, and the square of that */
    SOW_I_SUM_PREPARED  /* the prepared value and its square */
} sow_i_sum_kind;

typedef struct {
    const sow_cells *cells;
    const sow_index *cell; /* [n] */
    sow_index n;
    const unsigned char *counted; /* [genes] NULL = all count */
    const sow_preparation *space; /* SOW_I_SUM_PREPARED: sums are of its columns, and it says what counts */
    const double *clip;           /* [genes] SOW_I_SUM_CLIPPED */
    double *total;                /* [n] receives each cell's total of counted genes, or NULL */
    const char *saying;           /* what progress is called, or NULL for none */
    double from, to;              /* of progress */
} sow_i_sums;
/** Sums over cells, column by column, into sum [columns, 2] (overwritten): of genes of the table, or of the space. One pass over the cells in a fixed order. */
SOW_MUST_CHECK sow_status sow_i_sum_cells(double *sum, const sow_i_sums *what, sow_i_sum_kind kind, const sow_env *env, sow_error *err);
/** Variance (n - 1) from the two sums of n values: exactly 0 where it is below what single precision can hold. */
static inline double sow_i_variance(double sum, double squares, double n)
{
    const double around = squares - sum * sum / n;
    return around > 1e-12 * squares ? around / (n - 1) : 0;
}

#endif
