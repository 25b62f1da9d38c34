/* AnnData `.h5ad` files (HDF5): dense X with string indices, obs and var columns; read and written so that anndata >= 0.8 opens them. */
#ifndef SOWER_IO_H5AD_H
#define SOWER_IO_H5AD_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_COLUMN_STRING, SOW_COLUMN_NUMBER, SOW_COLUMN_BOOL } sow_column_kind;

typedef struct {
    char *name;
    sow_column_kind kind;
    char **text;    /* [n] STRING (categoricals are expanded); NULL entries = missing */
    double *number; /* [n] NUMBER, BOOL; NaN = missing */
} sow_h5ad_column;

typedef struct {
    sow_index n_obs, n_vars;
    char **obs_names, **var_names; /* [n_obs], [n_vars] */
    sow_index n_obs_columns;
    sow_h5ad_column *obs;
    double *x;            /* [n_obs, n_vars] or NULL when not loaded */
    int x_is_sparse;      /* 1: X is CSR/CSC (cells); x stays NULL */
    int x_is_dense;       /* 1: the file has a dense X, loaded or not */

    /* What else the file has; looked at, not read. */
    sow_index n_var_columns, n_layers;
    char **var_columns, **layers; /* names, in the file's order and by name */
    int has_raw;                  /* raw/X is there */
    const char *x_layout;         /* "dense", "CSR", "CSC", or "" when there is no X or it is of another kind */
    sow_index n_stored;           /* values that X stores: n_obs * n_vars when dense */
} sow_h5ad;

/** Read; `load_x` 0 skips the matrix. Strings fixed or variable length, categorical (codes/categories), numeric and boolean columns; _index attribute or "index".
 *  SOW_E_IO cannot open; SOW_E_DATA truncated, not HDF5, missing dataset (named), shapes that disagree, duplicate obs names are allowed here. */
SOW_MUST_CHECK sow_status sow_h5ad_read(sow_h5ad **out, const char *path, int load_x, sow_error *err);
/** Write (atomically: beside, then renamed), encoding-version 0.1.0/0.2.0 attributes as anndata 0.8+ expects; X as f32 when f32 != 0. */
SOW_MUST_CHECK sow_status sow_h5ad_write(const char *path, const sow_h5ad *data, int f32, sow_error *err);
void sow_h5ad_destroy(sow_h5ad *data);
const sow_h5ad_column *sow_h5ad_obs(const sow_h5ad *data, const char *name); /* NULL when absent */

/** The HDF5 file that is being read at this moment, or NULL: for a handler of SIGSEGV, since libhdf5 has memory errors on damaged files
 *  (docs/decisions/fuzzing-hdf5.md). Safe there. Borrowed. */
const char *sow_h5ad_in_work(void);

#ifdef __cplusplus
}
#endif
#endif
