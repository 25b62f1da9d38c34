/* What a data file is, and what its columns seem to be: for `sower inspect` and `sower init`. Guesses come from names and from content; they
 * are meant to be read and corrected by a person. */
#ifndef SOWER_IO_INSPECT_H
#define SOWER_IO_INSPECT_H

#include "core/status.h"
#include "io/config.h"
#include "io/h5ad.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_FILE_TABLE, /* CSV or TSV */
    SOW_FILE_H5AD,
    SOW_FILE_GMT,
    SOW_FILE_NPY,
    SOW_FILE_MTX /* a MatrixMarket folder in the 10x layout */
} sow_file_kind;

/** What the numbers of a matrix of cells seem to be, from a sample. */
typedef enum {
    SOW_NUMBERS_COUNTS,     /* whole and not negative */
    SOW_NUMBERS_LOG1P,      /* fractional, not negative, none above 20 */
    SOW_NUMBERS_NORMALISED, /* fractional, not negative, some above 20: normalised without a logarithm, or corrected counts */
    SOW_NUMBERS_SCALED,     /* some are negative */
    SOW_NUMBERS_NONE        /* it holds nothing, or cannot be read */
} sow_inspect_numbers;

typedef struct {
    char *name;
    sow_column_kind kind;
    sow_index distinct; /* different values, missing ones not counted */
    sow_index missing;
    double low, high;   /* NUMBER: range; NaN otherwise */
    char *example;      /* the first value; "" when all are missing */
    int has_control;    /* one of its values is a word for controls */
    const char *role;   /* "perturbation", "context", "cells", "guide", "replicate", "technical batch", "dose", "readout" (could be one), "significance" or "" */
} sow_inspect_column;

/** One matrix of a single-cell file. */
typedef struct {
    char *name;                       /* "X", "raw" or a layer's */
    char *layout;                     /* "dense", "CSR", "CSC", "MatrixMarket"; "" when it cannot be read */
    sow_index n_cells, n_genes, n_stored;
    sow_index n_sampled;              /* values that were looked at ... */
    double low, high;                 /* ... and their range; NaN without any */
    sow_inspect_numbers numbers;
    char *problem;                    /* why it cannot be read; NULL = it can */
} sow_inspect_matrix;

/** Cells of one context. */
typedef struct {
    char *name;
    sow_index cells, controls;
    sow_index perturbations, enough;  /* different ones; those with at least SOW_INSPECT_ENOUGH cells */
    sow_index low, median, high;      /* cells of a perturbation; 0 without any */
} sow_inspect_context;
enum { SOW_INSPECT_ENOUGH = 16 };

typedef struct {
    char *path;
    sow_file_kind kind;
    sow_index rows, width; /* table: lines and columns; h5ad: obs x var; GMT: sets and different members; npy: shape */
    int x_is_dense, x_is_sparse;
    sow_index n_columns;
    sow_inspect_column *column; /* table columns or obs columns */
    char *summary;              /* one or two sentences: what it is and what it is good for */

    /* single cells (h5ad with one row a cell, MTX folders); 0 and NULL otherwise */
    int is_cells;
    sow_index n_matrices, chosen; /* chosen: the matrix to use, counts before log1p; -1 = none will do */
    sow_inspect_matrix *matrix;
    sow_index n_var_columns;
    sow_inspect_column *var_column; /* roles: "gene names" or "" */
    sow_index n_contexts, target;   /* target: the context to plan in; -1 = none will do */
    sow_inspect_context *context_found; /* in the order of the file; one without a name's column has the guessed context's name */
    sow_index n_references;
    const char **reference; /* names of the other contexts with controls and perturbations; borrowed from context_found */
    char *guide_column, *replicate_column, *batch_column, *gene_column; /* gene_column: NULL = the index of var */
    char *labels; /* MTX: the table beside it that has the cells' labels */

    /* guesses; NULL = none. Owned */
    char *readout_kind; /* scalar | profile | cells; NULL for priors, and for cells that no campaign can be made from (the summary says why) */
    char *perturbation_column, *control, *separator;
    char *context_column, *context; /* one of the two, context from the file's name */
    char *readout_column, *transform, *cells_column;
    sow_index n_perturbations; /* different ones, the control not counted */
} sow_inspection;

/** Look into a file, or an MTX folder. SOW_E_IO cannot open; SOW_E_DATA what the readers say of broken files; a matrix of cells that cannot be read is described with the
 *  problem. Caller owns. Cost: one reading of the file, X left out but for a sample of each matrix of cells. */
SOW_MUST_CHECK sow_status sow_inspect_file(sow_inspection **out, const char *path, sow_error *err);
void sow_inspection_destroy(sow_inspection *in);
/** The guesses for sow_config_template; strings are borrowed from `in`. */
void sow_inspection_guess(sow_config_guess *out, const sow_inspection *in);
const char *sow_file_kind_name(sow_file_kind kind); /* "table", "h5ad", "gene sets", "npy", "MatrixMarket" */
const char *sow_numbers_name(sow_inspect_numbers numbers); /* "raw counts", "log1p-normalised", ... */

#ifdef __cplusplus
}
#endif
#endif
