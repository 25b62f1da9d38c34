/* What else lies in an AnnData file beside obs and X: the names of its layers, whether there is a raw matrix, and the columns of var. Not installed. */
#ifndef SOWER_IO_H5AD_OUTLINE_H
#define SOWER_IO_H5AD_OUTLINE_H

#include "io/h5ad.h"

typedef struct {
    int has_raw;
    sow_names *layers;
    sow_index n_vars, n_columns;
    sow_h5ad_column *var; /* [n_columns] of n_vars entries */
} sow_i_h5ad_outline;

/** SOW_E_DATA what sow_h5ad_read says of broken files; layers are only named, not opened. Cost: one reading of var. */
SOW_MUST_CHECK sow_status sow_i_h5ad_outline_read(sow_i_h5ad_outline *out, const char *path, sow_error *err);
void sow_i_h5ad_outline_clear(sow_i_h5ad_outline *o); /* a zeroed one is fine */

/** The first stored values of a sparse matrix, at most `most` of them: without turning a CSC matrix around. `layer` as in io/cell_file.h. `*out` [*n], caller frees. */
SOW_MUST_CHECK sow_status sow_i_h5ad_first_values(double **out, sow_index *n, const char *path, const char *layer, sow_index most, sow_error *err);

#endif
