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
    SOW_FILE_NPY
} sow_file_kind;

typedef struct {
    char *name;
    sow_column_kind kind;
    sow_index distinct; /* different values, missing ones not counted */
    sow_index missing;
    double low, high;   /* NUMBER: range; NaN otherwise */
    char *example;      /* the first value; "" when all are missing */
    const char *role;   /* "perturbation", "context", "cells", "guide", "replicate", "dose", "readout" (could be one), "significance" or "" */
} sow_inspect_column;

typedef struct {
    char *path;
    sow_file_kind kind;
    sow_index rows, width; /* table: lines and columns; h5ad: obs x var; GMT: sets and different members; npy: shape */
    int x_is_dense, x_is_sparse;
    sow_index n_columns;
    sow_inspect_column *column; /* table columns or obs columns */
    char *summary;              /* one or two sentences: what it is and what it is good for */

    /* guesses; NULL = none. Owned */
    char *readout_kind; /* scalar | profile; NULL for priors and single cells */
    char *perturbation_column, *control, *separator;
    char *context_column, *context; /* one of the two, context from the file's name */
    char *readout_column, *transform, *cells_column;
    sow_index n_perturbations; /* different ones, the control not counted */
} sow_inspection;

/** Look into a file. SOW_E_IO cannot open; SOW_E_DATA what the readers say of broken files. Sparse .h5ad (single cells) is described, not refused.
 *  Caller owns. Cost: one reading of the file, X left out. */
SOW_MUST_CHECK sow_status sow_inspect_file(sow_inspection **out, const char *path, sow_error *err);
void sow_inspection_destroy(sow_inspection *in);
/** The guesses for sow_config_template; strings are borrowed from `in`. */
void sow_inspection_guess(sow_config_guess *out, const sow_inspection *in);
const char *sow_file_kind_name(sow_file_kind kind); /* "table", "h5ad", "gene sets", "npy" */

#ifdef __cplusplus
}
#endif
#endif
