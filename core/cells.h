/* Cells: what single-cell screens measure. A matrix of cells x genes as it lies in a file, and a table of labelled cells over several such
 * matrices. Values are raw (counts, or what the file calls log1p); core/prepare.h turns them into the frozen response space. */
#ifndef SOWER_CORE_CELLS_H
#define SOWER_CORE_CELLS_H

#include "core/env.h"
#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SOW_CONTROL = -1, SOW_NO_LABEL = -1 };

/** One matrix, CSR. Mapped from a cache (io/cell_cache.h) or in memory. `genes` belongs to the matrix; `owner` knows how to let go of the arrays. */
typedef struct {
    sow_index n_cells, n_genes;
    sow_names *genes;     /* [n_genes], each once */
    const int64_t *start; /* [n_cells + 1] */
    const int32_t *gene;  /* [start[n_cells]] ascending within a cell */
    const float *value;   /* [start[n_cells]] finite; zeros are not stored */
    void *owner;
    void (*release)(void *owner); /* NULL = nothing to let go */
} sow_cell_matrix;

/** What a matrix in memory owns: its `owner` is one of these from the heap, its `release` frees it with its arrays (NULL is fine). */
typedef struct {
    int64_t *start;
    int32_t *gene;
    float *value;
} sow_cell_arrays;
void sow_cell_arrays_release(void *owner);

/** Labelled cells of one or more matrices. A cell's position is its place in this table; it never changes while the table lives. */
typedef struct {
    sow_index n_matrices;
    sow_cell_matrix *matrix;  /* [n_matrices] owned */
    unsigned char *is_log;    /* [n_matrices] values are log1p-normalised already */
    sow_names *genes;         /* the genes every matrix has, in the order of the first */
    int32_t **gene_of;        /* [n_matrices][its n_genes] position in `genes`, or -1 */

    sow_index n;
    int32_t *in_matrix;       /* [n] */
    int64_t *row;             /* [n] row in that matrix */
    int32_t *perturbation;    /* [n] position in the catalogue, or SOW_CONTROL */
    int32_t *context;         /* [n] */
    int32_t *batch;           /* [n] technical batch, position in `batches`; 0 for all when the sources name none */
    int32_t *guide;           /* [n] position in `guides`, or SOW_NO_LABEL */
    int32_t *replicate;       /* [n] position in `replicates`, or SOW_NO_LABEL */
    sow_names *batches, *guides, *replicates;

    /* index, made by sow_cells_index */
    sow_index n_perturbations, n_contexts;
    sow_index *order;         /* [n] positions sorted by (context, perturbation with controls first, position) */
    sow_index *group_start;   /* [n_contexts * (n_perturbations + 1) + 1] */
} sow_cells;

/** Let go of everything; zeroes it. A zeroed one is fine. */
void sow_cell_matrix_clear(sow_cell_matrix *m);
void sow_cells_clear(sow_cells *cells);
/** (Re)build the index. Cost n log n. */
SOW_MUST_CHECK sow_status sow_cells_index(sow_cells *cells, sow_index n_perturbations, sow_index n_contexts, sow_error *err);
/** Positions of the cells of a perturbation (or SOW_CONTROL) in a context, ascending; borrowed; returns how many. `list` may be NULL. */
sow_index sow_cells_of(const sow_index **list, const sow_cells *cells, sow_index perturbation, sow_index context);

#ifdef __cplusplus
}
#endif
#endif
