/* Parts of AnnData files that io/h5ad.c and the readers of cells share. Not installed. `where` is "path: /obs" for messages. */
#ifndef SOWER_IO_H5AD_INTERNAL_H
#define SOWER_IO_H5AD_INTERNAL_H

#include "io/h5ad.h"
#include "io/hdf5_internal.h"

/** SOW_E_DATA when it is not there, or a compound table as anndata before 0.7 wrote it. */
SOW_MUST_CHECK sow_status sow_i_h5ad_group(hid_t *out, hid_t parent, const char *name, const char *where, sow_error *err);

/** Which dataset of a dataframe holds the names of its rows. Caller frees. */
SOW_MUST_CHECK sow_status sow_i_h5ad_index_name(char **out, hid_t frame, sow_error *err);
/** The names of the rows (caller frees with sow_i_free_strings), or only how many there are. */
SOW_MUST_CHECK sow_status sow_i_h5ad_index(char ***names, sow_index *n, hid_t frame, const char *index, const char *where, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_h5ad_length(sow_index *n, hid_t frame, const char *index, const char *where, sow_error *err);
/** Names of the columns (and of the index, and of __categories), as column-order says, then any other by name. */
SOW_MUST_CHECK sow_status sow_i_h5ad_columns(sow_names *names, hid_t frame, const char *where, sow_error *err);
/** A column of n entries; *known = 0 when it is of a kind that is not read (nested tables, references). */
SOW_MUST_CHECK sow_status sow_i_h5ad_column(sow_h5ad_column *column, int *known, hid_t frame, const char *name, sow_index n, const char *where,
                                            sow_error *err);
void sow_i_h5ad_clear_column(sow_h5ad_column *column, sow_index n);

/** What the attributes of a sparse matrix say. SOW_E_DATA when they are missing. */
typedef struct {
    int by_column; /* CSC */
    sow_index rows, columns;
} sow_i_h5ad_sparse;
SOW_MUST_CHECK sow_status sow_i_h5ad_sparse_open(sow_i_h5ad_sparse *out, hid_t group, const char *where, sow_error *err);

#endif
