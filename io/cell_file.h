/* Single-cell files as streams of cells: `.h5ad` (X dense, CSR or CSC; layers; raw) and MatrixMarket folders in the 10x layout (or the path of a matrix.mtx whose name may
 * have a prefix, PREFIXmatrix.mtx.gz beside PREFIXbarcodes.tsv.gz). Every value is checked on the way: a reader of this stream may trust it. */
#ifndef SOWER_IO_CELL_FILE_H
#define SOWER_IO_CELL_FILE_H

#include "core/env.h"
#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_cell_file sow_cell_file;

typedef struct {
    const char *path;
    const char *layer;       /* NULL or "X"; "raw" = raw/X with raw/var; else a name under layers */
    const char *gene_column; /* var column with gene names; NULL = the var index. A folder has "symbol" (column 2 of features.tsv, the default) and "id" */
    int counts;              /* values are declared counts: negative or fractional ones are SOW_E_DATA, with cell and gene */
    sow_index memory;        /* bytes it may use for buffers; 0 = 64 MiB, at least 1 MiB. CSC and MatrixMarket go through a temporary file in `scratch` (12 bytes a value,
                              * 24 when entries of a folder are in no order) */
    const char *scratch;     /* folder for that file; NULL = TMPDIR or /tmp */
} sow_cell_file_options;

/** Open and check everything but the values. SOW_E_IO: not there. SOW_E_DATA: not HDF5, cut off, a dataset missing (named), shapes that disagree, duplicate gene
 *  names (named), a claim of more data than the file can hold, a compression filter this machine lacks (named, with what to do). */
SOW_MUST_CHECK sow_status sow_cell_file_open(sow_cell_file **out, const sow_cell_file_options *options, const sow_env *env, sow_error *err);
void sow_cell_file_close(sow_cell_file *f);
sow_index sow_cell_file_n_cells(const sow_cell_file *f);
sow_index sow_cell_file_n_genes(const sow_cell_file *f);
sow_index sow_cell_file_n_values(const sow_cell_file *f);      /* stored entries; an upper bound for dense X */
const sow_names *sow_cell_file_genes(const sow_cell_file *f);
const char *sow_cell_file_layout(const sow_cell_file *f);      /* "dense", "CSR", "CSC", "MatrixMarket" */

/** Some cells in file order. Borrowed until the next call. */
typedef struct {
    sow_index first, n;   /* cells first .. first + n - 1 */
    const int64_t *start; /* [n + 1], from 0 */
    const int32_t *gene;  /* ascending within a cell, zeros left out */
    const float *value;   /* finite */
} sow_cell_block;
/** The next block; n == 0 at the end. Blocks are the same for any number of threads. SOW_E_DATA: an index out of range or doubled, NaN or infinite, a negative or
 *  fractional count or one from 2^24 on, a damaged chunk; the file can then only be rewound or closed. SOW_E_IO: the disk refuses. SOW_E_CANCELLED: env's progress, while
 *  CSC or a folder is turned. */
SOW_MUST_CHECK sow_status sow_cell_file_next(sow_cell_block *out, sow_cell_file *f, const sow_env *env, sow_error *err);
/** Start again from the first cell. */
SOW_MUST_CHECK sow_status sow_cell_file_rewind(sow_cell_file *f, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
